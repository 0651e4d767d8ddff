package phpsource

import (
	"path"
	"strings"
)

// arguments reads `( … )`. An argument that cannot be read is Unevaluated.
func (r *reader) arguments() (args []Value) {
	end := r.peek().match
	r.next()
	for r.src.pos < end {
		if r.accept(",") {
			continue
		}
		start := r.src.pos
		var v Value
		why := r.guarded(func() {
			v = r.expression(0)
			if !r.is(",") && r.src.pos != end {
				giveUp("is written in a way the reader does not know")
			}
		})
		if why != "" {
			v = unevaluated(why)
			r.src.pos = start
			r.skipTo(",")
		}
		args = append(args, v)
	}
	r.src.pos = end
	r.next()
	return args
}

func (r *reader) unknownCall() Value {
	r.arguments()
	return unevaluated("calls a function the reader does not run")
}

// call evaluates the few functions that configuration files use and that depend on nothing else.
func (r *reader) call(name string) Value {
	args := r.arguments()
	for _, v := range args {
		if v.kind == Unevaluated {
			return v
		}
	}
	if f := known(name); f.run != nil && len(args) >= f.min && len(args) <= f.max {
		return f.run(r, args)
	}
	return unevaluated("calls a function the reader does not run")
}

// function is one PHP function with how many arguments of it are understood.
type function struct {
	min, max int
	run      func(r *reader, args []Value) Value
}

func known(name string) function {
	switch name {
	case "getenv":
		return function{1, 2, (*reader).environment}
	case "define":
		return function{2, 3, (*reader).defineCall}
	case "defined":
		return function{1, 1, func(r *reader, args []Value) Value { _, ok := r.constants[args[0].Text()]; return boolValue(ok) }}
	case "constant":
		return function{1, 1, func(r *reader, args []Value) Value { return r.constant(&token{text: args[0].Text()}) }}
	case "dirname":
		return function{1, 2, dirname}
	case "realpath":
		return function{1, 1, (*reader).realpath}
	case "file_exists", "is_file", "is_dir", "is_readable":
		return function{1, 1, (*reader).exists}
	case "file_get_contents":
		return function{1, 1, (*reader).contents}
	case "trim":
		return trim(strings.Trim)
	case "ltrim":
		return trim(strings.TrimLeft)
	case "rtrim", "chop":
		return trim(strings.TrimRight)
	case "strtolower":
		return text(strings.ToLower)
	case "strtoupper":
		return text(strings.ToUpper)
	case "str_replace":
		return function{3, 3, (*reader).replace}
	case "intval":
		return function{1, 1, func(_ *reader, args []Value) Value { return cast("int", args[0]) }}
	case "boolval":
		return function{1, 1, func(_ *reader, args []Value) Value { return cast("bool", args[0]) }}
	case "strval":
		return function{1, 1, func(_ *reader, args []Value) Value { return cast("string", args[0]) }}
	case "php_sapi_name":
		return function{0, 0, func(*reader, []Value) Value { return StringValue("cli") }}
	}
	return function{}
}

// text is a function of one string; outside ASCII the PHP versions differ.
func text(f func(string) string) function {
	return function{1, 1, func(_ *reader, args []Value) Value {
		s := args[0].Text()
		if args[0].list != nil || strings.IndexFunc(s, func(c rune) bool { return c >= 0x80 }) >= 0 {
			return unevaluated("changes a text the reader does not know")
		}
		return StringValue(f(s))
	}}
}

func trim(f func(s, cutset string) string) function {
	return function{1, 2, func(_ *reader, args []Value) Value { return trimmed(f, args) }}
}

// environment is getenv(): false when the variable is not set.
func (r *reader) environment(args []Value) Value {
	if text := r.getenv(args[0].Text()); text != "" {
		return StringValue(text)
	}
	return boolValue(false)
}

func (r *reader) defineCall(args []Value) Value {
	r.define(args[0].Text(), args[1])
	return boolValue(true)
}

// dirname takes trailing slashes off before the last part, as PHP does.
func dirname(_ *reader, args []Value) Value {
	name, levels := args[0].Text(), int64(1)
	if len(args) == 2 {
		levels = args[1].Int()
	}
	if levels < 1 || levels > maxDepth {
		return unevaluated("asks for no directory")
	}
	for ; levels > 0; levels-- {
		trimmed := strings.TrimRight(name, "/")
		i := strings.LastIndexByte(trimmed, '/')
		switch {
		case name == "":
			return StringValue("")
		case trimmed == "":
			return StringValue("/")
		case i < 0:
			return StringValue(".")
		}
		if name = strings.TrimRight(trimmed[:i], "/"); name == "" {
			name = "/"
		}
	}
	return StringValue(name)
}

func (r *reader) exists(args []Value) Value {
	file := args[0].Text()
	if r.env.Exists == nil || !path.IsAbs(file) {
		return unevaluated("asks for a file")
	}
	return boolValue(r.env.Exists(file))
}

// realpath does not follow symbolic links: the path without them names the same file.
func (r *reader) realpath(args []Value) Value {
	v := r.exists(args)
	switch {
	case v.kind == Unevaluated:
		return v
	case v.Truth():
		return StringValue(path.Clean(args[0].Text()))
	}
	return boolValue(false)
}

// contents is file_get_contents() of a local file: how container images pass secrets.
func (r *reader) contents(args []Value) Value {
	file := args[0].Text()
	if r.env.Read == nil || !path.IsAbs(file) || r.mode == skipping {
		return unevaluated("reads a file")
	}
	text, err := r.env.Read(path.Clean(file))
	if err != nil || len(text) > MaxSize {
		return unevaluated("reads a file that cannot be read")
	}
	r.spend(len(text))
	return StringValue(string(text))
}

// trimmed is trim() and its like; a range of characters (`a..z`) is not understood.
func trimmed(f func(s, cutset string) string, args []Value) Value {
	cutset := " \t\n\r\x00\v"
	if len(args) == 2 {
		cutset = args[1].Text()
	}
	for _, c := range []byte(cutset) {
		if c >= 0x80 || strings.Contains(cutset, "..") {
			return unevaluated("trims characters the reader does not know")
		}
	}
	return StringValue(f(args[0].Text(), cutset))
}

func (r *reader) replace(args []Value) Value {
	for _, v := range args {
		if v.list != nil {
			return unevaluated("replaces in arrays")
		}
	}
	search, by, in := args[0].Text(), args[1].Text(), args[2].Text()
	if search == "" {
		return args[2]
	}
	r.spend(len(in) + strings.Count(in, search)*len(by))
	return StringValue(strings.ReplaceAll(in, search, by))
}
