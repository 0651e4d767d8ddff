package cmdline

import (
	"fmt"
	"strings"
)

// zshCompletion is a file for $fpath, which can be sourced as well.
func zshCompletion() string {
	var commands, options strings.Builder
	for _, c := range Commands[1:] {
		fmt.Fprintf(&commands, "    %s\n", zshQuoted(string(c.Name)+":"+c.Does))
	}
	for _, e := range extras {
		fmt.Fprintf(&commands, "    %s\n", zshQuoted(e.word+":"+e.does))
	}
	for _, g := range optionsByTakers() {
		if g.of != nil {
			fmt.Fprintf(&options, "  case $command in %s)\n", joined(g.of, "|"))
		}
		options.WriteString("  options+=(\n")
		for _, o := range g.options {
			fmt.Fprintf(&options, "    %s\n", zshSpec(o))
		}
		options.WriteString("  )\n")
		if g.of != nil {
			options.WriteString("  ;; esac\n")
		}
	}
	return strings.NewReplacer("    COMMANDS\n", commands.String(), "  OPTIONS\n", options.String(),
		"CASES", strings.Join(commandWords(), "|"), "GENERATED", strings.Join(generateWords(), " ")).Replace(zshTemplate)
}

// zshSpec formats an option for _arguments: (excluded)names[sentence]:value:action.
func zshSpec(o *option) string {
	sentence := "[" + strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`).Replace(o.does()) + "]"
	long, short := "--"+o.name, "-"+o.short
	if !o.isSwitch() {
		action := " "
		switch {
		case o.isFile():
			action = "_files"
		case len(o.words) > 0:
			action = "(" + strings.Join(o.words, " ") + ")"
		}
		sentence += ":" + strings.ReplaceAll(o.arg, ":", `\:`) + ":" + action
		long, short = long+"=", short+"+"
	}
	repeats, excluded := "", "("+strings.Join(o.flags(), " ")+")"
	if o.repeats {
		repeats, excluded = "*", ""
	}
	if o.short == "" {
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
    help)
      (( CURRENT > 3 )) || _describe command commands
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
