package phpsource

import (
	"strings"
)

// mode says what an assignment does where the reader stands.
type mode uint8

const (
	running     mode = iota
	requested        // in a branch that only a web request decides: what was assigned before stands, the rest is Unevaluated
	alternative      // in the last branch of such a chain: one of them runs, so nothing that was assigned before stands
	undecided        // in a branch that cannot be decided: what is assigned here is Unevaluated afterwards
	skipping         // in a branch that is not taken
)

// reader walks over the tokens once and evaluates as it goes: there is no tree, since nothing is evaluated twice.
type reader struct {
	env       Env
	a         *Assignments
	constants map[string]Value
	included  map[string]bool
	src       *source
	mode      mode
	depth     int
	files     int
	work      int
	stopped   bool // lib/setup.php was reached
}

// source is the file, or the inside of an interpolated string, that is being read.
type source struct {
	path     string
	tokens   []token
	pos      int
	end      bool  // a return was reached
	returned Value // what it returned
}

// unreadable is panicked by expressions the reader does not know, and recovered by the statement or list element around them.
type unreadable struct{ why string }

func giveUp(why string) { panic(unreadable{why}) }

// file reads a whole file as PHP would at this place, and returns what it returns.
func (r *reader) file(path string, text []byte) Value {
	if r.files++; r.files > maxFiles {
		r.fail("too many files are included")
	}
	if len(text) > MaxSize {
		panic(&SyntaxError{Position{path, 0}, "the file is larger than 1 MiB"})
	}
	l := &lexer{file: path, src: string(text), line: 1}
	src := &source{path: path, tokens: l.page(), returned: intValue(1)}
	r.within(src, func() {
		for !r.over() && r.peek().kind != tEnd {
			r.statement()
		}
	})
	return src.returned
}

func (r *reader) within(src *source, f func()) {
	outer := r.src
	r.src = src
	r.enter()
	f()
	r.depth--
	r.src = outer
}

// enter bounds the recursion; the caller takes one off r.depth again.
func (r *reader) enter() {
	if r.depth++; r.depth > maxDepth {
		r.fail("statements are nested too deeply")
	}
}

// under runs f in a mode, or in the outer one where that is the stronger doubt.
func (r *reader) under(m mode, f func()) {
	outer := r.mode
	r.mode = max(outer, m)
	f()
	r.mode = outer
}

func (r *reader) over() bool { return r.stopped || r.src.end }

func (r *reader) fail(problem string) {
	panic(&SyntaxError{r.here(), problem})
}

// spend counts work; see maxWork.
func (r *reader) spend(n int) {
	if r.work += n; r.work > maxWork {
		r.fail("the file is too costly to evaluate")
	}
}

func (r *reader) here() Position { return Position{r.src.path, r.peek().line} }

func (r *reader) peek() *token { return &r.src.tokens[r.src.pos] }

func (r *reader) next() *token {
	t := r.peek()
	if t.kind != tEnd {
		r.src.pos++
	}
	return t
}

// is says whether the next token is this operator, isName whether it is this keyword.
func (r *reader) is(op string) bool {
	t := r.peek()
	return t.kind == tOperator && t.text == op
}

func (r *reader) isName(names ...string) bool {
	t := r.peek()
	if t.kind != tName {
		return false
	}
	for _, name := range names {
		if strings.EqualFold(t.text, name) {
			return true
		}
	}
	return false
}

func (r *reader) accept(op string) bool {
	if r.is(op) {
		r.next()
		return true
	}
	return false
}

func (r *reader) expect(op string) {
	if !r.accept(op) {
		giveUp("is written in a way the reader does not know")
	}
}

// skipTo moves to the next token that is one of these operators, or to an unopened closing bracket, stepping over brackets.
func (r *reader) skipTo(ops ...string) {
	for r.peek().kind != tEnd {
		for _, op := range ops {
			if r.is(op) {
				return
			}
		}
		if r.is("}") || r.is(")") || r.is("]") {
			return
		}
		r.step()
	}
}

// step moves over one token, or over a bracket with all that is in it.
func (r *reader) step() {
	if t := r.peek(); t.kind == tOperator && t.match > r.src.pos {
		r.src.pos = t.match
	}
	r.next()
}

// guarded runs f and says why it gave up, "" when it did not.
func (r *reader) guarded(f func()) (why string) {
	depth, src, m := r.depth, r.src, r.mode
	defer func() {
		if p := recover(); p != nil {
			u, ok := p.(unreadable)
			if !ok {
				panic(p)
			}
			r.depth, r.src, r.mode = depth, src, m
			why = u.why
		}
	}()
	f()
	return ""
}
