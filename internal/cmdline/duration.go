package cmdline

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

func duration(name, value, usage string) *cli.GenericFlag {
	d := new(durationValue)
	if err := d.Set(value); err != nil {
		panic(err)
	}
	return &cli.GenericFlag{Name: name, Value: d, Usage: usage}
}

// durationValue is a duration as the contract writes it: Go's units and days.
type durationValue time.Duration

var durationForm = regexp.MustCompile(`^([0-9]+)d$`)

// Set reads 90s, 36h, 1h30m or 7d.
func (d *durationValue) Set(s string) error {
	if m := durationForm.FindStringSubmatch(s); m != nil {
		days, err := strconv.Atoi(m[1])
		if err != nil || days > 36500 {
			return fmt.Errorf("%q is too long", s)
		}
		*d = durationValue(time.Duration(days) * 24 * time.Hour)
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is no duration like 90s, 36h or 7d", s)
	}
	*d = durationValue(v)
	return nil
}

func (d *durationValue) String() string {
	v := time.Duration(*d)
	if v >= 48*time.Hour && v%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", v/(24*time.Hour))
	}
	s := v.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = strings.TrimSuffix(s, zero[1:])
		}
	}
	return s
}

// renewBefore is the value of --renew-before: a duration, or auto, which is 0.
type renewBefore time.Duration

// Set reads auto or a duration.
func (b *renewBefore) Set(s string) error {
	if s == "auto" {
		*b = 0
		return nil
	}
	var d durationValue
	if err := d.Set(s); err != nil || d == 0 {
		return fmt.Errorf("%q is no duration like 36h or 7d, nor auto", s)
	}
	*b = renewBefore(d)
	return nil
}

func (b *renewBefore) String() string {
	if *b == 0 {
		return "auto"
	}
	d := durationValue(*b)
	return d.String()
}
