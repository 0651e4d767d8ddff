package report_test

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	style  = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	script = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	policy = regexp.MustCompile(`http-equiv="Content-Security-Policy" content="([^"]*)"`)
)

func only(t *testing.T, what *regexp.Regexp, page string) string {
	t.Helper()
	found := what.FindAllStringSubmatch(page, -1)
	if len(found) != 1 {
		t.Fatalf("%s is there %d times", what, len(found))
	}
	return found[0][1]
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func TestThePageLoadsNothingAndItsPolicyAllowsOnlyItsOwnStyleAndScript(t *testing.T) {
	page := written(t, array(60), runWith(3))
	want := "default-src 'none'; style-src " + digest(only(t, style, page)) + "; script-src " + digest(only(t, script, page)) + "; base-uri 'none'; form-action 'none'"
	if got := html.UnescapeString(only(t, policy, page)); got != want {
		t.Errorf("the policy is %s\nwant %s", got, want)
	}
	if found := regexp.MustCompile(`(?i)[\s"'](src|href|style|on[a-z]+)\s*=\s*["']|url\(|@import|<(link|iframe|object|embed|base)\b|http-equiv="refresh`).FindString(page); found != "" {
		t.Errorf("the page has %q", found)
	}
	if strings.Contains(page, "innerHTML") || strings.Contains(page, "eval(") {
		t.Error("the script makes elements or code of text")
	}
}

// TestLettersCanBeReadOnTheirGround requires the contrast of WCAG 2 AA for small text, in light and
// in dark.
func TestLettersCanBeReadOnTheirGround(t *testing.T) {
	p := newPage()
	p.Add(one())
	css := only(t, style, written(t, p, runWith(0)))
	variable := regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{3,6});`)
	blocks := strings.SplitN(css, "prefers-color-scheme: dark", 2)
	if len(blocks) != 2 {
		t.Fatal("there is no dark style")
	}
	for i, scheme := range []string{"light", "dark"} {
		colour := map[string]string{}
		for _, v := range variable.FindAllStringSubmatch(blocks[i], -1) {
			colour[v[1]] = v[2]
		}
		for _, pair := range []string{"ink paper", "ink ground", "quiet paper", "quiet ground", "warn paper", "now paper", "accepted-ink accepted", "healed-ink healed",
			"pending-ink pending", "refused-ink refused", "skipped-ink skipped", "paper ink"} {
			front, back, _ := strings.Cut(pair, " ")
			if got := contrast(t, colour[front], colour[back]); got < 4.5 {
				t.Errorf("%s: %s has a contrast of %.2f", scheme, pair, got)
			}
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + .05) / (min(x, y) + .05)
}

// luminance is the relative luminance of WCAG 2.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	if len(colour) == 4 {
		colour = "#" + strings.Repeat(colour[1:2], 2) + strings.Repeat(colour[2:3], 2) + strings.Repeat(colour[3:4], 2)
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 32)
	if err != nil {
		t.Fatalf("colour %q: %v", colour, err)
	}
	linear := func(part uint64) float64 {
		v := float64(part&255) / 255
		if v <= .04045 {
			return v / 12.92
		}
		return math.Pow((v+.055)/1.055, 2.4)
	}
	return .2126*linear(n>>16) + .7152*linear(n>>8) + .0722*linear(n)
}
