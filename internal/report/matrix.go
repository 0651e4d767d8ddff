package report

import (
	"cmp"
	"slices"
	"strings"

	"renew_mnetkeys/internal/printable"
)

// cellsInHTML is the largest number of cells of a matrix that is an HTML table. The browser would
// take seconds to lay out a larger one: the script draws the visible part of it.
const cellsInHTML = 2500

// heading is a site at the edge of the matrix. Short is its label, which no other site has.
type heading struct{ Short, Full string }

// matrix has a row for each tenant and a column for each site that is a peer of one.
type matrix struct {
	Columns []heading
	Rows    []matrixRow // if it is a table
	Data    data        // for the script
}

// Drawn reports whether the script draws the matrix, because it is too large for a table.
func (m matrix) Drawn() bool { return len(m.Data.Rows) > 0 }

type matrixRow struct {
	heading
	mark
	Said  string // the tenant's outcome, in the words of the headline
	Cells []cell
}

// cell is a link; if there is no link, it has no outcome.
type cell struct {
	mark
	Own  bool // the tenant itself
	Says string
}

// data is what the script gets in addition to the elements of the page.
type data struct {
	Names [][2]string `json:"names"` // short and full names of the columns
	Kinds [][4]string `json:"kinds"` // outcome, letter, details, next step
	Rows  []dataRow   `json:"rows"`
}

type dataRow struct {
	Column  int    `json:"column"` // of the tenant itself, -1 if it is not a peer of any tenant
	Name    string `json:"name"`   // short name
	Full    string `json:"full"`
	Outcome string `json:"outcome"`
	Cells   []int  `json:"cells"` // pairs: a kind, the number of columns with it; -1 is no link
}

// matrix has the tenants, which are sorted, as rows and their peers as columns: tenants first, in
// the same order, so that the diagonal is each site with itself.
func (p *Page) matrix(tenants []tenant, short shortener, how mode) matrix {
	columns := p.columns(tenants)
	label := p.labels(short)
	m := matrix{Columns: make([]heading, len(columns))}
	columnOf := make(map[uint32]int, len(columns))
	for i, s := range columns {
		columnOf[s] = i
		m.Columns[i] = heading{label[s], printable.Line(p.sites[s].name, 0)}
		m.Data.Names = append(m.Data.Names, [2]string{m.Columns[i].Short, m.Columns[i].Full})
	}
	drawn := len(tenants)*len(columns) > cellsInHTML
	if drawn {
		for _, k := range p.kinds {
			says := words(printable.Line(k.reason, 0), k.saying(), printable.Line(k.known, 0))
			mark := markOf(peerMarks(how), string(k.outcome))
			m.Data.Kinds = append(m.Data.Kinds, [4]string{mark.Outcome, mark.Letter, says, printable.Line(k.next, 0)})
		}
	}
	for _, t := range tenants {
		kinds := make([]int, len(columns))
		for i := range kinds {
			kinds[i] = -1
		}
		for _, l := range t.links {
			kinds[columnOf[l.peer]] = int(l.kind)
		}
		own, isPeer := columnOf[t.site]
		if !isPeer {
			own = -1
		}
		name := heading{label[t.site], printable.Line(t.report.Wwwroot, 0)}
		if drawn {
			m.Data.Rows = append(m.Data.Rows, dataRow{Column: own, Name: name.Short, Full: name.Full, Outcome: printable.Line(string(t.report.Outcome), 0), Cells: runs(kinds)})
			continue
		}
		row := matrixRow{heading: name, mark: markOf(tenantMarks(how), string(t.report.Outcome)), Said: how.said(t.report, 1)}
		for i, k := range kinds {
			row.Cells = append(row.Cells, p.cell(k, i == own, how))
		}
		m.Rows = append(m.Rows, row)
	}
	return m
}

func (p *Page) cell(k int, own bool, how mode) cell {
	if k < 0 {
		return cell{Own: own}
	}
	return cell{mark: markOf(peerMarks(how), string(p.kinds[k].outcome)), Says: words(printable.Line(p.kinds[k].reason, 0), p.kinds[k].saying(), printable.Line(p.kinds[k].known, 0))}
}

// columns are the sites that are a peer of a tenant, tenants first.
func (p *Page) columns(tenants []tenant) []uint32 {
	isPeer := make([]bool, len(p.sites))
	for _, t := range tenants {
		for _, l := range t.links {
			isPeer[l.peer] = true
		}
	}
	var columns, others []uint32
	for _, t := range tenants {
		if isPeer[t.site] {
			columns = append(columns, t.site)
			isPeer[t.site] = false
		}
	}
	for s, is := range isPeer {
		if is {
			others = append(others, uint32(s))
		}
	}
	slices.SortFunc(others, func(a, b uint32) int { return strings.Compare(p.sites[a].name, p.sites[b].name) })
	return append(columns, others...)
}

// runs writes equal neighbours once: most links in a row of an array are of one kind.
func runs(kinds []int) []int {
	var all []int
	for _, k := range kinds {
		if n := len(all); n > 0 && all[n-2] == k {
			all[n-1]++
		} else {
			all = append(all, k, 1)
		}
	}
	return all
}

// sortTenants keeps equal names in the order of their reports.
func sortTenants(tenants []tenant) {
	slices.SortStableFunc(tenants, func(a, b tenant) int { return cmp.Compare(a.report.Wwwroot, b.report.Wwwroot) })
}
