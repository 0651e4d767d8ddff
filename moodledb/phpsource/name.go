package phpsource

import (
	"path"
	"strings"
)

// name reads an expression that starts with a word: a constant, a call, `array(…)`, `new`, `isset`, `require`.
func (r *reader) name() Value {
	t := r.next()
	word := strings.ToLower(t.text)
	switch word {
	case "true", "false":
		return boolValue(word == "true")
	case "null":
		return Value{}
	case "array", "list":
		if r.accept("(") {
			return r.array(r.src.pos - 1)
		}
	case "new":
		return r.instance()
	case "isset":
		return r.isset()
	case "empty":
		return r.empty()
	case "require", "require_once", "include", "include_once":
		return r.include(word)
	case "exit", "die":
		if r.is("(") {
			r.arguments()
		}
		return unevaluated("ends the script")
	case "function", "fn", "static", "match", "clone", "print", "yield", "throw", "class":
		giveUp("is written in a way the reader does not know")
	}
	switch {
	case r.is("("):
		return r.call(word)
	case r.is("::"):
		r.next()
		r.next()
		if r.is("(") {
			r.arguments()
		}
		return unevaluated("uses a class")
	}
	return r.constant(t)
}

// constant never names the one it does not know: an unquoted password reads as a constant.
func (r *reader) constant(t *token) Value {
	switch strings.ToUpper(t.text) {
	case "__FILE__":
		return StringValue(r.src.path)
	case "__DIR__":
		return StringValue(r.directory())
	case "__LINE__":
		return intValue(int64(t.line))
	}
	if v, ok := r.constants[t.text]; ok {
		return share(v)
	}
	switch t.text {
	case "DIRECTORY_SEPARATOR":
		return StringValue("/")
	case "PATH_SEPARATOR":
		return StringValue(":")
	case "PHP_EOL":
		return StringValue("\n")
	case "PHP_SAPI":
		return StringValue("cli")
	}
	return unevaluated("uses a constant that is not defined here")
}

// instance reads `new …`: a stdClass is an object whose properties are known, of every other class nothing is.
func (r *reader) instance() Value {
	t := r.next()
	if t.kind != tName || strings.EqualFold(t.text, "class") {
		giveUp("makes an object")
	}
	if r.is("(") {
		r.arguments()
	}
	v := Value{kind: Object, list: &list{}}
	if !strings.EqualFold(t.text, "stdclass") {
		v.list.rest = unevaluated("belongs to an object of another class")
	}
	return v
}

func (r *reader) isset() Value {
	r.expect("(")
	result := boolValue(true)
	for !r.accept(")") {
		p := r.place()
		if p == nil {
			giveUp("asks for what a call gives")
		}
		switch v := r.read(p); {
		case v.kind == Null:
			result = boolValue(false)
		case v.kind == Unevaluated && (result.kind == Unevaluated || result.Truth()):
			result = v
		}
		r.accept(",")
	}
	return result
}

func (r *reader) empty() Value {
	r.expect("(")
	v := r.expression(0)
	r.expect(")")
	if v.kind == Unevaluated {
		return v
	}
	return boolValue(!v.Truth())
}

// array reads the elements up to the bracket that closes the one at open. An element that cannot be read spoils no other.
func (r *reader) array(open int) Value {
	end := r.src.tokens[open].match
	l := &list{}
	for r.src.pos < end {
		if r.accept(",") {
			continue
		}
		at := r.here()
		spread := r.accept("...")
		start := r.src.pos
		var k, v Value
		keyed := false
		why := r.guarded(func() {
			v = r.expression(0)
			if r.accept("=>") {
				k, keyed = v, true
				v = r.expression(0)
			}
			if !r.is(",") && r.src.pos != end {
				giveUp("is written in a way the reader does not know")
			}
		})
		if why != "" {
			v = unevaluated(why)
			r.src.pos = start
			r.skipTo(",")
		}
		v.at = at
		switch name, known := key(k); {
		case spread:
			r.spread(l, v)
		case !keyed:
			l.push(v)
		case known:
			r.spend(1 + len(l.entries)) // to look for the key
			l.set(name, v)
		default:
			l.rest = unevaluated("may be an element whose key is not literal")
			l.rest.at = at
		}
	}
	r.src.pos = end + 1
	if r.is("=") {
		r.destructure(open, end)
	}
	return Value{kind: Array, list: l}
}

// spread adds the elements of v: string keys replace, the others are numbered anew.
func (r *reader) spread(l *list, v Value) {
	if v.kind != Array || v.list.rest.kind == Unevaluated {
		l.rest = unevaluated("may be an element of a spread array")
		l.rest.at = v.at
	}
	for _, e := range v.Entries() {
		r.spend(1 + len(l.entries))
		if _, number := integerKey(e.Key); number {
			l.push(share(e.Value))
		} else {
			l.set(e.Key, share(e.Value))
		}
	}
}

// destructure reads `[$a, $b] = …`: what the variables get is not known.
func (r *reader) destructure(open, end int) {
	r.src.pos = open + 1
	for r.src.pos < end {
		if r.peek().kind == tVariable {
			if p := r.place(); p != nil {
				r.assign(p, "=", unevaluated("is a part of an array"))
			}
			continue
		}
		r.next()
	}
	giveUp("takes an array apart")
}

// include reads another file in this place. The reading ends at Env.Stop, quietly.
func (r *reader) include(word string) Value {
	at := r.here()
	v := r.expression(0)
	if r.mode == skipping {
		return Value{}
	}
	unread := func(why string) Value {
		u := unevaluated(why)
		u.at = at
		r.a.unread = append(r.a.unread, u)
		return u
	}
	if v.kind != String {
		return unread("includes a file whose path is not literal")
	}
	file := path.Clean(v.text)
	if !path.IsAbs(file) {
		file = path.Join(r.directory(), file)
	}
	if r.env.Stop != nil && r.env.Stop(file) {
		r.stopped = r.stopped || r.mode == running
		return boolValue(true)
	}
	if r.env.Real != nil {
		file = r.env.Real(file)
	}
	if strings.HasSuffix(word, "_once") && r.included[file] {
		return boolValue(true)
	}
	return r.includeFile(file, unread, strings.HasPrefix(word, "include"))
}

func (r *reader) includeFile(file string, unread func(string) Value, optional bool) Value {
	if r.env.Read == nil {
		return unread("includes a file that is not read")
	}
	if optional && r.env.Exists != nil && !r.env.Exists(file) {
		return boolValue(false)
	}
	text, err := r.env.Read(file)
	if err != nil {
		return unread("includes a file that cannot be read")
	}
	r.included[file] = true
	v := r.file(file, text)
	if r.env.After != nil && r.mode == running && !r.stopped {
		if more := r.env.After(file, r.a); more != "" {
			if text, err := r.env.Read(more); err == nil {
				r.file(more, text)
			}
		}
	}
	return v
}
