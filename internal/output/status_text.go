package output

import (
	"fmt"
	"strings"
	"time"

	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

// renderStatus shows one tenant's key, history and peers.
func renderStatus(r rotate.TenantReport, now time.Time, paint func(word, padded string) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", printable.Line(r.Wwwroot, 0))
	if c := r.Certificate; c != nil {
		fmt.Fprintf(&b, "  %-12s sha256 %s\n", "certificate", c.SHA256)
		fmt.Fprintf(&b, "  %-12s %s until %s, %s\n", "valid", rotate.FormatTime(*c.NotBefore), rotate.FormatTime(c.NotAfter), lifeLeft(c.NotAfter, now))
	} else {
		fmt.Fprintf(&b, "  %-12s none that can be read\n", "certificate")
	}
	fmt.Fprintf(&b, "  %-12s %s\n", "history", count(r.History, "retired key"))
	for _, h := range r.Retired {
		fmt.Fprintf(&b, "  %-12s sha256 %s until %s\n", "", h.SHA256, rotate.FormatTime(h.NotAfter))
	}
	if r.SelfCheck != rotate.SelfSkipped {
		fmt.Fprintf(&b, "  %-12s %s\n", "local site", paint(string(r.SelfCheck), ownSite(r)))
	}
	if len(r.Nodes) > 1 {
		for _, n := range r.Nodes {
			fmt.Fprintf(&b, "  %-12s %s\n", "", nodeWords(n))
		}
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(&b, "  %-12s %s\n", "note", printable.Line(w, 0))
	}
	if len(r.Peers) == 0 {
		b.WriteString("\nthe site has no active peers\n")
		return b.String()
	}
	b.WriteByte('\n')
	width := 0
	for _, p := range r.Peers {
		width = max(width, min(len(p.Wwwroot), 50))
	}
	for i, p := range r.Peers {
		outcome := ""
		if p.Outcome != rotate.Skipped {
			outcome = paint(string(p.Outcome), fmt.Sprintf("%-9s", p.Outcome)) + " "
		}
		fmt.Fprintf(&b, "  %s%-*s  %s\n", outcome, width, printable.Line(p.Wwwroot, 0), printable.Line(peerStatus(p, now), 0))
		peersNext(&b, r.Peers[i:])
	}
	return b.String()
}

// peerStatus says which certificates both sides have of each other, as far as it is known.
func peerStatus(p rotate.PeerReport, now time.Time) string {
	words := []string{"its certificate cannot be read"}
	if c := p.Certificate; c != nil {
		words[0] = "its certificate " + short(c.SHA256) + " until " + rotate.FormatTime(c.NotAfter) + ", " + lifeLeft(c.NotAfter, now)
	}
	if has := p.Has(); has != "" {
		words = append(words, has)
	}
	if why := reasonWords(p); why != "" {
		words = append(words, why)
	}
	return strings.Join(words, "; ")
}

// statusLine is one line about a tenant of an array.
func statusLine(r rotate.TenantReport, now time.Time) string {
	key := "no readable key"
	if c := r.Certificate; c != nil {
		key = short(c.SHA256) + " until " + rotate.FormatTime(c.NotAfter) + ", " + lifeLeft(c.NotAfter, now)
	}
	current, unread, members := 0, 0, 0
	for _, p := range r.Peers {
		switch {
		case !p.Member:
			continue
		case p.Holds == "current":
			current++
		case p.Holds == "":
			unread++
		}
		members++
	}
	line := fmt.Sprintf("%s: %s; %d retired; %s", printable.Line(r.Wwwroot, 0), key, r.History, count(len(r.Peers), "peer"))
	if members > 0 {
		line += fmt.Sprintf(", %d of %d in the array have it", current, members)
	}
	if unread > 0 {
		line += fmt.Sprintf(" (%d could not be read)", unread)
	}
	return line + "\n"
}

func lifeLeft(end, now time.Time) string {
	if left := end.Sub(now); left > 0 {
		return days(left) + " left"
	}
	return "expired"
}

// short is enough of a fingerprint to distinguish certificates.
func short(sha256 string) string { return sha256[:min(len(sha256), 16)] }
