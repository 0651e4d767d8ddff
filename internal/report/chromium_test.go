package report_test

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	light = "--blink-settings=preferredColorScheme=1"
	dark  = "--blink-settings=preferredColorScheme=0"
)

func TestChromiumFiltersThePeersOfOneTenant(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	p := newPage()
	p.Add(one())
	const names = "seen('.peers-list .n')"
	b.drive(t, written(t, p, runWith(3)), "#outcome=refused,pending", []step{
		{"the address is obeyed", names, `["https://off.example.org/moodle","https://down.example.net"]`},
		{"its outcomes are pressed", "chips.filter(c => c.ariaPressed === 'true').map(c => c.dataset.outcome)", `["pending","refused"]`},
		{"it is said how many", "seen('#shown')", `["Filter: refused, pending. 2 of 5 peers shown."]`},
		{"a click takes one away", "(click('pending'), " + names + ")", `["https://off.example.org/moodle"]`},
		{"and is in the address", "location.hash", `"#outcome=refused"`},
		{"typing narrows it", "(type('nobody'), " + names + ")", `[]`},
		{"and that nothing is left is said, to those who listen too", "[seen('#shown'), shown.ariaLive, seen('h2').includes('Peers')]", `[["Filter: refused, “nobody”. Nothing matches."],"polite",false]`},
		{"and is in the address too", "location.hash", `"#outcome=refused&name=nobody"`},
		{"all again", "(clear(), [" + names + ".length, field.value, location.hash, shown.textContent])", `[5,"","",""]`},
		{"and nothing is left to clear", "[clearing.disabled, document.activeElement === field]", `[true,true]`},
		{"by name alone, in any case", "(type('EXAMPLE.org'), " + names + ".length)", `3`},
		{"on paper it is the same, with the filter in words", "(dispatchEvent(new Event('beforeprint')), [" + names + ".length, seen('#shown')])", `[3,["Filter: “EXAMPLE.org”. 3 of 5 peers shown."]]`},
		{"and afterwards as before", "(dispatchEvent(new Event('afterprint')), " + names + ".length)", `3`},
		{"keyboard: all there is to press can be reached", "[...document.querySelectorAll('button, input')].every(el => el.tabIndex === 0)", `true`},
		{"light", "getComputedStyle(document.body).backgroundColor", `"rgb(244, 245, 247)"`},
	}, light)
}

func TestChromiumCountsOnePeerAsOne(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	p, r := newPage(), one()
	r.Peers = r.Peers[len(r.Peers)-1:]
	p.Add(r)
	b.drive(t, written(t, p, runWith(3)), "#name=example", []step{
		{"one of one", "seen('#shown')", `["Filter: “example”. 1 of 1 peer shown."]`},
	}, light)
}

func TestChromiumFiltersTheMatrixOfAFew(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	const cells = "seen('#matrix td[data-cell]').join('')"
	b.drive(t, written(t, array(6), runWith(3)), "", []step{
		{"what does not scroll is no stop for the keyboard", "scrolls.filter(el => el.tabIndex === 0 && el.scrollHeight <= el.clientHeight && el.scrollWidth <= el.clientWidth).length", `0`},
		{"what scrolls is one", "(scrolls[0].style.maxHeight = '20px', dispatchEvent(new Event('resize')), scrolls[0].tabIndex)", `0`},
		{"at first all is there", cells, `"AAPAASAAPAAAAAAAAAAPARRRPR"`},
		{"by outcome rows and columns without go", "(click('pending'), [seen('#matrix tbody th bdi'), seen('#matrix thead bdi')])", `[["t000","t001","t004","t005"],["t003"]]`},
		{"so do groups of failures", "seen('h3').length", `1`},
		{"and tenants", "seen('.tenants tbody .n').length", `4`},
		{"by name of a peer its column stays", "(clear(), type('mahara'), [" + cells + ", seen('#matrix thead bdi')])", `["S",["mahara.example.com/view"]]`},
		{"by name of a tenant row and column stay, what is neither is pale", "(clear(), type('T005'), [seen('#matrix td[data-cell]:not(.pale)').join(''), seen('.tenants .n').length])", `["AAAARRRPR",1]`},
		{"of a list of names those that match", "(clear(), type('t004'), document.querySelector('[data-o=pending] .names').textContent)", `"t004"`},
		{"and opens it", "[document.querySelector('[data-o=pending] details').open, document.querySelector('[data-o=pending] summary').textContent]", `[true,"1 of 4 shown"]`},
		{"a section with nothing left goes", "seen('h2').includes('Tenants that failed')", `false`},
		{"and all again", "(clear(), document.querySelector('[data-o=pending] .names').textContent.split('\\n').length)", `4`},
		{"an address that is followed", "(follow('#outcome=failed&name=t002'), seen('.tenants .n'))", `["https://t002.example.org"]`},
		{"the arrow keys go from link to link", "(clear(), table.querySelector('tbody td').focus(), press(document.activeElement, 'ArrowRight'), press(document.activeElement, 'ArrowDown'), press(document.activeElement, 'ArrowRight'), press(document.activeElement, 'ArrowRight'), document.activeElement.dataset.cell)", `"pending"`},
		{"and say what became of it", "seen('#readout')[0].startsWith('https://t001.example.org → https://t003.example.org: pending, connect: its database')", `true`},
		{"dark", "getComputedStyle(document.body).backgroundColor", `"rgb(18, 20, 25)"`},
		{"but not on paper", "(dispatchEvent(new Event('beforeprint')), getComputedStyle(document.documentElement).getPropertyValue('--paper'))", `"#fff"`},
		{"where nothing is folded", "document.querySelectorAll('details:not([open])').length", `0`},
	}, dark)
}

func TestChromiumDrawsTheMatrixOf500(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	b.drive(t, written(t, array(500), runWith(3)), "", []step{
		{"cells are painted", "colours(drawing.cells) > 20", `true`},
		{"and the whole beside them", "colours(drawing.overview) > 5", `true`},
		{"no more than is looked at", "drawing.cells.width < 2000 && drawing.cells.height < 2000", `true`},
		{"all is there", "[drawing.rows.length, drawing.columns.length, seen('.tenants .n').length]", `[500,501,500]`},
		{"a key goes to a link", "(lens.focus(), press(lens, 'ArrowRight'), press(lens, 'ArrowRight'), press(lens, 'ArrowRight'), seen('#readout'))",
			`["https://t000.example.org → https://t003.example.org: pending, connect: its database: dial tcp 192.0.2.3:3306: connect: connection refused. Next: do something about connect"]`},
		{"and brings it into sight", "(press(lens, 'End'), lens.scrollLeft > 5000)", `true`},
		{"by outcome", "(click('pending'), [drawing.rows.length, drawing.columns.length, seen('.tenants .n').length])", `[488,1,488]`},
		{"by name", "(clear(), type('t123'), [drawing.rows.length, drawing.columns.length, seen('.tenants .n')])", `[489,500,["https://t123.example.org"]]`},
		{"whose row and column come first", "[data.rows[drawing.rows[0]].name, data.names[drawing.columns[0]][0]]", `["t123","t123"]`},
		{"by both", "(click('refused'), [drawing.rows.length, drawing.columns.length])", `[2,2]`},
		{"and in the lists of failures", "[...document.querySelectorAll('.group [data-o]:not(.out) .names')].map(n => n.textContent)", `["t123","t123"]`},
		{"what matches nothing", "(clear(), type('nobody'), [drawing.rows.length, seen('main h2').length, seen('#shown')])", `[0,0,["Filter: “nobody”. Nothing matches."]]`},
		{"and the matrix comes back", "(clear(), [drawing.rows.length, drawing.cells.width > 300])", `[500,true]`},
	}, light)
}

func TestChromiumShowsAllOfItOnAPhone(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	const narrow = "document.scrollingElement.scrollWidth <= document.scrollingElement.clientWidth"
	const labels = "(table ? seen('.column') : (data.names || []).map(([label]) => label))"
	steps := []step{
		{"it is as wide as a phone", "innerWidth", `390`},
		{"nothing is beyond its edge", narrow, `true`},
		{"nor when all lists are open", "(document.querySelectorAll('details').forEach(d => { d.open = true; }), " + narrow + ")", `true`},
		{"only the matrix scrolls sideways", "[...document.querySelectorAll('.scroll')].filter(el => !el.querySelector('.matrix') && el.scrollWidth > el.clientWidth).length", `0`},
		{"labels of the matrix differ", "(labels => labels.length - new Set(labels).size)(" + labels + ")", `0`},
		{"and are cut", labels + ".every(label => label.length <= 34)", `true`},
		{"and leave room for links", "table ? table.tBodies[0].rows[0].cells[0].offsetWidth < 260 : !drawing || Drawing.left < 260", `true`},
	}
	pages := map[string]string{}
	for _, tenants := range []int{1, 5, 300} {
		pages[strconv.Itoa(tenants)] = written(t, university(tenants), runWith(3))
	}
	for name, scheme := range map[string]string{"in the light": light, "in the dark": dark} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b.onPhones(t, pages, steps, scheme)
		})
	}
}

func TestChromiumRunsNothingThatComesFromANameAndLogsNothing(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	p := newPage()
	for i := range 51 {
		r := tenantOf(i, 51)
		r.Wwwroot += `</script><script>console.log("run")</script><img src=x onerror=console.log(1)>`
		r.Peers = append(r.Peers, peer(`"'--></title></style></script><script>console.log("run")</script>`, "refused", `<svg onload=console.log(2)>`, "{{constructor}}", 1, 1))
		p.Add(r)
	}
	b.drive(t, written(t, p, runWith(3)), "#name=<script>&outcome=<img src=x onerror=console.log(3)>", []step{
		{"nothing has become an element", "document.querySelectorAll('img, main script, main style, svg[onload]').length", `0`},
		{"it is found by its text", "(follow('#name=<script>'), seen('.tenants .n').length)", `51`},
	}, dark)
}

// TestTheConsoleOfChromiumIsLookedAt shows that the tests above would have seen an error, and that
// the policy is in force.
func TestTheConsoleOfChromiumIsLookedAt(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	p := newPage()
	p.Add(one())
	page := written(t, p, runWith(3))
	page = strings.Replace(page, "</body>", `<script>console.log("run")</script><img src="data:,"><p style="color:red"></p></body>`, 1)
	picture := filepath.Join(t.TempDir(), "page.png")
	_, console := b.run(t, file(t, page), "--window-size=1000,800", "--screenshot="+picture)
	all := strings.Join(console, "\n")
	for _, refused := range []string{"Executing inline script", "Loading the image", "inline style"} {
		if !strings.Contains(all, refused) {
			t.Errorf("the console does not say that %q was refused: %s", refused, all)
		}
	}
	if strings.Contains(all, `"run"`) {
		t.Error("a script has run that is not the page's")
	}
	shot, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := png.DecodeConfig(bytes.NewReader(shot)); err != nil || c.Width != 1000 || len(shot) < 20_000 {
		t.Errorf("the picture of the page has %d bytes, %v, %v", len(shot), c, err)
	}
}
