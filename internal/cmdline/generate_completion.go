package cmdline

import "slices"

// completedOptions are the options of all commands, in the order of --help.
func completedOptions() []*option {
	return append(allOptions(),
		&option{name: "help", short: "h", help: "show this help"},
		&option{name: "version", short: "v", help: "print the version"})
}

// sharedOptions are options that are taken by the same commands.
type sharedOptions struct {
	of      []Name // nil for all
	options []*option
}

// optionsByTakers groups the options by the commands that take them; those of all commands come
// first.
func optionsByTakers() []sharedOptions {
	list := []sharedOptions{{}}
	for _, o := range completedOptions() {
		i := slices.IndexFunc(list, func(s sharedOptions) bool { return slices.Equal(s.of, o.of) })
		if i < 0 {
			i = len(list)
			list = append(list, sharedOptions{of: o.of})
		}
		list[i].options = append(list[i].options, o)
	}
	return list
}

// generateWords are the words that may follow generate.
func generateWords() []string {
	var words []string
	for _, g := range generators() {
		words = append(words, g.word)
	}
	return words
}
