package rotate

import (
	"strings"
	"testing"
)

func TestTheNextStepOfATimeoutNamesTheOptionThatSetsIt(t *testing.T) {
	if next := ReasonTimeout.NextStep(true); !strings.Contains(next, "--timeout") {
		t.Error(next)
	}
}

func TestPendingIsWhatWasNotReached(t *testing.T) {
	for reason, want := range map[Reason]bool{
		ReasonDNS: true, ReasonConnect: true, ReasonTLS: true, ReasonTimeout: true, "http_500": true, "http_503": true,
		"http_404": false, "http_301": false, "fault_500": false, ReasonMNetOff: false, ReasonNotXMLRPC: false,
		ReasonInterrupted: true, ReasonStrayOutput: false, ReasonSeveralCaches: false,
		ReasonTooLarge: false, ReasonNoRC4: false, ReasonClock: false, ReasonUnknownToPeer: false,
		ReasonBadCertificate: false, ReasonBadSignature: false, ReasonCannotOpen: false,
	} {
		if got := reason.Row().Pending; got != want {
			t.Errorf("pending of %s is %v, want %v", reason, got, want)
		}
	}
}

// A peer that knows this site by the wwwroot it had before it moved must not get a second entry:
// the accounts of its users belong to the first.
func TestTheAdviceOnAPeerThatDoesNotKnowThisSiteKeepsAnOldEntry(t *testing.T) {
	if next := ReasonUnknownToPeer.NextStep(true); !strings.Contains(next, "old wwwroot") || !strings.Contains(next, "replace") {
		t.Error(next)
	}
}
