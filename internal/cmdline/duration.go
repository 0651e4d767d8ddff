package cmdline

import (
	"regexp"
	"strconv"
	"time"
)

var durationForm = regexp.MustCompile(`^([0-9]+)d$`)

// durationsAre says what is allowed.
const durationsAre = "a duration such as 90s, 36h or 7d"

// parseDuration reads a duration as the contract writes it: 90s, 36h, 1h30m or 7d.
func parseDuration(s string) (time.Duration, error) {
	if m := durationForm.FindStringSubmatch(s); m != nil {
		days, err := strconv.Atoi(m[1])
		if err != nil || days > 36500 {
			return 0, mustBe("at most 36500d", s)
		}
		return time.Duration(days) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, mustBe(durationsAre, s)
	}
	return d, nil
}

// longer reports whether the first of two durations is longer.
func longer(one, other string) bool {
	a, errA := parseDuration(one)
	b, errB := parseDuration(other)
	return errA == nil && errB == nil && a > b
}
