package moodledb

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// damaged is a history, usually a small one, with some bytes changed.
func damaged(r *rand.Rand, of []string) string {
	b := []byte(of[r.IntN(len(of))])
	for range 1 + r.IntN(3) {
		if len(b) == 0 {
			break
		}
		at := r.IntN(len(b))
		switch r.IntN(6) {
		case 0:
			b = slices.Delete(b, at, min(len(b), at+1+r.IntN(4)))
		case 1:
			b = slices.Insert(b, at, b[at:min(len(b), at+r.IntN(40))]...)
		case 2:
			b[at] = `0123456789:;{}"aisNbdOR`[r.IntN(22)]
		case 3:
			b = slices.Insert(b, at, []byte([]string{"s:1:\"x\";", "i:1;", "a:0:{}", "N;", "b:0;", "d:1.5;", "}", "\n", "é", "+", "-"}[r.IntN(11)])...)
		case 4: // a length or number one off
			if i := slices.IndexFunc(b[at:], func(c byte) bool { return c >= '0' && c <= '9' }); i >= 0 {
				b[at+i] = '0' + (b[at+i]-'0'+1)%10
			}
		case 5:
			b = b[:at]
		}
	}
	return string(b)
}

// whatPHPReads lets PHP read each text as Moodle does, and list the entries with a key: certificate
// and key.
const whatPHPReads = `error_reporting(0);
foreach (json_decode(stream_get_contents(STDIN)) as $raw) {
	$list = unserialize(base64_decode($raw), ["allowed_classes" => false]);
	if (!is_array($list)) { echo "-\n"; continue; }
	$all = [];
	foreach ($list as $entry) {
		if (is_array($entry) && isset($entry["keypair_PEM"]) && $entry["keypair_PEM"] !== "") {
			$certificate = $entry["certificate"] ?? "";
			$key = $entry["keypair_PEM"];
			$all[] = (is_string($certificate) ? base64_encode($certificate) : "?") . ":" . (is_string($key) ? base64_encode($key) : "?");
		}
	}
	echo "+" . implode(",", $all) . "\n";
}`

// If the tool reads a text as a history, PHP reads the same one. The tool may refuse more: then
// nothing is changed.
func TestPHPReadsADamagedHistoryAsWeDo(t *testing.T) {
	t.Parallel()
	php, seed := testbed.PHP(t), testbed.Seed(t)
	random := rand.New(rand.NewPCG(seed, 0))
	of := append(realHistories(t), oddHistories()...)
	count := 3000
	if testbed.Long() {
		count = 100_000
	}
	raws, encoded := make([]string, count), make([]string, count)
	for i := range raws {
		raws[i] = damaged(random, of)
		encoded[i] = base64.StdEncoding.EncodeToString([]byte(raws[i]))
	}
	input, err := json.Marshal(encoded)
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for i, line := range strings.Split(strings.TrimSpace(runPHP(t, php, whatPHPReads, string(input))), "\n") {
		history, err := decodeHistory(raws[i])
		if err != nil || raws[i] == "" {
			continue
		}
		read++
		var all []string
		for _, r := range history {
			all = append(all, fmt.Sprintf("%s:%s", base64.StdEncoding.EncodeToString([]byte(r.Certificate)), base64.StdEncoding.EncodeToString([]byte(r.PrivateKey))))
		}
		if ours := "+" + strings.Join(all, ","); ours != line {
			t.Errorf("%.300q\n we read  %.200s\n PHP reads %.200s", raws[i], ours, line)
		}
	}
	t.Logf("%d of %d were read", read, count)
	if read < count/50 {
		t.Errorf("only %d of %d were read: the test proves little", read, count)
	}
}
