// Command renew_mnetkeys renews the MNet key of a Moodle tenant and proves that every peer uses the
// new one.
//
// This file does what belongs to the process alone: it keeps the memory from others, lets a closed
// pipe end nothing, and exits. Everything else is in package run and below; docs/architecture.md
// draws them.
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
