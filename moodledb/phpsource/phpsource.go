// Package phpsource reads what a PHP configuration file assigns, without executing anything:
// Moodle's config.php, local_vmoodle's vconfig.php and the cache's muc/config.php.
//
// It knows a small language exactly: assignments to variables, elements and the properties of a
// stdClass; literals, constants and expressions over them; `if` whose condition it can decide;
// includes of a file whose path it can decide; and a few functions. One statement outside it and
// nothing is said of the whole file, for that statement may assign anything: Parse then gives a
// *ComputedError. What PHP versions from 7.2 on disagree about is outside it, too.
package phpsource

import (
	"fmt"
	"io/fs"
)

const (
	// MaxSize is the most bytes a source file may have.
	MaxSize = 1 << 20

	maxPath  = 4000    // bytes of a path: from 4,096 on there is no file
	maxDepth = 100     // nested brackets, expressions, blocks, strings and includes
	maxFiles = 64      // files read in all
	maxWork  = 1 << 24 // bytes concatenated or copied and list elements searched in all, so that a small file cannot cost much

	elementSize = 128 // bytes of a list's element, about
)

// Env is what the file can see of its surroundings. In the zero Env nothing of them is known.
type Env struct {
	Constants map[string]Value                                            // defined before the file is read
	Getenv    func(name string) (string, bool)                            // nil: the environment is not known
	Server    map[string]Value                                            // elements of $_SERVER, null where one is known to be missing; of others nothing is known
	Read      func(path string) ([]byte, error)                           // what require, include and file_get_contents name; nil: nothing can be read
	Stat      func(path string) (fs.FileInfo, error)                      // nil: it cannot be told which files there are
	Real      func(path string) string                                    // the path without symbolic links, which is what `__FILE__` says; nil: as it is
	Stop      func(path string, a *Assignments) bool                      // the reading ends where this file would be included (lib/setup.php)
	Call      func(name string, a *Assignments) (more string, known bool) // a function of the caller's, in lower case: may Set values and name one more file to include
}

// Assignments are the variables as they stand when the reading ends.
type Assignments struct {
	variables map[string]Value

	Stopped   bool // at the file that Env.Stop names; else the source was read to its end
	OfRequest bool // Env.Server was asked
}

// ComputedError is a file that says something outside the language that is known here, or that is
// no PHP: what it assigns cannot be told, whatever else it says. It names the construct, never a
// value of the file.
type ComputedError struct {
	Position
	Problem string // "calls gethostname()"
	Request bool   // it depends on a web request, of which Env.Server says nothing

	refused bool // PHP refuses it, too
}

func (e *ComputedError) Error() string {
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem)
}

// EndError is a file that ends by itself before the file that Env.Stop names: by exit or die, or
// the outermost one by return. Without Env.Stop a return is that of any included file.
type EndError struct {
	Position
	By string // exit or return
}

func (e *EndError) Error() string {
	return fmt.Sprintf("%s:%d: ends by %s", e.File, e.Line, e.By)
}

// Parse reads source, whose `__FILE__` is file (absolute), and everything it includes. The error is
// a *ComputedError or an *EndError.
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
	for name, v := range env.Constants {
		r.constants[name] = v
	}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case *ComputedError:
			if a, err = nil, p; r.a.Stopped && !p.refused { // behind Env.Stop
				a, err = r.a, nil
			}
		case *EndError:
			a, err = nil, p
		default:
			panic(p)
		}
	}()
	r.file(file, source)
	return r.a, nil
}

// Variable is the value of `$name` (no dollar sign), null when it was never assigned.
func (a *Assignments) Variable(name string) Value { return a.variables[name] }

// Set assigns `$name->property`, where `$name` is an object or becomes one.
func (a *Assignments) Set(v Value, name, property string) {
	o := a.variables[name]
	if o.kind != Object {
		o = Value{kind: Object, list: &list{}}
		a.variables[name] = o
	}
	o.list.set(property, v)
}
