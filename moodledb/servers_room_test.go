package moodledb

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb/config"
)

func TestARunKnowsBeforehandWhetherItsLocksNeedTooManyConnections(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		var apart []*config.Config
		for range 3 {
			apart = append(apart, siteIn(t, server, "mdl_").config)
		}
		s := siteIn(t, server, "mdl_")
		var together []*config.Config
		for i := range 1000 {
			c := *s.config
			c.Prefix = "p" + strconv.Itoa(i) + "_"
			together = append(together, &c)
		}
		most, _ := strconv.Atoi(s.Value(t, s.by("SELECT @@max_connections", "SELECT current_setting('max_connections')")))
		all := make([]int, 2000)
		for i := range all {
			all[i] = i
		}
		for name, c := range map[string]struct {
			tenants   []*config.Config
			perServer int
			enough    bool
		}{
			"a thousand of one database":           {together, 8, true},
			"three databases":                      {apart, 8, true},
			"three databases, and too much work":   {slices.Concat(apart, together), most / 2, !s.postgresql()},
			"three databases, with no more work":   {apart, most / 2, true},
			"one of them is not there":             {append([]*config.Config{{DBType: s.DBType, DBHost: s.Host, DBPort: s.Port, DBName: "none", DBUser: s.User}}, slices.Concat(apart, together)...), most / 2, !s.postgresql()},
			"a server that does not answer at all": {[]*config.Config{{DBType: s.DBType, DBHost: s.Host, DBPort: 1, DBName: "a"}, {DBType: s.DBType, DBHost: s.Host, DBPort: 1, DBName: "b"}}, 8, true},
		} {
			err := newServers(t, c.perServer).EnoughFor(t.Context(), append(c.tenants, nil), all)
			var few *ConnectionsError
			if c.enough && err != nil || !c.enough && (!errors.As(err, &few) || few.Of != LimitOfServer || few.Needed < c.perServer || few.May != few.Left/2 || few.Left < 1 || few.Left >= most) {
				t.Errorf("%s: %v", name, err)
			}
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		signal := errors.New("a signal")
		cancel(signal)
		if err := newServers(t, 8).EnoughFor(ctx, apart, all); !errors.Is(err, signal) {
			t.Errorf("after a signal: %v", err)
		}
	})
}

func TestALimitOfTheAccountOrOfTheDatabaseCountsToo(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		const perServer = 8
		s := siteIn(t, server, "mdl_")
		limit := func(n string) string {
			return s.by("ALTER USER "+s.User+" WITH MAX_USER_CONNECTIONS "+n, "ALTER ROLE "+s.User+" CONNECTION LIMIT "+n)
		}
		var together, apart []*config.Config
		all := make([]int, 20)
		for i := range all {
			c := *s.config
			c.Prefix = "p" + strconv.Itoa(i) + "_"
			together, all[i] = append(together, &c), i
		}
		for range 3 {
			c := *siteIn(t, server, "mdl_").config
			c.DBUser, c.DBPass = s.User, s.Password
			apart = append(apart, &c)
		}
		type expected struct {
			of     Limit
			needed int
			left   int // before the one that asks, and before some that the server is about to end
		}
		for name, c := range map[string]struct {
			change     string
			tenants    []*config.Config
			postgresql bool // only there
			want       *expected
		}{
			"none":                        {"", together, false, nil},
			"of the account, with room":   {limit("12"), together, false, nil},
			"of the account, without":     {limit("7"), together, false, &expected{LimitOfAccount, 8, 8}},
			"of the account, for one":     {limit("2"), together[:1], false, nil},
			"of the account, half enough": {limit("18"), apart, true, nil},
			"of the account, half taken":  {limit("11"), apart, true, &expected{LimitOfAccount, 6, 12}},
			"of a superuser":              {limit("2") + "; ALTER ROLE " + s.User + " SUPERUSER", together, true, nil},
			"of the database, with room":  {"ALTER DATABASE " + s.Name + " CONNECTION LIMIT 12", together, true, nil},
			"of the database, without":    {"ALTER DATABASE " + s.Name + " CONNECTION LIMIT 8", together, true, &expected{LimitOfDatabase, 8, 8}},
			"of another database":         {"ALTER DATABASE " + apart[0].DBName + " CONNECTION LIMIT 1", together, true, nil},
		} {
			if c.postgresql && !s.postgresql() {
				continue
			}
			s.change(t, c.change)
			err := newServers(t, perServer).EnoughFor(t.Context(), c.tenants, all[:len(c.tenants)])
			s.change(t, limit(s.by("0", "-1")))
			if s.postgresql() {
				s.Exec(t, "ALTER ROLE "+s.User+" NOSUPERUSER; ALTER DATABASE "+s.Name+" CONNECTION LIMIT -1")
			}
			var few *ConnectionsError
			switch errors.As(err, &few); {
			case c.want == nil && err != nil, c.want != nil && few == nil:
				t.Errorf("%s: %v", name, err)
			case c.want != nil && (few.Of != c.want.of || few.Needed != c.want.needed || few.Left >= c.want.left || few.Left < c.want.left-3):
				t.Errorf("%s: %+v", name, few)
			}
		}
	})
}
