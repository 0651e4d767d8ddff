package run

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/rotate"
)

// siteIn is a site of a config.php in a database.
func siteIn(wwwroot, file, database string) arraySite {
	c := &config.Config{File: file, Wwwroot: wwwroot, DBHost: "localhost", DBSocket: "/run/db.sock", DBName: database, Dataroot: "/data/" + database}
	return arraySite{wwwroot: wwwroot, file: file, place: file, master: c, config: c, wanted: true}
}

// row is a tenant of the register in a config.php.
func row(wwwroot, file, database string) arraySite {
	s := siteIn(wwwroot, file, database)
	s.place, s.registered = "register "+database, true
	return s
}

// Nobody is to believe that --all is all.
func TestAnArraySaysWhoIsLeftOut(t *testing.T) {
	unwanted := func(s arraySite) arraySite { s.wanted, s.registered = false, true; return s }
	disabled := func(s arraySite) arraySite { s.disabled = true; return s }
	sites := []arraySite{
		unwanted(siteIn("https://m.example", "/1.php", "m")), row("https://a.example", "/1.php", "a"), disabled(row("https://old.example", "/1.php", "b")),
		unwanted(row("https://no.example", "/1.php", "c")), unwanted(row("https://x.example", "/1.php", "d")),
		unwanted(siteIn("https://listed.example", "/2.php", "e")), row("https://listed.example", "/2.php", "e"),
	}
	w := arrayWiring{out: &output.Printer{Log: zerolog.Nop()}}
	w.o.Array.Exclude = rotate.Globs{"*x.example"}
	array := &rotate.Array{Members: []rotate.Member{{Wwwroot: "https://m.example"}, {Wwwroot: "https://a.example"}, {Wwwroot: "https://listed.example"}}, Selected: []int{1, 2}}
	left, masters := w.leftOut(sites, []string{"https://LISTED.example", "https://off.example"}, array) // one of two files is of a tenant, whose register says that MNet is on
	want := []output.LeftOut{
		{Kind: "site", Why: "MNet is off", Names: []string{"https://off.example"}},
		{Kind: "master", Why: "add --withmaster to include it", Names: []string{"https://m.example"}},
		{Kind: "tenant", Why: "disabled or without MNet in VMoodle's register", Names: []string{"https://old.example", "https://no.example"}},
	}
	if diff := cmp.Diff(want, left) + cmp.Diff([]string{"https://m.example"}, masters); diff != "" {
		t.Error(diff)
	}
	if left, _ := w.leftOut(sites[1:2], nil, array); len(left) > 0 {
		t.Errorf("%v", left)
	}
}

// An --exclude of the options file, which is right, is not to be taken for the cause.
func TestARunThatSelectsNobodyNamesTheMatch(t *testing.T) {
	sites := []arraySite{row("https://a.example", "/1.php", "a"), row("https://b.example", "/1.php", "b")}
	w := arrayWiring{out: &output.Printer{Log: zerolog.Nop()}}
	w.o.Array.Exclude = rotate.Globs{"https://b.example"}
	for match, want := range map[string]string{
		"https://nobody.example": "no tenant of the array is selected: no site matches --match=https://nobody.example",
		"https://b.example":      "no tenant of the array is selected (--exclude is in /o.conf:5)",
	} {
		w.o.Array.Match = rotate.Globs{match}
		w.o.Elsewhere = map[string]string{"exclude": "is in /o.conf:5"}
		if got := w.o.Located(w.noneSelected(sites, nil, &rotate.Array{})).Error(); got != want {
			t.Errorf("%s: %s", match, got)
		}
	}
}

func TestEachSiteOfAnArrayIsThereOnce(t *testing.T) {
	unwanted := func(s arraySite) arraySite { s.wanted = false; return s }
	disabled := func(s arraySite) arraySite { s.disabled = true; return s }
	listed := func(s arraySite) arraySite { s.row = &config.TenantRow{DBName: s.config.DBName}; return s }
	unreadable := arraySite{wwwroot: "/c.php", file: "/c.php", wanted: true, err: io.EOF}
	const a, b = "https://a.example", "https://b.example"
	moved := siteIn(a, "/2.php", "one")
	moved.config.Dataroot = "/elsewhere"
	for name, c := range map[string]struct {
		sites []arraySite
		want  []string
		log   string
	}{
		"different sites":           {[]arraySite{siteIn(a, "/1.php", "one"), siteIn(b, "/2.php", "two"), unreadable}, []string{a + " wanted", b + " wanted", "/c.php wanted: EOF"}, ""},
		"one site of two files":     {[]arraySite{siteIn(a, "/1.php", "one"), siteIn(a+"/", "/2.php", "one")}, []string{a + " wanted"}, ""},
		"wanted by the second":      {[]arraySite{unwanted(siteIn(a, "/1.php", "one")), siteIn("https://A.example", "/2.php", "one")}, []string{a + " wanted"}, ""},
		"another dataroot":          {[]arraySite{siteIn(a, "/1.php", "one"), moved}, []string{a + " wanted"}, "used_dataroot"},
		"a row of the master":       {[]arraySite{unwanted(siteIn(a, "/1.php", "one")), row(a, "/1.php", "one")}, []string{a + " wanted"}, ""},
		"a row that is there twice": {[]arraySite{row(a, "/1.php", "two"), row(a, "/1.php", "two")}, []string{a + " wanted"}, ""},
		"a row with the master's wwwroot, as --cfg=wwwroot makes it": {[]arraySite{unwanted(siteIn(a, "/1.php", "one")), row(a, "/1.php", "two")}, []string{
			a + " (/1.php): two sites have the wwwroot " + a + ", and different databases: /1.php and register two",
			a + " (register two) wanted: two sites have the wwwroot " + a + ", and different databases: /1.php and register two"}, ""},
		"a disabled row": {[]arraySite{disabled(siteIn(a, "/1.php", "one")), siteIn(b, "/1.php", "two")}, []string{b + " wanted"}, ""},
		"one wwwroot of two databases": {[]arraySite{siteIn(a, "/1.php", "one"), siteIn(b, "/2.php", "two"), siteIn(a, "/3.php", "three")}, []string{
			a + " (/1.php) wanted: two sites have the wwwroot " + a + ", and different databases: /1.php and /3.php",
			a + " (/3.php) wanted: two sites have the wwwroot " + a + ", and different databases: /1.php and /3.php", b + " wanted"}, ""},
		"two rows of one register": {[]arraySite{listed(row(a, "/1.php", "one")), listed(row(a, "/1.php", "two")), disabled(listed(row(a, "/1.php", "three")))}, []string{
			a + " (database one) wanted: 2 rows of VMoodle's register have the wwwroot " + a + ": database one and database two",
			a + " (database two) wanted: 2 rows of VMoodle's register have the wwwroot " + a + ": database one and database two"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			var got []string
			for _, s := range distinct(c.sites, zerolog.New(&log).Level(zerolog.WarnLevel)) {
				text := s.name()
				if s.wanted {
					text += " wanted"
				}
				if s.err != nil {
					text += ": " + s.err.Error()
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if !strings.Contains(log.String(), c.log) || c.log == "" && log.Len() > 0 {
				t.Errorf("log: %s", log.String())
			}
		})
	}
}

// Two rows of a register may be of one wwwroot, and of tables of one database, or of databases of one
// name: it is not known which of them the wwwroot reaches.
func TestRowsOfARegisterWithOtherTablesAreOtherSites(t *testing.T) {
	const a = "https://a.example"
	one := config.TenantRow{Wwwroot: a, DBHost: "db1", DBName: "moodle", Prefix: "m1_"}
	otherTables, otherServer := one, one
	otherTables.Prefix, otherServer.DBHost = "m2_", "db2"
	for name, c := range map[string]struct {
		row  config.TenantRow
		same bool
	}{"the same row": {one, true}, "other tables": {otherTables, false}, "another server": {otherServer, false}} {
		t.Run(name, func(t *testing.T) {
			var sites []arraySite
			for _, row := range []config.TenantRow{one, c.row} {
				s := siteIn(a, "/1.php", row.DBName)
				s.place, s.registered, s.config.DBHost, s.config.Prefix, s.row = moodledb.PlaceOf("/1.php", row), true, row.DBHost, row.Prefix, &row
				sites = append(sites, s)
			}
			kept := distinct(sites, zerolog.Nop())
			if c.same != (len(kept) == 1 && kept[0].err == nil) || !c.same && (len(kept) != 2 || kept[0].err == nil || kept[0].name() == kept[1].name()) {
				t.Errorf("%+v", kept)
			}
		})
	}
}

func TestCommandsForSeveralConfigsAreForTheirSites(t *testing.T) {
	sites := []arraySite{siteIn("https://a.example", "/1.php", "one"), siteIn("https://b.example", "/2.php", "two"),
		{wwwroot: "/3.php", file: "/3.php", wanted: true, err: io.EOF}}
	out := &output.Printer{Arguments: []string{"--all", "--config=/*.php"}}
	out.Options.All = true
	out.Site, out.SiteOf = sitesForHints(sites, func(string) string { return "" })
	for _, c := range [][3]string{
		{"run: renew_mnetkeys push", "https://b.example/", "run: renew_mnetkeys push --config=/2.php --host=https://b.example/"},
		{"run: renew_mnetkeys doctor --host=https://a.example", "https://b.example", "run: renew_mnetkeys doctor --host=https://a.example --config=/1.php"},
		{"run: renew_mnetkeys doctor", "/3.php", "run: renew_mnetkeys doctor --config=/3.php"},
		{"run: renew_mnetkeys push", "", "run: renew_mnetkeys push '--config=/*.php' --all"},
		{"run: renew_mnetkeys push --all", "https://a.example", "run: renew_mnetkeys push --all '--config=/*.php'"},
	} {
		if got := out.Complete(c[0], c[1]); got != c[2] {
			t.Errorf("%s of %q:\n%s, want\n%s", c[0], c[1], got, c[2])
		}
	}
}

// A copy of a site names the wwwroot of the live one.
func TestExcludingACopyByItsPathLeavesTheLiveSiteIn(t *testing.T) {
	const url = "https://live.example.org"
	live := arraySite{wwwroot: url, file: "/srv/live/config.php", place: "/srv/live/config.php", wanted: true}
	broken := arraySite{wwwroot: url, file: "/srv/copy/config.php", place: "/srv/copy/config.php", wanted: true}
	globs := rotate.Globs{"/srv/copy/*"}
	sites := withoutCopies(globs, []arraySite{live, broken})
	if selection := (rotate.Selection{Exclude: withWwwroots(globs, sites)}); len(sites) != 1 || !selection.Includes(url) {
		t.Errorf("left: %+v; excluded: %q", sites, selection.Exclude)
	}
	sites = withoutCopies(globs, []arraySite{broken})
	if selection := (rotate.Selection{Exclude: withWwwroots(globs, sites)}); len(sites) != 1 || selection.Includes(url) {
		t.Errorf("alone: left: %+v; excluded: %q", sites, selection.Exclude)
	}
}
