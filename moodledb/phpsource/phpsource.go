// Package phpsource reads what a PHP configuration file assigns, without executing anything: Moodle's config.php, local_vmoodle's vconfig.php
// and the cache's muc/config.php. It evaluates literals, concatenation, interpolation, `__DIR__`, getenv() and conditions over these; whatever else
// is assigned stays marked as Unevaluated with its line and the reason. Calls, loops, functions and classes are never run.
package phpsource

import "fmt"

const (
	// MaxSize is the most bytes a source file may have.
	MaxSize = 1 << 20

	maxDepth = 100     // nested brackets, expressions, blocks, strings and includes
	maxFiles = 64      // files read in all
	maxWork  = 1 << 24 // bytes concatenated or copied and list elements searched in all, so that a small file cannot cost much

	elementSize = 128 // bytes of a list's element, about
)

// Env is what the file can see of its surroundings. The zero Env has no environment variables and no files.
type Env struct {
	Constants map[string]string                        // defined() before the file is read
	Getenv    func(name string) string                 // "" reads as not set
	Read      func(path string) ([]byte, error)        // what require, include and file_get_contents name; nil: nothing can be read
	Exists    func(path string) bool                   // file_exists(), is_file(), is_dir(), is_readable(); nil: cannot be told
	Real      func(path string) string                 // the path without symbolic links, which is what `__FILE__` of an included file says; nil: as it is
	Stop      func(path string) bool                   // the reading ends where this file would be included (lib/setup.php)
	After     func(path string, a *Assignments) string // called when an included file has been read; may Set values and name one more file to include
	Fixed     map[string]string                        // "dbpass", "dboptions.dbport": stands for whatever the source assigns to $CFG there
}

// Assignments are the variables as they stand when the reading ends.
type Assignments struct {
	variables map[string]Value
	unread    []Value
}

// SyntaxError is a file that is not PHP as far as the reader can tell, or too large to be read. It shows the place, never the content.
type SyntaxError struct {
	Position
	Problem string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem)
}

// Parse reads source, whose `__FILE__` is file (absolute), and everything it includes. The error is a *SyntaxError;
// values that cannot be evaluated are no error.
//
//	a, err := phpsource.Parse(file, source, phpsource.Env{})
//	stores := a.Variable("configuration").Get("stores").Entries()
func Parse(file string, source []byte, env Env) (a *Assignments, err error) {
	r := &reader{
		env:       env,
		a:         &Assignments{variables: map[string]Value{}},
		constants: map[string]Value{},
		included:  map[string]bool{file: true},
	}
	for name, text := range env.Constants {
		r.constants[name] = StringValue(text)
	}
	defer func() {
		if p := recover(); p != nil {
			syntax, ok := p.(*SyntaxError)
			if !ok {
				panic(p)
			}
			a, err = nil, syntax
		}
	}()
	r.fix("CFG")
	r.file(file, source)
	return r.a, nil
}

// Variable is the value of `$name` (no dollar sign), null when it was never assigned.
func (a *Assignments) Variable(name string) Value { return a.variables[name] }

// Unread are the places that may have assigned anything and could not be followed: includes, settings whose name is computed.
func (a *Assignments) Unread() []Value { return a.unread }

// Set assigns `$name->path…` or `$name['path']…`, as a line of the source would.
func (a *Assignments) Set(v Value, name string, path ...string) {
	steps := make([]step, len(path))
	for i, key := range path {
		steps[i] = step{key: key, property: i == 0 && name == "CFG"}
	}
	a.variables[name], _ = assigned(a.variables[name], steps, v)
}
