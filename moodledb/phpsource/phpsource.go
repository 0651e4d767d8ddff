// Package phpsource reads what a PHP configuration file assigns, without executing anything:
// Moodle's config.php, local_vmoodle's vconfig.php and the cache's muc/config.php.
//
// It knows a small language exactly: assignments to variables, elements and the properties of a
// stdClass; literals, constants and expressions over them; `if` with a condition that it can
// decide; includes of a file whose path it can decide; and a few functions. If the file has a
// single statement outside that language, nothing is known of the whole file, because that
// statement may assign anything: Parse then gives a *ComputedError. Everything about which PHP
// versions from 7.2 on disagree is outside it, too.
package phpsource

import (
	"fmt"
	"io/fs"
)

const (
	// MaxSize is the maximum size of a source file in bytes.
	MaxSize = 1 << 20

	maxPath  = 4000    // bytes of a path: from 4,096 on no file can exist
	maxDepth = 100     // nested brackets, expressions, blocks, strings and includes
	maxFiles = 64      // total number of files that are read
	maxWork  = 1 << 24 // total of bytes concatenated or copied and of list elements searched, so that a small file cannot cost much

	elementSize = 128 // approximate bytes of a list's element
)

// Env is what the file can see of its surroundings. With the zero Env nothing of them is known.
type Env struct {
	Constants map[string]Value                                            // defined before the file is read
	Getenv    func(name string) (string, bool)                            // nil: the environment is not known
	Server    map[string]Value                                            // elements of $_SERVER, null for one that is known to be missing; nothing is known of others
	Read      func(path string) ([]byte, error)                           // reads files named in require, include and file_get_contents; nil: nothing can be read
	Stat      func(path string) (fs.FileInfo, error)                      // nil: it is not known which files exist
	Real      func(path string) string                                    // the path without symbolic links, which is the value of `__FILE__`; nil: the path unchanged
	Stop      func(path string, a *Assignments) bool                      // the reading ends at the include of this file (lib/setup.php)
	Call      func(name string, a *Assignments) (more string, known bool) // a function of the caller's, in lower case: may Set values and name one more file to include
}

// Assignments are the variables at the end of the reading.
type Assignments struct {
	variables map[string]Value

	Stopped   bool // at the file that Env.Stop names; otherwise the source was read to its end
	OfRequest bool // whether Env.Server was used
}

// ComputedError is a file that uses something outside the language that is known here, or that is
// not PHP: what it assigns is then not known, whatever else it contains. It names the construct,
// never a value of the file.
type ComputedError struct {
	Position
	Problem string // "calls gethostname()"
	Request bool   // it depends on a web request of which Env.Server does not say anything

	refused bool // PHP refuses it, too
}

func (e *ComputedError) Error() string {
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem)
}

// EndError is a file that ends by itself before the file that Env.Stop names: by exit or die, or,
// in the outermost file, by return. Without Env.Stop a return is that of any included file.
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
			if a, err = nil, p; r.a.Stopped && !p.refused { // after Env.Stop
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

// Variable is the value of `$name` (no dollar sign), null if it was never assigned.
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
