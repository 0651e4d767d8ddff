package moodledb

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Tenant is a Moodle site's database. It is safe for concurrent use; who opened it closes it.
type Tenant struct {
	config *Config
	db     *sql.DB
}

var errTODO = errors.New("not written yet")

func Open(ctx context.Context, c *Config) (*Tenant, error) { return nil, errTODO }

func (t *Tenant) Close() error { return t.db.Close() }

// Host is a row of mnet_host with what its application says.
type Host struct {
	ID              int64
	Wwwroot, Name   string
	IPAddress       string
	PublicKey       string // PEM, "" when none is held
	Expires         int64  // unix seconds
	ApplicationID   int64
	Application     string // name of its mnet_application, "moodle" when there is no such row
	ServerURL       string // xmlrpc_server_url, to be appended to Wwwroot
	SSLVerification int    // 0 none, 1 host name, 2 host name and chain
	Deleted         bool
}

// Retired is an entry of openssl_history.
type Retired struct {
	Certificate, KeyPEM string
	Expires             int64
}

// Site is everything a renewal needs to know of the tenant.
type Site struct {
	SiteIdentifier, FullName string
	DispatcherMode           string
	NoReplyAddress           string
	LifetimeDays             int
	DriftThreshold           time.Duration
	OwnID, AllHostsID        int64
	Own                      *Host
	Certificate, KeyPEM      string
	RawPair, RawHistory      string
	HasPair, HasHistory      bool
	History                  []Retired
	Generations              int
	Peers                    []Host
}

func (t *Tenant) Read(ctx context.Context) (*Site, error) { return nil, errTODO }

func (t *Tenant) CheckRights(ctx context.Context) error { return errTODO }

type Lock struct{}

func (t *Tenant) Lock(ctx context.Context, wait time.Duration) (*Lock, error) { return nil, errTODO }

func (l *Lock) Held(ctx context.Context) error { return errTODO }

func (l *Lock) Release() error { return nil }

// KeyChange is a new key pair and what it was decided upon.
type KeyChange struct {
	Read        *Site     // what was read before; the change is made only if pair and history still are the same
	Pair        string    // certificate + "@@@@@@@@" + private key
	History     []Retired // newest first, as it shall be
	Certificate string    // byte-equal to the pair's
	Expires     int64     // its notAfter, unix seconds
	Wwwroot     string    // of the own row
}

func (t *Tenant) StoreKey(ctx context.Context, c KeyChange) error { return errTODO }

func (t *Tenant) StorePeerKey(ctx context.Context, hostID int64, held, certificate string, expires int64) (stored bool, err error) {
	return false, errTODO
}

// StartMNet: ipAddress of the own host, "" when not known. Changes table config: the cached entry "core" is to be dropped.
func (t *Tenant) StartMNet(ctx context.Context, ipAddress string) error { return errTODO }

func (t *Tenant) RegisterPeer(ctx context.Context, h Host) (Host, error) { return Host{}, errTODO }

// Binding is a row of mnet_host2service by the service's name.
type Binding struct {
	Service            string
	Publish, Subscribe bool
}

func (t *Tenant) BindServices(ctx context.Context, hostID int64, bindings []Binding) error {
	return errTODO
}

// Role is what this tenant is to the host it is bound to.
type Role int

const (
	RolePeer   Role = iota // neither is the other's master
	RoleMaster             // we are the VMoodle master, the host is one of our tenants
	RoleSub                // the host is our VMoodle master
)

// ServicesStrategy: subnetwork says that both are tenants of one numbered sub-network, for which a recorded strategy is in force.
func (t *Tenant) ServicesStrategy(ctx context.Context, role Role, subnetwork bool) ([]Binding, error) {
	return nil, errTODO
}
