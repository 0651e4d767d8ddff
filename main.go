// Command renew_mnetkeys renews the MNet key of a Moodle tenant and proves that
// every peer uses the new one.
package main

import (
	"os"

	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/internal/run"
)

func main() {
	run.KeepMemory()
	run.KeepPipes()
	os.Exit(run.Main(os.Args, os.Getenv, output.Standard(os.Stdout), os.Stderr))
}
