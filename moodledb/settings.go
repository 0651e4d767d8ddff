package moodledb

import (
	"context"
	"database/sql"
	"math"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/rotate"
)

// These are Moodle's defaults, and the bounds beyond which a stored value is invalid and its
// default is used.
const (
	defaultLifetimeDays = 28 // mnet/lib.php, mnet_generate_keypair
	maxLifetimeDays     = 36500
	defaultGenerations  = 3 // mnet/environment.php, get_keypair
	maxGenerations      = 1000
	defaultDrift        = 15 * time.Second // mnet/xmlrpc/client.php, send: config_plugins mnet/drift_threshold, in seconds
	maxDrift            = 24 * time.Hour
)

// configSettings reads settings of table config as Moodle does: one that config.php sets is not
// read from the table (lib/setuplib.php, initialise_cfg). lock is " FOR UPDATE", or "".
func (t *Tenant) configSettings(ctx context.Context, tx *sql.Tx, lock string, names ...string) (map[string]string, error) {
	var args []any
	for _, name := range names {
		args = append(args, name)
	}
	settings, err := t.settings(ctx, tx, "read table config", "SELECT name, value FROM {config} WHERE name IN ("+marks(len(args))+")"+lock, args...)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if text, forced := t.config.Forced[name]; forced {
			settings[name] = text
		}
	}
	return settings, nil
}

// forcePlugins replaces settings of plugins by those of config.php, as Moodle's get_config does.
func forcePlugins(c *config.Config, settings map[string]string) {
	for _, name := range []string{"mnet/openssl_generations", "mnet/drift_threshold", "local_vmoodle/mnet_key_autorenew_gap"} {
		if text, forced := c.Forced[name]; forced {
			_, setting, _ := strings.Cut(name, "/")
			settings[setting] = text
		}
	}
}

func lifetimeDays(setting string) int {
	if days := number(setting); days >= 1 && days <= maxLifetimeDays {
		return int(days)
	}
	return defaultLifetimeDays
}

func generations(stored string) int {
	if n := number(stored); n >= 1 && n <= maxGenerations {
		return int(n)
	}
	return defaultGenerations
}

func driftThreshold(stored string) time.Duration {
	if seconds := number(stored); seconds > 0 && seconds <= maxDrift.Seconds() {
		return time.Duration(seconds * float64(time.Second))
	}
	return defaultDrift
}

// autoRenewGap reads VMoodle's setting, which is in hours.
func autoRenewGap(stored string) time.Duration {
	if hours := number(stored); hours > 0 && hours <= maxLifetimeDays*24 {
		return time.Duration(hours * float64(time.Hour))
	}
	return 0
}

// noReplyAddress is the address that Moodle writes into a certificate (mnet/lib.php,
// mnet_generate_keypair).
func noReplyAddress(setting, wwwroot string) string {
	if strings.Contains(setting, "@") {
		return setting
	}
	if u, err := url.Parse(wwwroot); err == nil && u.Hostname() != "" {
		return "noreply@" + u.Hostname()
	}
	return "noreply@localhost"
}

// proxyOf reads the settings as mnet_get_public_key does (mnet/lib.php): every proxytype but SOCKS5
// is HTTP. An empty port is 8080, as in PhpXmlRpc (prepareCurlHandle), which Moodle uses since 4.1;
// before, it was curl's 1080. A host may be written with what curl takes there: scheme, account and
// port. The scheme then says the kind.
func proxyOf(settings map[string]string) *rotate.Proxy {
	host := strings.TrimSpace(settings["proxyhost"])
	if isEmpty(host) {
		return nil
	}
	p := &rotate.Proxy{Kind: rotate.ProxyHTTP, Port: "8080", Bypass: settings["proxybypass"]}
	if settings["proxytype"] == "SOCKS5" {
		p.Kind = rotate.ProxySOCKS5
	}
	if scheme, rest, found := strings.Cut(host, "://"); found {
		host, p.Kind = strings.TrimSuffix(rest, "/"), strings.ToLower(scheme)
	}
	// An account must not stay in the name, which failures print.
	at := strings.LastIndex(host, "@")
	p.User, p.Password = account(host[:max(at, 0)])
	if user, password := settings["proxyuser"], settings["proxypassword"]; !isEmpty(user) && !isEmpty(password) {
		p.User, p.Password = user, password
	}
	host = host[at+1:]
	p.Host = strings.Trim(host, "[]")
	if name, port, err := net.SplitHostPort(host); err == nil {
		p.Host, p.Port = name, port
	}
	if port := number(settings["proxyport"]); port >= 1 && port <= math.MaxUint16 {
		p.Port = strconv.Itoa(int(port))
	}
	return p
}

// isEmpty is PHP's empty() for a setting.
func isEmpty(text string) bool { return text == "" || text == "0" }

// account reads USER:PASSWORD of a URL, in which percent signs may encode characters.
func account(text string) (user, password string) {
	user, password, _ = strings.Cut(text, ":")
	for _, part := range []*string{&user, &password} {
		if plain, err := url.PathUnescape(*part); err == nil {
			*part = plain
		}
	}
	return user, password
}

// number reads a number from a text column. 0 is no number, as for Moodle's empty().
func number(text string) float64 {
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0
	}
	return n
}
