package rotate

import "time"

// FormatTime is how people are shown a moment, to the minute and in UTC.
func FormatTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
