package testbed

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// EnvSeed makes a randomised test try one seed, that of a failure, instead of new ones.
const EnvSeed = "MNETKEYS_TEST_SEED"

// Long reports whether tests must try everything, however long that takes: MNETKEYS_TEST_LONG is
// set.
func Long() bool { return os.Getenv("MNETKEYS_TEST_LONG") != "" }

// Seeds are the seeds to try: some new ones, many in a long run, or only that of EnvSeed.
func Seeds(t testing.TB, some, many int) []uint64 {
	t.Helper()
	if fixed := os.Getenv(EnvSeed); fixed != "" {
		seed, err := strconv.ParseUint(fixed, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", EnvSeed, err)
		}
		return []uint64{seed}
	}
	if Long() {
		some = many
	}
	seeds := make([]uint64, some)
	for i := range seeds {
		seeds[i] = uint64(rand.Uint32())
	}
	return seeds
}

// Seed is one seed, which is printed if the test fails.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := Seeds(t, 1, 1)[0]
	t.Logf("%s=%d", EnvSeed, seed)
	return seed
}

// AddFiles gives a fuzz test the contents of the files that match a pattern to begin with.
func AddFiles(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		f.Fatalf("no file matches %s (%v)", pattern, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
}
