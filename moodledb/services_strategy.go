package moodledb

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"renew_mnetkeys/moodledb/phpserial"
)

// Role is the role of this tenant towards the host to which it is bound.
type Role int

// The roles in a VMoodle array.
const (
	RolePeer   Role = iota // neither is the other's master
	RoleMaster             // this site is the VMoodle master, the host is one of its tenants
	RoleSub                // the host is the VMoodle master of this site
)

// ServicesStrategy says how VMoodle would bind every installed service to a host, in the order of
// their names (local_vmoodle lib.php, vmoodle_get_service_strategy). subnetwork: both are in one
// numbered sub-network; the master belongs to all of them. For these, a strategy recorded in
// config_plugins local_vmoodle/services_strategy replaces the default, which is single sign-on both
// ways and nothing else. Between master and tenant, the services by which the master administers
// its tenants are always bound.
func (t *Tenant) ServicesStrategy(ctx context.Context, role Role, subnetwork bool) ([]Binding, error) {
	const op = "read the services strategy"
	var installed map[string]int64
	var recorded map[string]string
	err := t.look(ctx, func(tx *sql.Tx) (err error) {
		if installed, err = t.ids(ctx, tx, op, "SELECT name, id FROM {mnet_service}"); err != nil {
			return err
		}
		recorded, err = t.settings(ctx, tx, op,
			"SELECT name, value FROM {config_plugins} WHERE plugin = 'local_vmoodle' AND name = 'services_strategy'")
		return err
	})
	if err != nil {
		return nil, err
	}
	bound := defaultBinding
	if raw := recorded["services_strategy"]; subnetwork && raw != "" {
		array, problem := phpserial.Array(raw)
		if problem != "" {
			return nil, fmt.Errorf("%s: config_plugins local_vmoodle/services_strategy: %s", op, problem)
		}
		strategy := phpserial.ByName(array)
		if speaksOf(strategy, role) {
			bound = func(service string) Binding { return recordedBinding(strategy, role, service) }
		}
	}
	var bindings []Binding
	for _, service := range slices.Sorted(maps.Keys(installed)) {
		bindings = append(bindings, administered(bound(service), role))
	}
	return bindings, nil
}

func defaultBinding(service string) Binding {
	sso := service == "sso_sp" || service == "sso_idp"
	return Binding{Service: service, Publish: sso, Subscribe: sso}
}

// domain is the prefix of a strategy's keys: main between master and tenant, else peer.
func domain(role Role) string {
	if role == RolePeer {
		return "peer"
	}
	return "main"
}

// speaksOf says whether a strategy contains anything about this kind of link. If not, the default
// applies.
func speaksOf(strategy map[string]any, role Role) bool {
	for name := range strategy {
		if strings.HasPrefix(name, domain(role)+"_") {
			return true
		}
	}
	return false
}

// recordedBinding reads <domain>_<service>_publish and _subscribe. Domain main is written from the
// master's point of view: its tenants subscribe to what it publishes.
func recordedBinding(strategy map[string]any, role Role, service string) Binding {
	on := func(what string) bool {
		switch value := strategy[domain(role)+"_"+service+"_"+what].(type) {
		case string:
			return number(value) != 0
		case int64:
			return value != 0
		case bool:
			return value
		}
		return false
	}
	b := Binding{Service: service, Publish: on("publish"), Subscribe: on("subscribe")}
	if role == RoleSub {
		b.Publish, b.Subscribe = b.Subscribe, b.Publish
	}
	return b
}

// administered adds what master and tenant always need of each other, whatever the strategy
// contains.
func administered(b Binding, role Role) Binding {
	masterPublishes := b.Service == "sso_sp" || b.Service == "dataexchange"
	masterSubscribes := b.Service == "sso_idp" || b.Service == "mnetadmin"
	switch role {
	case RoleMaster:
		b.Publish, b.Subscribe = b.Publish || masterPublishes, b.Subscribe || masterSubscribes
	case RoleSub:
		b.Publish, b.Subscribe = b.Publish || masterSubscribes, b.Subscribe || masterPublishes
	}
	return b
}
