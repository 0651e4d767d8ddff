package moodledb

import (
	"context"
	"database/sql"
	"fmt"

	"renew_mnetkeys/moodledb/dialect"
)

// Binding says how a host may use a service: publish, it may call ours; subscribe, we may call its.
type Binding struct {
	Service            string // name in mnet_service
	Publish, Subscribe bool
}

// BindServices writes the bindings to mnet_host2service; the host's other bindings stay. A service
// that is not installed here is an error.
func (t *Tenant) BindServices(ctx context.Context, hostID int64, bindings []Binding) error {
	err := retry(ctx, func() error {
		return t.transaction(ctx, dialect.Write, func(tx *sql.Tx) error { return t.bindServices(ctx, tx, hostID, bindings) })
	})
	if err != nil {
		return fmt.Errorf("bind services: %w", err)
	}
	return nil
}

func (t *Tenant) bindServices(ctx context.Context, tx *sql.Tx, hostID int64, bindings []Binding) error {
	services, err := t.ids(ctx, tx, "read table mnet_service", "SELECT name, id FROM {mnet_service}")
	if err != nil {
		return err
	}
	bound, err := t.ids(ctx, tx, "read table mnet_host2service",
		"SELECT serviceid, id FROM {mnet_host2service} WHERE hostid = ? FOR UPDATE", hostID)
	if err != nil {
		return err
	}
	for _, b := range bindings {
		service, installed := services[b.Service]
		if !installed {
			return fmt.Errorf("service %q is not installed", b.Service)
		}
		op := "bind service " + b.Service
		if row, ok := bound[fmt.Sprint(service)]; ok {
			err = t.execOne(ctx, tx, op, "UPDATE {mnet_host2service} SET publish = ?, subscribe = ? WHERE id = ?",
				bit(b.Publish), bit(b.Subscribe), row)
		} else {
			_, err = t.insert(ctx, tx, op, "INSERT INTO {mnet_host2service} (hostid, serviceid, publish, subscribe) VALUES (?, ?, ?, ?)",
				hostID, service, bit(b.Publish), bit(b.Subscribe))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// ids reads rows of a text and an id.
func (t *Tenant) ids(ctx context.Context, tx *sql.Tx, op, query string, args ...any) (map[string]int64, error) {
	rows, err := tx.QueryContext(ctx, t.sql(query), args...)
	if err != nil {
		return nil, t.explain(op, err)
	}
	defer func() { _ = rows.Close() }()
	ids := map[string]int64{}
	for rows.Next() {
		var name string
		var id int64
		if err := rows.Scan(&name, &id); err != nil {
			return nil, t.explain(op, err)
		}
		ids[name] = id
	}
	if err := rows.Err(); err != nil {
		return nil, t.explain(op, err)
	}
	return ids, nil
}
