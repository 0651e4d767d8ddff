package cmdline

// UsageError is a command line that makes no sense.
type UsageError struct{ Problem, Advice string }

func (e *UsageError) Error() string { return e.Problem }

// Hint is what to do about it.
func (e *UsageError) Hint() string { return e.Advice }
