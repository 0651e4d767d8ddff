//go:build killsteps

package cmdline

// The thousand runs of a kill sweep use small keys.
func init() {
	bits := optionNamed("key-bits")
	bits.words = append(bits.words, "1024")
}
