package cmdline

// The meaning of exit codes: of commands that change something, that only read, and of check.
const (
	exitsOfChange = `  0  everything is proven, or nothing is due
  1  failed: nothing was changed, or the change was undone
  2  wrong usage or configuration
  3  done, but not everything is proven, or a result could not be written
  4  the web server does not use the stored key: act now
  5  another run has the lock
  129, 130, 143  interrupted at a safe point (HUP, INT, TERM): run push next
`
	exitsOfLook = `  0  everything is fine
  1  the tenant could not be examined, or its own setup is wrong
  2  wrong usage or configuration
  3  not everything is proven, or a result could not be written
  4  the web server does not use the stored key: act now
  129, 130, 143  interrupted (HUP, INT, TERM)
`
	exitsOfCheck = `  0  OK
  1  WARNING: the key expires soon, or not everything is proven
  2  CRITICAL: the key expires very soon, or the web server does not use it
  3  UNKNOWN: the state could not be determined or not be printed
`
)
