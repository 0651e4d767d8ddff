package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"renew_mnetkeys/rotate"
)

// timeline shows when certificates expire. Positions on it are per cent of its width.
type timeline struct {
	Now   string
	Ticks []tick
	Rows  []lifeRow
}

type tick struct{ At, Label string }

// lifeRow is one certificate, or all certificates of an array with the same first and last day.
type lifeRow struct {
	Names       string // one line each
	Count       int
	Outcomes    string // words, for the filter
	State       mark
	X, Width    string
	From, Until string
	Left        string
}

// Others says how many tenants share the row.
func (r lifeRow) Others() string { return counted(r.Count, "tenant") }

// eachAlone is the largest number of certificates that have their own rows.
const eachAlone = 40

type life struct{ from, until time.Time }

func (p *Page) timeline(tenants []tenant, short shortener, now time.Time) timeline {
	type holder struct {
		life
		tenants []tenant
	}
	rows := map[life]*holder{}
	first, last := now, now
	var known []tenant
	for _, t := range tenants {
		if c := t.report.Certificate; c != nil {
			end, _ := t.report.Ends()
			known = append(known, t)
			last = later(last, end)
			if c.NotBefore != nil && c.NotBefore.Before(first) {
				first = *c.NotBefore
			}
		}
	}
	if len(known) == 0 {
		return timeline{}
	}
	for i, t := range known {
		end, _ := t.report.Ends()
		l := life{first, end}
		if b := t.report.Certificate.NotBefore; b != nil {
			l.from = *b
		}
		at := life{l.from.Truncate(24 * time.Hour), l.until.Truncate(24 * time.Hour)}
		if len(known) <= eachAlone {
			at = life{until: time.Unix(int64(i), 0)}
		}
		if rows[at] == nil {
			rows[at] = &holder{life: l}
		}
		rows[at].until = earlier(rows[at].until, l.until) // the first to expire counts for all
		rows[at].tenants = append(rows[at].tenants, t)
	}
	line := timeline{Now: place(now, first, last), Ticks: ticks(first, last, now)}
	ordered := make([]*holder, 0, len(rows))
	for _, h := range rows {
		ordered = append(ordered, h)
	}
	slices.SortFunc(ordered, func(a, b *holder) int {
		return cmp.Or(a.until.Compare(b.until), a.from.Compare(b.from), cmp.Compare(a.tenants[0].report.Wwwroot, b.tenants[0].report.Wwwroot))
	})
	for _, h := range ordered {
		line.Rows = append(line.Rows, lifeRowOf(h.life, h.tenants, short, now, first, last))
	}
	return line
}

func lifeRowOf(l life, tenants []tenant, short shortener, now, first, last time.Time) lifeRow {
	row := lifeRow{Count: len(tenants), From: rotate.FormatTime(l.from), Until: rotate.FormatTime(l.until), X: place(l.from, first, last),
		Width: percent(float64(l.until.Sub(l.from)) / float64(max(last.Sub(first), 1)))}
	names, outcomes := make([]string, len(tenants)), map[string]bool{}
	for i, t := range tenants {
		names[i] = short.short(t.report.Wwwroot)
		for _, o := range strings.Fields(t.outcomes()) {
			outcomes[o] = true
		}
	}
	slices.Sort(names)
	row.Names = strings.Join(names, "\n")
	for o := range outcomes {
		row.Outcomes += " " + o
	}
	left := l.until.Sub(now)
	switch {
	case left <= 0:
		row.State, row.Left = mark{"bad", "✗", ""}, "expired "+span(-left)+" ago"
	case left < l.until.Sub(l.from)/3:
		row.State, row.Left = mark{"warn", "!", "due: less than one third of its lifetime is left"}, span(left)+" left"
	default:
		row.State, row.Left = mark{"good", "✓", ""}, span(left)+" left"
	}
	return row
}

// ticks are the days written on the axis: at most five, at round distances.
func ticks(first, last, now time.Time) []tick {
	day := 24 * time.Hour
	step := 365 * day
	for _, s := range []time.Duration{day, 2 * day, 7 * day, 14 * day, 30 * day, 91 * day, 182 * day} {
		if last.Sub(first) <= 5*s {
			step = s
			break
		}
	}
	for last.Sub(first) > 5*step { // a certificate may be valid for a hundred years
		step *= 2
	}
	layout := "2 Jan"
	if last.Sub(first) > 300*day {
		layout = "Jan 2006"
	}
	var all []tick
	for t := first.UTC().Truncate(day).Add(day); !t.After(last.Add(-step / 3)); t = t.Add(step) {
		if t.Sub(now).Abs() < last.Sub(first)/12 {
			continue // this is the place of the word now
		}
		all = append(all, tick{At: place(t, first, last), Label: t.Format(layout)})
	}
	return all
}

func place(t, first, last time.Time) string {
	return percent(float64(t.Sub(first)) / float64(max(last.Sub(first), 1)))
}

func percent(part float64) string { return fmt.Sprintf("%.2f%%", 100*part) }

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
