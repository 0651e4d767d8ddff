package cmdline

import (
	"fmt"
	"slices"
	"strings"
)

// bashCompletion needs bash 4, but not the package bash-completion.
func bashCompletion() string {
	var files, free, words, options []string
	for _, g := range optionsByTakers() {
		var typed []string
		for _, o := range g.options {
			name := "--" + o.name
			switch {
			case o.isFile():
				files = append(files, o.flags()...)
			case len(o.words) > 0:
				words = append(words, fmt.Sprintf("    %s) words='%s' ;;\n", strings.Join(o.flags(), " | "), strings.Join(o.words, " ")))
			case !o.isSwitch():
				free = append(free, o.flags()...)
			}
			if !o.isSwitch() {
				name += "="
			}
			typed = append(typed, name)
		}
		if g.of == nil {
			options = append(options, fmt.Sprintf("            words='%s'\n            case $command in\n", strings.Join(typed, " ")))
		} else {
			options = append(options, fmt.Sprintf("            %s) words+=' %s' ;;&\n", joined(g.of, " | "), strings.Join(typed, " ")))
		}
	}
	return strings.NewReplacer(
		"FILES", strings.Join(files, " | "), "FREE", strings.Join(free, " | "), "    VALUES\n", strings.Join(words, ""),
		"            OPTIONS\n", strings.Join(options, "")+"            esac\n",
		"CASES", strings.Join(commandWords(), " | "), "EXTRAS", strings.Join(extraWords(), " | "),
		"COMMANDS", strings.Join(slices.Concat(commandWords(), extraWords()), " "), "GENERATED", strings.Join(generateWords(), " "),
	).Replace(bashTemplate)
}

// readline splits a word of the command line at =, so that it arrives as three words.
const bashTemplate = `# Completion of renew_mnetkeys for bash.

_renew_mnetkeys() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=renew words=
    # --push=key comes as three words.
    if [[ $word == = ]]; then
        word=
    elif [[ $before == = ]] && ((COMP_CWORD > 2)); then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case ${COMP_WORDS[1]} in
    CASES | EXTRAS) command=${COMP_WORDS[1]} ;;
    esac
    COMPREPLY=()
    case $before in
    FILES)
        compopt -o default
        return
        ;;
    FREE)
        return
        ;;
    VALUES
    *)
        if ((COMP_CWORD > 1)) && [[ $command == generate ]]; then
            ((COMP_CWORD > 2)) || words='GENERATED'
        elif ((COMP_CWORD > 1)) && [[ $command == help ]]; then
            ((COMP_CWORD > 2)) || words='COMMANDS'
        elif [[ $word == -* ]]; then
            OPTIONS
        elif ((COMP_CWORD == 1)); then
            words='COMMANDS'
        fi
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then
        compopt -o nospace
    fi
}

complete -F _renew_mnetkeys renew_mnetkeys
`
