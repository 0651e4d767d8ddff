package peers

import (
	"context"
	"net/http"
	"regexp"

	"renew_mnetkeys/envelope"
)

// lineBreak is what an HTML page puts where a PEM block has its line ends.
var lineBreak = regexp.MustCompile(`(?i)<br\s*/?>`)

// PublicKey reads the certificate that wwwroot/mnet/publickey.php shows: text around a PEM block (Moodle's
// mnet/publickey.php says text/plain; a theme or a notice may make a page of it). It is what the web side signs with,
// where the keyswap answer is what the database says. Mahara has no such page. The error is a *Failure.
func (c *Client) PublicKey(ctx context.Context, p Peer) (*envelope.Certificate, error) {
	t, f := parseTarget(p.Wwwroot+"/mnet/publickey.php", p.SSLVerification)
	if f != nil {
		return nil, f
	}
	a, f := c.get(ctx, t)
	if f == nil {
		f = a.refusal(p)
	}
	if f != nil {
		return nil, f
	}
	certificate, f := ownCertificate(p, string(lineBreak.ReplaceAll(a.body, []byte("\n"))))
	return certificate, f.asError()
}

// maxRedirects bounds how often a home page may send us on.
const maxRedirects = 5

// Title reads the title of a site's home page, as Moodle's mnet/peer.php does to name a new host: one line of at most
// 80 characters, "" when the page has none. A home page may redirect, to a login say; that is followed on the same host
// only. The error is a *Failure.
func (c *Client) Title(ctx context.Context, wwwroot string, sslVerification int) (string, error) {
	t, f := parseTarget(wwwroot+"/", sslVerification)
	for hops := 0; f == nil; hops++ {
		var a *answer
		if a, f = c.get(ctx, t); f != nil {
			break
		}
		to := a.redirect(t)
		if to == nil || hops == maxRedirects {
			if f = a.refusal(Peer{}); f != nil {
				break
			}
			return pageTitle(a.body), nil
		}
		t = *to
	}
	return "", f
}

// redirect is where an answer sends a reader on, nil when nowhere or to another host.
func (a *answer) redirect(from target) *target {
	if a.status < 300 || a.status > 399 || a.header.Get("Location") == "" {
		return nil
	}
	u, err := from.url.Parse(a.header.Get("Location"))
	if err != nil || u.Hostname() != from.url.Hostname() || u.Port() != from.url.Port() ||
		u.Scheme != "https" && u.Scheme != from.url.Scheme {
		return nil
	}
	return &target{url: u, verification: from.verification}
}

// get reads a page, with retries.
func (c *Client) get(ctx context.Context, t target) (*answer, *Failure) {
	a, _, f := c.retry(ctx, func(ctx context.Context) (*answer, *Failure) {
		a, f := c.exchange(ctx, t, http.MethodGet, nil)
		if f == nil && a.status >= 500 {
			f = a.refusal(Peer{})
		}
		return a, f
	})
	return a, f
}
