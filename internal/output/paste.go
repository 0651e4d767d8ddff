package output

import (
	"regexp"
	"slices"
	"strings"
)

// Site is what a command that can be pasted has to name of the site that a run is about.
type Site struct {
	Config string                    // absolute path of config.php, "" while it is not known
	User   string                    // whom to become by sudo, "" for nobody: the web server's user runs this, or is not known
	Tenant func(wwwroot string) bool // not config.php's own site, but a tenant of VMoodle
	// Purge is the path of Moodle's script that purges the caches of config.php's own site, and of
	// no tenant of VMoodle's; PurgeTenant that of VMoodle's.
	Purge, PurgeTenant string
}

// Hints are sentences. One that ends with "run: " and commands, joined by " && ", has them
// completed here, so that they can be pasted; anything behind them would be pasted, too.
const (
	chain = " && "
	again = "renew_mnetkeys …"               // this very command line
	tool  = "renew_mnetkeys"                 // with a command and options of it
	purge = "php admin/cli/purge_caches.php" // of the site in question
	here  = "WWWROOT"                        // of the site in question
)

// Complete is a hint about the site with this wwwroot, "" for all of the run, with complete
// commands.
func (out *Printer) Complete(text, wwwroot string) string {
	// A hook that purges is as good as its script is found.
	text = strings.ReplaceAll(text, "='"+purge+"'", "="+always(out.Site.purge(wwwroot)))
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

func (out *Printer) complete(command, wwwroot string) string {
	if wwwroot != "" {
		command = strings.ReplaceAll(command, here, quoted(wwwroot))
	}
	switch {
	case strings.HasSuffix(command, again):
		return strings.TrimSuffix(command, " …") + words(out.Arguments)
	case command == tool || strings.HasPrefix(command, tool+" "):
		return out.sudo() + out.withSite(command, wwwroot)
	case command == purge:
		return out.sudo() + out.Site.purge(wwwroot)
	}
	return command
}

func (out *Printer) sudo() string {
	if out.Site.User == "" {
		return ""
	}
	return "sudo -u " + quoted(out.Site.User) + " "
}

// withSite names the configuration and the tenant, unless the command says whom it is for.
func (out *Printer) withSite(command, wwwroot string) string {
	has := func(option string) bool { return strings.Contains(command, " --"+option) }
	if !has("config") && out.Site.Config != "" {
		command += " --config=" + quoted(out.Site.Config)
	}
	command += words(findsSite(out.Arguments))
	switch {
	case has("host"), has("all"):
	case wwwroot != "":
		command += " --host=" + quoted(wwwroot)
	case out.Options.All: // without a tenant it would be the master's
		command += " --all"
		if out.Options.Array.WithMaster {
			command += " --withmaster"
		}
	}
	return command
}

// purge is Moodle's script for the site itself, VMoodle's for a tenant: Moodle's purges nothing of
// a tenant.
func (s Site) purge(wwwroot string) string {
	if s.Purge == "" { // the site was not found
		return purge
	}
	if wwwroot == "" || !s.Tenant(wwwroot) {
		return "php " + quoted(s.Purge)
	}
	return "php " + quoted(s.PurgeTenant) + " --host=" + quoted(wwwroot)
}

// findsSite are the arguments of this run by which it found the site, and its web server. What
// stands in the environment or in the file of options is found again without.
func findsSite(args []string) []string {
	var found []string
	for i, arg := range args {
		name, _, joined := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if !strings.HasPrefix(arg, "--") || !slices.Contains([]string{"cfg", "php", "options", "node"}, name) {
			continue
		}
		found = append(found, arg)
		if !joined && i+1 < len(args) {
			found = append(found, args[i+1])
		}
	}
	return found
}

// Typed reports whether the command line has the option: it does not come from the environment or
// from the file of options.
func (out *Printer) Typed(option string) bool {
	return slices.ContainsFunc(out.Arguments, func(arg string) bool {
		name, _, _ := strings.Cut(arg, "=")
		return name == "--"+option
	})
}

var plainWord = regexp.MustCompile(`^[\w@%+=:,./-]+$`)

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return always(word)
}

func always(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// words are the arguments as a shell takes them, each behind a blank.
func words(args []string) string {
	var b strings.Builder
	for _, arg := range args {
		b.WriteString(" " + quoted(arg))
	}
	return b.String()
}
