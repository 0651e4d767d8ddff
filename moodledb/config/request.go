package config

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"reflect"

	"renew_mnetkeys/moodledb/phpsource"
)

const (
	hintHost   = "name the site with --host=URL"
	hintConfig = "name Moodle's config.php with --config=PATH"
)

// Request is the part of $_SERVER that a request to this wwwroot sets, "" for an element that it
// does not set; nil if no wwwroot is given.
func Request(wwwroot string) map[string]string {
	u, err := url.Parse(wwwroot)
	if wwwroot == "" || err != nil {
		return nil
	}
	request := map[string]string{"HTTP_HOST": u.Host, "SERVER_NAME": u.Hostname(), "REQUEST_SCHEME": u.Scheme, "SERVER_PORT": cmp.Or(u.Port(), "80"), "HTTPS": ""}
	if u.Scheme == "https" {
		request["HTTPS"], request["SERVER_PORT"] = "on", cmp.Or(u.Port(), "443")
	}
	return request
}

// known are the elements of $_SERVER that are known of a request. A script of the command line has
// no caller: Moodle ends one that has a REMOTE_ADDR.
func known(request map[string]string) map[string]phpsource.Value {
	server := map[string]phpsource.Value{"REMOTE_ADDR": {}}
	for name, text := range request {
		server[name] = phpsource.Value{}
		if text != "" {
			server[name] = phpsource.StringValue(text)
		}
	}
	return server
}

// asked is the wwwroot for which the file is read: the tenant's, else --host.
func (o Options) asked(tenant map[string]string) string {
	if wwwroot := tenant["wwwroot"]; wwwroot != "" {
		return wwwroot
	}
	return o.Wwwroot
}

// proxied adds what a request has in addition if it came through a proxy.
func proxied(request map[string]string) {
	for _, name := range []string{"HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_SERVER", "SERVER_ADDR"} {
		request[name] = request["SERVER_NAME"]
	}
	for name, text := range map[string]string{
		"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_SCHEME": "https", "HTTP_X_FORWARDED_SSL": "on", "HTTP_FRONT_END_HTTPS": "on",
		"HTTP_X_FORWARDED_PORT": "443", "HTTP_X_FORWARDED_FOR": "192.0.2.1", "REMOTE_ADDR": "192.0.2.1", "REQUEST_URI": "/",
		"REQUEST_METHOD": "GET", "HTTP_USER_AGENT": "renew_mnetkeys",
	} {
		request[name] = text
	}
}

// sameForAnotherRequest finds a config.php that depends on the request although no request is
// known: php then evaluates it again for an invented request, and must give the same.
func (e *evaluation) sameForAnotherRequest(ctx context.Context, a answer) error {
	other := *e
	other.request = Request("https://request-that-nobody-makes.invalid")
	proxied(other.request)
	b, err := other.run(ctx)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("evaluate %s by php: %w", e.path, ctx.Err())
	case err != nil:
		return &Error{File: e.why.File, Line: e.why.Line, Problem: "config.php cannot be evaluated for another web request: " + err.Error(), Advice: hintHost, Err: err}
	case !reflect.DeepEqual(plainValue(a.cfg), plainValue(b.cfg)):
		return &Error{File: e.why.File, Line: e.why.Line, Problem: "config.php depends on the web request", Advice: hintHost, Err: e.why}
	}
	return nil
}

// plainValue makes values comparable without their positions.
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
