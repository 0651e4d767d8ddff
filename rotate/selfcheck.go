package rotate

// Means is what the local site showed, as a predicate without a subject.
func (c SelfCheck) Means() string {
	switch c {
	case SelfProven:
		return "it uses the stored key"
	case SelfNoRC4:
		return "it shows the stored certificate, but its OpenSSL cannot do RC4, so sealed calls do not work"
	case SelfUnreachable:
		return "no MNet server answers there from this machine"
	case SelfSkipped:
		return "it was not asked"
	case SelfFailed:
		return "it uses a different key from the one in the database"
	}
	return ""
}

// silent reports whether no call to the local site can succeed, whoever makes it.
func (c SelfCheck) silent() bool { return c == SelfUnreachable || c == SelfNoRC4 }

// NextStep is what to do about it, "" if nothing. It is never a manual purge, which could lose a
// key that only the cache has; a push saves that key first.
func (c SelfCheck) NextStep() string {
	switch c {
	case SelfNoRC4:
		return ReasonNoRC4.Row().NextLocal
	case SelfUnreachable:
		return "make sure that this machine can open the wwwroot: check its address, its web server and its MNet setting, or name the web server with --node=HOST[:PORT]"
	case SelfFailed:
		return "do not purge the caches yourself: only a push saves a key that only the cache has. It also purges the caches and tests again. Run: renew_mnetkeys push"
	}
	return ""
}
