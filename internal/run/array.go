package run

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/muc"
	"renew_mnetkeys/peers"
	"renew_mnetkeys/rotate"
)

// workOnArray runs a command for an array and gives the exit code.
func (r runner) workOnArray(ctx context.Context) int {
	out := output.NewArray(r.out)
	code, err := r.onArray(ctx, out)
	if err != nil {
		err = endedBy(ctx, err)
		code = exitFor(err)
	}
	return out.Finish(exitAfterSignal(ctx, code), r.o.Located(err))
}

// onArray puts the packages together for many tenants. Its error is one that occurred before the
// tenants were reached; the result of each tenant is in its report.
func (r runner) onArray(ctx context.Context, out *output.Array) (int, error) {
	o := r.o
	found, err := findConfigs(o, r.getenv)
	if err != nil {
		return 0, err
	}
	sites, err := r.sites(ctx, found)
	if err != nil {
		return 0, err
	}
	client, err := newClient(o, out.Log)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	if err := checkExclude(o.Array.Exclude, sites, out.Log); err != nil {
		return 0, err
	}
	sites = withoutCopies(o.Array.Exclude, sites)
	o.Array.Exclude = withWwwroots(o.Array.Exclude, sites)
	r.o.Array.Exclude, r.out.Options.Array.Exclude = o.Array.Exclude, o.Array.Exclude
	servers := moodledb.NewServers(o.Array.DBConnections)
	defer servers.Close()

	w := arrayWiring{o: o, servers: servers, client: client, out: r.out, hooks: r.hooks, warned: new(sync.Once)}
	array := &rotate.Array{
		ArrayOptions: o.Array.ArrayOptions,
		Template:     newRenewal(o, client, r.out),
		Emit:         out.Tenant,
		Phase:        out.Phase,
	}
	array.Parallel = parallelTenants()
	var configs []*config.Config
	sites, off := w.withMNet(ctx, sites)
	w.sharing(ctx, sites)
	array.Members, array.Selected, configs = w.members(sites)
	if len(array.Selected) == 0 {
		_, offElsewhere := w.whole().withMNet(ctx, sites) // in the other shards
		if !w.othersHaveSome(sites) {
			return 0, w.noneSelected(sites, append(off, offElsewhere...), array)
		}
	}
	if o.Writes() {
		if err := servers.EnoughFor(ctx, configs, array.Selected); err != nil {
			return 0, err
		}
	}
	var left []output.LeftOut
	left, r.out.Masters = w.leftOut(sites, off, array)
	out.SayLeftOut(append(left, output.LeftOut{Kind: "file", Why: "not Moodle's", Names: found.Foreign}))
	out.Begin(len(array.Selected), len(array.Members))
	return r.cmd.Many(array, ctx, o), nil
}

// parallelTenants is how many tenants are worked on at the same time: enough to keep all cores
// making keys while other tenants wait for the database or the local site.
func parallelTenants() int { return 4*runtime.NumCPU() + 4 }

// adviseGlob is for a --match or an --exclude that matches no site.
const adviseGlob = "write a glob for the complete wwwroot, for example https://old.example.org*"

// checkExclude finds a glob of --exclude that matches no site, including disabled ones: if the glob
// is mistyped, the run would renew the key of a tenant that must not be touched. It is only warned of
// while a config.php cannot be read, which may be that of the site.
func checkExclude(globs rotate.Globs, sites []arraySite, log output.Logger) error {
	for _, glob := range globs {
		unknown := slices.IndexFunc(sites, arraySite.isUnknown)
		switch {
		case slices.ContainsFunc(sites, func(s arraySite) bool { return s.isNamed(glob) }):
		case unknown >= 0:
			log.Warn().Str("exclude", glob).Str("config", sites[unknown].file).Msg("--exclude matches no site that is known; it may be that of the config.php that cannot be read")
		default:
			return &cmdline.UsageError{Problem: "--exclude=" + glob + " matches no site of the array",
				Advice: adviseGlob + "; leave out the option if the tenant was deleted"}
		}
	}
	return nil
}

// isNamed reports whether a glob of --exclude names the site: by its wwwroot, or by the path of its
// config.php, which is its name while that cannot be read. Paths begin with a slash, and wwwroots do not.
func (s arraySite) isNamed(glob string) bool {
	return rotate.Globs{glob}.Match(s.wwwroot) || strings.HasPrefix(glob, "/") && rotate.Globs{glob}.Match(s.file)
}

// withoutCopies leaves out the sites that --exclude names by the path of their config.php if another
// site, with other tables, has the same wwwroot: that of the other must not be excluded.
func withoutCopies(globs rotate.Globs, sites []arraySite) []arraySite {
	byPath := func(s arraySite) bool { return !globs.Match(s.wwwroot) && slices.ContainsFunc(globs, s.isNamed) }
	return slices.DeleteFunc(slices.Clone(sites), func(s arraySite) bool {
		return byPath(s) && slices.ContainsFunc(sites, func(o arraySite) bool {
			return !byPath(o) && !o.disabled && envelope.SameWwwroot(o.wwwroot, s.wwwroot) && !moodledb.SameTables(s.config, o.config)
		})
	})
}

// withWwwroots adds the wwwroots of the sites that a glob names by the path of their config.php.
func withWwwroots(globs rotate.Globs, sites []arraySite) rotate.Globs {
	named := slices.Clone(globs)
	for _, s := range sites {
		if !globs.Match(s.wwwroot) && slices.ContainsFunc(globs, s.isNamed) {
			named = append(named, s.wwwroot)
		}
	}
	return named
}

// othersHaveSome reports whether only the shard is the reason that a run has nothing to do: tenants
// fall into shards by chance, and some shards may stay empty.
func (w arrayWiring) othersHaveSome(sites []arraySite) bool {
	whole := w.whole().o.Array.Selection
	return w.o.Array.Shards > 1 && slices.ContainsFunc(sites, func(s arraySite) bool { return s.wanted && !s.disabled && whole.Includes(s.wwwroot) })
}

// whole is the same for all shards together.
func (w arrayWiring) whole() arrayWiring {
	w.o.Array.Shard, w.o.Array.Shards = 0, 0
	return w
}

// noneSelected says why a run has nothing to work on: no site matches, who was left out, although the
// options select them, or else that the options select nobody.
func (w arrayWiring) noneSelected(sites []arraySite, off []string, array *rotate.Array) error {
	const problem = "no tenant of the array is selected"
	if match := w.o.Array.Match; len(match) > 0 && !slices.ContainsFunc(sites, func(s arraySite) bool { return match.Match(s.wwwroot) }) {
		return &cmdline.UsageError{Problem: problem + ": no site matches --match=" + strings.Join(match, " or --match="), Advice: adviseGlob}
	}
	advice := "check --match and --exclude; tenants that are disabled or without MNet are never selected"
	var causes []string
	left, _ := w.whole().leftOut(sites, off, array)
	for _, l := range left {
		causes = append(causes, l.String())
	}
	if len(causes) > 0 {
		advice = strings.Join(causes, "; ")
	}
	return &cmdline.UsageError{Problem: problem, Advice: advice}
}

// arrayWiring makes members of an array from its sites.
type arrayWiring struct {
	o       cmdline.Options
	servers *moodledb.Servers
	client  *peers.Client
	out     *output.Printer
	hooks   *hookRunner
	warned  *sync.Once // of a server without locks
}

// members are the enabled sites of the array; selected are those to work on, the wanted ones that
// match the options, and configs what is known of each member, nil if nothing is.
func (w arrayWiring) members(sites []arraySite) (members []rotate.Member, selected []int, configs []*config.Config) {
	php := map[*config.Config]func(context.Context) string{} // by master
	for _, s := range distinct(sites, w.out.Log) {
		w.out.Partial = w.out.Partial || s.isUnknown() || s.contested
		if s.wanted && w.selects(s) {
			selected = append(selected, len(members))
		}
		if s.err != nil {
			members, configs = append(members, unusable(s)), append(configs, nil)
			continue
		}
		if php[s.master] == nil {
			php[s.master] = commandLinePHP(s.master, w.o.PHP)
		}
		members, configs = append(members, w.member(s, php[s.master])), append(configs, s.config)
	}
	return members, selected, configs
}

// selects reports whether the options select a site. Of one whose wwwroot is not known, --match
// says nothing.
func (w arrayWiring) selects(s arraySite) bool {
	selects := w.o.Array.Selection
	if selects.Includes(s.wwwroot) {
		return true
	}
	if selects.Match = nil; s.isUnknown() && selects.Includes(s.wwwroot) {
		w.out.Log.Warn().Err(s.err).Str("config", s.file).Msg("not known whether --match selects this site: left out")
	}
	return false
}

// unusable is a member that cannot be opened: only this one fails.
func unusable(s arraySite) rotate.Member {
	return rotate.Member{
		Wwwroot: s.name(),
		Lock:    func(context.Context, time.Duration) (func(), error) { return nil, s.err },
		Open:    func(context.Context) (*rotate.Session, error) { return nil, s.err },
	}
}

// member prepares one site's database and cache to be opened.
func (w arrayWiring) member(s arraySite, php func(context.Context) string) rotate.Member {
	site := s.config
	lock := lockIfGiven{warned: w.warned, log: w.out.Log, lock: func(ctx context.Context, wait time.Duration) (func(), error) {
		return w.servers.Lock(ctx, site, wait)
	}}
	return rotate.Member{
		Wwwroot: site.Wwwroot, WebServers: s.file, Lock: lock.Lock,
		Open: func(ctx context.Context) (*rotate.Session, error) {
			db, err := w.servers.Open(ctx, site)
			if err != nil {
				return nil, fmt.Errorf("open the tenant's database: %w", rotate.Ended(ctx, err))
			}
			if w.o.Writes() {
				db.ForChanges()
			}
			db.WithoutPeers()
			logged := loggedTenant{db, site.Wwwroot, w.out.Log}
			return &rotate.Session{Store: logged, Starter: logged, PeerRows: logged, CommandLinePHP: php,
				Cache: w.hooks.cacheOf(muc.New(s.master, site, w.o.PHP, w.out.Log), site), Close: func() { _ = db.Close() }}, nil
		},
	}
}
