package phpsource

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io/fs"
	"strings"
	"syscall"
)

// arguments reads `( … )`.
func (r *reader) arguments() (args []Value) {
	r.expect("(")
	for !r.accept(")") {
		r.beside(func() { args = append(args, r.expression(0)) })
		if !r.is(")") {
			r.expect(",")
		}
	}
	return args
}

// function is a PHP function whose result is known, with the number of its arguments.
type function struct {
	min, max int
	run      func(r *reader, args []Value) (v Value, known bool)
}

// functions are set by init: their bodies call the reader, which calls them.
var functions map[string]function

func init() {
	functions = map[string]function{
		"getenv":            {1, 1, (*reader).environment},
		"define":            {2, 2, (*reader).define},
		"defined":           {1, 1, (*reader).defined},
		"dirname":           {1, 2, dirname},
		"realpath":          {1, 1, (*reader).realpath},
		"file_exists":       {1, 1, fileIs(func(fs.FileInfo) bool { return true })},
		"is_file":           {1, 1, fileIs(func(i fs.FileInfo) bool { return i.Mode().IsRegular() })},
		"is_dir":            {1, 1, fileIs(fs.FileInfo.IsDir)},
		"is_readable":       {1, 1, (*reader).readable},
		"file_get_contents": {1, 1, (*reader).fileContents},
		"trim":              {1, 2, trim(strings.Trim)},
		"ltrim":             {1, 2, trim(strings.TrimLeft)},
		"rtrim":             {1, 2, trim(strings.TrimRight)},
		"explode":           {2, 2, explode},
		"sha1":              {1, 1, hash},
		"intval":            {1, 1, func(_ *reader, args []Value) (Value, bool) { return cast("int", args[0]) }},
		"php_sapi_name":     {0, 0, func(*reader, []Value) (Value, bool) { return StringValue("cli"), true }},
	}
}

// call evaluates one of the functions above; code that is skipped may call any.
func (r *reader) call(name string) Value {
	at := r.src.pos - 1
	switch name {
	case "end":
		return r.lastElement()
	case "property_exists":
		return r.propertyExists()
	}
	args := r.arguments()
	if r.skip {
		return Value{}
	}
	if f, ok := functions[name]; ok && len(args) >= f.min && len(args) <= f.max {
		if v, known := f.run(r, args); known {
			return v
		}
	} else if r.env.Call != nil && r.pending == 0 && len(args) == 0 {
		if more, known := r.env.Call(name, r.a); known {
			r.more(more)
			return Value{}
		}
	}
	r.src.pos = at
	r.unknown("calls " + name + "()")
	return Value{}
}

// more reads a file that one of the caller's functions includes: it shares only $CFG with this
// file.
func (r *reader) more(file string) {
	if file == "" {
		return
	}
	text, found := r.contents(file)
	if !found || r.included[file] {
		return
	}
	r.included[file] = true
	outer := r.a.variables
	r.a.variables = map[string]Value{"CFG": outer["CFG"]}
	r.file(file, text)
	outer["CFG"] = r.a.variables["CFG"]
	r.a.variables = outer
}

// lastElement is end() of a variable, which does not change anything that is known here.
func (r *reader) lastElement() Value {
	r.expect("(")
	p := r.named()
	r.expect(")")
	if r.skip {
		return Value{}
	}
	v := r.holds(p)
	if v.kind != Array {
		r.unknown("calls end()")
	}
	if entries := v.Entries(); len(entries) > 0 {
		return share(entries[len(entries)-1].Value)
	}
	return BoolValue(false)
}

// propertyExists is property_exists() of a variable.
func (r *reader) propertyExists() Value {
	r.expect("(")
	p := r.named()
	r.expect(",")
	name := r.expression(0)
	r.expect(")")
	if r.skip {
		return Value{}
	}
	v := r.holds(p)
	if v.kind != Object || name.kind != String {
		r.unknown("calls property_exists()")
	}
	return BoolValue(v.list.find(name.text) >= 0)
}

// environment is getenv(): false if the variable is not set.
func (r *reader) environment(args []Value) (Value, bool) {
	name := args[0].text
	if r.env.Getenv == nil || args[0].kind != String || name == "" || strings.ContainsAny(name, "=\x00") {
		return Value{}, false
	}
	if ofRequest(name) { // a web server also passes them as variables of the environment
		v := r.requested(name)
		return cmp.Or(v, BoolValue(false)), true
	}
	if text, ok := r.env.Getenv(name); ok {
		return StringValue(text), true
	}
	return BoolValue(false), true
}

// define keeps the first value of a constant, as PHP does.
func (r *reader) define(args []Value) (Value, bool) {
	name := args[0].text
	if args[0].kind != String || mayBePHPs(name) || args[1].kind >= Array && args[1].list.objects || args[1].kind == Object || reserved[strings.ToLower(name)] {
		return Value{}, false
	}
	if _, there := r.constants[name]; there {
		return BoolValue(false), true
	}
	r.constants[name] = share(args[1])
	return BoolValue(true), true
}

func (r *reader) defined(args []Value) (Value, bool) {
	name := args[0].text
	_, there := r.constants[name]
	return BoolValue(there), args[0].kind == String && (there || !mayBePHPs(name) && !reserved[strings.ToLower(name)])
}

// dirname removes trailing slashes before the last part, as PHP does.
func dirname(_ *reader, args []Value) (Value, bool) {
	name, levels := args[0].text, int64(1)
	if len(args) == 2 {
		levels = args[1].num
	}
	if args[0].kind != String || len(args) == 2 && args[1].kind != Int || levels < 1 || levels > maxDepth {
		return Value{}, false
	}
	for ; levels > 0; levels-- {
		trimmed := strings.TrimRight(name, "/")
		i := strings.LastIndexByte(trimmed, '/')
		switch {
		case name == "":
			return StringValue(""), true
		case trimmed == "":
			return StringValue("/"), true
		case i < 0:
			return StringValue("."), true
		}
		if name = strings.TrimRight(trimmed[:i], "/"); name == "" {
			name = "/"
		}
	}
	return StringValue(name), true
}

// stat returns the properties of a file; info is nil if there is none, known says whether this is
// certain.
func (r *reader) stat(v Value) (file string, info fs.FileInfo, known bool) {
	file, ok := r.location(v)
	if r.env.Stat == nil || !ok || r.special(file) {
		return "", nil, false
	}
	info, err := r.env.Stat(file)
	if err != nil {
		return file, nil, errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
	}
	return file, info, true
}

func fileIs(what func(fs.FileInfo) bool) func(*reader, []Value) (Value, bool) {
	return func(r *reader, args []Value) (Value, bool) {
		_, info, known := r.stat(args[0])
		return BoolValue(info != nil && what(info)), known
	}
}

// readable is is_readable() of a file: for a directory it is not known.
func (r *reader) readable(args []Value) (Value, bool) {
	file, info, known := r.stat(args[0])
	if info == nil || !known {
		return BoolValue(false), known
	}
	_, found := r.contents(file)
	return BoolValue(found), info.Mode().IsRegular()
}

func (r *reader) realpath(args []Value) (Value, bool) {
	file, info, known := r.stat(args[0])
	if info == nil || r.env.Real == nil {
		return BoolValue(false), known && info == nil
	}
	return StringValue(r.env.Real(file)), known
}

// fileContents is file_get_contents() of a local file: container images pass secrets in this way.
func (r *reader) fileContents(args []Value) (Value, bool) {
	file, info, known := r.stat(args[0])
	if info == nil || !known {
		return BoolValue(false), known
	}
	text, found := r.contents(file)
	return StringValue(string(text)), found
}

// trim is trim() and similar functions; a range of characters (`a..z`) is not known.
func trim(f func(s, cutset string) string) func(*reader, []Value) (Value, bool) {
	return func(_ *reader, args []Value) (Value, bool) {
		cutset := " \t\n\r\x00\v"
		if len(args) == 2 {
			cutset = args[1].text
		}
		if args[0].kind >= Array || args[0].kind == Number || len(args) == 2 && args[1].kind != String || strings.Contains(cutset, "..") {
			return Value{}, false
		}
		for _, c := range []byte(cutset) {
			if c >= 0x80 {
				return Value{}, false
			}
		}
		return StringValue(f(args[0].Text(), cutset)), true
	}
}

func explode(r *reader, args []Value) (Value, bool) {
	separator := args[0].text
	if args[0].kind != String || separator == "" || args[1].kind != String {
		return Value{}, false
	}
	r.spend(elementSize * (1 + strings.Count(args[1].text, separator)))
	l := &list{}
	for part := range strings.SplitSeq(args[1].text, separator) {
		l.push(StringValue(part))
	}
	return Value{kind: Array, list: l}, true
}

func hash(_ *reader, args []Value) (Value, bool) {
	sum := sha1.Sum([]byte(args[0].text))
	return StringValue(hex.EncodeToString(sum[:])), args[0].kind == String
}
