package muc

import (
	"cmp"
	"slices"

	"renew_mnetkeys/moodledb/phpsource"
)

const (
	modeApplication = 1 // cache_store::MODE_APPLICATION, a bit in a store's modes
	definitionID    = "core/config"
)

// servingStores are the stores of core/config, lowest first, as
// cache_config::get_stores_for_definition() and cache_helper::get_stores_suitable_for_definition()
// choose them: those mapped to the definition, else those mapped to its mode. The default store is
// added, since Moodle falls back to it while no mapped store is ready, and what it left there will
// be read again at the next such time.
func servingStores(all phpsource.Value) []instance {
	available := availableStores(all)
	var serving []instance
	if all.Get("definitions").Get(definitionID).Kind() == phpsource.Array {
		serving = mapped(available, all.Get("definitionmappings"), func(m phpsource.Value) bool {
			return m.Get("definition").Text() == definitionID
		})
	}
	if len(serving) == 0 {
		serving = mapped(available, all.Get("modemappings"), func(m phpsource.Value) bool {
			return m.Get("mode").Int() == modeApplication && !available[m.Get("store").Text()].Get("mappingsonly").Truth()
		})
	}
	for _, e := range all.Get("stores").Entries() {
		name := e.Value.Get("name").Text()
		if s, ok := available[name]; ok && s.Get("default").Truth() {
			if !slices.ContainsFunc(serving, func(i instance) bool { return i.name == name }) {
				fallback := newInstance(s)
				fallback.fallback = true
				serving = slices.Insert(serving, 0, fallback)
			}
			break
		}
	}
	return serving
}

// availableStores are the stores that support application data, by name.
func availableStores(all phpsource.Value) map[string]phpsource.Value {
	available := map[string]phpsource.Value{}
	for _, e := range all.Get("stores").Entries() {
		s := e.Value
		modes := s.Get("modes")
		if s.Get("name").Text() == "" || s.Get("plugin").Text() == "" {
			continue
		}
		if modes.Kind() == phpsource.Null || modes.Int()&modeApplication != 0 {
			available[s.Get("name").Text()] = s
		}
	}
	return available
}

// mapped are the available stores of the mappings that count, in ascending order of sort: Moodle
// reads the highest first.
func mapped(available map[string]phpsource.Value, mappings phpsource.Value, counts func(phpsource.Value) bool) []instance {
	var list []phpsource.Value
	for _, e := range mappings.Entries() {
		if _, ok := available[e.Value.Get("store").Text()]; ok && counts(e.Value) {
			list = append(list, e.Value)
		}
	}
	slices.SortStableFunc(list, func(a, b phpsource.Value) int { return cmp.Compare(a.Get("sort").Int(), b.Get("sort").Int()) })
	var stores []instance
	for _, m := range list {
		i := newInstance(available[m.Get("store").Text()])
		if !slices.ContainsFunc(stores, func(other instance) bool { return other.name == i.name }) {
			stores = append(stores, i)
		}
	}
	return stores
}

func newInstance(s phpsource.Value) instance {
	return instance{name: s.Get("name").Text(), plugin: s.Get("plugin").Text(), settings: s.Get("configuration")}
}

func (i instance) describe() storeReport {
	return storeReport{Store: i.name, Plugin: i.plugin, Fallback: i.fallback}
}
