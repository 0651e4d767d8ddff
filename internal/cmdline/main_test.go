package cmdline

import (
	"testing"

	"renew_mnetkeys/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m) }
