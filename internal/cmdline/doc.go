// Package cmdline reads what the user asks for: the command, its options, their environment
// variables, and the option file. One table of options (options.go) and one of commands
// (commands.go) are the source of --help, the man page, the completions and the sample file.
//
// It refuses, with an error that says what to write instead: a stray word, an option that the
// command does not take, a variable MNETKEYS_… that is not an option, options that contradict each
// other, a password in the argument list, a file that is not a regular one, and an option file that
// others may write. It does no work itself: the row of a command names the function of package
// rotate that does.
package cmdline
