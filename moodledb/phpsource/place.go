package phpsource

import (
	"strings"
)

// place is what can be assigned: `$root->key['key'][]`.
type place struct {
	root  string
	steps []step
	at    Position
}

type step struct {
	key      string
	property bool // `->`, makes an object of nothing
	push     bool // `[]`
	unknown  bool // the key is not known
}

// variable reads a variable and what follows it. A call makes a value of it and p is nil.
func (r *reader) variable() (p *place, v Value) {
	p = &place{at: r.here(), root: r.next().text}
	for {
		switch {
		case r.is("["), r.is("->"), r.is("?->"):
			s := r.followed()
			switch {
			case r.is("("):
				p, v = nil, r.unknownCall()
			case p == nil:
			case len(p.steps) == maxDepth:
				giveUp("is nested too deeply")
			case p.root == "GLOBALS" && len(p.steps) == 0 && !s.unknown && !s.push:
				p.root = s.key
				if s.key == "GLOBALS" {
					giveUp("uses $GLOBALS")
				}
			default:
				p.steps = append(p.steps, s)
			}
		case r.is("("):
			p, v = nil, r.unknownCall()
		case r.is("::"):
			giveUp("uses a class")
		default:
			return p, v
		}
	}
}

// place reads a variable for unset and isset; nil when it is not a plain one.
func (r *reader) place() *place {
	if r.peek().kind != tVariable {
		giveUp("is written in a way the reader does not know")
	}
	p, _ := r.variable()
	return p
}

// followed reads what follows a variable: `[key]`, `[]`, `->name`, `->$name` or `->{name}`.
func (r *reader) followed() step {
	index := r.next().text == "["
	if index && r.accept("]") {
		return step{push: true}
	}
	if t := r.peek(); !index && t.kind == tName {
		r.next()
		return step{key: t.text, property: true}
	}
	var v Value
	switch {
	case index:
		v = r.expression(0)
		r.expect("]")
	case r.accept("{"):
		v = r.expression(0)
		r.expect("}")
	case r.peek().kind == tVariable:
		v = r.a.variables[r.next().text]
	default:
		giveUp("is written in a way the reader does not know")
	}
	k, ok := key(v)
	return step{key: k, property: !index, unknown: !ok}
}

// read is the value at a place.
func (r *reader) read(p *place) Value {
	v := r.a.variables[p.root]
	for _, s := range p.steps {
		switch {
		case s.push:
			giveUp("reads [] of an array")
		case s.unknown && v.kind != Null:
			return unevaluated("depends on a name that is not literal")
		case v.kind == String:
			return unevaluated("takes a part of a string")
		}
		r.spend(len(v.Entries()))
		v = v.Get(s.key)
	}
	if v.kind == Null {
		return r.superglobal(p)
	}
	return share(v)
}

// webKeys are the elements of $_SERVER that a web server sets and a command line does not have.
var webKeys = []string{
	"HTTP", "REQUEST_", "SERVER_", "REMOTE_", "SCRIPT_", "QUERY_STRING", "DOCUMENT_ROOT", "PATH_INFO", "PHP_SELF", "CONTENT_",
}

// superglobal answers for $_SERVER, $_ENV and the parts of a web request, null for every other place.
func (r *reader) superglobal(p *place) Value {
	web := Value{kind: Unevaluated, web: true, text: "depends on the web request"}
	switch p.root {
	case "_GET", "_POST", "_COOKIE", "_REQUEST", "_FILES", "_SESSION":
		return web
	case "_SERVER", "_ENV":
	default:
		return Value{}
	}
	if len(p.steps) != 1 || p.steps[0].unknown {
		return unevaluated("depends on the whole environment")
	}
	name := p.steps[0].key
	if p.root == "_SERVER" {
		for _, prefix := range webKeys {
			if strings.HasPrefix(name, prefix) {
				return web
			}
		}
	}
	if text := r.getenv(name); text != "" {
		return StringValue(text)
	}
	return Value{}
}

func (r *reader) getenv(name string) string {
	if r.env.Getenv == nil {
		return ""
	}
	return r.env.Getenv(name)
}

// assign does `place op v` as far as the mode lets it, and returns what is there afterwards.
func (r *reader) assign(p *place, op string, v Value) Value {
	if r.mode == skipping {
		return v
	}
	if op != "=" {
		old := r.read(p)
		switch {
		case op != "??=":
			v = r.binary(strings.TrimSuffix(op, "="), old, v)
		case old.kind == Unevaluated:
			v = old
		case old.kind != Null:
			return old
		}
	}
	switch r.mode {
	case undecided:
		v = unevaluated("is assigned under a condition that cannot be decided here")
	case requested:
		if last := len(p.steps) - 1; last < 0 || !p.steps[last].push {
			if old := r.read(p); old.kind != Null {
				return old
			}
		}
		v = Value{kind: Unevaluated, web: true, text: "is assigned for certain web requests only"}
	case alternative:
		v = Value{kind: Unevaluated, web: true, text: "is assigned otherwise for each web request"}
	}
	v.at = p.at
	r.store(p, v)
	return v
}

func (r *reader) store(p *place, v Value) {
	whole, cost := assigned(r.a.variables[p.root], p.steps, v)
	r.spend(cost)
	r.a.variables[p.root] = whole
	r.fix(p.root)
}

// unset removes a place; what other branches might remove is not known afterwards.
func (r *reader) unset(p *place) {
	switch {
	case r.mode == undecided, r.mode == alternative:
		r.assign(p, "=", Value{})
	case r.mode != running:
	case len(p.steps) == 0:
		delete(r.a.variables, p.root)
		r.fix(p.root)
	case r.read(p).kind != Null:
		r.store(p, Value{})
	}
}

// fix puts the values of Env.Fixed in their places after a change of $CFG.
func (r *reader) fix(root string) {
	if root != "CFG" {
		return
	}
	for path, text := range r.env.Fixed {
		r.spend(len(r.a.variables[root].Entries()))
		r.a.Set(StringValue(text), root, strings.Split(path, ".")...)
	}
}

// assigned is v with another value at the end of the steps, and what that cost (see maxWork).
func assigned(v Value, steps []step, to Value) (Value, int) {
	if len(steps) == 0 {
		return to, 1
	}
	s, l, kind, cost := steps[0], &list{}, Array, 1
	if s.property {
		kind = Object
	}
	switch v.kind {
	case Array, Object:
		kind = v.kind
		l, cost = v.list.own()
		cost *= elementSize
	case Unevaluated:
		l.rest = v
	}
	changed := Value{kind: kind, list: l, at: to.at}
	if s.unknown {
		l.rest = unevaluated("may be assigned by a name that is not literal")
		l.rest.at = to.at
		return changed, cost
	}
	if s.push {
		inner, more := assigned(l.rest, steps[1:], to)
		l.push(inner)
		return changed, cost + more
	}
	inner, more := assigned(changed.Get(s.key), steps[1:], to)
	l.set(s.key, inner)
	return changed, cost + more + len(l.entries)
}
