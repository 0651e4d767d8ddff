// Command renew_mnetkeys renews the MNet key of a Moodle tenant and proves that every peer uses the
// new one.
//
// This file does what belongs to the process alone: it says which release this is, keeps the memory
// from others, lets a closed pipe end nothing, and exits. Everything else is in package run and
// below; docs/architecture.md draws them.
package main

import (
	_ "embed" // for VERSION
	"os"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/internal/run"
)

// version is the release that this source is, or becomes.
//
//go:embed VERSION
var version string

// The linker sets them (-X main.revision=…, see Makefile and tools/release): go build finds no
// revision in a git worktree. Without them Version says what go build stamped, or that the revision
// is unknown.
var revision, date string

func main() {
	cmdline.Built = cmdline.Build{Release: version, Revision: revision, Date: date}
	run.KeepMemory()
	run.KeepPipes()
	run.NoStacks()
	os.Exit(run.Main(os.Args, os.Getenv, output.Standard(os.Stdout), os.Stderr))
}
