package peers

import (
	"context"
	"net/http"
	"regexp"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/rotate"
)

// lineBreak is the line break of an HTML page inside a PEM block.
var lineBreak = regexp.MustCompile(`(?i)<br\s*/?>`)

// PublicKey reads the certificate that wwwroot/mnet/publickey.php shows: text around a PEM block
// (Moodle's mnet/publickey.php sends text/plain; a theme or a notice may make a page of it). The
// web server signs with this certificate, whereas the keyswap answers with the one in the database.
// Mahara has no such page.
func (c *Client) PublicKey(ctx context.Context, p rotate.Peer) (*envelope.Certificate, *rotate.Failure) {
	certificate, _, f := c.publicKey(ctx, p)
	return certificate, f
}

// publicKey is PublicKey; attempts counts the exchanges begun.
func (c *Client) publicKey(ctx context.Context, p rotate.Peer) (certificate *envelope.Certificate, attempts int, f *rotate.Failure) {
	t, f := targetOf(p, "/mnet/publickey.php")
	if f != nil {
		return nil, 0, f
	}
	return c.shownAt(ctx, t, p)
}

// shownAt reads the certificate on that page of a peer.
func (c *Client) shownAt(ctx context.Context, t target, p rotate.Peer) (certificate *envelope.Certificate, attempts int, f *rotate.Failure) {
	a, attempts, f := c.get(ctx, t)
	if f == nil {
		f = a.refusal(p)
	}
	if f != nil {
		return nil, attempts, f
	}
	certificate, f = ownCertificate(p, string(lineBreak.ReplaceAll(a.body, []byte("\n"))))
	return certificate, attempts, f
}

// phpVersion finds the version in PHP's own header, which is there unless expose_php is off.
var phpVersion = regexp.MustCompile(`^PHP/([0-9][0-9A-Za-z.+~-]{0,30})`)

// PHP implements rotate.PHPTeller: it returns the version in the X-Powered-By header of
// publickey.php.
func (c *Client) PHP(ctx context.Context, p rotate.Peer) string {
	t, f := targetOf(p, "/mnet/publickey.php")
	if f != nil {
		return ""
	}
	a, _, f := c.get(ctx, t)
	if f != nil {
		return ""
	}
	for _, by := range a.header.Values("X-Powered-By") {
		if found := phpVersion.FindStringSubmatch(by); found != nil {
			return found[1]
		}
	}
	return ""
}

// title reads the title of a site's home page, as Moodle's mnet/peer.php does to name a new host:
// one line of at most 80 characters, "" if the page has none. A home page that redirects, for
// example to a login, is a failure like any other page that does not answer 200.
func (c *Client) title(ctx context.Context, own rotate.Identity, p rotate.Peer) (string, *rotate.Failure) {
	t, f := targetOf(p, "/")
	if f != nil {
		return "", f
	}
	a, _, f := c.get(ctx, t.forKeyswap(own.Proxy, p))
	if f == nil {
		f = a.refusal(rotate.Peer{})
	}
	if f != nil {
		return "", f
	}
	return pageTitle(a.body), nil
}

// get reads a page, with retries.
func (c *Client) get(ctx context.Context, t target) (a *answer, attempts int, f *rotate.Failure) {
	return c.retry(ctx, t, func(ctx context.Context) (*answer, *rotate.Failure) {
		a, f := c.exchange(ctx, t, http.MethodGet, nil)
		if f == nil && (a.status >= 500 || a.status == http.StatusTooManyRequests) {
			f = a.refusal(rotate.Peer{})
		}
		return a, f
	})
}
