package config

import (
	"context"
	"fmt"
	"net/url"
	"reflect"

	"renew_mnetkeys/moodledb/phpsource"
)

const hintHost = "name the site with --host=URL"

// request is what $_SERVER has of a request to this wwwroot; nil of none.
func request(wwwroot string) map[string]phpsource.Value {
	u, err := url.Parse(wwwroot)
	if wwwroot == "" || err != nil {
		return nil
	}
	server := map[string]phpsource.Value{
		"HTTP_HOST": phpsource.StringValue(u.Host), "SERVER_NAME": phpsource.StringValue(u.Hostname()), "HTTPS": {},
	}
	if u.Scheme == "https" {
		server["HTTPS"] = phpsource.StringValue("on")
	}
	return server
}

// asked is the wwwroot that is read for: the tenant's, else --host.
func (o Options) asked(tenant map[string]string) string {
	if wwwroot := tenant["wwwroot"]; wwwroot != "" {
		return wwwroot
	}
	return o.Wwwroot
}

// proxied is what a request has besides that has come through a proxy.
func proxied(server map[string]phpsource.Value) {
	for _, name := range []string{"HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_SERVER", "SERVER_ADDR"} {
		server[name] = server["SERVER_NAME"]
	}
	for name, text := range map[string]string{
		"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_SCHEME": "https", "REQUEST_SCHEME": "https", "HTTP_X_FORWARDED_SSL": "on", "HTTP_FRONT_END_HTTPS": "on",
		"HTTP_X_FORWARDED_PORT": "443", "SERVER_PORT": "443", "HTTP_X_FORWARDED_FOR": "192.0.2.1", "REMOTE_ADDR": "192.0.2.1", "REQUEST_URI": "/",
		"REQUEST_METHOD": "GET", "HTTP_USER_AGENT": "renew_mnetkeys",
	} {
		server[name] = phpsource.StringValue(text)
	}
}

// sameForAnotherRequest finds a config.php that depends on the request where nothing is known of any: php then evaluates it once more, as for one that nobody
// makes, and must give the same.
func (e *evaluation) sameForAnotherRequest(ctx context.Context, a answer) error {
	other := *e
	other.server = request("https://request-that-nobody-makes.invalid")
	proxied(other.server)
	b, err := other.run(ctx)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("evaluate %s by php: %w", e.path, ctx.Err())
	case err != nil || !reflect.DeepEqual(plainValue(a.cfg), plainValue(b.cfg)):
		return &Error{File: e.why.File, Line: e.why.Line, Problem: "config.php depends on the web request", Advice: hintHost, Err: e.why}
	}
	return nil
}

// plainValue makes values comparable without their places.
func plainValue(v phpsource.Value) any {
	if v.Kind() != phpsource.Array && v.Kind() != phpsource.Object {
		return []any{v.Kind(), v.Text()}
	}
	all := []any{v.Kind()}
	for _, e := range v.Entries() {
		all = append(all, e.Key, plainValue(e.Value))
	}
	return all
}
