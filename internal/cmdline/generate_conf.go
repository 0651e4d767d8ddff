package cmdline

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// sampleOptionFile is a file for --options in which every option is commented out.
// What explains is behind "# ", what could be taken is behind "#" alone.
func sampleOptionFile() string {
	var b strings.Builder
	b.WriteString(sampleHead)
	for _, s := range sections {
		fmt.Fprintf(&b, "\n# --- %s ---\n", s)
		for _, o := range optionTable() {
			name := o.flag.Names()[0]
			if o.section != s || name == "options" {
				continue
			}
			fmt.Fprintf(&b, "\n# %s\n#%s = %s\n", manUsage(o), name, exampleValue(o.flag))
		}
	}
	return b.String()
}

// exampleValue is the default of an option, where that is a value one could write.
func exampleValue(f cli.Flag) string {
	doc, name := f.(cli.DocGenerationFlag), f.Names()[0]
	if !doc.TakesValue() {
		return "true"
	}
	if example, ok := map[string]string{
		"host":            "https://tenant.example.org",
		"config":          "/var/www/moodle/config.php",
		"cfg":             "dbhost=db.example.org",
		"match":           "https://*.example.org",
		"exclude":         "https://old.example.org",
		"shard":           "0/4",
		"max-failures":    "5",
		"bindhost":        "https://peer.example.org",
		"random-delay":    "30m",
		"days":            "28",
		"node":            "127.0.0.1",
		"pre-hook":        "/usr/bin/true",
		"php":             "/usr/bin/php8.2",
		"cache-hook":      "php /var/www/moodle/admin/cli/purge_caches.php",
		"post-hook":       "/usr/bin/true",
		"ca-file":         "/etc/ssl/certs/ca-certificates.crt",
		"report":          "/var/www/html/mnet.html",
		"prometheus-file": "/var/lib/prometheus/node-exporter/mnet.prom",
	}[name]; ok {
		return example
	}
	return doc.GetValue()
}

const sampleHead = `# Options of renew_mnetkeys, one a line, for all its commands and tenants. The command line and the environment win.
# An option that a command does not take is passed over. An option that may be given more than once has a line for each.
#
# The user who runs the command must be able to read this file, and nobody else to write it. Name no password here:
# cfg takes one from a file of its own.
`
