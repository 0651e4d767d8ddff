package cmdline

import (
	"errors"
	"regexp"
	"slices"
	"strings"
)

// mentioned is an option in an error.
var mentioned = regexp.MustCompile(`--([a-z][a-z0-9-]*)`)

// elsewhere are the places of the options that are set, but not on the command line, by name.
func (all settings) elsewhere() map[string]string {
	places := map[string]string{}
	for _, s := range all {
		if from := s.origin(); from != (origin{}) {
			places[s.name] = from.place()
		}
	}
	return places
}

// Located adds to an error where the values of the options come from that it names, unless that is
// the command line. Errors that are found when the values are read say it themselves.
func (o Options) Located(err error) error {
	if err == nil || len(o.Elsewhere) == 0 {
		return err
	}
	text, usage := err.Error(), (*UsageError)(nil)
	if errors.As(err, &usage) {
		text += " " + usage.Advice
	}
	var places []string
	for _, m := range mentioned.FindAllStringSubmatch(text, -1) {
		place, set := o.Elsewhere[m[1]]
		if said := "--" + m[1] + " " + place; set && !slices.Contains(places, said) {
			places = append(places, said)
		}
	}
	if len(places) == 0 {
		return err
	}
	return &locatedError{err, places}
}

// locatedError is an error with the places of the options that it names.
type locatedError struct {
	error
	places []string
}

func (e *locatedError) Error() string {
	return e.error.Error() + " (" + strings.Join(e.places, ", ") + ")"
}

func (e *locatedError) Unwrap() error { return e.error }
