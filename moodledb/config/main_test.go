package config

import (
	"os"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// bare has php load no extension that is not built in, which is half of what its start takes. No
// test here uses one.
const bare = "PHP_INI_SCAN_DIR="

func TestMain(m *testing.M) {
	if err := os.Setenv("PHP_INI_SCAN_DIR", ""); err != nil { // what bare says, where no environment is given
		panic(err)
	}
	testbed.Main(m)
}
