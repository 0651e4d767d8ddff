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
			var few *LocksError
			if c.enough && err != nil || !c.enough && (!errors.As(err, &few) || few.Needed < c.perServer || few.Free < 1 || few.Free >= most) {
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
