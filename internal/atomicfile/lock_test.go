package atomicfile

import (
	"path/filepath"
	"testing"
	"time"
)

func TestALockIsWaitedForButNotForEver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.html")
	unlock := Lock(path, func(time.Duration) { t.Error("nobody has the lock") })
	waits := 0
	Lock(path, func(time.Duration) { waits++ })()
	if waits != patience {
		t.Errorf("it gave up after %d waits", waits)
	}
	waits = 0
	Lock(path, func(time.Duration) {
		if waits++; waits == 3 {
			unlock()
		}
	})()
	if waits != 3 {
		t.Errorf("it had the lock after %d waits", waits)
	}
	Lock(filepath.Join(path, "no such directory"), func(time.Duration) { t.Error("there is nothing to wait for") })()
}
