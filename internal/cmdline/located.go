package cmdline

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"renew_mnetkeys/rotate"
)

// mentioned is an option in an error.
var mentioned = regexp.MustCompile(`--([a-z][a-z0-9-]*)`)

// elsewhere are the places of the options that are set, but not on the command line, by name.
func (all settings) elsewhere() map[string]string {
	places := map[string]string{}
	for _, s := range all {
		if place := s.place(); place != "" {
			places[s.name] = place
		}
	}
	return places
}

// place says where the values come from, behind the name of the option; "" for the command line.
func (s *setting) place() string {
	var lines []string
	values := s.given
	if !s.repeats { // the last one is in effect
		values = values[max(0, len(values)-1):]
	}
	for _, v := range values {
		switch {
		case v.from.variable != "":
			return "is set by " + v.from.variable
		case v.from.file != "":
			lines = append(lines, fmt.Sprintf("%s:%d", v.from.file, v.from.line))
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return "is in " + strings.Join(lines, " and ")
}

// Located adds to an error where the values of the options come from that it or its hint names, unless
// that is the command line. It is for errors that end a command before the work on a site begins; those
// that are found when the values are read say it themselves.
func (o Options) Located(err error) error {
	advice, _ := rotate.SplitHint(rotate.HintOf(err))
	return o.located(err, advice)
}

// LocatedByName is Located for any error: its hint may name an option that has nothing to do with it.
func (o Options) LocatedByName(err error) error { return o.located(err, "") }

func (o Options) located(err error, advice string) error {
	if err == nil || len(o.Elsewhere) == 0 || errors.As(err, new(*locatedError)) {
		return err
	}
	var places []string
	for _, m := range mentioned.FindAllStringSubmatch(err.Error()+" "+advice, -1) {
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
	text, places := e.error.Error(), " ("+strings.Join(e.places, ", ")+")"
	if name, _, _ := strings.Cut(e.places[0], " "); len(e.places) == 1 && strings.HasSuffix(text, " ("+name+")") { // which says it already
		text = strings.TrimSuffix(text, " ("+name+")")
	}
	return text + places
}

func (e *locatedError) Unwrap() error { return e.error }
