package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/apk"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	"github.com/goreleaser/nfpm/v2/rpm"
)

const (
	packageName = "renew-mnetkeys" // a Debian package's name has no underscore
	docDir      = "/usr/share/doc/" + packageName
	maintainer  = "The renew_mnetkeys authors <authors@renew-mnetkeys.invalid>"
	description = `renew the MNet keys of a Moodle site and prove that its peers use them
Renews the MNet key pair of a Moodle site, a VMoodle tenant or a whole array,
stores it in Moodle's database, sends the certificate to every peer, and asks
each of them for an answer that only the owner of its key can give.

The timer is installed and not enabled. Write into /etc/renew_mnetkeys.conf
where config.php is, then: systemctl enable --now renew_mnetkeys.timer`
)

// placed are the files of an archive, and where a package puts them. Examples do nothing until
// somebody installs them: above all what lets others run the command.
var placed = []files.Content{
	{Source: "renew_mnetkeys", Destination: "/usr/bin/renew_mnetkeys"},
	{Source: "completions/renew_mnetkeys.bash", Destination: "/usr/share/bash-completion/completions/renew_mnetkeys"},
	{Source: "completions/_renew_mnetkeys", Destination: "/usr/share/zsh/vendor-completions/_renew_mnetkeys", Packager: "deb"},
	{Source: "completions/_renew_mnetkeys", Destination: "/usr/share/zsh/site-functions/_renew_mnetkeys", Packager: "rpm"},
	{Source: "completions/_renew_mnetkeys", Destination: "/usr/share/zsh/site-functions/_renew_mnetkeys", Packager: "apk"},
	{Source: "completions/renew_mnetkeys.fish", Destination: "/usr/share/fish/vendor_completions.d/renew_mnetkeys.fish"},
	// For the web server's user to read, whoever that is: there is no password in it.
	{Source: "renew_mnetkeys.conf", Destination: "/etc/renew_mnetkeys.conf", Type: files.TypeConfigNoReplace},
	{Source: "packaging/systemd/renew_mnetkeys.service", Destination: "/usr/lib/systemd/system/renew_mnetkeys.service"},
	{Source: "packaging/systemd/renew_mnetkeys.timer", Destination: "/usr/lib/systemd/system/renew_mnetkeys.timer"},
	{Source: "LICENSE", Destination: docDir + "/copyright"},
	{Source: "README.md", Destination: docDir + "/README.md"},
	{Source: "SECURITY.md", Destination: docDir + "/SECURITY.md"},
	{Source: "CHANGELOG.md", Destination: docDir + "/CHANGELOG.md"},
	{Source: "CONTRIBUTING.md", Destination: docDir + "/CONTRIBUTING.md"},
	{Source: "renew_mnetkeys.cdx.json", Destination: docDir + "/renew_mnetkeys.cdx.json"},
	{Source: "LICENSES", Destination: docDir + "/LICENSES", Type: files.TypeTree},
	{Source: "docs", Destination: docDir + "/docs", Type: files.TypeTree},
	{Source: "packaging", Destination: docDir + "/packaging", Type: files.TypeTree},
}

// packages makes the .deb, the .rpm and the .apk of what dir has. They depend on nothing: the
// binary is static.
func (r *release) packages(t target, dir string) error {
	for format, packager := range map[string]nfpm.Packager{"deb": deb.Default, "rpm": rpm.DefaultRPM, "apk": apk.Default} {
		info := nfpm.WithDefaults(r.describe(t, dir))
		if err := nfpm.PrepareForPackager(info, format); err != nil {
			return fmt.Errorf("%s: %w", format, err)
		}
		file, err := os.Create(filepath.Join(r.dist, packager.ConventionalFileName(info)))
		if err != nil {
			return err
		}
		if err := packager.Package(info, file); err != nil {
			return fmt.Errorf("%s: %w", format, err)
		}
		if err := file.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (r *release) describe(t target, dir string) *nfpm.Info {
	reload := filepath.Join(r.scripts(), "reload.sh")
	info := &nfpm.Info{
		Name: packageName, Version: r.version, Arch: strings.Replace(t.arch, "armv7", "arm7", 1), Platform: t.os,
		Section: "web", Priority: "optional", Maintainer: maintainer, Description: description, License: "MIT",
		DisableGlobbing: true, MTime: r.time,
		Overridables: nfpm.Overridables{
			Umask: 0o022,
			Scripts: nfpm.Scripts{PostInstall: reload, PostRemove: reload,
				PreRemove: filepath.Join(r.scripts(), "preremove.sh")},
			RPM: nfpm.RPM{BuildHost: "localhost", Compression: "gzip:9"},
		},
	}
	for _, c := range placed {
		c.Source = filepath.Join(dir, c.Source)
		info.Contents = append(info.Contents, &c)
	}
	info.Contents = append(info.Contents, &files.Content{Source: r.compressedManual(), Destination: "/usr/share/man/man8/renew_mnetkeys.8.gz",
		FileInfo: &files.ContentFileInfo{Mode: 0o644, MTime: r.time}})
	return info
}
