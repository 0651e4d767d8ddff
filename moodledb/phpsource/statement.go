package phpsource

import "strings"

// statement reads one statement. What it cannot read it steps over, up to the semicolon. It always moves on, unless at the end.
func (r *reader) statement() {
	r.enter()
	defer func() { r.depth-- }()
	if r.accept(";") {
		return
	}
	if r.is("{") {
		r.block()
		return
	}
	start := r.src.pos
	if t := r.peek(); t.kind == tName && !r.called() && r.keyword(strings.ToLower(t.text)) {
		return
	}
	if why := r.guarded(func() { r.expression(0) }); why != "" {
		r.src.pos = start // inside a bracket the end of the statement cannot be told
	}
	r.skipTo(";")
	if !r.accept(";") && r.src.pos == start {
		r.step()
	}
}

// called says whether a name is used otherwise than as a keyword: a label, a static call.
func (r *reader) called() bool {
	t := r.src.tokens[r.src.pos+1]
	return t.kind == tOperator && (t.text == "::" || t.text == ":" && !r.isName("default", "else"))
}

// keyword reads the statement that starts with this word; false when it is an expression.
func (r *reader) keyword(word string) bool {
	switch word {
	case "if":
		r.ifStatement()
	case "while", "for", "foreach", "switch", "declare":
		r.loop()
	case "do":
		r.next()
		r.under(undecided, r.statement)
	case "try":
		r.next()
		r.statement()
		for r.isName("catch") {
			r.next()
			r.step()
			r.under(skipping, r.statement)
		}
		if r.isName("finally") {
			r.next()
			r.statement()
		}
	case "case", "default":
		r.next()
		r.skipTo(":", ";")
		r.next()
	case "return":
		r.next()
		r.returnStatement()
	case "const":
		r.next()
		r.constStatement()
	case "unset":
		r.next()
		r.unsetStatement()
	case "function", "abstract", "final", "class", "interface", "trait", "enum", "readonly", "namespace":
		return r.declaration(word)
	case "global", "use", "echo", "goto", "break", "continue":
		r.skipTo(";")
		r.accept(";")
	default:
		return false
	}
	return true
}

// block reads `{ … }`.
func (r *reader) block() {
	end := r.peek().match
	r.next()
	for r.src.pos < end && !r.over() {
		r.statement()
	}
	if r.src.pos <= end {
		r.src.pos = end + 1
	}
}

// declaration steps over a function or class. A closure used as an expression is none.
func (r *reader) declaration(word string) bool {
	switch next := r.src.tokens[r.src.pos+1]; {
	case next.kind == tName && word != "namespace":
	case word == "function" && next.kind == tOperator && next.text == "&":
	case word == "namespace":
	default:
		return false
	}
	r.skipTo("{", ";")
	if r.is("{") && word == "namespace" {
		r.block()
		return true
	}
	r.step()
	return true
}

func (r *reader) returnStatement() {
	v := Value{}
	if !r.is(";") {
		at := r.here()
		if why := r.guarded(func() { v = r.expression(0) }); why != "" {
			v = unevaluated(why)
		}
		v.at = at
		r.skipTo(";")
	}
	r.accept(";")
	if r.mode == running {
		r.src.end, r.src.returned = true, v
	}
}

func (r *reader) constStatement() {
	for r.peek().kind == tName {
		name := r.next().text
		v := unevaluated("is written in a way the reader does not know")
		why := r.guarded(func() {
			r.expect("=")
			v = r.expression(0)
		})
		if why != "" {
			v = unevaluated(why)
		}
		r.skipTo(",", ";")
		r.define(name, v)
		if !r.accept(",") {
			break
		}
	}
	r.skipTo(";")
	r.accept(";")
}

// define keeps the first value of a constant, as PHP does.
func (r *reader) define(name string, v Value) {
	if r.mode == skipping {
		return
	}
	if _, there := r.constants[name]; there {
		return
	}
	if r.mode != running {
		v = unevaluated("is defined under a condition that cannot be decided here")
	}
	r.constants[name] = v
}

func (r *reader) unsetStatement() {
	if r.is("(") {
		end := r.peek().match
		r.next()
		r.guarded(func() {
			for r.src.pos < end {
				if p := r.place(); p != nil {
					r.unset(p)
				}
				if !r.accept(",") {
					break
				}
			}
		})
		r.src.pos = end + 1
	}
	r.skipTo(";")
	r.accept(";")
}
