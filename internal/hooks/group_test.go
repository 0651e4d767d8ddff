package hooks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func testProgram(t *testing.T) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// pids are the numbers in a command's output, which contains nothing else.
func pids(t *testing.T, output string, want int) []int {
	t.Helper()
	var numbers []int
	for _, word := range strings.Fields(output) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatalf("%q is no list of process numbers", output)
		}
		numbers = append(numbers, pid)
	}
	if len(numbers) != want {
		t.Fatalf("%q are not %d process numbers", output, want)
	}
	return numbers
}

// runs reports whether there is such a process that is not a zombie.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

func awaitGone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); runs(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d still runs", pid)
		}
	}
}

func TestWholeGroupIsEnded(t *testing.T) {
	const deaf = `trap '' TERM; ` // inherited by every process that it starts
	tests := map[string]struct {
		script   string
		limit    time.Duration
		problem  string
		pids     int
		min, max time.Duration
	}{
		"when the limit passes": {`sleep 60 & echo $$ $!; sleep 61`, time.Second, "took longer than 1s", 2, time.Second, 10 * time.Second},
		"also who does not listen to SIGTERM": {deaf + `sleep 60 & echo $$ $!; sleep 61`, time.Second, "took longer than 1s", 2,
			3 * time.Second, 10 * time.Second},
		"also who is stopped":                     {`echo $$; kill -STOP $$; sleep 60`, time.Second, "took longer than 1s", 1, time.Second, 10 * time.Second},
		"also who is left behind with the output": {`sleep 60 & echo $!`, time.Minute, "", 1, 0, 10 * time.Second},
		"also who is left behind with nothing":    {`sleep 60 </dev/null >/dev/null 2>&1 & echo $!`, time.Minute, "", 1, 0, 10 * time.Second},
		"also who is left behind and deaf":        {deaf + `sleep 60 & echo $!`, time.Minute, "", 1, 2 * time.Second, 10 * time.Second},
		"also who is left behind by a failure":    {`sleep 60 & echo $!; exit 3`, time.Minute, "ended with exit code 3", 1, 0, 10 * time.Second},
		"with an exit code that no longer counts": {`exec 2>/dev/null; trap 'exit 0' TERM; echo $$; while :; do sleep 0.05; done`, time.Second,
			"took longer than 1s", 1, time.Second, 10 * time.Second},
	}
	type result struct {
		out  string
		err  error
		took time.Duration
	}
	results := map[string]chan result{}
	for name, test := range tests { // all at the same time: they only wait
		results[name] = make(chan result, 1)
		go func(to chan<- result) {
			started := time.Now()
			out, err := Command(test.script).Run(t.Context(), nil, nil, Limits{Time: test.limit})
			to <- result{out, err, time.Since(started)}
		}(results[name])
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := <-results[name]
			if r.err == nil && test.problem != "" || r.err != nil && r.err.Error() != "sh "+test.problem {
				t.Errorf("error %v", r.err)
			}
			for _, pid := range pids(t, r.out, test.pids) {
				awaitGone(t, pid)
			}
			if r.took < test.min || r.took > test.max {
				t.Errorf("took %v", r.took)
			}
		})
	}
}

func TestGroupIsAskedBeforeItIsKilled(t *testing.T) {
	t.Parallel()
	out, err := Command(`exec 2>/dev/null; trap 'echo tidied; exit' TERM; echo begun; while :; do sleep 0.05; done`).Run(t.Context(), nil, nil, Limits{Time: 3 * time.Second})
	if out != "begun\ntidied\n" || err == nil {
		t.Errorf("%q, error %v", out, err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	begun := filepath.Join(t.TempDir(), "begun")
	go func() {
		for _, err := os.Stat(begun); err != nil && ctx.Err() == nil; _, err = os.Stat(begun) {
			time.Sleep(10 * time.Millisecond)
		}
		cancel(errors.New("interrupted by SIGTERM"))
	}()
	started := time.Now()
	out, err := Command(`sleep 60 & echo $!; touch "$FILE"; wait`).Run(ctx, nil, []string{"FILE=" + begun}, Limits{Time: time.Minute})
	if !errors.Is(err, context.Canceled) || err.Error() != "sh was ended: interrupted by SIGTERM" || time.Since(started) > 10*time.Second {
		t.Errorf("after %v: %v", time.Since(started), err)
	}
	awaitGone(t, pids(t, out, 1)[0])
}

func TestNothingIsStartedInAnEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if out, err := Command(`echo ran`).Run(ctx, nil, nil, Limits{}); out != "" || !errors.Is(err, context.Canceled) {
		t.Errorf("%q, error %v", out, err)
	}
}

func TestDaemonWithItsOwnSessionHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	started := time.Now()
	out, err := Command(`"$PROGRAM" & while ! test -e "$FILE"; do sleep 0.01; done`).Run(t.Context(), nil,
		[]string{helper + "=daemon", "PROGRAM=" + testProgram(t), "FILE=" + filepath.Join(t.TempDir(), "started")}, Limits{})
	pid := pids(t, out, 1)[0]
	defer func() { _ = syscall.Kill(pid, syscall.SIGKILL) }()
	if took := time.Since(started); err != nil || took > 10*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
	if !runs(pid) {
		t.Error("it was not outside the group: the test shows nothing")
	}
}

func TestCommandThatLeavesItsGroupIsEndedToo(t *testing.T) {
	t.Parallel()
	started := time.Now()
	_, err := Command("'"+testProgram(t)+"'").Run(t.Context(), nil, []string{helper + "=mover"}, Limits{Time: 500 * time.Millisecond})
	if took := time.Since(started); err == nil || !strings.HasSuffix(err.Error(), " took longer than 500ms") || took > 10*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
}
