package rotate

// Reasons that this package itself gives; the others are those of the Network.
const (
	reasonDatabase      = "database"       // the rows on both sides, read back, together with the proofs of both web servers
	reasonInterrupted   = "interrupted"    // a signal or the deadline of the run ended the work on it
	reasonNotStored     = "not_stored"     // the certificate that it uses could not be written into its row
	reasonOwnSite       = "own_site"       // this side of the link is not proven
	reasonSeveralCaches = "several_caches" // web servers of one site use different keys
)
