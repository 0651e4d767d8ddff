// Command sbom prints the software bill of materials of a Go binary, as CycloneDX 1.5 JSON.
//
//	sbom BINARY
//
// It has no more than what the linker wrote into the binary, and which module imports which, by go list of the source
// in the working directory: nothing is asked of a network. There is no time and no random serial number in it, so that
// the same binary has the same document.
package main

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: sbom BINARY")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read what %s is made of: %w", path, err)
	}
	imports, err := moduleImports(info)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(describe(info, imports))
}
