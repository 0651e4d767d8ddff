package cmdline

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"renew_mnetkeys/rotate"
)

// setter reads the value of an option into its field, and refuses a wrong one. If it cannot read
// the value at all, its error is not a UsageError: the caller adds where the value comes from.
type setter func(opt *option, o *Options, value string) error

// must is the error of a value that is not what it must be.
func (o *option) must(be string) error {
	return &UsageError{Problem: "--" + o.name + " must " + be}
}

// on is a switch.
func on(field func(*Options) *bool) setter {
	return func(_ *option, o *Options, value string) (err error) {
		if *field(o), err = strconv.ParseBool(value); err != nil {
			return fmt.Errorf("%q is neither true nor false", value)
		}
		return nil
	}
}

// maybe is any text, be it empty.
func maybe(field func(*Options) *string) setter {
	return func(_ *option, o *Options, value string) error {
		*field(o) = value
		return nil
	}
}

// text is any text that is not empty: an empty one is mostly a variable that is not set.
func text(field func(*Options) *string) setter {
	return func(opt *option, o *Options, value string) error {
		if value == "" {
			return &UsageError{Problem: "--" + opt.name + " is empty", Advice: "leave the option out, or check the variable it is filled from"}
		}
		*field(o) = value
		return nil
	}
}

// addGlob is one more glob each time.
func addGlob(field func(*Options) *rotate.Globs) setter {
	return func(_ *option, o *Options, value string) error {
		*field(o) = append(*field(o), value)
		return nil
	}
}

// word is one of the row's words.
func word(store func(*Options, string)) setter {
	return func(opt *option, o *Options, value string) error {
		if !slices.Contains(opt.words, value) {
			last := len(opt.words) - 1
			return opt.must("be " + strings.Join(opt.words[:last], ", ") + " or " + opt.words[last])
		}
		store(o, value)
		return nil
	}
}

// number is a whole number from least to most; why says more of these limits.
func number(least, most int, why string, field func(*Options) *int) setter {
	return func(opt *option, o *Options, value string) error {
		n, err := strconv.ParseInt(value, 0, strconv.IntSize)
		switch {
		case err != nil:
			return fmt.Errorf("%q is not a whole number", value)
		case int(n) < least && most == math.MaxInt:
			return opt.must("not be negative")
		case int(n) < least || int(n) > most:
			return opt.must(fmt.Sprintf("be %d to %d%s", least, most, why))
		}
		*field(o) = int(n)
		return nil
	}
}

// span is a duration of at least that much.
func span(least time.Duration, field func(*Options) *time.Duration) setter {
	return func(opt *option, o *Options, value string) error {
		d, err := parseDuration(value)
		if err != nil {
			return err
		}
		if d < least {
			return opt.must("be longer than nothing")
		}
		*field(o) = d
		return nil
	}
}

func setHost(opt *option, o *Options, value string) (err error) {
	if err = text(func(o *Options) *string { return &o.Host })(opt, o, value); err == nil {
		o.Host, err = wwwroot(opt, value)
	}
	return err
}

func addBindHost(opt *option, o *Options, value string) (err error) {
	if value != "subs" {
		value, err = wwwroot(opt, value)
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
		return fmt.Errorf("%q is no duration like 36h or 7d, nor auto", value)
	}
	o.Due.Before = d
	return nil
}

// setShard reads I/N.
func setShard(_ *option, o *Options, value string) error {
	o.Array.Shard, o.Array.Shards = 0, 0
	if value == "" {
		return nil
	}
	i, n, _ := strings.Cut(value, "/")
	shard, errI := strconv.Atoi(i)
	shards, errN := strconv.Atoi(n)
	if errI != nil || errN != nil || shard < 0 || shards < 1 || shard >= shards {
		return &UsageError{Problem: fmt.Sprintf("--shard=%s is no part like 0/4", value), Advice: "I counts from 0 to N-1: of four machines the last is 3/4"}
	}
	o.Array.Shard, o.Array.Shards = shard, shards
	return nil
}

// setProve reads how members are proven.
func setProve(opt *option, o *Options, value string) error {
	if k, ok := strings.CutPrefix(value, "sample="); ok {
		n, err := strconv.Atoi(k)
		if err != nil || n < 1 {
			return &UsageError{Problem: "--prove=sample=K wants K, how many peers of each tenant are called"}
		}
		o.Array.ProveCalls = n
		return nil
	}
	switch value {
	case "database":
		o.Array.ProveCalls = 0
	case "calls":
		o.Array.ProveCalls = -1
	default:
		return opt.must("be database, calls or sample=K")
	}
	return nil
}
