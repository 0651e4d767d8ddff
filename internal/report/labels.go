package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// labels are the labels of all sites.
func (p *Page) labels(short shortener) []string {
	names := make([]string, len(p.sites))
	for i, s := range p.sites {
		names[i] = short.short(s.name)
	}
	return labels(names, short.Prefix())
}

// widest is the largest number of letters of a label at the edge of the matrix.
const widest = 28

// labels are names that fit at the edge of the matrix: without prefix, and cut in the middle if
// they are long. Names that would look the same show where they differ: two names never have the
// same label.
func labels(names []string, prefix string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = cut(strings.TrimPrefix(name, prefix))
	}
	for _, like := range alike(all) {
		same := commonPrefix(names, like)
		for _, i := range like {
			all[i] = around(names[i], same)
		}
	}
	for _, like := range alike(all) {
		for n, i := range like {
			all[i] += fmt.Sprintf(" (%d)", n+1)
		}
	}
	return all
}

// alike are the indices of texts that occur more than once.
func alike(texts []string) [][]int {
	at := map[string][]int{}
	for i, text := range texts {
		at[text] = append(at[text], i)
	}
	maps.DeleteFunc(at, func(_ string, like []int) bool { return len(like) == 1 })
	return slices.Collect(maps.Values(at))
}

// commonPrefix is how many letters at the beginning are the same in the names at these indices.
func commonPrefix(names []string, places []int) int {
	common := []rune(names[places[0]])
	for _, i := range places[1:] {
		n := 0
		for _, letter := range names[i] {
			if n == len(common) || common[n] != letter {
				break
			}
			n++
		}
		common = common[:n]
	}
	return len(common)
}

// cut leaves out the middle of a long text.
func cut(s string) string {
	letters := []rune(s)
	if len(letters) <= widest {
		return s
	}
	return string(letters[:widest/2]) + "…" + string(letters[len(letters)-widest/2+1:])
}

// around leaves out what is far from a position in a long text.
func around(s string, place int) string {
	letters := []rune(s)
	if len(letters) <= widest {
		return s
	}
	from := min(max(place-3, 1), len(letters)-widest+1)
	to, rest := from+widest-2, "…"
	if to >= len(letters)-1 {
		to, rest = len(letters), ""
	}
	return "…" + string(letters[from:to]) + rest
}
