package phpsource

import "strings"

// statement reads one statement.
func (r *reader) statement() {
	r.enter()
	defer func() { r.depth-- }()
	switch t := r.peek(); {
	case r.accept(";"):
		return
	case r.accept("{"):
		for !r.accept("}") {
			r.statement()
		}
		return
	case t.kind == tName && r.keyword(strings.ToLower(t.text)):
		return
	}
	if !r.harmless() {
		r.expression(0)
	}
	r.end()
}

// end is the semicolon, or `?>`, of a statement.
func (r *reader) end() {
	r.expect(";")
}

// keyword reads the statement that starts with this word; false if it is an expression.
func (r *reader) keyword(word string) bool {
	switch word {
	case "if":
		r.next()
		r.ifStatement()
	case "return":
		r.returnStatement()
	case "unset":
		r.next()
		r.unsetStatement()
		r.end()
	case "global": // in the outermost scope, where it changes nothing
		for r.next(); ; r.next() {
			if r.peek().kind != tVariable || foreign[r.peek().text] || r.peek().text == "_SERVER" {
				r.unexpected()
			}
			r.next()
			if !r.is(",") {
				break
			}
		}
		r.end()
	default:
		return false
	}
	return true
}

// ifStatement reads `if … elseif … else` in both spellings.
func (r *reader) ifStatement() {
	taken := false // by an earlier branch
	colon := r.branch(&taken)
	for {
		switch {
		case r.acceptName("elseif"):
			if r.branch(&taken) != colon {
				r.unexpected()
			}
			continue
		case r.acceptName("else"):
			if !colon && r.acceptName("if") {
				if r.branch(&taken) {
					r.unexpected()
				}
				continue
			}
			if r.is(":") != colon {
				r.unexpected()
			}
			r.skipping(taken, func() { r.body(colon) })
		}
		break
	}
	if colon {
		if !r.acceptName("endif") {
			r.unexpected()
		}
		r.end()
	}
}

// branch reads a condition and the code that depends on it, and says whether it is written with a
// colon.
func (r *reader) branch(taken *bool) (colon bool) {
	var v Value
	r.expect("(")
	r.skipping(*taken, func() { v = r.expression(0) })
	holds := r.truth(v) && !*taken
	r.expect(")")
	colon = r.is(":")
	*taken = *taken || holds
	r.skipping(!holds, func() { r.body(colon) })
	return colon
}

// body reads one statement, or with a colon all statements up to the next keyword of the `if`.
func (r *reader) body(colon bool) {
	if !colon {
		r.statement()
		return
	}
	r.next()
	for !r.isName("elseif") && !r.isName("else") && !r.isName("endif") {
		r.statement()
	}
}

func (r *reader) returnStatement() {
	at := r.here()
	r.next()
	v := Value{}
	if !r.is(";") {
		v = r.expression(0)
	}
	r.end()
	if r.skip {
		return
	}
	if r.src.outer == nil && r.env.Stop != nil {
		panic(&EndError{at, "return"})
	}
	v.at = at
	r.src.ended, r.src.returned, r.skip = true, v, true
}

func (r *reader) unsetStatement() {
	r.expect("(")
	for {
		p := r.named()
		if !r.skip {
			r.unset(p)
		}
		if !r.accept(",") || r.is(")") {
			break
		}
	}
	r.expect(")")
}

// harmless reads a call whose effect cannot influence any value of the file, if it is a statement
// of its own; false if there is no such call.
func (r *reader) harmless() bool {
	start := r.src.pos
	for r.accept("@") {
	}
	t := r.peek()
	name := strings.TrimPrefix(strings.ToLower(t.text), `\`)
	takes, ok := harmlessCalls[name]
	if t.kind != tName || !ok || r.src.tokens[r.src.pos+1].text != "(" {
		r.src.pos = start
		return false
	}
	r.next()
	at := r.src.pos
	if args := r.arguments(); !r.skip && !takes(args) {
		r.src.pos = at
		r.unknown("calls " + name + "() in a way that is not known here")
	}
	return true
}

// harmlessCalls are functions by name, with a check whether PHP accepts these arguments.
var harmlessCalls = map[string]func([]Value) bool{
	"ini_set": func(args []Value) bool {
		return len(args) == 2 && args[0].kind == String && args[1].kind < Array && harmlessSetting(args[0].text)
	},
	"error_reporting":           func(args []Value) bool { return len(args) == 1 && (args[0].kind == Int || args[0].kind == Number) },
	"date_default_timezone_set": func(args []Value) bool { return len(args) == 1 && args[0].kind == String },
	"umask":                     func(args []Value) bool { return len(args) == 1 && args[0].kind == Int },
	"setlocale": func(args []Value) bool {
		return len(args) == 2 && args[0].kind == Number && args[1].kind == String
	},
	"set_time_limit": func(args []Value) bool {
		return len(args) == 1 && args[0].kind == Int && (args[0].num == 0 || args[0].num >= 30)
	},
}

// harmlessSetting knows the settings of php.ini that change no value and no search for files.
func harmlessSetting(name string) bool {
	switch name {
	case "display_errors", "display_startup_errors", "log_errors", "error_log", "error_reporting", "html_errors", "precision", "serialize_precision",
		"date.timezone", "default_charset", "default_socket_timeout", "user_agent", "zlib.output_compression":
		return true
	}
	for _, prefix := range []string{"session.", "soap.", "opcache.", "mysqli.", "xdebug."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
