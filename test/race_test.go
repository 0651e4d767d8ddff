//go:build race

package test

func init() { forRace = []string{"-race"} }
