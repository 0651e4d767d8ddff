//go:build killsteps

package cmdline

// The thousand runs of a kill sweep make small keys.
func init() { keySizes = append(keySizes, 1024) }
