package peertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"renew_mnetkeys/envelope"
)

// driftThreshold is Moodle's default of drift_threshold.
const driftThreshold = 15 * time.Second

// Call makes a sealed system/listServices to another site that it knows, as
// mnet_xmlrpc_client::send of mnet/xmlrpc/client.php does. It stores the certificate that a sealed
// 7025 names and calls once more; like Moodle, it does not check who signed that 7025. A fault is a
// *FaultError.
func (s *Site) Call(ctx context.Context, wwwroot string) error {
	s.mu.Lock()
	faults := append(faultSet{}, s.faults...)
	s.mu.Unlock()
	return s.call(ctx, wwwroot, faults)
}

func (s *Site) call(ctx context.Context, wwwroot string, faults faultSet) error {
	err := s.callOnce(ctx, wwwroot, faults)
	var fault *FaultError
	if !errors.As(err, &fault) || fault.Code != 7025 || !fault.Sealed {
		return err
	}
	renewed, err := envelope.ParseCertificate(fault.Text)
	if err != nil {
		return fmt.Errorf("call %s: 7025 without a certificate: %w", wwwroot, err)
	}
	if err := s.hold(ctx, wwwroot, renewed.PEM); err != nil {
		return err
	}
	return s.callOnce(ctx, wwwroot, faults)
}

func (s *Site) callOnce(ctx context.Context, wwwroot string, faults faultSet) error {
	text, known, err := s.o.Store.Held(ctx, wwwroot)
	if err != nil || !known {
		return fmt.Errorf("call %s: host not known (%v)", wwwroot, err)
	}
	held, err := envelope.ParseCertificate(text)
	if err != nil {
		return fmt.Errorf("call %s: %w", wwwroot, err)
	}
	current, history, err := s.keys(ctx, faults)
	if err != nil {
		return err
	}
	name, err := s.named(ctx)
	if err != nil {
		return err
	}
	body, err := SealCall(encodeCall("system/listServices"), name, s.o.Now(), current.Private, held.PublicKey, rand.Reader)
	if err != nil {
		return fmt.Errorf("call %s: %w", wwwroot, err)
	}
	answer, err := s.post(ctx, wwwroot, body, faults)
	if err != nil {
		return fmt.Errorf("call %s: %w", wwwroot, err)
	}
	if !envelope.IsSealed(answer) {
		if _, err := parseAnswer(answer); err != nil {
			return fmt.Errorf("call %s: %w", wwwroot, err)
		}
		return fmt.Errorf("call %s: answered in plain text", wwwroot)
	}
	signed, _, err := envelope.OpenCall(answer, privates(append([]*envelope.KeyPair{current}, history...))...)
	if err != nil {
		return fmt.Errorf("call %s: %w", wwwroot, err)
	}
	if signed.Wwwroot != wwwroot {
		return fmt.Errorf("call %s: answered by %s", wwwroot, signed.Wwwroot)
	}
	if signed.Stamped.Sub(s.o.Now()) > driftThreshold {
		return fmt.Errorf("call %s: its clock is ahead", wwwroot)
	}
	_, err = parseAnswer(signed.Payload)
	var fault *FaultError
	if errors.As(err, &fault) {
		fault.Sealed = true
		if fault.Code == 7025 {
			return err
		}
	}
	if err := signed.Verify(held.PublicKey); err != nil {
		return fmt.Errorf("call %s: %w", wwwroot, err)
	}
	return err
}

// heal is what a site does if a caller's signature does not verify: it asks the caller for its
// certificate by a keyswap. Unless the answer is the certificate that the site already has, it
// calls the caller, sealed to the old certificate. The caller answers that call with a 7025, and
// the site stores the certificate named there. heal returns the certificate that the site has then,
// nil if that is still the old one.
func (s *Site) heal(ctx context.Context, caller string, held *envelope.Certificate, faults faultSet) *envelope.Certificate {
	shown, err := s.askCertificate(ctx, caller, faults)
	if err == nil && shown.Equal(held) {
		return nil
	}
	_ = s.call(ctx, caller, faults) // only the stored certificate counts afterwards
	text, _, err := s.o.Store.Held(ctx, caller)
	if err != nil {
		return nil
	}
	renewed, err := envelope.ParseCertificate(text)
	if err != nil || renewed.Equal(held) {
		return nil
	}
	return renewed
}

// askCertificate is mnet_get_public_key: a keyswap with three parameters, from Mahara with two.
func (s *Site) askCertificate(ctx context.Context, wwwroot string, faults faultSet) (*envelope.Certificate, error) {
	params := []string{s.o.Wwwroot, s.Certificate(), "moodle"}
	if s.o.Kind == Mahara {
		params = params[:2]
	}
	answer, err := s.post(ctx, wwwroot, encodeCall("system/keyswap", params...), faults)
	if err != nil {
		return nil, err
	}
	value, err := parseAnswer(answer)
	if err != nil {
		return nil, err
	}
	shown, err := envelope.ParseCertificate(value.text())
	if err != nil {
		return nil, err
	}
	return shown, shown.CheckWwwroot(wwwroot)
}

func (s *Site) post(ctx context.Context, wwwroot string, body []byte, faults faultSet) ([]byte, error) {
	if faults.has(Deaf) {
		return nil, errors.New("cannot connect")
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.CallTimeout)
	defer cancel()
	s.mu.Lock()
	url := wwwroot + serverURL(s.maharas[wwwroot])
	s.mu.Unlock()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "Moodle")
	r.Header.Set("Content-Type", "text/xml charset=UTF-8")
	response, err := s.o.Client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP %s", response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, envelope.MaxSize))
}
