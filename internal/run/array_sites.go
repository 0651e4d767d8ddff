package run

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/siteuser"
	"renew_mnetkeys/rotate"
)

// arraySite is a site of an array.
type arraySite struct {
	wwwroot        string            // path of config.php if the wwwroot is not known
	file           string            // config.php
	place          string            // what says that there is such a site: config.php, or a row of its register
	row            *config.TenantRow // of the register, nil if it has none
	master, config *config.Config
	wanted         bool // worked on, unless the options leave it out
	disabled       bool // in the register
	registered     bool // as a tenant or the master of a register, which says which tenants have MNet
	contested      bool // the wwwroot belongs to several sites
	err            error
}

// name names the site in reports, where names are unique.
func (s arraySite) name() string {
	if s.contested {
		return s.wwwroot + " (" + s.place + ")"
	}
	return s.wwwroot
}

// isUnknown reports whether it is not known which site, or which sites, config.php describes.
func (s arraySite) isUnknown() bool { return s.wwwroot == s.file }

// sites are the sites of an array: of one config.php the master and the tenants of its register; of
// several, each with the tenants of its register, if it has one.
func (r runner) sites(ctx context.Context, found config.Found) ([]arraySite, error) {
	if !found.Several {
		master, err := config.Read(ctx, found.Files[0], readOptions(r.o))
		if err != nil {
			return nil, err
		}
		r.out.Site = siteOf(master, r.getenv)
		return r.registered(ctx, master)
	}
	if err := checkCfg(r.o.Cfg); err != nil {
		return nil, err
	}
	options := readOptions(r.o)
	options.Shared = ofSeveralUsers(found.Files)
	each := make([][]arraySite, len(found.Files))
	var group errgroup.Group
	group.SetLimit(runtime.NumCPU()) // some have to be evaluated by PHP
	for i, file := range found.Files {
		group.Go(func() error {
			each[i] = r.sitesOf(ctx, file, options)
			return nil
		})
	}
	_ = group.Wait() // every failure is that of its site
	all := slices.Concat(each...)
	r.out.Site, r.out.SiteOf = sitesForHints(all, r.getenv)
	return all, nil
}

// checkCfg refuses settings of --cfg that can be right for one site only.
func checkCfg(overrides map[string]string) error {
	for _, name := range []string{"wwwroot", "dataroot", "cachedir", "dbname", "prefix"} {
		if _, given := overrides[name]; given {
			return &cmdline.UsageError{Problem: "--cfg=" + name + " cannot be used with several sites, which it would replace by one",
				Advice: "correct it in config.php, or work on that site alone: leave out --all and name its --config=PATH"}
		}
	}
	return nil
}

// sitesOf are the sites of one config.php among several. An error is that of a site: the others go
// on.
func (r runner) sitesOf(ctx context.Context, file string, options config.Options) []arraySite {
	failed := func(err error) arraySite {
		return arraySite{wwwroot: file, file: file, place: file, wanted: true, err: err}
	}
	own, err := config.Read(ctx, file, options)
	if err != nil {
		return []arraySite{failed(err)}
	}
	if own.Register == nil {
		return []arraySite{{wwwroot: own.Wwwroot, file: file, place: file, master: own, config: own, wanted: true}}
	}
	all, err := r.registered(ctx, own)
	if err != nil {
		return []arraySite{r.master(own), failed(err)}
	}
	return all
}

// ofSeveralUsers reports whether different users can write the files.
func ofSeveralUsers(files []string) bool {
	first := siteuser.Writers(files[0])
	return len(first) > 1 || slices.ContainsFunc(files, func(file string) bool { return !slices.Equal(siteuser.Writers(file), first) })
}

func (r runner) master(own *config.Config) arraySite {
	return arraySite{wwwroot: own.Wwwroot, file: own.File, place: own.File, master: own, config: own, wanted: r.o.Array.WithMaster, registered: true}
}

// registered are the master and the tenants of its register. Those to be worked on are enabled and
// have MNet there.
func (r runner) registered(ctx context.Context, master *config.Config) ([]arraySite, error) {
	rows, err := moodledb.Tenants(ctx, master)
	if err != nil {
		return nil, err
	}
	all := []arraySite{r.master(master)}
	for _, row := range rows {
		s := arraySite{wwwroot: row.Wwwroot, file: master.File, place: moodledb.PlaceOf(master.File, row.TenantRow), row: &row.TenantRow, master: master, wanted: row.MNet >= 0, registered: true, disabled: !row.Enabled}
		if row.Enabled {
			s.config, s.err = master.ForTenant(ctx, row.TenantRow)
		}
		all = append(all, s)
	}
	return all, nil
}

// distinct are the enabled sites, each once: two files may be of one site, and a register may list
// a site twice, or the master. If two sites have the same wwwroot, none of them can be worked on:
// which of them the wwwroot reaches is not known.
func distinct(sites []arraySite, log output.Logger) (kept []arraySite) {
	same := map[string][]arraySite{} // different sites, by wwwroot
	var order []string
	for _, s := range sites {
		if s.disabled {
			continue
		}
		wwwroot := envelope.FoldWwwroot(s.wwwroot)
		at := slices.IndexFunc(same[wwwroot], func(k arraySite) bool { return k.place == s.place || moodledb.SameTables(k.config, s.config) })
		if at < 0 {
			if same[wwwroot] == nil {
				order = append(order, wwwroot)
			}
			same[wwwroot] = append(same[wwwroot], s)
			continue
		}
		k := &same[wwwroot][at]
		k.wanted = k.wanted || s.wanted
		if k.file == s.file {
			continue
		}
		event := log.Debug()
		if s.config.Dataroot != k.config.Dataroot {
			event = log.Warn().Str("dataroot", s.config.Dataroot).Str("used_dataroot", k.config.Dataroot)
		}
		event.Str("wwwroot", s.wwwroot).Str("config", s.file).Str("used", k.file).Msg("a second config.php of this site is not used")
	}
	for _, wwwroot := range order {
		kept = append(kept, contest(same[wwwroot])...)
	}
	return kept
}

// contest gives different sites with the same wwwroot the error that says so.
func contest(sites []arraySite) []arraySite {
	if len(sites) < 2 {
		return sites
	}
	var rows []config.TenantRow
	for _, s := range sites {
		if s.row != nil && s.file == sites[0].file {
			rows = append(rows, *s.row)
		}
	}
	err := &moodledb.ContestedError{Wwwroot: sites[0].wwwroot, Places: []string{sites[0].place, sites[1].place}, OfFiles: true}
	if len(rows) == len(sites) {
		err = moodledb.Contested(sites[0].wwwroot, rows)
		for i := range sites {
			sites[i].place = err.Places[i]
		}
	}
	for i := range sites {
		sites[i].contested, sites[i].err = true, err
	}
	return sites
}

// leftOut are the sites that the run does not work on although no option says so: those with MNet
// off, masters, and tenants.
func (w arrayWiring) leftOut(sites []arraySite, off []string, array *rotate.Array) (left []output.LeftOut, masters []string) {
	var tenants []string
	worksOn := map[string]bool{}
	for _, at := range array.Selected {
		worksOn[envelope.FoldWwwroot(array.Members[at].Wwwroot)] = true
	}
	for _, s := range sites { // two rows may have one wwwroot, and one of them be disabled
		if s.wanted && !s.disabled {
			worksOn[envelope.FoldWwwroot(s.wwwroot)] = true
		}
	}
	for _, s := range sites {
		switch {
		case !s.registered, s.wanted && !s.disabled, !w.o.Array.Selection.Includes(s.wwwroot), worksOn[envelope.FoldWwwroot(s.wwwroot)]:
		case s.place == s.file:
			masters = append(masters, s.wwwroot)
		default:
			tenants = append(tenants, s.wwwroot)
		}
	}
	off = slices.DeleteFunc(off, func(wwwroot string) bool { return worksOn[envelope.FoldWwwroot(wwwroot)] }) // as a register says
	left = []output.LeftOut{
		{Kind: "site", Why: "MNet is off", Names: off},
		{Kind: "master", Why: "add --withmaster to include it", Names: masters},
		{Kind: "tenant", Why: "disabled or without MNet in VMoodle's register", Names: tenants},
	}
	return slices.DeleteFunc(left, output.LeftOut.None), masters
}

// withMNet leaves out sites with MNet off, as a register does, unless MNet is to be switched on. A
// site whose database cannot be read stays: that is its failure.
func (w arrayWiring) withMNet(ctx context.Context, sites []arraySite) (all []arraySite, off []string) {
	if w.o.NewKey {
		return sites, nil
	}
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(parallelTenants())
	for i := range sites {
		if s := &sites[i]; s.wanted && !s.registered && s.err == nil && w.o.Array.Selection.Includes(s.wwwroot) {
			group.Go(func() error {
				if s.wanted = !w.isOff(ctx, s.config); !s.wanted {
					mu.Lock()
					defer mu.Unlock()
					off = append(off, s.wwwroot)
				}
				return nil
			})
		}
	}
	_ = group.Wait() // it has none
	slices.Sort(off)
	return sites, off
}

func (w arrayWiring) isOff(ctx context.Context, c *config.Config) bool {
	site, err := w.read(ctx, c)
	if err != nil || site.MNetOn() {
		return false
	}
	// Monitoring is to notice a site whose MNet was switched off, as it does for one site alone.
	return w.o.Command.Row().Prints != cmdline.PrintsState || !site.Pair.Present()
}

// read reads a site without its peers, before the run begins.
func (w arrayWiring) read(ctx context.Context, c *config.Config) (*rotate.Tenant, error) {
	db, err := w.servers.Open(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("open the tenant's database: %w", rotate.Ended(ctx, err))
	}
	defer db.Close()
	db.WithoutPeers()
	site, err := db.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the tenant: %w", rotate.Ended(ctx, err))
	}
	return site, nil
}
