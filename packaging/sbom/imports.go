package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
)

// standard is the module of Go's own packages, by its name in the Go vulnerability database.
const standard = "stdlib"

// pkg is what go list says of a package.
type pkg struct {
	ImportPath string
	Imports    []string
	Standard   bool
	Module     *struct{ Path string }
}

func (p pkg) module() string {
	if p.Standard || p.Module == nil {
		return standard
	}
	return p.Module.Path
}

// moduleImports tells which modules each module imports, in the packages that are linked: for the system and
// architecture that the binary was built for.
func moduleImports(info *debug.BuildInfo) (map[string]map[string]bool, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Standard,Module", info.Path)
	cmd.Env, cmd.Stderr = os.Environ(), os.Stderr
	for _, s := range info.Settings {
		if s.Key == "GOOS" || s.Key == "GOARCH" || s.Key == "CGO_ENABLED" {
			cmd.Env = append(cmd.Env, s.Key+"="+s.Value)
		}
	}
	listed, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the packages of %s: %w", info.Path, err)
	}
	var packages []pkg
	moduleOf := map[string]string{}
	for decoder := json.NewDecoder(strings.NewReader(string(listed))); ; {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read what go list says: %w", err)
		}
		packages = append(packages, p)
		moduleOf[p.ImportPath] = p.module()
	}
	imports := map[string]map[string]bool{}
	for _, p := range packages {
		from := p.module()
		if imports[from] == nil {
			imports[from] = map[string]bool{}
		}
		for _, path := range p.Imports {
			if to, known := moduleOf[path]; known && to != from {
				imports[from][to] = true
			}
		}
	}
	return imports, nil
}
