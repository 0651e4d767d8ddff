package muc

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"renew_mnetkeys/moodledb/phpsource"
	"renew_mnetkeys/rotate"
)

// redisStore is an instance of cachestore_redis: one hash for core/config, one field per entry, in
// database 0.
type redisStore struct {
	instance
	servers  []server // one, or the seeds of a cluster
	user     string   // of Redis 6's ACL, "" for the default one
	password string
	tls      bool
	caFile   string // "": the server's certificate is not verified, as in Moodle
	hash     string
	fields   []string
	timeout  time.Duration
	file     string // the source of the settings, for advice
}

type server struct{ network, address string }

// errNoServer is an error although Moodle skips such a store: the same state would occur if a
// store's servers were in a setting that is not known here.
var errNoServer = errors.New("it is configured without a server")

func init() { plugins["redis"] = newRedisStore }

func newRedisStore(i instance, env environment) store {
	user, password := credentials(i.settings.Get("password"))
	return redisStore{
		instance: i,
		servers:  servers(i.settings),
		user:     user,
		password: password,
		tls:      i.settings.Get("encryption").Truth(),
		caFile:   i.settings.Get("cafile").Text(),
		hash:     filled(i.settings.Get("prefix")) + definitionHash(),
		fields:   env.names,
		timeout:  env.timeout,
		file:     env.file,
	}
}

// filled is a setting that cachestore_redis uses unless it is empty() for PHP.
func filled(setting phpsource.Value) string {
	if !setting.Truth() {
		return ""
	}
	return setting.Text()
}

// credentials reads the setting password as Redis::auth() of phpredis does: a text,
// array(password), array(user, password), or the names user and pass.
func credentials(setting phpsource.Value) (user, password string) {
	parts := setting.Entries()
	switch {
	case setting.Kind() != phpsource.Array:
		return "", filled(setting)
	case len(parts) == 1:
		return "", parts[0].Value.Text()
	case len(parts) > 1 && parts[0].Key == "pass":
		return parts[1].Value.Text(), parts[0].Value.Text()
	case len(parts) > 1:
		return parts[0].Value.Text(), parts[1].Value.Text()
	}
	return "", ""
}

// servers reads the setting server as cachestore_redis::new_redis() of 3.11 to 5.0 does: host,
// host:port, /socket, unix://socket; several are listed one per line, and only a cluster uses more
// than the first.
func servers(settings phpsource.Value) []server {
	var list []server
	for line := range strings.Lines(filled(settings.Get("server"))) {
		line = strings.TrimSpace(line)
		socket := strings.TrimPrefix(line, "unix://")
		switch {
		case line == "":
			continue
		case strings.HasPrefix(socket, "/"):
			list = append(list, server{"unix", socket})
		default:
			host, port, _ := strings.Cut(line, ":")
			list = append(list, server{"tcp", net.JoinHostPort(host, cmp.Or(port, "6379"))})
		}
		if !settings.Get("clustermode").Truth() {
			break
		}
	}
	return list
}

func (s redisStore) describe() storeReport {
	r := s.instance.describe()
	r.Place = s.place()
	return r
}

func (s redisStore) place() string {
	var all []string
	for _, server := range s.servers {
		all = append(all, server.address)
	}
	return strings.Join(all, ", ")
}

func (s redisStore) drop(ctx context.Context, scope rotate.Scope) (int, error) {
	removed, err := ask(ctx, s, func(ctx context.Context, c *redis.Client) (int64, error) {
		fields := s.fields
		if scope == rotate.ScopeDefinition {
			var err error
			if fields, err = s.droppable(ctx, c); err != nil || len(fields) == 0 {
				return 0, err
			}
		}
		return c.HDel(ctx, s.hash, fields...).Result()
	})
	return int(removed), s.failure(err)
}

// droppable are the fields of the hash, the tenant's own among them, without those that may contain
// another site's key pair.
func (s redisStore) droppable(ctx context.Context, c *redis.Client) ([]string, error) {
	all, err := c.HKeys(ctx, s.hash).Result()
	if err != nil {
		return nil, err
	}
	var fields []string
	for _, field := range all {
		if !slices.Contains(s.fields, field) {
			size, err := c.HStrLen(ctx, s.hash, field).Result()
			if err != nil {
				return nil, err
			}
			if size > maxEntry {
				continue
			}
			entry, err := c.HGet(ctx, s.hash, field).Bytes()
			if errors.Is(err, redis.Nil) || err == nil && mayHoldKey(entry) {
				continue
			} else if err != nil {
				return nil, err
			}
		}
		fields = append(fields, field)
	}
	return fields, nil
}

func (s redisStore) check(ctx context.Context) error {
	_, err := ask(ctx, s, func(ctx context.Context, c *redis.Client) (int64, error) { return c.Exists(ctx, s.hash).Result() })
	return s.failure(err)
}

func (s redisStore) read(ctx context.Context, names []string) ([][]byte, error) {
	entries, err := ask(ctx, s, func(ctx context.Context, c *redis.Client) (entries [][]byte, err error) {
		for _, name := range names {
			// The size is read first: a value that is too large must not even be received.
			size, err := c.HStrLen(ctx, s.hash, name).Result()
			switch {
			case err != nil:
				return nil, err
			case size == 0:
				continue
			case size > maxEntry:
				return nil, errTooLarge
			}
			entry, err := c.HGet(ctx, s.hash, name).Bytes()
			if err == nil {
				entries = append(entries, entry)
			} else if !errors.Is(err, redis.Nil) {
				return nil, err
			}
		}
		return entries, nil
	})
	return entries, s.failure(err)
}

// ask sends commands about the hash. In a cluster, any seed knows which server has it, so following
// a redirection once is all of the protocol that a single key needs. A cluster client would ask for
// all slots and keep connections to all nodes.
func ask[T any](ctx context.Context, s redisStore, command func(context.Context, *redis.Client) (T, error)) (none T, err error) {
	if len(s.servers) == 0 {
		return none, errNoServer
	}
	var failed []error
	for _, to := range s.servers {
		n, err := askServer(ctx, s, to, command)
		if address, moved := redis.IsMovedError(err); moved {
			host, port, _ := net.SplitHostPort(address)
			seed, _, _ := net.SplitHostPort(to.address)
			// An empty host means the host of the server that redirects.
			n, err = askServer(ctx, s, server{"tcp", net.JoinHostPort(cmp.Or(host, seed), port)}, command)
		}
		if err == nil {
			return n, nil
		}
		failed = append(failed, err)
	}
	return none, errors.Join(failed...)
}

func askServer[T any](ctx context.Context, s redisStore, to server, command func(context.Context, *redis.Client) (T, error)) (none T, err error) {
	conn, err := s.dial(ctx, to)
	if err != nil {
		return none, err
	}
	client := redis.NewClient(&redis.Options{
		// This code connects itself, because the client would try five times and write to stderr on
		// its own.
		Dialer:                   func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		OnConnect:                s.authenticate,
		Protocol:                 2,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		MaxRetries:               -1,
		PoolSize:                 1,
		ReadTimeout:              s.timeout,
		WriteTimeout:             s.timeout,
		ContextTimeoutEnabled:    true,
	})
	defer func() { _ = client.Close() }()
	return command(ctx, client)
}

// authenticate sends AUTH with the password, and the user if there is one. It ignores a plain ERR
// as phpredis does: a server without a password answers so, and a server that demands another
// password answers the next command with NOAUTH.
func (s redisStore) authenticate(ctx context.Context, c *redis.Conn) error {
	if s.password == "" {
		return nil
	}
	var err error
	if s.user == "" {
		err = c.Auth(ctx, s.password).Err()
	} else {
		err = c.AuthACL(ctx, s.user, s.password).Err()
	}
	if answer := redis.Error(nil); errors.As(err, &answer) && !redis.IsAuthError(err) {
		return nil
	}
	return err
}

func (s redisStore) dial(ctx context.Context, to server) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: s.timeout}
	if !s.tls || to.network == "unix" {
		return dialer.DialContext(ctx, to.network, to.address)
	}
	settings := &tls.Config{InsecureSkipVerify: s.caFile == ""}
	if s.caFile != "" {
		pem, err := readSource(s.caFile)
		if err != nil {
			return nil, fmt.Errorf("read cafile %s: %w", s.caFile, err)
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("no certificate in cafile %s", s.caFile)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return (&tls.Dialer{NetDialer: dialer, Config: settings}).DialContext(ctx, to.network, to.address)
}

func (s redisStore) failure(err error) error {
	if err == nil {
		return nil
	}
	advice := "check that the Redis server runs and can be reached from here; or " + adviseHook
	switch {
	case errors.Is(err, errNoServer):
		advice = "name its server in " + s.file + ", or map nothing to the store; or " + adviseHook
	case redis.IsAuthError(err):
		advice = "correct the password of the store in " + s.file + "; or " + adviseHook
	}
	return &UnreachableError{Store: s.name, Plugin: s.plugin, Server: s.place(), Advice: advice, Err: err}
}
