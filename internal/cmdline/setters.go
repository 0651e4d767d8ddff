package cmdline

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"renew_mnetkeys/rotate"
)

// setter reads the value of an option into its field, or refuses it. Its error says only what is
// wrong with the value (see mustBe): the caller adds the option and the origin of the value. Values
// that may contain a password are not quoted.
type setter func(opt *option, o *Options, value string) error

// mustBe is the error of a setter: what is allowed, and what was given instead.
func mustBe(allowed, value string) *UsageError {
	return &UsageError{Problem: fmt.Sprintf("must be %s, not %q", allowed, value)}
}

// on sets a switch.
func on(field func(*Options) *bool) setter {
	return func(_ *option, o *Options, value string) (err error) {
		if *field(o), err = strconv.ParseBool(value); err != nil {
			return mustBe("true or false", value)
		}
		return nil
	}
}

// maybe sets any text, which may be empty.
func maybe(field func(*Options) *string) setter {
	return func(_ *option, o *Options, value string) error {
		*field(o) = value
		return nil
	}
}

// text sets any text that is not empty: an empty one usually comes from a variable that is not set.
func text(field func(*Options) *string) setter {
	return func(_ *option, o *Options, value string) error {
		if value == "" {
			return &UsageError{Problem: "must not be empty", Advice: "leave the option out, or check the variable that it is filled from"}
		}
		*field(o) = value
		return nil
	}
}

// addText adds one more text each time, which must not be empty.
func addText(field func(*Options) *[]string) setter {
	return func(opt *option, o *Options, value string) error {
		var one string
		err := text(func(*Options) *string { return &one })(opt, o, value)
		*field(o) = append(*field(o), one)
		return err
	}
}

// addGlob adds one more glob each time.
func addGlob(field func(*Options) *rotate.Globs) setter {
	return func(opt *option, o *Options, value string) error {
		var glob string
		if err := text(func(*Options) *string { return &glob })(opt, o, value); err != nil {
			return err
		}
		*field(o) = append(*field(o), glob)
		return nil
	}
}

// word sets one of the row's words.
func word(store func(*Options, string)) setter {
	return func(opt *option, o *Options, value string) error {
		if !slices.Contains(opt.words, value) {
			return mustBe(enumerated(opt.words, "or"), value)
		}
		store(o, value)
		return nil
	}
}

// number sets a whole number from least to most; why explains these limits.
func number(least, most int, why string, field func(*Options) *int) setter {
	allowed := fmt.Sprintf("a whole number from %d to %d%s", least, most, why)
	if most == math.MaxInt {
		allowed = fmt.Sprintf("a whole number, %d or more%s", least, why)
	}
	return func(_ *option, o *Options, value string) error {
		n, err := strconv.ParseInt(value, 0, strconv.IntSize)
		if err != nil || int(n) < least || int(n) > most {
			return mustBe(allowed, value)
		}
		*field(o) = int(n)
		return nil
	}
}

// span sets a duration of at least the given length.
func span(least time.Duration, field func(*Options) *time.Duration) setter {
	return func(_ *option, o *Options, value string) error {
		d, err := parseDuration(value)
		if err != nil {
			return err
		}
		if d < least {
			return &UsageError{Problem: "must be greater than zero"}
		}
		*field(o) = d
		return nil
	}
}

func setHost(opt *option, o *Options, value string) (err error) {
	if err = text(func(o *Options) *string { return &o.Host })(opt, o, value); err == nil {
		o.Host, err = wwwroot(value)
	}
	return err
}

func setFrom(_ *option, o *Options, value string) (err error) {
	var usage *UsageError
	if o.MovedFrom, err = wwwroot(value); errors.As(err, &usage) {
		usage.Advice = "write the wwwroot that the site had before it moved: the new one is in config.php already"
	}
	return err
}

func addBindHost(_ *option, o *Options, value string) (err error) {
	if value != "subs" {
		value, err = wwwroot(value)
	}
	o.BindHost = append(o.BindHost, value)
	return err
}

// setRenewBefore reads auto, which is 0, or a duration.
func setRenewBefore(_ *option, o *Options, value string) error {
	o.Due.Before = 0
	if value == "auto" {
		return nil
	}
	d, err := parseDuration(value)
	if err != nil || d == 0 {
		return mustBe("auto or "+durationsAre, value)
	}
	o.Due.Before = d
	return nil
}

// setShard reads I/N.
func setShard(_ *option, o *Options, value string) error {
	i, n, _ := strings.Cut(value, "/")
	shard, errI := strconv.Atoi(i)
	shards, errN := strconv.Atoi(n)
	if errI != nil || errN != nil || shard < 0 || shards < 1 || shard >= shards {
		err := mustBe("I/N, for example 0/4", value)
		err.Advice = "the parts are numbered from 0: the last of four servers has 3/4"
		return err
	}
	o.Array.Shard, o.Array.Shards = shard, shards
	return nil
}

// setProve reads how links between members are proven.
func setProve(_ *option, o *Options, value string) error {
	k, sample := strings.CutPrefix(value, "sample=")
	calls, err := strconv.Atoi(k)
	switch {
	case value == "database":
		calls = 0
	case value == "calls":
		calls = -1
	case !sample || err != nil || calls < 1:
		return mustBe("database, calls or sample=K, where K is 1 or more", value)
	}
	o.Array.ProveCalls = calls
	return nil
}
