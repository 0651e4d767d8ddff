package phpsource

import "strings"

// place is something that can be assigned: `$root->key['key'][]`.
type place struct {
	root    string
	steps   []step
	at      Position
	dynamic bool // a key is not a literal
}

type step struct {
	key      string
	property bool // `->`
	push     bool // `[]`
}

// foreign are variables that are also assigned outside the file.
var foreign = map[string]bool{
	"GLOBALS": true, "_GET": true, "_POST": true, "_COOKIE": true, "_FILES": true, "_REQUEST": true, "_SESSION": true, "_ENV": true,
	"argv": true, "argc": true, "this": true, "php_errormsg": true, "http_response_header": true, "HTTP_RAW_POST_DATA": true,
}

// place reads a variable and what follows it.
func (r *reader) place() *place {
	if r.peek().kind != tVariable {
		r.unexpected()
	}
	p := &place{at: r.here(), root: r.next().text}
	if foreign[p.root] {
		r.unknown("uses $" + p.root)
	}
	for len(p.steps) < maxDepth {
		switch {
		case r.accept("->"):
			if t := r.peek(); t.kind != tName || t.text[0] == '\\' || reserved[strings.ToLower(t.text)] { // $CFG->list is one, $CFG->/**/list is none
				r.unknown("uses a computed name")
			}
			p.steps = append(p.steps, step{key: r.next().text, property: true})
		case r.accept("["):
			p.steps = append(p.steps, r.index(p))
		case r.is("(") || r.is("::") || r.is("?->") || r.is("{"):
			r.unexpected()
		default:
			return p
		}
	}
	r.unknown("is nested too deeply")
	return nil
}

// named reads a place that is not assigned to: PHP refuses `[]` in it, even in code that is not
// run.
func (r *reader) named() *place {
	p := r.place()
	r.mustBeNamed(p)
	return p
}

func (r *reader) mustBeNamed(p *place) {
	for _, s := range p.steps {
		if s.push {
			panic(&ComputedError{Position: r.here(), Problem: "uses [] of an array without assigning to it", refused: true})
		}
	}
}

// index reads a key up to its closing bracket.
func (r *reader) index(p *place) step {
	if r.accept("]") {
		return step{push: true}
	}
	var v Value
	p.dynamic = p.dynamic || r.peek().kind != tString && r.peek().kind != tNumber
	r.beside(func() { v = r.expression(0) })
	r.expect("]")
	k, ok := key(v)
	if !ok && !r.skip {
		r.unknown("uses a key that is not known here")
	}
	return step{key: k}
}

// assignable reads a variable and, if one follows, the assignment to it.
func (r *reader) assignable() Value {
	p := r.place()
	t := r.peek()
	op, assigns := assignments[t.text]
	if t.kind != tOperator || !assigns {
		return r.read(p)
	}
	if r.pending > 0 {
		r.unknown("assigns within an expression")
	}
	r.next()
	if r.is("&") {
		r.unknown("makes a reference")
	}
	if p.dynamic {
		r.pending++
	}
	v := r.assigned(p, op)
	if p.dynamic {
		r.pending--
	}
	return v
}

// assigned reads the right side and stores it.
func (r *reader) assigned(p *place, op string) Value {
	if op == "??" {
		before := r.read(p)
		v := r.choice(before, before.kind != Null, assignment)
		if before.kind == Null {
			r.store(p, v)
		}
		return v
	}
	v := r.expression(assignment)
	if op != "" && !r.skip {
		v = r.binary(op, r.read(p), v)
	}
	r.store(p, v)
	return v
}

// holds is the value at a place, null if there is none.
func (r *reader) holds(p *place) Value {
	v := r.a.variables[p.root]
	steps := p.steps
	if p.root == "_SERVER" {
		if len(steps) == 0 || steps[0].push || steps[0].property {
			r.unknown("uses $_SERVER itself")
		}
		v, steps = r.server(steps[0].key), steps[1:]
	}
	for _, s := range steps {
		switch {
		case v.kind == Null:
			continue
		case s.property && v.kind != Object, !s.property && v.kind != Array:
			r.unknown("takes a part of what has none")
		}
		r.spend(len(v.Entries()))
		v = v.Get(s.key)
	}
	return v
}

// read is the value at a place that is used. Using an object would give it a second name.
func (r *reader) read(p *place) Value {
	r.mustBeNamed(p)
	if r.skip {
		return Value{}
	}
	v := r.holds(p)
	if v.kind == Object || v.kind == Array && v.list.objects {
		r.unknown("uses an object as a value")
	}
	return share(v)
}

// server is an element of $_SERVER: the value that the file assigned, or what is known of the
// request.
func (r *reader) server(name string) Value {
	own := r.a.variables["_SERVER"]
	if own.list != nil && own.list.find(name) >= 0 {
		return own.Get(name)
	}
	return r.requested(name)
}

// requested is what is known of the request.
func (r *reader) requested(name string) Value {
	if v, ok := r.env.Server[name]; ok {
		r.a.OfRequest = r.a.OfRequest || ofRequest(name)
		return v
	}
	_, named := r.env.Server["HTTP_HOST"]
	panic(&ComputedError{Position: r.here(), Problem: "uses $_SERVER or its like, which depends on the web request", Request: !named && ofRequest(name)})
}

// ofRequest says whether a web server sets an element of $_SERVER from the request.
func ofRequest(name string) bool {
	for _, prefix := range []string{"HTTP", "SERVER_", "REQUEST_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func (r *reader) store(p *place, v Value) {
	if r.skip {
		return
	}
	if v.kind == Object {
		for _, s := range p.steps {
			if !s.property {
				r.unknown("puts an object into an array")
			}
		}
		r.hold(v)
	}
	if p.root == "_SERVER" && (len(p.steps) != 1 || p.steps[0].push || p.steps[0].property) {
		r.unknown("uses $_SERVER itself")
	}
	v.at = p.at
	r.a.variables[p.root] = r.put(r.a.variables[p.root], p.steps, share(v))
}

// hold notes that an object now has its only place.
func (r *reader) hold(v Value) {
	if v.list.assigned {
		r.unknown("makes an alias of an object")
	}
	v.list.assigned = true
}

// own is a list that may be changed: a copy if the list is shared.
func (r *reader) own(l *list) *list {
	if !l.shared {
		return l
	}
	r.spend(len(l.entries) * elementSize)
	return l.clone()
}

// put is v with another value at the end of the steps.
func (r *reader) put(v Value, steps []step, to Value) Value {
	if len(steps) == 0 {
		return to
	}
	s := steps[0]
	switch {
	case v.kind == Null && !s.property:
		v = Value{kind: Array, list: &list{}, at: to.at}
	case v.kind == Array && !s.property:
		v.list = r.own(v.list)
	case v.kind == Object && s.property:
	case s.property:
		r.unknown("assigns a property of what is not an object")
	default:
		r.unknown("assigns an element of what is not an array")
	}
	r.spend(1 + len(v.list.entries))
	var before Value
	if !s.push {
		before = v.Get(s.key)
	}
	after := r.put(before, steps[1:], to)
	v.list.objects = v.list.objects || after.kind == Array && after.list.objects
	if !s.push {
		v.list.set(s.key, after)
	} else if !v.list.push(after) {
		r.unknown("counts on from a key that is not known here")
	}
	return v
}

// unset removes a place.
func (r *reader) unset(p *place) {
	last := len(p.steps) - 1
	switch {
	case p.root == "_SERVER":
		r.unknown("uses $_SERVER itself")
	case last < 0:
		delete(r.a.variables, p.root)
		return
	}
	outer := *p
	outer.steps = p.steps[:last]
	v, s := r.holds(&outer), p.steps[last]
	switch {
	case v.kind == Null || v.list != nil && v.list.find(s.key) < 0 && s.property == (v.kind == Object):
		return
	case s.property && v.kind == Object:
		v.list.remove(s.key)
	case !s.property && v.kind == Array: // a value that contains one of the arrays around it contains it, too: put finds out
		v.list = r.own(share(v).list)
		v.list.remove(s.key)
		r.a.variables[p.root] = r.put(r.a.variables[p.root], outer.steps, v)
	default:
		r.unknown("unsets a part of what has none")
	}
}
