package cmdline

import (
	"fmt"
	"slices"
	"strings"
)

func fishCompletion() string {
	var b strings.Builder
	words := strings.Join(slices.Concat(commandWords(), extraWords()), " ")
	fmt.Fprintf(&b, fishHead, words)
	for _, c := range Commands[1:] {
		fmt.Fprintf(&b, "complete -c renew_mnetkeys -n __renew_mnetkeys_first -a %s -d %s\n", c.Name, fishQuoted(c.Does))
	}
	for _, e := range extras {
		fmt.Fprintf(&b, "complete -c renew_mnetkeys -n __renew_mnetkeys_first -a %s -d %s\n", e.word, fishQuoted(e.does))
	}
	fmt.Fprintf(&b, "complete -c renew_mnetkeys -n '__renew_mnetkeys_of help' -a '%s'\n", words)
	for _, g := range generators() {
		fmt.Fprintf(&b, "complete -c renew_mnetkeys -n '__renew_mnetkeys_of generate' -a %s -d %s\n", g.word, fishQuoted(g.what))
	}
	for _, o := range completedOptions() {
		b.WriteString("complete -c renew_mnetkeys")
		of := o.takers(" ")
		if of == "" {
			of = "renew " + strings.Join(commandWords(), " ")
		}
		fmt.Fprintf(&b, " -n '__renew_mnetkeys_of %s' -l %s", of, o.name)
		if o.short != "" {
			b.WriteString(" -s " + o.short)
		}
		switch {
		case o.isFile():
			b.WriteString(" -rF")
		case len(o.words) > 0:
			b.WriteString(" -xa " + fishQuoted(strings.Join(o.words, " ")))
		case !o.isSwitch():
			b.WriteString(" -x")
		}
		fmt.Fprintf(&b, " -d %s\n", fishQuoted(o.does()))
	}
	return b.String()
}

func fishQuoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

// The command is the first word, or renew; no files are completed after it.
const fishHead = `# Completion of renew_mnetkeys for fish.

function __renew_mnetkeys_first
    test (count (commandline -opc)) -eq 1
end

function __renew_mnetkeys_of
    set -l words (commandline -opc)
    set -l command renew
    if set -q words[2]; and contains -- $words[2] %s
        set command $words[2]
    end
    contains -- $command $argv
end

complete -c renew_mnetkeys -f
`
