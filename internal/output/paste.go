package output

import (
	"regexp"
	"slices"
	"strings"

	"renew_mnetkeys/internal/cmdline"
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

// Hints are sentences. If one ends with "run: " and commands, joined by " && ", the commands are
// completed here, so that they can be pasted; any text after them would be pasted, too.
const (
	chain = " && "
	again = "renew_mnetkeys …"               // this same command line
	tool  = "renew_mnetkeys"                 // with a command and its options
	purge = "php admin/cli/purge_caches.php" // for the site in question
	here  = "WWWROOT"                        // of the site in question
)

// Complete is a hint about the site with this wwwroot, or about all of the run if it is "", with
// complete commands.
func (out *Printer) Complete(text, wwwroot string) string {
	// A hook that purges only works if its script is found.
	text = strings.ReplaceAll(text, "='"+purge+"'", "="+always(out.site(wwwroot).purge(wwwroot)))
	at := max(strings.LastIndex(text, "run: "), strings.LastIndex(text, "Run: "))
	if at < 0 {
		return text
	}
	at += len("run: ")
	commands := strings.Split(text[at:], chain)
	for i, command := range commands {
		commands[i] = out.complete(command, wwwroot)
	}
	return text[:at] + strings.Join(commands, chain)
}

// CompleteGroup is a hint about several sites, one of which is first, or about first alone, with
// complete commands. A push, or a command that only reads, is for all tenants at once. Any other
// command is for each by itself: a renewal of all keys is no cure for some of them, and a script
// purges the caches of one site.
func (out *Printer) CompleteGroup(text, first string, several bool) string {
	if several && slices.ContainsFunc([]string{"push", "verify", "doctor"}, func(command string) bool { return strings.HasSuffix(text, "un: "+tool+" "+command) }) {
		return out.Complete(text, "")
	}
	completed := out.Complete(text, first)
	if several && completed != text && strings.Contains(completed, first) {
		return "do this for each of these tenants, for example for " + first + ": " + completed
	}
	return completed
}

// forReal is the end of a command that repeats a dry run as a run.
const forReal = " for real"

func (out *Printer) complete(command, wwwroot string) string {
	if wwwroot != "" {
		command = strings.ReplaceAll(command, here, quoted(wwwroot))
	}
	if rest, isPush := strings.CutPrefix(command, tool+" push"); isPush && out.Options.Command.Row().Single {
		command = again + rest // which also does what a push cannot do
	}
	changed, isAgain := strings.CutPrefix(command, again+" ")
	switch {
	case command == again && out.rollsBack(): // the other tenants would go back to the key that was just retired
		return out.site(wwwroot).sudo() + tool + words(out.forUser(command, wwwroot))
	case command == again:
		return out.site(wwwroot).sudo() + tool + words(out.Arguments)
	case command == again+forReal:
		return out.site(wwwroot).sudo() + tool + words(without(out.Arguments, map[string]bool{"dry-run": false}))
	case isAgain && changed == "without --all":
		alone := without(out.Arguments, cmdline.OnlyForAll())
		if !out.Typed("all") { // but in the option file or a variable
			alone = append(alone, "--all=false")
		}
		return out.site(wwwroot).sudo() + tool + words(alone)
	case isAgain: // with another value of an option
		name, _ := optionOf(changed)
		return out.site(wwwroot).sudo() + tool + words(without(out.Arguments, map[string]bool{name: true})) + " " + changed
	case strings.HasSuffix(command, again): // by another user
		return strings.TrimSuffix(command, " …") + words(out.forUser(command, wwwroot))
	case command == tool || strings.HasPrefix(command, tool+" "):
		if named := hostIn(command); named != "" {
			wwwroot = named
		}
		if strings.Contains(command, " --all") {
			wwwroot = ""
		}
		at := out.site(wwwroot)
		if strings.HasPrefix(command, tool+" move ") && out.SiteOf != nil { // which renames rows in the databases of all
			at = out.Site
		}
		return at.sudo() + out.withSite(command, wwwroot, at)
	case command == purge:
		return out.site(wwwroot).sudo() + out.site(wwwroot).purge(wwwroot)
	}
	return command
}

// forUser are the arguments of a command by another user than this run's. A tenant of an array may
// have files of a user who cannot work on the others: only the user of the whole array is advised to
// repeat the whole run.
func (out *Printer) forUser(command, wwwroot string) []string {
	if !out.Options.All || wwwroot == "" || strings.HasPrefix(command, "sudo -u "+out.Site.User+" ") {
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

func (s Site) sudo() string {
	if s.User == "" {
		return ""
	}
	return "sudo -u " + quoted(s.User) + " "
}

// withSite adds the configuration and the tenant, unless the command names its site already.
func (out *Printer) withSite(command, wwwroot string, at Site) string {
	has := func(option string) bool { return strings.Contains(command, " --"+option) }
	carried := []string{"cfg", "php", "options", "node"}
	if hook := "cache-hook"; out.Typed(hook) && changes(command) {
		command, carried = advisedHook.ReplaceAllLiteralString(command, ""), append(carried, hook)
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
	return command + site
}

// advisedHook is a hook of a hint: that of the run, if there is one, knows how its caches are purged.
var advisedHook = regexp.MustCompile(` --cache-hook='[^']*'`)

// changes reports whether a command of the tool is one that writes.
func changes(command string) bool {
	cmd, _ := cmdline.CommandOf(strings.Fields(command))
	return cmd.Changes
}

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
		name, joined := optionOf(arg)
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
		name, joined := optionOf(args[i])
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
	return slices.ContainsFunc(out.Arguments, func(arg string) bool {
		name, _ := optionOf(arg)
		return name == option
	})
}

// optionOf is the option that an argument names, "" if it names none. One dash is as good as two,
// as in package flag: letters are never read together, so a long name with one dash is not
// ambiguous. joined says that the argument has the option's value, too.
func optionOf(arg string) (name string, joined bool) {
	dashed, _, joined := strings.Cut(arg, "=")
	name = strings.TrimLeft(dashed, "-")
	if dashes := len(dashed) - len(name); dashes < 1 || dashes > 2 {
		return "", joined
	}
	return name, joined
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
