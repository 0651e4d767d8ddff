package phpsource

import (
	"errors"
	"io/fs"
	"path"
	"strings"
)

// reserved are the words that are neither constant nor function.
var reserved = words(`__halt_compiler abstract and array as break callable case catch class clone const continue declare default do echo else elseif empty
	enddeclare endfor endforeach endif endswitch endwhile enum eval exit die extends final finally fn for foreach function global goto if implements include
	include_once instanceof insteadof interface isset list match namespace new or print private protected public readonly require require_once return static
	switch throw trait try unset use var while xor yield self parent __class__ __function__ __line__ __method__ __namespace__ __trait__ __property__`)

func words(s string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(s) {
		set[word] = true
	}
	return set
}

// name reads an expression that starts with a word: a constant, a call, `array(…)`, `new`, `isset`,
// `require`.
func (r *reader) name() Value {
	t := r.peek()
	word := strings.TrimPrefix(strings.ToLower(t.text), `\`)
	switch word {
	case "isset", "empty", "array", "exit", "die", "new", "require", "require_once", "include", "include_once":
		r.next()
		return r.construct(word)
	}
	if reserved[word] {
		r.unexpected()
	}
	r.next()
	switch {
	case r.is("("):
		return r.call(word)
	case r.is("::"):
		r.unknown("uses a class")
	case r.skip:
		return Value{}
	}
	v, ok := r.constant(strings.TrimPrefix(t.text, `\`))
	if !ok {
		r.src.pos-- // for the line. The name is not shown: a password without quotes reads as a constant
		r.unknown("uses a constant that is not known here")
	}
	return v
}

func (r *reader) construct(word string) Value {
	switch word {
	case "isset":
		return r.isset()
	case "empty":
		return r.empty()
	case "array":
		r.expect("(")
		return r.array(")")
	case "exit", "die":
		at := r.src.pos - 1
		if r.accept("(") && !r.accept(")") {
			r.expression(0)
			r.expect(")")
		}
		if !r.skip {
			r.src.pos = at
			panic(&EndError{r.here(), "exit"})
		}
		return Value{}
	case "new":
		return r.instance()
	}
	return r.include(word)
}

// opaque are constants whose values differ between versions of PHP.
var opaque = words(`E_ALL E_ERROR E_WARNING E_PARSE E_NOTICE E_STRICT E_DEPRECATED E_CORE_ERROR E_CORE_WARNING E_COMPILE_ERROR E_COMPILE_WARNING E_USER_ERROR
	E_USER_WARNING E_USER_NOTICE E_USER_DEPRECATED E_RECOVERABLE_ERROR LC_ALL LC_CTYPE LC_NUMERIC LC_TIME LC_COLLATE LC_MONETARY LC_MESSAGES`)

// constant gives a constant's value, false if it is not known.
func (r *reader) constant(name string) (Value, bool) {
	switch strings.ToUpper(name) {
	case "TRUE", "FALSE":
		return BoolValue(strings.EqualFold(name, "true")), true
	case "NULL":
		return Value{}, true
	case "__FILE__":
		return StringValue(r.src.path), true
	case "__DIR__":
		return StringValue(path.Dir(r.src.path)), true
	}
	switch name {
	case "DIRECTORY_SEPARATOR":
		return StringValue("/"), true
	case "PHP_EOL":
		return StringValue("\n"), true
	case "PHP_SAPI":
		return StringValue("cli"), true
	}
	if opaque[name] {
		return Value{kind: Number}, true
	}
	v, ok := r.constants[name]
	return share(v), ok
}

// ofApplications are the beginnings of names of constants that neither PHP nor an extension has:
// those of Moodle and of sites.
var ofApplications = strings.Fields(`ABORT_AFTER_CONFIG AJAX_SCRIPT APP_ BEHAT_ CACHE_DISABLE_ CLI_SCRIPT CLI_VMOODLE CONTEXT_CACHE C_ DB_ IGNORE_COMPONENT_CACHE MDL_ MOODLE
	NO_ PHPUNIT_ SITE_ TEST_ VMOODLE WEB_CRON WS_SERVER`)

// mayBePHPs says whether PHP itself may have a constant of this name, or no constant can have it.
// Which constants PHP has depends on its extensions.
func mayBePHPs(name string) bool {
	for _, prefix := range ofApplications {
		if strings.HasPrefix(name, prefix) {
			return label(name) != name
		}
	}
	return true
}

// instance reads `new stdClass`.
func (r *reader) instance() Value {
	if !r.acceptName("stdclass") && !r.acceptName(`\stdclass`) {
		r.unknown("makes an object")
	}
	if r.accept("(") {
		r.expect(")")
	}
	return Value{kind: Object, list: &list{}}
}

func (r *reader) isset() Value {
	r.expect("(")
	result := true
	for {
		p := r.named()
		if !r.skip && result {
			result = r.holds(p).kind != Null
		}
		if !r.accept(",") || r.is(")") {
			break
		}
	}
	r.expect(")")
	return BoolValue(result)
}

// empty reads empty() of a variable or an expression; an object is never empty.
func (r *reader) empty() (v Value) {
	r.expect("(")
	if r.peek().kind == tVariable {
		if p := r.named(); !r.skip {
			v = r.holds(p)
		}
	} else {
		r.beside(func() { v = r.expression(0) })
	}
	r.expect(")")
	return BoolValue(!r.truth(v))
}

// array reads the elements up to the closing bracket.
func (r *reader) array(closing string) Value {
	l := &list{}
	for !r.accept(closing) {
		at := r.here()
		var k, v Value
		keyed := false
		r.beside(func() {
			v = r.expression(0)
			if keyed = r.accept("=>"); keyed {
				k = v
				v = r.expression(0)
			}
		})
		v.at = at
		if !r.skip {
			r.element(l, k, v, keyed)
		}
		if !r.is(closing) {
			r.expect(",")
		}
	}
	if r.is("=") {
		r.unknown("takes an array apart")
	}
	return Value{kind: Array, list: l}
}

func (r *reader) element(l *list, k, v Value, keyed bool) {
	if v.kind == Object {
		r.hold(v)
		l.objects = true
	}
	l.objects = l.objects || v.kind == Array && v.list.objects
	name, ok := key(k)
	switch {
	case keyed && !ok:
		r.unknown("uses a key that is not known here")
	case keyed:
		r.spend(1 + len(l.entries)) // for the search for the key
		l.set(name, share(v))
	case !l.push(share(v)):
		r.unknown("counts on from a key that is not known here")
	}
}

// include reads another file at this place. The reading ends at Env.Stop.
func (r *reader) include(word string) Value {
	at := r.src.pos - 1
	v := r.expression(0)
	if r.skip {
		return Value{}
	}
	after := r.src.pos
	r.src.pos = at // for the line
	if r.pending > 0 {
		r.unknown("includes a file within an expression")
	}
	file, ok := r.location(v)
	if !ok {
		r.unknown("includes a file whose path is not known here") // PHP searches for a relative path in several places
	}
	if r.env.Stop != nil && r.env.Stop(file, r.a) {
		r.stop()
		r.src.pos = after
		if !r.is(";") && !r.is(")") { // the rest of this statement may be something that PHP refuses
			panic(&ComputedError{Position: r.here(), Problem: "goes on behind the path in the statement that includes lib/setup.php", refused: true})
		}
		return Value{}
	}
	text, found := r.contents(file)
	if !found && strings.HasPrefix(word, "require") {
		r.unknown("requires a file that does not exist")
	}
	if r.env.Real != nil {
		file = r.env.Real(file)
	}
	result := BoolValue(found)
	if found && !(strings.HasSuffix(word, "_once") && r.included[file]) {
		r.included[file] = true
		result = r.file(file, text)
	}
	r.src.pos = after
	return result
}

// location is where a path leads. It is not known if PHP's functions differ: for a slash or a dot
// at the end, for .. after what may be a link or missing, and for a path that is relative or too
// long.
func (r *reader) location(v Value) (file string, known bool) {
	if v.kind != String || !path.IsAbs(v.text) || strings.Contains(v.text, "\x00") || len(v.text) > maxPath || strings.HasSuffix(v.text, "/") || strings.HasSuffix(v.text, "/.") {
		return "", false
	}
	if i := strings.LastIndex(v.text, "/.."); i >= 0 {
		up := v.text[:i+len("/..")]
		known = r.env.Real != nil && r.env.Real(up) == path.Clean(up)
		return path.Clean(v.text), known
	}
	return path.Clean(v.text), true
}

// special says that each process sees something else under the path.
func (r *reader) special(file string) bool {
	if r.env.Real != nil {
		file = r.env.Real(file)
	}
	for _, dir := range []string{"/proc/", "/sys/", "/dev/"} {
		if strings.HasPrefix(path.Clean(file)+"/", dir) {
			return true
		}
	}
	return false
}

// contents reads a file; found is false if there is none. PHP, as another user, may be able to read
// what cannot be read here.
func (r *reader) contents(file string) (text []byte, found bool) {
	if r.env.Read == nil || r.special(file) {
		r.unknown("reads a file that is not known here")
	}
	text, err := r.env.Read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false
	}
	if err != nil || len(text) > MaxSize {
		r.unknown("reads a file that cannot be read")
	}
	r.spend(len(text))
	return text, true
}
