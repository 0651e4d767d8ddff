package main

import (
	"maps"
	"runtime/debug"
	"slices"
	"strings"
)

// document is the part of https://cyclonedx.org/docs/1.5/json/ that is used here.
type document struct {
	Schema       string       `json:"$schema"`
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn"`
}

// describe makes the document of a binary; imports are the modules that each module imports.
func describe(info *debug.BuildInfo, imports map[string]map[string]bool) document {
	main := component{Type: "application", Name: info.Main.Path, Version: info.Main.Version}
	main.Ref = main.Name + "@" + main.Version
	for _, s := range info.Settings {
		if s.Key == "GOOS" || s.Key == "GOARCH" || strings.HasPrefix(s.Key, "vcs.") {
			main.Properties = append(main.Properties, property{"go:" + s.Key, s.Value})
		}
	}
	components := []component{library(standard, strings.TrimPrefix(info.GoVersion, "go"), "")}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = &debug.Module{Path: m.Path, Version: m.Replace.Version, Sum: m.Replace.Sum}
		}
		components = append(components, library(m.Path, m.Version, m.Sum))
	}
	refs := map[string]string{main.Name: main.Ref}
	for _, c := range components {
		refs[c.Name] = c.Ref
	}
	var dependencies []dependency
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		on := []string{}
		for _, imported := range slices.Sorted(maps.Keys(imports[name])) {
			on = append(on, refs[imported])
		}
		dependencies = append(dependencies, dependency{refs[name], on})
	}
	return document{
		Schema: "http://cyclonedx.org/schema/bom-1.5.schema.json", Format: "CycloneDX", SpecVersion: "1.5", Version: 1,
		Metadata: metadata{main}, Components: components, Dependencies: dependencies,
	}
}

// library is a module that is linked. sum is its line in go.sum: a hash of its files, and of no archive, which is why it
// does not stand among the component's hashes.
func library(path, version, sum string) component {
	c := component{Type: "library", Name: path, Version: version, PURL: "pkg:golang/" + path + "@" + version}
	c.Ref = c.PURL
	if sum != "" {
		c.Properties = []property{{"go:sum", sum}}
	}
	return c
}
