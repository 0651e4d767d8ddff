package moodledb

import (
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

// force replaces values of the tables by those of config.php, as Moodle's get_config does.
func force(c *config.Config, settings, plugins map[string]string) {
	for name, text := range c.Forced {
		switch name {
		case "mnet_dispatcher_mode", "proxyhost", "proxyport", "proxytype", "proxyuser", "proxypassword", "proxybypass":
			settings[name] = text
		case "mnet/openssl_generations", "mnet/drift_threshold", "local_vmoodle/mnet_key_autorenew_gap":
			_, setting, _ := strings.Cut(name, "/")
			plugins[setting] = text
		}
	}
}

func lifetimeDays(c *config.Config, stored string) int {
	for _, days := range []float64{float64(c.KeyLifetimeDays), number(stored)} {
		if days >= 1 && days <= maxLifetimeDays {
			return int(days)
		}
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
func noReplyAddress(c *config.Config, stored string) string {
	for _, address := range []string{c.NoReplyAddress, stored} {
		if strings.Contains(address, "@") {
			return address
		}
	}
	if u, err := url.Parse(c.Wwwroot); err == nil && u.Hostname() != "" {
		return "noreply@" + u.Hostname()
	}
	return "noreply@localhost"
}

// proxyOf reads the settings as mnet_get_public_key does (mnet/lib.php). An empty port is 8080, as in
// PhpXmlRpc; a host may be written with the scheme or the port that curl takes there.
func proxyOf(settings map[string]string) *rotate.Proxy {
	host := strings.TrimSpace(settings["proxyhost"])
	if host == "" || host == "0" {
		return nil
	}
	p := &rotate.Proxy{SOCKS: settings["proxytype"] == "SOCKS5", Port: "8080",
		User: settings["proxyuser"], Password: settings["proxypassword"], Bypass: settings["proxybypass"]}
	if scheme, rest, found := strings.Cut(host, "://"); found {
		host, p.SOCKS = strings.TrimSuffix(rest, "/"), strings.HasPrefix(strings.ToLower(scheme), "socks")
	}
	p.Host = strings.Trim(host, "[]")
	if name, port, err := net.SplitHostPort(host); err == nil {
		p.Host, p.Port = name, port
	}
	if port := number(settings["proxyport"]); port >= 1 && port <= math.MaxUint16 {
		p.Port = strconv.Itoa(int(port))
	}
	return p
}

// number reads a number from a text column. 0 is no number, as for Moodle's empty().
func number(text string) float64 {
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0
	}
	return n
}
