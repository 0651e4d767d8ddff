package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"renew_mnetkeys/envelope"
)

// checks prints one line for each check and counts.
type checks struct {
	out           io.Writer
	total, failed int
}

// that reports a claim; err is the reason why it is false.
func (c *checks) that(claim string, err error) {
	c.total++
	if err != nil {
		c.failed++
		fmt.Fprintf(c.out, "FAILED  %s: %v\n", claim, err)
		return
	}
	fmt.Fprintf(c.out, "ok      %s\n", claim)
}

// verdict ends the story with one line: printed if all checks passed, else returned as the error.
func (c *checks) verdict(start time.Time) error {
	if c.failed > 0 {
		return fmt.Errorf("%d of %d checks failed", c.failed, c.total)
	}
	fmt.Fprintf(c.out, "\nsmoke: all %d checks hold, %.1f s\n", c.total, time.Since(start).Seconds())
	return nil
}

// renewed checks everything that must be true after a renewal of the pairs in before, newest first,
// and gives the new pair, nil if there is none to read.
func (c *checks) renewed(ctx context.Context, s *scene, r result, before ...*envelope.KeyPair) *envelope.KeyPair {
	c.that("exit code 3: renewed, but two of four peers cannot be proven", want(r.code, 3))
	var missing error
	for _, p := range []peer{s.patched, s.stock, s.off, s.dead} {
		if !bytes.Contains(r.stdout, []byte(p.wwwroot)) {
			missing = errors.Join(missing, fmt.Errorf("%s is missing", p.name))
		}
	}
	c.that("output: all four peers are reported", missing)
	settings, err := pluginSettings(ctx, s.db.DB)
	if err != nil {
		c.that("the settings can be read", err)
		return nil
	}
	pair, history, err := readKeys(settings)
	if err == nil && pair.Certificate.Equal(before[0].Certificate) {
		err = errors.New("it is the old one")
	}
	c.that("database: a new pair, whose halves belong together", err)
	if err != nil {
		return nil
	}
	row, err := hostRow(ctx, s.db.DB, "id", ownID)
	c.that("database: the own row has its certificate to the byte, and its expiry",
		errors.Join(err, want(row.certificate == pairCertificate(settings), true), want(row.expires, pair.Certificate.NotAfter.Unix())))
	c.that(fmt.Sprintf("database: %d in the history, the pair just retired first", len(before)), sameHistory(history, before))
	c.that("cache: the entry is gone or holds the new pair", s.web.fresh(settings))
	c.web(ctx, s, pair)
	c.peers(ctx, s, pair)
	return pair
}

// web checks what the local site shows to anyone who asks.
func (c *checks) web(ctx context.Context, s *scene, pair *envelope.KeyPair) {
	shown, err := fetchCertificate(ctx, http.MethodGet, s.own.Wwwroot()+"/mnet/publickey.php", "")
	c.that("own site: publickey.php shows the new certificate", errors.Join(err, sameCertificate(shown, pair.Certificate)))
	shown, err = fetchCertificate(ctx, http.MethodPost, s.own.Wwwroot()+s.own.ServerURL(), keyswap(s.patched))
	c.that("own site: a keyswap is answered with the new certificate", errors.Join(err, sameCertificate(shown, pair.Certificate)))
}

// peers checks both ends of every link.
func (c *checks) peers(ctx context.Context, s *scene, pair *envelope.KeyPair) {
	for _, p := range []peer{s.patched, s.stock} {
		held, err := envelope.ParseCertificate(p.site.Held(s.own.Wwwroot()))
		c.that(p.name+": holds the new certificate", errors.Join(err, sameCertificate(held, pair.Certificate)))
		row, err := hostRow(ctx, s.db.DB, "wwwroot", p.wwwroot)
		c.that(p.name+": its row has the certificate that it uses", errors.Join(err, want(row.certificate == p.site.Certificate(), true)))
		c.that(p.name+": calls us, sealed", s.callsUs(ctx, p))
		c.that(p.name+": answers us, sealed", s.weCall(ctx, p))
	}
	for _, p := range []peer{s.off, s.dead} {
		row, err := hostRow(ctx, s.db.DB, "wwwroot", p.wwwroot)
		c.that(p.name+": its row is as it was", errors.Join(err, want(row.certificate == p.certificate.PEM, true)))
	}
}

// report is the part of the --json document that scripts decide on.
type report struct {
	ExitCode int `json:"exit_code"`
	Tenants  []struct {
		Wwwroot, Outcome string
		SelfCheck        string `json:"self_check"`
		Certificate      struct{ SHA256 string }
		History          int
		Peers            []struct{ Wwwroot, Outcome, Reason string }
	}
}

// json checks that the document of the second run is true.
func (c *checks) json(s *scene, r result, pair *envelope.KeyPair) {
	var doc report
	err := json.Unmarshal(r.stdout, &doc)
	if err == nil && len(doc.Tenants) != 1 {
		err = fmt.Errorf("%d tenants", len(doc.Tenants))
	}
	c.that("--json: one document with one tenant and nothing else on stdout", err)
	if err != nil {
		return
	}
	t := doc.Tenants[0]
	c.that("--json: the tenant is renewed, its own site proven, two pairs in the history", errors.Join(want(doc.ExitCode, r.code),
		want(t.Wwwroot, s.own.Wwwroot()), want(t.Outcome, "renewed"), want(t.SelfCheck, "proven"), want(t.History, 2),
		want(t.Certificate.SHA256, pair.Certificate.Fingerprint())))
	got := map[string]string{}
	for _, p := range t.Peers {
		got[p.Wwwroot] = strings.TrimSuffix(p.Outcome+", "+p.Reason, ", ")
	}
	for _, p := range []struct {
		peer
		outcomes []string // a stock site may have healed itself within the call, unseen from here
	}{
		{s.patched, []string{"accepted"}},
		{s.stock, []string{"accepted", "healed"}},
		{s.off, []string{"refused, mnet_off"}},
		{s.dead, []string{"pending, connect"}},
	} {
		c.that("--json: "+p.name+" is "+strings.Join(p.outcomes, " or "), wantOneOf(got[p.wwwroot], p.outcomes))
	}
}

// secrets checks that what was printed, including the debug log, contains nothing of a private key
// and no password.
func (c *checks) secrets(password string, pairs []*envelope.KeyPair, runs ...result) {
	var printed, logged []byte
	for _, r := range runs {
		printed, logged = append(printed, r.stdout...), append(logged, r.stderr...)
	}
	found := 0
	for _, secret := range append(secretsOf(pairs), password, "PRIVATE KEY") {
		found += bytes.Count(printed, []byte(secret)) + bytes.Count(logged, []byte(secret))
	}
	c.that(fmt.Sprintf("no private key and no password in the %d bytes printed and %d logged", len(printed), len(logged)),
		errors.Join(want(found, 0), want(len(logged) > 0, true)))
}
