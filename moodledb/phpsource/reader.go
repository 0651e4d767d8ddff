package phpsource

import "strings"

// reader goes through the tokens once and evaluates at the same time: there is no tree, since
// nothing is evaluated twice.
type reader struct {
	env       Env
	a         *Assignments
	constants map[string]Value
	included  map[string]bool
	src       *source
	skip      bool // the code is read but not run: a branch that is not taken, or code after a return
	pending   int  // enclosing operators whose left side is evaluated: PHP may read a variable of it after the code here
	sum       bool // the expression just read is a sum without brackets
	depth     int
	files     int
	work      int
}

// source is the file, or the inside of an interpolated string, that is being read.
type source struct {
	path     string
	tokens   []token
	pos      int
	outer    *source // the file that includes it, nil of the outermost
	ended    bool    // a return was reached
	returned Value   // what it returned
}

// file reads a whole file as PHP would at this place, and returns its return value.
func (r *reader) file(path string, text []byte) Value {
	if r.files++; r.files > maxFiles {
		r.unknown("includes too many files")
	}
	outer, skip := r.src, r.skip
	r.src = &source{path: path, tokens: tokens(string(text)), outer: outer, returned: intValue(1)}
	if len(text) > MaxSize {
		r.unknown("is larger than 1 MiB")
	}
	r.enter()
	for r.peek().kind != tEnd {
		r.statement()
	}
	r.depth--
	returned := r.src.returned
	r.src, r.skip = outer, skip || r.a.Stopped
	return returned
}

// enter bounds the recursion; the caller decrements r.depth afterwards.
func (r *reader) enter() {
	if r.depth++; r.depth > maxDepth {
		r.unknown("is nested too deeply")
	}
}

// skipping runs f on code that is not run, if skip says so or the surrounding code is not run.
func (r *reader) skipping(skip bool, f func()) {
	outer := r.skip
	r.skip = outer || skip
	f()
	r.skip = outer || r.src.ended || r.a.Stopped
}

// beside runs f on the right side of an operator, see reader.pending.
func (r *reader) beside(f func()) {
	r.pending++
	f()
	r.pending--
}

// unknown gives up the whole file.
func (r *reader) unknown(problem string) {
	panic(&ComputedError{Position: r.here(), Problem: problem})
}

// unexpected gives up at a token that is not known at this place.
func (r *reader) unexpected() {
	switch t := r.peek(); {
	case t.kind == tUnknown:
		r.unknown(t.text)
	case t.kind == tRefused:
		panic(&ComputedError{Position: r.here(), Problem: t.text, refused: true})
	case t.kind == tEnd:
		panic(&ComputedError{Position: r.here(), Problem: "ends early", refused: true})
	case t.kind == tName && reserved[strings.ToLower(t.text)]:
		r.unknown("uses " + strings.ToLower(t.text))
	case t.kind == tOperator:
		r.unknown("has " + t.text + " that is not known here")
	}
	panic(&ComputedError{Position: r.here(), Problem: "has two values without an operator", refused: true})
}

// spend counts work; see maxWork.
func (r *reader) spend(n int) {
	if r.work += n; r.work > maxWork {
		r.unknown("is too costly to evaluate")
	}
}

func (r *reader) here() Position { return Position{r.src.path, r.peek().line} }

func (r *reader) peek() *token { return &r.src.tokens[r.src.pos] }

func (r *reader) next() *token {
	t := r.peek()
	if t.kind == tEnd || t.kind == tUnknown || t.kind == tRefused {
		r.unexpected()
	}
	r.src.pos++
	return t
}

// is says whether the next token is this operator, isName whether it is this keyword.
func (r *reader) is(op string) bool {
	t := r.peek()
	return t.kind == tOperator && t.text == op
}

func (r *reader) isName(name string) bool {
	t := r.peek()
	return t.kind == tName && strings.EqualFold(t.text, name)
}

func (r *reader) accept(op string) bool {
	if r.is(op) {
		r.next()
		return true
	}
	return false
}

func (r *reader) acceptName(name string) bool {
	if r.isName(name) {
		r.next()
		return true
	}
	return false
}

func (r *reader) expect(op string) {
	if !r.accept(op) {
		r.unexpected()
	}
}

// stop ends the reading. The code after it is not run, but PHP compiles it before it runs anything:
// so the reader still looks for code that PHP would refuse.
func (r *reader) stop() {
	r.a.Stopped, r.skip = true, true
	for src := r.src; src != nil; src = src.outer {
		if problem := src.unbalanced(); problem != "" {
			panic(&ComputedError{Position: r.here(), Problem: problem, refused: true})
		}
	}
}

// unbalanced names the bracket, string or statement of a file that does not end.
func (s *source) unbalanced() string {
	closing := map[string]string{"(": ")", "[": "]", "{": "}"}
	var open []string
	for _, t := range s.tokens {
		switch {
		case t.kind == tRefused:
			return t.text
		case t.kind == tUnknown:
			return ""
		case t.kind != tOperator:
		case closing[t.text] != "":
			open = append(open, closing[t.text])
		case strings.Contains(")]}", t.text):
			if len(open) == 0 || open[len(open)-1] != t.text {
				return "has a closing bracket without an opening one"
			}
			open = open[:len(open)-1]
		}
	}
	if last := s.tokens[len(s.tokens)-2]; len(open) > 0 || last.text != ";" && last.text != "}" {
		return "has a bracket or a statement that does not end"
	}
	return ""
}
