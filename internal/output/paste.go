package output

import (
	"regexp"
	"slices"
	"strings"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/rotate"
)

// Site has what a command that can be pasted must name of a site.
type Site struct {
	Config string                    // absolute path of config.php, "" if it is not known yet, or if there are several
	User   string                    // user for sudo; "" for none, or if not known
	Tenant func(wwwroot string) bool // whether it is a tenant of VMoodle
	// Purge is the path of Moodle's script that purges the caches of config.php's own site, but of
	// no tenant of VMoodle; PurgeTenant is that of VMoodle's script.
	Purge, PurgeTenant string
}

// Complete is a hint about the site with this wwwroot, or about all of the run if it is "", with
// complete commands.
func (out *Printer) Complete(text, wwwroot string) string {
	// A hook that purges only works if its script is found.
	text = strings.ReplaceAll(text, "='"+purge+"'", "="+always(out.site(wwwroot).purge(wwwroot)))
	return adviceOf(text).with(func(c command) string { return out.complete(c, wwwroot) })
}

// CompleteGroup is a hint about several sites, one of which is first, or about first alone, with
// complete commands. A push, or a command that only reads, is for all tenants at once. Any other
// command is for each by itself: a renewal of all keys is no cure for some of them, and a script
// purges the caches of one site.
func (out *Printer) CompleteGroup(text, first string, several bool) string {
	if several && adviceOf(text).forAll() {
		return out.Complete(text, "")
	}
	completed := out.Complete(text, first)
	if several && completed != text && strings.Contains(completed, first) {
		return "do this for each of these tenants, for example for " + first + ": " + completed
	}
	return completed
}

func (out *Printer) complete(c command, wwwroot string) string {
	if c.again {
		return out.repeated(c, wwwroot)
	}
	cmd, isTool := c.ofTool()
	if isTool && cmd.Changes && cmd.Good == rotate.Kept && hostIn(c.line) == "" && out.Options.Command.Row().Single {
		// Only the same command does what a push does not.
		_, change, _ := strings.Cut(c.line, string(cmd.Name))
		if strings.HasPrefix(change, " --all") { // it writes to all as it is
			change = ""
		}
		return out.repeated(command{again: true, change: strings.TrimPrefix(change, " ")}, wwwroot)
	}
	line := c.line
	if wwwroot != "" {
		line = strings.ReplaceAll(line, here, quoted(wwwroot))
	}
	switch {
	case line == purge:
		return out.site(wwwroot).sudo() + out.site(wwwroot).purge(wwwroot)
	case !isTool:
		return line
	}
	if named := hostIn(line); named != "" {
		wwwroot = named
	}
	if strings.Contains(line, " --all") {
		wwwroot = ""
	}
	at := out.site(wwwroot)
	if cmd.Single && out.SiteOf != nil { // which renames rows in the databases of all
		at = out.Site
	}
	if c.user != "" {
		at.User = c.user
	}
	return at.sudo() + out.withSite(cmd, line, wwwroot, at)
}

// repeated is the command line of this run, with a change or for another user.
func (out *Printer) repeated(c command, wwwroot string) string {
	who := out.site(wwwroot).sudo()
	if c.user != "" {
		who = sudo(c.user)
	}
	args, option := out.Arguments, ""
	switch c.change {
	case "":
		if c.user != "" || out.rollsBack() { // the other tenants would go back to the key that was just retired
			args = out.forUser(c.user, wwwroot)
		}
	case forReal:
		args = without(args, map[string]bool{"dry-run": false})
	case alone:
		args = without(args, cmdline.OnlyForAll())
		if !out.Typed("all") { // but in the option file or a variable
			args = append(args, "--all=false")
		}
	default: // another value of an option
		name, _ := cmdline.OptionOf(c.change)
		args, option = without(args, map[string]bool{name: true}), " "+c.change
	}
	return who + tool + words(args) + option
}

// forUser are the arguments of a command by another user than this run's. A tenant of an array may
// have files of a user who cannot work on the others: only the user of the whole array is advised to
// repeat the whole run.
func (out *Printer) forUser(user, wwwroot string) []string {
	if !out.Options.All || wwwroot == "" || user != "" && user == out.Site.User {
		return out.Arguments
	}
	args, at := without(out.Arguments, cmdline.OnlyForAll()), out.site(wwwroot)
	if at.Config != "" {
		args = append(without(args, map[string]bool{"config": true}), "--config="+at.Config)
	}
	if wwwroot != at.Config { // else it is not known whose config.php it is
		args = append(args, "--host="+wwwroot)
	}
	return args
}

// site is the site with this wwwroot, or what is common to all if it is "".
func (out *Printer) site(wwwroot string) Site {
	if out.SiteOf != nil && wwwroot != "" {
		return out.SiteOf(wwwroot)
	}
	return out.Site
}

// hostIn is the site that a command names, "" if it names none.
func hostIn(command string) string {
	_, host, _ := strings.Cut(command, " --host=")
	if rest, isQuoted := strings.CutPrefix(host, "'"); isQuoted {
		host, _, _ = strings.Cut(rest, "'")
		return host
	}
	host, _, _ = strings.Cut(host, " ")
	return host
}

func (s Site) sudo() string { return sudo(s.User) }

// withSite adds the configuration and the tenant, unless the command names its site already.
func (out *Printer) withSite(cmd cmdline.Command, line, wwwroot string, at Site) string {
	has := func(option string) bool { return strings.Contains(line, " --"+option) }
	carried := []string{"cfg", "php", "options", "node"}
	if hook := "cache-hook"; out.Typed(hook) && cmd.Changes {
		line, carried = advisedHook.ReplaceAllLiteralString(line, ""), append(carried, hook)
	}
	site := words(given(out.Arguments, carried...))
	switch {
	case has("config"):
	case at.Config == "":
		site = words(given(out.Arguments, "config")) + site
	default:
		site = " --config=" + quoted(at.Config) + site
	}
	selected := words(given(out.Arguments, "match", "exclude", "shard"))
	switch {
	case has("host"):
	case has("all"):
		site += selected
	case wwwroot != "" && wwwroot == at.Config: // it is not known whose config.php it is
	case wwwroot != "":
		site += " --host=" + quoted(wwwroot)
	case out.Options.All: // without a tenant it would be for the master
		site += " --all"
		if out.Options.Array.WithMaster {
			site += " --withmaster"
		}
		site += selected
	}
	return line + site
}

// advisedHook is a hook of a hint: that of the run, if there is one, knows how its caches are purged.
var advisedHook = regexp.MustCompile(` --cache-hook='[^']*'`)

// purge is Moodle's script for the site itself, and VMoodle's for a tenant: Moodle's does not purge
// a tenant's caches.
func (s Site) purge(wwwroot string) string {
	if s.Purge == "" { // the site was not found
		return purge
	}
	if wwwroot == "" || !s.Tenant(wwwroot) {
		return "php " + quoted(s.Purge)
	}
	return "php " + quoted(s.PurgeTenant) + " --host=" + quoted(wwwroot)
}

// given are the arguments of this run that set one of these options, by which it found the site and
// its web server, or selected tenants. Options in the environment or in the option file are found
// again without them.
func given(args []string, options ...string) []string {
	var found []string
	for i, arg := range args {
		name, joined := cmdline.OptionOf(arg)
		if !slices.Contains(options, name) {
			continue
		}
		found = append(found, arg)
		if !joined && i+1 < len(args) {
			found = append(found, args[i+1])
		}
	}
	return found
}

// without are the arguments of this run without those that set one of these options; true is one
// that takes a value.
func without(args []string, options map[string]bool) []string {
	var kept []string
	for i := 0; i < len(args); i++ {
		name, joined := cmdline.OptionOf(args[i])
		takesValue, dropped := options[name]
		switch {
		case !dropped:
			kept = append(kept, args[i])
		case takesValue && !joined: // the value is the next argument
			i++
		}
	}
	return kept
}

// Typed reports whether the command line has the option: it does not come from the environment or
// from the file of options.
func (out *Printer) Typed(option string) bool {
	return out.Options.Elsewhere[option] == "" && slices.ContainsFunc(out.Arguments, func(arg string) bool {
		name, _ := cmdline.OptionOf(arg)
		return name == option
	})
}

var plainWord = regexp.MustCompile(`^[\w@%+=:,./-]+$`)

// quoted is a word quoted for a shell.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return always(word)
}

func always(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// words are the arguments quoted for a shell, each after a blank.
func words(args []string) string {
	var b strings.Builder
	for _, arg := range args {
		b.WriteString(" " + quoted(arg))
	}
	return b.String()
}
