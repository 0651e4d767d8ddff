// Command renew_mnetkeys renews the MNet key of a Moodle tenant and proves that
// every peer uses the new one.
package main

import (
	"os"
)

func main() {
	keepMemory()
	keepPipes()
	os.Exit(run(os.Args, os.Getenv, standardOutput(os.Stdout), os.Stderr))
}
