package moodledb

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"renew_mnetkeys/envelope"
)

// MaxHistory is from how many retired pairs on the oldest may go without trim (see [Tenant.StoreHistory]). Moodle reads the whole history, however
// long it is (mnet/xmlrpc/serverlib.php, mnet/environment.php), so nothing but its size speaks against keeping them.
const MaxHistory = 12

// LostPairError is a change of the key after which a retired pair would be nowhere: a peer that still uses it could never heal.
type LostPairError struct {
	Lost int // how many pairs
	Kept int // how long the new history would be
}

func (e *LostPairError) Error() string {
	return fmt.Sprintf("the new key history has %d pairs, and %d that are stored now would be lost", e.Kept, e.Lost)
}

// OtherSiteError is an mnet_host row of the tenant's own that names another site. To write the tenant's wwwroot there would cut
// that site off.
type OtherSiteError struct {
	Row     string // wwwroot of the row
	Wwwroot string // the tenant's
}

func (e *OtherSiteError) Error() string {
	return fmt.Sprintf("the own mnet_host row has the wwwroot %s, not %s", e.Row, e.Wwwroot)
}

// mayBecome tells whether an own row with the wwwroot row may get another spelling of it.
func mayBecome(row, wwwroot string) error {
	if row == "" || envelope.SameWwwroot(row, wwwroot) {
		return nil
	}
	return &OtherSiteError{Row: row, Wwwroot: wwwroot}
}

// ownRowName is what the own row says afterwards: its own spelling, by which peers know the site, without a slash at the end.
func ownRowName(row, wwwroot string) string {
	return cmp.Or(strings.TrimRight(row, "/"), wwwroot)
}

// check refuses a change that would lose a key or leave pair and row different. It is the last place that can.
func (c *KeyChange) check() error {
	switch {
	case c.Read == nil || c.Wwwroot == "" || c.Expires <= 0:
		return errors.New("incomplete change of the key")
	case c.Read.Own == nil:
		return ErrNoOwnHost
	case c.Certificate == "" || !strings.HasPrefix(c.Pair, c.Certificate+PairSeparator):
		return errors.New("the certificate for the own row is not that of the pair")
	}
	replaced := Retired{Certificate: c.Read.Certificate, KeyPEM: c.Read.KeyPEM}
	if c.Pair != c.Read.RawPair && c.Read.KeyPEM != "" && !c.keeps(replaced) {
		return errors.New("the pair that is replaced is not in the new history")
	}
	return c.checkHistory()
}

// checkHistory refuses to lose a retired pair. Of a history that is full the oldest may go, and only they.
func (c *KeyChange) checkHistory() error {
	lost, younger := 0, false  // younger: than one that is kept
	seen := map[Retired]bool{} // what stands there twice is old by its newer place
	for _, r := range c.Read.History {
		r.Expires = 0
		switch kept := c.keeps(r); {
		case seen[r]:
		case kept && lost > 0:
			younger = true
		case !kept:
			lost++
		}
		seen[r] = true
	}
	if lost == 0 || len(c.History) >= MaxHistory && !younger {
		return nil
	}
	return &LostPairError{Lost: lost, Kept: len(c.History)}
}

// keeps tells whether a pair is there after the change: current, which one that is rolled back to becomes, or retired.
func (c *KeyChange) keeps(r Retired) bool {
	same := func(certificate, key string) bool { return certificate == r.Certificate && key == r.KeyPEM }
	certificate, key := splitPair(c.Pair)
	return same(certificate, key) || slices.ContainsFunc(c.History, func(h Retired) bool { return same(h.Certificate, h.KeyPEM) })
}
