package rotate

import "time"

// FormatTime formats a moment for people, to the minute and in UTC.
func FormatTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
