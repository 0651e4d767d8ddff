// Package run runs the command. It puts the packages together for one tenant (tenant.go) or for an
// array (array.go), runs the hooks (hook.go), opens the files that a run writes (record.go), asks
// for confirmation (before.go), and makes signals end the context (signals.go).
//
// It renews nothing itself: what is done, and in which order, is in package rotate. It refuses to
// begin what it could not finish: a file that cannot be written, a hook that does not exist, or a
// missing answer ends the run before anything is done. It never ends the process, except at a
// second signal: [Main] gives the exit code.
package run
