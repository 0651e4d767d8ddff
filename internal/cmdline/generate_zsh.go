package cmdline

import (
	"fmt"
	"strings"
)

// zshCompletion is a file of $fpath, and can be sourced as well.
func zshCompletion() string {
	var commands, options strings.Builder
	for _, c := range Commands[1:] {
		fmt.Fprintf(&commands, "    %s\n", zshQuoted(string(c.Name)+":"+c.Does))
	}
	fmt.Fprintf(&commands, "    %s\n", zshQuoted("generate:"+generateDoes))
	for _, g := range groups() {
		if g.of != nil {
			fmt.Fprintf(&options, "  case $command in %s)\n", strings.Join(g.of, "|"))
		}
		options.WriteString("  options+=(\n")
		for _, c := range g.options {
			fmt.Fprintf(&options, "    %s\n", zshSpec(c))
		}
		options.WriteString("  )\n")
		if g.of != nil {
			options.WriteString("  ;; esac\n")
		}
	}
	return strings.NewReplacer("    COMMANDS\n", commands.String(), "  OPTIONS\n", options.String(),
		"CASES", strings.Join(commandWords(), "|"), "GENERATED", strings.Join(generateWords(), " ")).Replace(zshTemplate)
}

// zshSpec gives an option as _arguments wants it: (excluded)names[sentence]:value:action.
func zshSpec(c completion) string {
	sentence := "[" + strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`).Replace(c.does) + "]"
	long, short := "--"+c.long, "-"+c.short
	if c.value != "" {
		action := " "
		switch {
		case c.file:
			action = "_files"
		case len(c.words) > 0:
			action = "(" + strings.Join(c.words, " ") + ")"
		}
		sentence += ":" + strings.ReplaceAll(c.value, ":", `\:`) + ":" + action
		long, short = long+"=", short+"+"
	}
	repeats, excluded := "", "("+strings.Join(c.flags(), " ")+")"
	if c.repeats {
		repeats, excluded = "*", ""
	}
	if c.short == "" {
		return zshQuoted(repeats + long + sentence)
	}
	return fmt.Sprintf("'%s%s'{%s,%s}%s", excluded, repeats, short, long, zshQuoted(sentence))
}

func zshQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

const zshTemplate = `#compdef renew_mnetkeys

_renew_mnetkeys() {
  local command=renew
  local -a commands options
  commands=(
    COMMANDS
  )
  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
    _describe command commands
    return
  fi
  case $words[2] in
    generate)
      (( CURRENT > 3 )) || compadd GENERATED
      return
      ;;
    CASES)
      command=$words[2]
      shift words
      (( CURRENT-- ))
      ;;
  esac
  OPTIONS
  _arguments -s $options
}

# Autoloaded, this file is the function's first call; sourced, it only registers it.
if [[ $funcstack[1] == _renew_mnetkeys ]]; then
  _renew_mnetkeys "$@"
else
  compdef _renew_mnetkeys renew_mnetkeys
fi
`
