package output

import (
	"testing"

	"renew_mnetkeys/internal/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m) }
