package phpsource

// ifStatement reads `if … elseif … else` in both spellings and takes the branch whose condition is known to hold.
func (r *reader) ifStatement() {
	taken, unknown := false, running // unknown: the mode after a condition that could not be decided
	for {
		r.next() // if, elseif
		m := skipping
		if !taken {
			m = r.condition(unknown)
		} else if r.is("(") {
			r.step()
		}
		switch m {
		case running:
			taken = true
			m = unknown
		case undecided, requested:
			unknown = m
		}
		colon := r.branch(m)
		switch {
		case r.isName("elseif"):
			continue
		case r.isName("else") && r.src.tokens[r.src.pos+1].kind == tName && r.elseIf():
			continue
		case r.isName("else"):
			r.next()
			m := unknown
			switch {
			case taken:
				m = skipping
			case m == requested:
				m = alternative
			}
			r.branch(m)
		}
		if colon && r.isName("endif") {
			r.next()
			r.accept(";")
		}
		return
	}
}

// elseIf steps over the `else` of `else if`, which reads as `elseif`.
func (r *reader) elseIf() bool {
	r.next()
	if r.isName("if") {
		return true
	}
	r.src.pos--
	return false
}

// condition evaluates `( … )`: running when it holds, skipping when not, else undecided or requested.
// unknown is what earlier conditions of the same chain left open; the stronger doubt wins.
func (r *reader) condition(unknown mode) mode {
	if !r.is("(") {
		return undecided
	}
	end := r.peek().match
	var v Value
	why := r.guarded(func() {
		r.next()
		r.under(unknown, func() { v = r.expression(0) })
		if r.src.pos != end {
			giveUp("is written in a way the reader does not know")
		}
	})
	r.src.pos = end + 1
	switch {
	case why != "", v.kind == Unevaluated && !v.web, v.kind == Unevaluated && unknown == undecided:
		return undecided
	case v.kind == Unevaluated:
		return requested
	case v.Truth():
		return running
	}
	return skipping
}

// branch reads the statement, or with a colon the statements, of one branch.
func (r *reader) branch(m mode) (colon bool) {
	r.under(m, func() {
		if !r.is(":") {
			if r.peek().kind != tEnd {
				r.statement()
			}
			return
		}
		colon = true
		r.next()
		r.until("elseif", "else", "endif")
	})
	return colon
}

// until reads statements up to one of these keywords.
func (r *reader) until(words ...string) {
	for !r.over() && r.peek().kind != tEnd && !r.is("}") && !r.isName(words...) {
		r.statement()
	}
}

// loop reads `while`, `for`, `foreach`, `switch` and `declare`, whose bodies run an unknown number of times: what they assign is not known.
func (r *reader) loop() {
	word := r.next().text
	if r.is("(") {
		end := r.peek().match
		for ; r.src.pos < end; r.next() {
			if t := r.peek(); t.kind == tVariable && r.assigns(word) {
				r.under(undecided, func() { r.assign(&place{root: t.text, at: r.here()}, "=", Value{}) })
			}
		}
		r.src.pos = end + 1
	}
	m := undecided
	if word == "declare" {
		m = running
	}
	r.under(m, func() {
		switch {
		case r.accept(";"):
		case r.accept(":"):
			ends := []string{"endwhile", "endfor", "endforeach", "endswitch", "enddeclare"}
			r.until(ends...)
			if r.isName(ends...) {
				r.next()
				r.accept(";")
			}
		case r.peek().kind != tEnd:
			r.statement()
		}
	})
}

// assigns says whether the head of this loop may assign the variable at the current place: after `as`, or before an operator that changes it.
func (r *reader) assigns(word string) bool {
	if previous := r.src.tokens[r.src.pos-1]; previous.kind == tName || previous.kind == tOperator && previous.text == "=>" {
		return word != "switch"
	}
	next := r.src.tokens[r.src.pos+1]
	return next.kind == tOperator && (next.text == "=" || next.text == "++" || next.text == "--")
}
