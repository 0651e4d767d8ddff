package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const node4, other4, node6, none = "192.0.2.1", "192.0.2.2", "2001:db8::1", "-"

// everyOtherByName are answers of which every other one by the site's name is f.
func everyOtherByName(f *Failure) func(string, int) *Failure {
	byName := 0
	return func(node string, _ int) *Failure {
		if node != "" {
			return nil
		}
		if byName++; byName%2 == 0 {
			return nil
		}
		return f
	}
}

// A web server is proven by five answers, each on its own connection, and a site by those of all
// its web servers.
func TestWhatProvesTheLocalSite(t *testing.T) {
	stale := &Failure{Reason: "fault_7023"}
	refused := &Failure{Reason: "connect", Pending: true, Refused: true}
	noRoute := &Failure{Reason: "connect", Pending: true, NoRoute: true}
	at := func(node string, f *Failure) func(string, int) *Failure {
		return func(asked string, _ int) *Failure {
			if asked == node {
				return f
			}
			return nil
		}
	}
	for _, c := range []struct {
		name   string
		nodes  []string // addresses of the name
		given  []string // --node
		answer func(string, int) *Failure
		check  SelfCheck
		reason Reason
		says   string
		asked  int    // sealed calls
		stale  string // the node whose page shows another key
	}{
		{"one address, five answers", []string{node4}, nil, nil, SelfProven, "", "", 5, none},
		{"every second answer is of another key", []string{node4}, nil, func(_ string, n int) *Failure {
			if n%2 == 0 {
				return stale
			}
			return nil
		}, SelfFailed, "several_caches", "its web servers use different keys", -1, none},
		{"the last answer alone is of another key", []string{node4}, nil, func(_ string, n int) *Failure {
			if n == 5 {
				return stale
			}
			return nil
		}, SelfFailed, "several_caches", "its web servers use different keys", -1, none},
		{"all answers are of another key", []string{node4}, nil, at("", stale), SelfFailed, "fault_7023", "", 5, ""},
		{"two addresses", []string{node4, other4}, nil, nil, SelfProven, "", "", 10, none},
		{"the second address uses another key", []string{node4, other4}, nil, at(other4, stale), SelfFailed, "several_caches", other4, 10, other4},
		{"the second address does not answer", []string{node4, other4}, nil, at(other4, refused), SelfUnreachable, "connect", other4, 10, none},
		{"no server listens on IPv6", []string{node6, node4}, nil, at(node6, refused), SelfProven, "", "", 10, none},
		{"this machine has no IPv6", []string{node6, node4}, nil, at(node6, noRoute), SelfProven, "", "", 10, none},
		{"no server listens on IPv4", []string{node6, node4}, nil, at(node4, refused), SelfUnreachable, "connect", node4, 10, none},
		{"IPv6 is silent", []string{node6, node4}, nil, at(node6, &Failure{Reason: "timeout", Pending: true}), SelfUnreachable, "timeout", node6, 10, none},
		{"the connection over IPv6 breaks", []string{node6, node4}, nil, at(node6, &Failure{Reason: "connect", Pending: true}), SelfUnreachable, "connect", node6, 10, none},
		{"one of two does not answer on IPv4", []string{node6, node4, other4}, nil, at(other4, refused), SelfUnreachable, "connect", other4, 15, none},
		{"IPv6 answers something else", []string{node6, node4}, nil, at(node6, &Failure{Reason: "http_403"}), SelfUnreachable, "http_403", node6, 10, none},
		{"a node is named", []string{node4}, []string{"127.0.0.1"}, at(node4, refused), SelfProven, "", "", 10, none},
		{"a node is named, and the name leads to one with another key", []string{node4}, []string{"web1"}, at("", stale), SelfFailed, "several_caches", "at the wwwroot, perhaps by a web server that no --node names", 10, ""},
		{"a node is named, and the name to several", []string{node4}, []string{"web1"}, everyOtherByName(stale), SelfFailed, "several_caches", "at the wwwroot", 10, ""},
		{"a node is named, and the name does not answer", []string{node4}, []string{"web1"}, at("", &Failure{Reason: "timeout", Pending: true}), SelfProven, "", "", 10, none},
		{"a node is named, and the name leads to something else", []string{node4}, []string{"web1"}, at("", &Failure{Reason: "http_404"}), SelfProven, "", "", 10, none},
		{"a node is named, and the name leads to another Moodle", []string{node4}, []string{"web1"}, at("", &Failure{Reason: "unknown_to_peer"}), SelfProven, "", "", 10, none},
		{"a named node uses another key", []string{node4}, []string{"web1", "web2:8443"}, at("web2:8443", stale), SelfFailed, "several_caches", "web2:8443", 15, "web2:8443"},
		{"a named node does not answer, on IPv6 either", nil, []string{node4, node6}, at(node6, refused), SelfUnreachable, "connect", node6, 15, none},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.nodes, w.answer = c.nodes, c.answer
			w.pages = map[string]string{c.stale: w.someOther()}
			r := w.renewal(Options{Nodes: c.given, Answers: 5})
			check, f := r.ask(t.Context(), &w.tenant, *w.tenant.identity(), r.answersForProof())
			reason, detail := Reason(""), ""
			if f != nil {
				reason, detail = f.Reason, f.Detail
			}
			if check != c.check || reason != c.reason || !strings.Contains(detail, c.says) {
				t.Errorf("%s %s %q", check, reason, detail)
			}
			if w.asked != c.asked && c.asked >= 0 {
				t.Errorf("%d sealed calls, want %d", w.asked, c.asked)
			}
		})
	}
}

// The name of the wwwroot may lead to this machine: what has just failed there is no advice.
func TestNoAddressIsAdvisedThatWasAsked(t *testing.T) {
	for address, advised := range map[string]bool{"127.0.0.1": false, "192.0.2.1": true} {
		w := newWorld(t)
		w.nodes = []string{address}
		w.answer = func(string, int) *Failure { return &Failure{Reason: HTTPReason(500), Pending: true} }
		report := w.renewal(Options{}).Run(t.Context())
		if hint := HintOf(report.Err); !errors.Is(report.Err, ErrOwnUnreachable) || strings.Contains(hint, "--node=127.0.0.1") != advised {
			t.Errorf("%s: %v: %s", address, report.Err, hint)
		}
	}
}

// Two calls that it could not open show that a web server has no RC4, if its page shows the stored
// key. A call that was not answered shows nothing.
func TestAWebServerThatDoesNotAnswerAgainIsNotSaidToHaveNoRC4(t *testing.T) {
	for reason, want := range map[Reason]SelfCheck{ReasonTimeout: SelfUnreachable, ReasonHTTP503: SelfUnreachable, ReasonFault7025: SelfFailed, ReasonFault7023: SelfNoRC4} {
		w := newWorld(t)
		w.answer = func(_ string, n int) *Failure {
			if n == 1 {
				return &Failure{Reason: ReasonFault7023}
			}
			return &Failure{Reason: reason, Pending: reason.Row().Pending}
		}
		check, f := w.renewal(Options{}).ask(t.Context(), &w.tenant, *w.tenant.identity(), 1)
		if check != want || want != SelfNoRC4 && f.Reason != reason {
			t.Errorf("%s: %s: %v", reason, check, f)
		}
	}
}

// One call at the wwwroot was answered by two web servers: the place is said, and the fact once.
func TestTheVerdictNamesThePlaceOfWebServersThatDiffer(t *testing.T) {
	r := newWorld(t).renewal(Options{Nodes: []string{"web1"}})
	good := nodeAnswer{node: "web1", check: SelfProven}
	bad := nodeAnswer{check: SelfFailed, Failure: &Failure{Reason: ReasonSeveralCaches, Detail: ReasonSeveralCaches.Row().Means}}
	const want = "its web servers use different keys: the stored one was used in 1 of 2 answers; at the wwwroot, perhaps by a web server that no --node names"
	if check, f := r.verdict([]nodeAnswer{good, bad}); check != SelfFailed || f.Reason != ReasonSeveralCaches || f.Detail != want {
		t.Errorf("%s: %v", check, f)
	}
}

// Of several web servers that --node names, each that does not answer is to be started or left out.
func TestTheHintNamesTheWebServersThatDoNotAnswer(t *testing.T) {
	refused, slow, unknown := &Failure{Reason: ReasonConnect, Pending: true}, &Failure{Reason: ReasonTimeout, Pending: true}, &Failure{Reason: ReasonDNS, Pending: true}
	many := []string{"web1", "web2", "web3", "web4", "web5", "web6", "web7", "web8"}
	for _, c := range []struct {
		name     string
		nodes    []string
		failures map[string]*Failure
		says     string // besides the first
		means    string
		next     string
	}{
		{"one of two", many[:2], map[string]*Failure{"web2": refused}, "at web2", "at web2 from this machine (connect)", "start the web server web2. If the load balancer sends no request to it,"},
		{"the only one", many[:1], map[string]*Failure{"web1": refused}, "", "at web1 from this machine (connect)", "start the web server web1. "},
		{"two of three", many[:3], map[string]*Failure{"web1": refused, "web3": slow}, "; not reached either: web3", "at web1, web3 from this machine (connect, timeout)", "start the web servers web1, web3. If the load balancer sends no request to one of them, you can remove it from --node and from a --cache-hook instead (in the command that follows, or in the options file)"},
		{"two that are slow", many[:2], map[string]*Failure{"web1": slow, "web2": slow}, "; not reached either: web2", "at web1, web2 from this machine (timeout)", "the web servers web1, web2 do not answer in time. If one of them is only slow, give it more"},
		{"one of them has no address", many[:3], map[string]*Failure{"web1": refused, "web2": unknown, "web3": refused}, "; not reached either: web2, web3", "at web1, web2, web3 from this machine (connect, dns)", "start the web servers web1, web3. "},
		{"two have no address", many[:3], map[string]*Failure{"web2": unknown, "web3": unknown}, "; not reached either: web3", "at web2, web3 from this machine (dns)", "no address of the web servers web2, web3 is known here"},
		{"many", many, map[string]*Failure{"web1": refused, "web2": refused, "web3": refused, "web4": refused, "web5": refused, "web6": refused, "web7": refused, "web8": refused},
			"; not reached either: web2, web3, web4, web5, web6 and 2 more", "at web1, web2, web3, web4, web5 and 3 more from", "start the web servers web1, web2, web3, web4, web5 and 3 more. "},
		{"one answers something else", many[:2], map[string]*Failure{"web1": {Reason: "http_404"}, "web2": {Reason: "http_404"}}, "", "at web1, web2 from this machine (http_404)", ""},
	} {
		for command, run := range map[string]func(*Renewal, context.Context) TenantReport{"renew": (*Renewal).Run, "verify": (*Renewal).Verify, "doctor": (*Renewal).Diagnose} {
			w := newWorld(t)
			w.answer = func(node string, _ int) *Failure { return c.failures[node] }
			w.noReach = map[string]bool{"": true} // the name beside them
			report := run(w.renewal(Options{Nodes: c.nodes}), t.Context())
			means, next := report.LocalSite()
			said := fmt.Sprint(report.Err, report.Warnings, report.Findings)
			if !strings.Contains(said, c.says) || !strings.Contains(means, c.means) {
				t.Errorf("%s, %s: %s; %s", c.name, command, said, means)
			}
			if command == "renew" {
				next = HintOf(report.Err)
			} else if command == "doctor" && c.next != "" && !slices.ContainsFunc(report.Findings, func(f Finding) bool { return f.Next == next }) {
				t.Errorf("%s: doctor and LocalSite differ: %s; %+v", c.name, next, report.Findings)
			}
			if !strings.HasPrefix(next, c.next) || c.next == "" && strings.Contains(next, "start the web server") || strings.Contains(next, "--self-check=off") == (c.next != "") && command == "renew" {
				t.Errorf("%s, %s: %s", c.name, command, next)
			}
		}
	}
}

// A site without a key cannot be called: whether a web server listens is all that is asked.
func TestWebServersOfASiteWithoutAKeyAreNamedToo(t *testing.T) {
	w := newWorld(t)
	w.tenant.Pair, w.tenant.History = Stored{}, nil
	w.noReach = map[string]bool{"web1": true, "web2": true}
	report := w.renewal(Options{Nodes: []string{"web1", "web2"}}).Run(t.Context())
	if hint := HintOf(report.Err); !strings.HasPrefix(hint, "start the web servers web1, web2. ") {
		t.Errorf("%v: %s", report.Err, hint)
	}
}
