package peers_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// scene is one peer and the local site before a proof. Both know each other; the local site has
// renewed its key.
type scene struct {
	t         *testing.T
	own, peer *peertest.Site
	who       rotate.Identity
	row       rotate.Peer           // with the peer's certificate from before
	answered  *envelope.Certificate // nil unless pushed
	keyswap   bool                  // whether a keyswap is allowed
}

// replaced gives the peer a new pair as VMoodle's PHP script does: the web server works with it,
// but the row shows the old one.
func (s *scene) replaced() {
	s.t.Helper()
	s.peer.NodeCaches(0, peertest.NewKeyPair(s.peer.Wwwroot(), 1024))
}

// push pushes to the peer and stores what it answered, as the renewal does.
func (s *scene) push() {
	s.t.Helper()
	got := client(s.t, quick()).Push(context.Background(), s.who, s.row)
	if got.Failure != nil {
		s.t.Fatalf("push: %v", got.Failure)
	}
	s.answered = got.PeerCertificate
	s.hold(got.PeerCertificate)
}

// hold writes the peer's certificate into the tables of the local site.
func (s *scene) hold(certificate *envelope.Certificate) {
	s.t.Helper()
	know := s.own.Know
	if s.peer.Application() == "mahara" {
		know = s.own.KnowMahara
	}
	s.must(know(s.peer.Wwwroot(), certificate.PEM))
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// proofCase is a peer, what has happened to it, and how a proof of it must end.
type proofCase struct {
	name     string
	peer     peertest.Options
	arrange  func(*scene)
	reason   string // "" if proven
	detail   string
	healed   bool
	attempts int
	other    string // of the failure
	verified bool   // a certificate is named although the peer is not proven
}

// These are kinds of peers, with short names for the tables.
func mahara() peertest.Options { return peertest.Options{Kind: peertest.Mahara} }
func stock() peertest.Options  { return peertest.Options{Kind: peertest.Stock} }
func modern() peertest.Options { return peertest.Options{Kind: peertest.Stock, Modern: true} }

func TestProveAPeer(t *testing.T) {
	prove(t, []proofCase{
		{name: "a patched peer that was told answers at once", arrange: (*scene).push, attempts: 1},
		{name: "a stock peer heals before it answers, unnoticed", peer: stock(), arrange: (*scene).push, attempts: 1},
		{name: "a Moodle 4.1 heals before it answers, unnoticed", peer: modern(), arrange: (*scene).push, attempts: 1},
		{name: "a peer that was never told heals too", arrange: func(*scene) {}, attempts: 1},
		{name: "Mahara heals on the first call, answers it with fault 0, and the second call", peer: mahara(),
			arrange: (*scene).push, healed: true, attempts: 2},
		{name: "fault 0 for ever", arrange: func(s *scene) { s.peer.Misbehave(peertest.Answers(0)) }, reason: "fault_0", attempts: 2},
	})
}

// A peer says by 7025 that it has a new key.
func TestProveAPeerWithANewKey(t *testing.T) {
	prove(t, []proofCase{
		{name: "a peer with a new key says so signed with the old one, and is called again", peer: stock(),
			arrange: func(s *scene) { renew(s.t, s.peer, true) }, healed: true, attempts: 2},
		{name: "so does a Moodle 4.1, with raw line ends", peer: modern(),
			arrange: func(s *scene) { renew(s.t, s.peer, true) }, healed: true, attempts: 2},
		{name: "Mahara says so signed with the new key, and its keyswap agrees", peer: mahara(),
			arrange: func(s *scene) { renew(s.t, s.peer, true); s.keyswap = true }, healed: true,
			attempts: 4}, // call, keyswap, call (fault 0: it heals), call
		{name: "Mahara's new key is not believed without a keyswap", peer: mahara(),
			arrange: func(s *scene) { renew(s.t, s.peer, true) }, reason: "bad_signature", attempts: 1},
		{name: "a Moodle whose new key signs the 7025 itself is not believed", peer: mahara(),
			arrange: func(s *scene) { renew(s.t, s.peer, true); s.row.Application = "moodle"; s.keyswap = true },
			reason:  "bad_signature", attempts: 1},
		{name: "Mahara's 7025 is not believed when its keyswap shows another certificate", peer: mahara(),
			arrange: func(s *scene) {
				renew(s.t, s.peer, true)
				s.peer.Misbehave(peertest.OtherCertificate)
				s.keyswap = true
			},
			reason: "bad_certificate", other: "http://other.example", attempts: 2},
		{name: "Mahara that forgot its key answers 7025 without one, and keyswap tells", peer: mahara(),
			arrange: func(s *scene) { know(s.t, s.peer, s.own); renew(s.t, s.peer, false); s.keyswap = true }, healed: true, attempts: 3},
		{name: "a 7025 without a certificate is a refusal where no keyswap may be made", peer: mahara(),
			arrange: func(s *scene) { renew(s.t, s.peer, false) }, reason: "fault_7025", attempts: 1},
		{name: "a 7025 with a foreign signature is not believed", peer: stock(),
			arrange: func(s *scene) { renew(s.t, s.peer, true); s.peer.Misbehave(peertest.BadSignature); s.keyswap = true },
			reason:  "bad_signature", attempts: 1},
		{name: "a plain 7025 is not believed", arrange: func(s *scene) { s.peer.Misbehave(peertest.Answers(7025)); s.keyswap = true },
			reason: "fault_7025", attempts: 1},
	})
}

// A peer says by 710 that our signature does not verify and that it could not heal.
func TestProveAPeerThatCannotHeal(t *testing.T) {
	prove(t, []proofCase{
		{name: "a peer that cannot call us back answers 710", peer: stock(),
			arrange: func(s *scene) { s.peer.Misbehave(peertest.Deaf) }, reason: "fault_710", attempts: 2, verified: true},
		{name: "a peer whose call-back failed once heals on the second call", peer: stock(),
			arrange: func(s *scene) { s.peer.MisbehaveTimes(1, peertest.Deaf) }, healed: true, attempts: 2},
		{name: "a peer cannot heal when our web side has no history", peer: stock(),
			arrange: func(s *scene) { s.own.Misbehave(peertest.Forgets) }, reason: "fault_710", attempts: 2, verified: true},
		{name: "a peer cannot heal when our web side writes notices around its answers", peer: stock(),
			arrange: func(s *scene) { s.own.Misbehave(peertest.Notices) }, reason: "fault_710", attempts: 2, verified: true},
		{name: "nor when it writes a footer behind them", peer: stock(),
			arrange: func(s *scene) { s.own.Misbehave(peertest.Footer) }, reason: "fault_710", attempts: 2, verified: true},
		{name: "a 710 that is sealed to a certificate we forgot cannot be read", peer: stock(),
			arrange: func(s *scene) { s.own.Misbehave(peertest.Forgets); s.who.Retired = nil }, reason: "cannot_open", attempts: 1},
	})
}

// A Moodle that has no certificate of this site cannot seal an answer to it, and answers nothing.
func TestProveAPeerWithoutACertificateOfThisSite(t *testing.T) {
	const detail = "no usable certificate of this site"
	without := func(s *scene) { s.must(s.peer.Know(s.own.Wwwroot(), "")) }
	prove(t, []proofCase{
		{name: "its publickey.php shows that a Moodle answers", peer: stock(), arrange: without,
			reason: "cannot_open", detail: detail, attempts: 2},
		{name: "so does its keyswap", peer: modern(), arrange: func(s *scene) { without(s); s.push() },
			reason: "cannot_open", detail: detail, attempts: 1},
		{name: "an unreadable certificate is none", peer: stock(), arrange: func(s *scene) { s.must(s.peer.Know(s.own.Wwwroot(), "?")) },
			reason: "cannot_open", detail: detail, attempts: 2},
		{name: "what answers nothing to everything may be no Moodle", peer: stock(), arrange: func(s *scene) { s.peer.Misbehave(peertest.Empty) },
			reason: "not_xmlrpc", detail: "answered nothing", attempts: 2},
		{name: "a patched peer stores what is pushed to it", arrange: func(s *scene) { without(s); s.push() }, attempts: 1},
		{name: "a Mahara answers a fault then, never nothing", peer: mahara(), arrange: func(s *scene) { s.push(); s.peer.Misbehave(peertest.Empty) },
			reason: "not_xmlrpc", detail: "answered nothing", attempts: 1},
	})
}

// The peer may have this site's certificate and answer nothing for another reason, even one that has
// just stored it: so the next step is also for that.
func TestTheNextStepAfterAnEmptyAnswerBlamesNotOnlyTheCertificate(t *testing.T) {
	for name, pushed := range map[string]bool{"after a push": true, "without a push": false} {
		t.Run(name, func(t *testing.T) {
			own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
			introduce(t, own, peer)
			c, who, at := client(t, quick()), identity(t, own), row(peer)
			var answered *envelope.Certificate
			if pushed {
				answered = c.Push(t.Context(), who, at).PeerCertificate
				peer.Misbehave(peertest.Empty)
			} else if err := peer.Know(own.Wwwroot(), ""); err != nil {
				t.Fatal(err)
			}
			f := c.Prove(t.Context(), who, at, answered, true).Failure
			if f == nil || f.Reason != rotate.ReasonCannotOpen || !strings.Contains(f.Next, "log") || strings.Contains(f.Next, "push") == pushed {
				t.Errorf("%+v", f)
			}
		})
	}
}

// A peer says by 7023 that it cannot open our call.
func TestProveAPeerThatOpensNothing(t *testing.T) {
	prove(t, []proofCase{
		{name: "a peer that forgot the key we hold is called under the one it answered", peer: stock(),
			arrange: func(s *scene) { renew(s.t, s.peer, false); s.push() }, attempts: 1},
		{name: "a forgotten key is told by keyswap where nothing was answered yet", peer: stock(),
			arrange: func(s *scene) { know(s.t, s.peer, s.own); renew(s.t, s.peer, false); s.keyswap = true }, attempts: 3},
		{name: "a peer that forgot its key cannot heal before our row of it is renewed", peer: stock(),
			arrange: func(s *scene) { renew(s.t, s.peer, false); s.keyswap = true }, reason: "fault_710", attempts: 4, verified: true},
		{name: "a forgotten key is told by publickey.php where no keyswap may be made", peer: stock(),
			arrange: func(s *scene) { know(s.t, s.peer, s.own); renew(s.t, s.peer, false) }, attempts: 3},
		{name: "a forgotten key is fault 7023 where nothing tells another", peer: mahara(),
			arrange: func(s *scene) { s.peer.Misbehave(peertest.NoRC4) }, reason: "fault_7023", attempts: 1},
		{name: "a peer with a stale cache shows a certificate that it does not use yet",
			arrange: func(s *scene) { renew(s.t, s.peer, true); s.peer.Misbehave(peertest.StaleKey); s.push() }, attempts: 2},
		{name: "a stock peer with a stale cache heals while our row of it is the old one", peer: stock(),
			arrange: func(s *scene) {
				held := s.row.Certificate
				renew(s.t, s.peer, true)
				s.peer.Misbehave(peertest.StaleKey)
				s.push()
				s.must(s.own.Know(s.peer.Wwwroot(), held))
			}, attempts: 2},
		{name: "a peer that works with another pair than it shows is called under that of its publickey.php", peer: stock(),
			arrange: func(s *scene) { know(s.t, s.peer, s.own); s.replaced(); s.push() }, attempts: 3},
		{name: "why a call was not opened stays open when the keyswap that would tell does not arrive", peer: stock(),
			arrange: func(s *scene) {
				s.peer.MisbehaveInTurn(peertest.NoRC4, peertest.Drop, peertest.Drop, peertest.Drop)
				s.keyswap = true
			}, reason: "connect", detail: "none of its keys can open the call", attempts: 4},
		{name: "nor when the page that would tell does not arrive", peer: stock(),
			arrange: func(s *scene) {
				s.peer.MisbehaveInTurn(peertest.NoRC4, peertest.Drop, peertest.Drop, peertest.Drop)
			}, reason: "connect", detail: "none of its keys can open the call", attempts: 4},
		{name: "a keyswap and a page that are refused after a call was not opened change nothing", peer: stock(),
			arrange: func(s *scene) {
				s.peer.MisbehaveInTurn(peertest.NoRC4, peertest.HTML, peertest.HTML)
				s.keyswap = true
			}, reason: "fault_7023", attempts: 3},
		{name: "a page that is refused tells nothing where no keyswap may be made", peer: stock(),
			arrange: func(s *scene) { s.peer.MisbehaveInTurn(peertest.NoRC4, peertest.Status(404)) }, reason: "fault_7023", attempts: 2},
	})
}

// Without RC4, a peer answers keyswap and page as usual, and every sealed call with 7023.
func TestProveAPeerWithoutRC4(t *testing.T) {
	const sure, orElse = "not even one sealed to the certificate of its publickey.php", "or it works with another key"
	prove(t, []proofCase{
		{name: "it opens nothing, not even under what it answers and shows", peer: stock(),
			arrange: func(s *scene) { s.push(); s.peer.Misbehave(peertest.NoRC4) }, reason: "no_rc4", detail: sure, attempts: 7},
		{name: "with a new key it fails under all certificates", peer: stock(),
			arrange: func(s *scene) { renew(s.t, s.peer, true); s.push(); s.peer.Misbehave(peertest.NoRC4) }, reason: "no_rc4", detail: sure, attempts: 8},
		{name: "a keyswap tells it from a forgotten key", peer: stock(),
			arrange: func(s *scene) { s.peer.Misbehave(peertest.NoRC4); s.keyswap = true }, reason: "no_rc4", detail: sure, attempts: 8},
		{name: "so does its page alone", peer: stock(),
			arrange: func(s *scene) { s.peer.Misbehave(peertest.NoRC4) }, reason: "no_rc4", detail: sure, attempts: 7},
		{name: "a page that cannot be read leaves another key possible", peer: stock(),
			arrange: func(s *scene) {
				s.push()
				s.peer.MisbehaveInTurn(peertest.NoRC4, peertest.Status(404))
			}, reason: "no_rc4", detail: orElse + "; its publickey.php cannot be read (http_404", attempts: 2},
		{name: "a page of another site leaves it possible too", peer: stock(),
			arrange: func(s *scene) {
				s.push()
				s.peer.NodeCaches(0, peertest.NewKeyPair("http://other.example", 1024))
			}, reason: "no_rc4", detail: orElse, other: "http://other.example", attempts: 2},
		{name: "with another pair than it shows it fails under that, twice", peer: stock(),
			arrange: func(s *scene) { s.push(); s.replaced(); s.peer.Misbehave(peertest.NoRC4) }, reason: "no_rc4", detail: sure, attempts: 8},
		{name: "a Mahara has no such page", peer: mahara(),
			arrange: func(s *scene) { s.push(); s.peer.Misbehave(peertest.NoRC4) }, reason: "no_rc4", detail: orElse, attempts: 1},
		{name: "a call that is opened after one that was not shows several caches, not a missing RC4", peer: stock(),
			arrange: func(s *scene) { s.push(); s.peer.MisbehaveTimes(1, peertest.NoRC4) },
			reason:  "several_caches", attempts: 3, verified: true},
		{name: "web servers that take turns, each with another key, open nothing although all have RC4", peer: peertest.Options{Kind: peertest.Stock, Nodes: []string{"", ""}},
			arrange: func(s *scene) {
				s.push()
				for i := 1; i <= 2; i++ {
					s.peer.NodeCaches(i, peertest.NewKeyPair(s.peer.Wwwroot(), 1024))
				}
			}, reason: "several_caches", detail: "its publickey.php shows different certificates", attempts: 6},
		{name: "a page that does not arrive any more leaves it open", peer: stock(),
			arrange: func(s *scene) {
				s.push()
				s.peer.MisbehaveInTurn(peertest.NoRC4, peertest.NoRC4, peertest.NoRC4, peertest.Drop, peertest.Drop, peertest.Drop)
			}, reason: "connect", detail: "none of its keys can open the call", attempts: 6},
	})
}

// The dates of certificates decide nothing: an older one that proves itself is as good as a newer
// one.
func TestProveAPeerWhateverTheDates(t *testing.T) {
	for name, age := range map[string]time.Duration{"restored from a backup": -40 * 24 * time.Hour, "renewed": 40 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			own := peertest.Run(t, peertest.Options{})
			key := peertest.NewKeyPair("http://any.example", 1024).Private
			late := &lateStore{}
			peer := peertest.Run(t, peertest.Options{Kind: peertest.Stock, Store: late})
			uses := peertest.CertifyAt(key, peer.Wwwroot(), time.Now().Add(age))
			late.Memory = peertest.NewMemory(uses)
			to := row(peer)
			to.Certificate = peertest.NewKeyPair(peer.Wwwroot(), 1024).Certificate.PEM
			know(t, peer, own)
			if err := own.Know(peer.Wwwroot(), to.Certificate); err != nil {
				t.Fatal(err)
			}
			for _, answered := range []*envelope.Certificate{uses.Certificate, nil} {
				got := client(t, quick()).Prove(t.Context(), identity(t, own), to, answered, answered == nil)
				if got.Failure != nil || !got.Certificate.Equal(uses.Certificate) {
					t.Errorf("failure %v, under %v", got.Failure, got.Certificate)
				}
			}
		})
	}
}

// These answers must not count as a proof, even if everything else is right.
func TestProveRefuses(t *testing.T) {
	prove(t, []proofCase{
		{name: "an answer signed by somebody else", arrange: func(s *scene) { s.push(); s.peer.Misbehave(peertest.BadSignature) },
			reason: "bad_signature", attempts: 1},
		{name: "an answer sealed to somebody else", arrange: func(s *scene) { s.push(); s.peer.Misbehave(peertest.OtherSeal) },
			reason: "cannot_open", attempts: 1},
		{name: "an answer in plain text", arrange: func(s *scene) { s.push(); s.peer.Misbehave(peertest.Unsealed) },
			reason: "bad_signature", detail: "plain text", attempts: 1},
		{name: "a clock just within the threshold", arrange: func(s *scene) { s.push(); s.peer.Misbehave(peertest.ClockAhead(13 * time.Second)) },
			attempts: 1},
		{name: "a clock that is ahead", arrange: func(s *scene) { s.push(); s.peer.Misbehave(peertest.ClockAhead(time.Hour)) },
			reason: "clock", detail: "ahead of this machine's", attempts: 1},
		{name: "a clock that is ahead, on a site whose drift_threshold allows it",
			arrange: func(s *scene) {
				s.push()
				s.who.Drift = 2 * time.Hour
				s.peer.Misbehave(peertest.ClockAhead(time.Hour))
			}, attempts: 1},
		{name: "a clock that is behind by less than a day is no matter",
			arrange: func(s *scene) { s.push(); s.peer.Misbehave(peertest.ClockAhead(time.Minute - 24*time.Hour)) }, attempts: 1},
		{name: "an answer that is older than a day",
			arrange: func(s *scene) { s.push(); s.peer.Misbehave(peertest.ClockAhead(-25 * time.Hour)) },
			reason:  "clock", detail: "stamped 25h0m", attempts: 1},
		{name: "a peer that says it is another", arrange: func(s *scene) { s.push(); s.row.Wwwroot = strings.Replace(s.row.Wwwroot, "127.0.0.1", "localhost", 1) },
			reason: "bad_signature", detail: "says it is from", other: "@", attempts: 1},
		{name: "a peer that does not know us", arrange: func(s *scene) { s.who.Wwwroot += "/" }, reason: "unknown_to_peer", attempts: 1},
		{name: "Mahara that does not know us", peer: mahara(), arrange: func(s *scene) { s.who.Wwwroot += "/" }, reason: "unknown_to_peer", attempts: 1},
		{name: "Mahara that refuses our signature", peer: mahara(), arrange: func(s *scene) { s.peer.Misbehave(peertest.Deaf) }, reason: "fault_6004", attempts: 1},
		{name: "MNet off", arrange: func(s *scene) { s.peer.Misbehave(peertest.Off) }, reason: "mnet_off", attempts: 1},
		{name: "an unknown virtual host", arrange: func(s *scene) { s.peer.Misbehave(peertest.UnknownVhost) },
			reason: "not_xmlrpc", detail: "unknown virtual host", attempts: 1},
	})
}

func TestProveFindsACertificateToSealTo(t *testing.T) {
	prove(t, []proofCase{
		{name: "no certificate of it at all, and a keyswap", arrange: func(s *scene) { s.row.Certificate = ""; s.keyswap = true }, attempts: 2},
		{name: "no certificate of it at all, and no keyswap", arrange: func(s *scene) { s.row.Certificate = "not a certificate" },
			reason: "bad_certificate", detail: "this site has no readable certificate of the peer", attempts: 0},
		{name: "a broken row does not matter when the keyswap answered", arrange: func(s *scene) { s.push(); s.row.Certificate = "?" }, attempts: 1},
	})
}

func prove(t *testing.T, cases []proofCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &scene{t: t, own: peertest.Run(t, peertest.Options{}), peer: peertest.Run(t, c.peer)}
			introduce(t, s.own, s.peer)
			s.row = row(s.peer)
			renew(t, s.own, true)
			s.who = identity(t, s.own)
			c.arrange(s)

			got := client(t, quick()).Prove(context.Background(), s.who, s.row, s.answered, s.keyswap)

			if reason(got.Failure) != c.reason {
				t.Fatalf("failure is %v, want reason %q", got.Failure, c.reason)
			}
			if got.Failure != nil && !strings.Contains(got.Failure.Detail, c.detail) {
				t.Errorf("detail is %q, want %q in it", got.Failure.Detail, c.detail)
			}
			if got.Failure != nil && got.Failure.Other != strings.Replace(c.other, "@", s.peer.Wwwroot(), 1) {
				t.Errorf("names the site %q, want %q", got.Failure.Other, c.other)
			}
			if got.Attempts != c.attempts {
				t.Errorf("took %d attempts, want %d", got.Attempts, c.attempts)
			}
			if got.Healed != c.healed {
				t.Errorf("healed is %v, want %v", got.Healed, c.healed)
			}
			if (got.Certificate == nil) != (got.Failure != nil && !c.verified) {
				t.Errorf("names a certificate: %v; failure: %v", got.Certificate != nil, got.Failure)
			}
			if c.reason == "" {
				proven(t, s, got)
			}
		})
	}
}

// proven checks from the peer's side what a proof claims: that the peer has our new certificate,
// and that it signs with the certificate that the proof names. Then both call each other.
func proven(t *testing.T, s *scene, got rotate.Proof) {
	t.Helper()
	if s.peer.Held(s.own.Wwwroot()) != s.own.Certificate() {
		t.Error("proven, but the peer does not hold our new certificate")
	}
	s.peer.Misbehave()
	s.hold(got.Certificate)
	if err := s.peer.Call(context.Background(), s.own.Wwwroot()); err != nil {
		t.Errorf("peer cannot call us afterwards: %v", err)
	}
	if err := s.own.Call(context.Background(), s.peer.Wwwroot()); err != nil {
		t.Errorf("we cannot call the peer afterwards: %v", err)
	}
}

func TestProveOurOwnSite(t *testing.T) {
	for _, c := range []struct {
		name   string
		fault  []peertest.Fault
		reason string
	}{
		{name: "a site that uses its new key answers itself"},
		{name: "a site whose web side still uses the old key opens nothing", fault: []peertest.Fault{peertest.StaleKey}, reason: "fault_7023"},
		{name: "a site that answers nothing has shown no key", fault: []peertest.Fault{peertest.Empty}, reason: "not_xmlrpc"},
		{name: "a site without RC4 looks the same from here", fault: []peertest.Fault{peertest.NoRC4}, reason: "fault_7023"},
	} {
		t.Run(c.name, func(t *testing.T) {
			own := peertest.Run(t, peertest.Options{})
			renew(t, own, true)
			own.Misbehave(c.fault...)
			got := client(t, quick()).Prove(context.Background(), identity(t, own), row(own), nil, false)
			if reason(got.Failure) != c.reason {
				t.Errorf("failure is %v, want reason %q", got.Failure, c.reason)
			}
		})
	}
}
