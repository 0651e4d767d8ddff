package peertest

import (
	"strings"

	"renew_mnetkeys/envelope"
)

// keyswap answers every caller with the site's certificate. Only the forced form of a patched
// Moodle stores the caller's (mnet_keyswap of mnet/xmlrpc/serverlib.php, and local_vmoodle's patch
// of it).
func (v *visit) keyswap(call methodCall) []byte {
	params := make([]string, max(4, len(call.Params)))
	for i, p := range call.Params {
		params[i] = p.text()
	}
	from, certificate := params[0], params[1]
	v.log.From, v.log.Force = from, params[3] != "" && params[3] != "0"

	switch {
	case v.faults.has(OtherCertificate):
		return v.encodeString(NewKeyPair("http://other.example", 1024).Certificate.PEM)
	case v.faults.has(GarbageCertificate):
		return v.encodeString("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	}
	switch {
	case v.o.Kind == Patched && v.log.Force:
		if refused := v.store(from, certificate); refused != nil {
			return refused
		}
	case v.o.RegisterAll && v.o.Kind != Mahara:
		v.register(strings.TrimSuffix(from, "/"), certificate)
	}
	published, err := v.published()
	if err != nil {
		return v.fault(0, "Error reading from database")
	}
	return v.encodeString(published)
}

// store is the forced mode: it stores only for a host that it knows, and only a certificate of that
// host. It returns nil if it stored.
func (v *visit) store(from, certificate string) []byte {
	_, known, err := v.o.Store.Held(v.ctx, from)
	if err != nil {
		return v.fault(0, "Error reading from database")
	}
	if !known {
		return encodeValue(v.o.Modern, "<boolean>0</boolean>")
	}
	parsed, err := envelope.ParseCertificate(certificate)
	// Moodle cleans the text (PARAM_PEM: LF, lines of 64) and refuses a text that cleaning changes.
	if err != nil || strings.TrimSpace(certificate) != strings.TrimSpace(parsed.PEM) || parsed.CheckWwwroot(from) != nil {
		if v.o.Modern {
			return v.fault(17, "Internal server error")
		}
		return v.fault(0, "Error writing to database")
	}
	if v.hold(v.ctx, from, certificate) != nil {
		return v.fault(0, "Error writing to database")
	}
	return nil
}

// register is mnet_register_allhosts: a known host keeps its row unchanged (mnet_peer::bootstrap of
// mnet/peer.php).
func (v *visit) register(wwwroot, certificate string) {
	_, known, err := v.o.Store.Held(v.ctx, wwwroot)
	parsed, unreadable := envelope.ParseCertificate(certificate)
	if err != nil || known || unreadable != nil || parsed.CheckWwwroot(wwwroot) != nil {
		return
	}
	_ = v.hold(v.ctx, wwwroot, parsed.PEM)
}

// published is the certificate in the site's local host row.
func (v *visit) published() (string, error) {
	if v.faults.has(OldCertificate) {
		if _, history, err := v.o.Store.Keys(v.ctx); err == nil && len(history) > 0 {
			return history[0].Certificate.PEM, nil
		}
	}
	if p, ok := v.o.Store.(Publisher); ok {
		return p.Published(v.ctx)
	}
	current, _, err := v.o.Store.Keys(v.ctx)
	if err != nil {
		return "", err
	}
	return current.Certificate.PEM, nil
}
