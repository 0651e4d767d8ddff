// Package peertest is a fake MNet site for tests. It really works: it opens the seals that it
// receives, verifies signatures under the certificates that it has, and heals the way Moodle and
// Mahara do (mnet/xmlrpc/serverlib.php, mnet_server_strip_signature). It has its own small XML-RPC
// and its own HTTP, so that it checks package peers independently. It refuses nothing that a real
// site would accept.
//
// It misbehaves on request (Site.Misbehave), or by chance: with Options.Chance each connection may
// meet a fault, the same ones in the same order for one Options.Seed. It knows what it did, so that
// a test can compare what a caller says of it with the truth (Site.Truth). It reports its state,
// over HTTP too for tests in other languages (Site.Management).
package peertest

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"renew_mnetkeys/envelope"
)

// Kind is the software that a site behaves like.
type Kind int

const (
	Patched Kind = iota // Moodle with VMoodle's forced keyswap
	Stock               // Moodle as released: it answers a keyswap, stores nothing, and heals on a sealed call
	Mahara              // Mahara 23.04
	Array               // a tenant of a VMoodle array without the forced mode: a stock Moodle with only one name
)

func (k Kind) String() string { return [...]string{"patched", "stock", "mahara", "array"}[k] }

// Options of a site. If a field is zero, the default named here applies.
type Options struct {
	Kind        Kind
	Modern      bool            // wire form of Moodle 4.1 and later (PhpXmlRpc) instead of 3.11 (ext/xmlrpc)
	RegisterAll bool            // mnet_register_allhosts: a plain keyswap registers an unknown host
	Address     string          // where it listens; 127.0.0.1:0
	Nodes       []string        // web servers besides the first: "" uses Address in turn, an IP address listens there, on the same port
	Wwwroot     string          // http, or https with TLS, and the address
	Name        string          // title of its home page; "Site " and the wwwroot
	Store       Store           // NewMemory with a pair of Key
	Key         *rsa.PrivateKey // key of the first pair; a new one of 1024 bits. Hundreds of sites may share one
	Latency     time.Duration   // before each answer, while a worker is occupied
	Workers     int             // size of the site's own pool; unlimited
	Pool        *Pool           // shared with other sites; takes precedence over Workers
	CallTimeout time.Duration   // of one call that the site itself makes; 5s
	TLS         *tls.Config     // https
	Authority   *Authority      // https, with certificates that it signs
	Chance      float64         // probability that a connection meets a fault, 0 to 1; each connection then serves one request
	Seed        uint64          // of the random faults; it also decides their order
	Faults      []Fault         // the faults that are drawn; SilentFaults and ChanceFaults
	Client      *http.Client    // for its own calls; one that verifies no TLS certificate
	Now         func() time.Time
}

// Site is a running fake site, safe for concurrent use.
type Site struct {
	o      Options
	server *http.Server
	addr   string
	host   string        // of its wwwroot, with the port
	path   string        // of its wwwroot, "" or with a slash before it
	closed chan struct{} // ends requests that hang
	busy   sync.RWMutex  // held by requests, so that Close can wait for them

	mu       sync.Mutex
	faults   []Fault
	nodes    []node  // the first, then those of Options.Nodes
	passing  []Fault // each is for one request
	requests []Request
	maharas  map[string]bool

	chance    *chance
	exchanges []*Exchange
	formers   map[string]string // the certificates of other sites before those of their rows
}

// Start runs a site; the caller closes it.
func Start(o Options) (*Site, error) {
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("start fake site: %w", err)
	}
	scheme := "http"
	if o.TLS != nil || o.Authority != nil {
		scheme = "https"
	}
	if o.Wwwroot == "" {
		o.Wwwroot = scheme + "://" + listener.Addr().String()
	}
	if o.Name == "" {
		o.Name = "Site " + o.Wwwroot
	}
	switch {
	case o.Store == nil && o.Key != nil:
		o.Store = NewMemory(Certify(o.Key, o.Wwwroot))
	case o.Store == nil:
		o.Store = NewMemory(NewKeyPair(o.Wwwroot, 1024))
	}
	if o.Pool == nil && o.Workers > 0 {
		o.Pool = NewPool(o.Workers)
	}
	if o.CallTimeout == 0 {
		o.CallTimeout = 5 * time.Second
	}
	if o.Client == nil {
		o.Client = &http.Client{Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
			DisableKeepAlives: true,
		}}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Site{o: o, addr: listener.Addr().String(), closed: make(chan struct{}), maharas: map[string]bool{},
		chance: newChance(o), formers: map[string]string{}}
	_, host, _ := strings.Cut(o.Wwwroot, "://")
	s.host, s.path, _ = strings.Cut(strings.TrimSuffix(host, "/"), "/")
	if s.path != "" {
		s.path = "/" + s.path
	}
	s.server = &http.Server{Handler: s, ErrorLog: silent, ReadHeaderTimeout: 10 * time.Second, ConnContext: remember}
	s.server.SetKeepAlivesEnabled(o.Chance == 0)
	if err := s.listenAsNodes(listener); err != nil {
		return nil, err
	}
	return s, nil
}

// serve answers requests on a listener of some of the site's nodes.
func (s *Site) serve(listener net.Listener, nodes []int) {
	listener = &faultyListener{Listener: s.o.Pool.listen(listener), site: s, nodes: nodes}
	if s.o.Authority != nil {
		listener = tls.NewListener(listener, s.tlsConfig())
	} else if s.o.TLS != nil {
		listener = tls.NewListener(listener, s.o.TLS)
	}
	go func() { _ = s.server.Serve(listener) }()
}

// Close stops the site and ends the answers that are under way. Then nothing writes to its store.
func (s *Site) Close() {
	close(s.closed)
	_ = s.server.Close()
	s.busy.Lock()
	defer s.busy.Unlock()
}

// Wwwroot is the wwwroot of the site.
func (s *Site) Wwwroot() string { return s.o.Wwwroot }

// Addr is the host and port where the site listens, which may differ from its wwwroot.
func (s *Site) Addr() string { return s.addr }

// Application is the name of the site's software, as in mnet_application.
func (s *Site) Application() string {
	if s.o.Kind == Mahara {
		return "mahara"
	}
	return "moodle"
}

// ServerURL is what callers append to the wwwroot (mnet_application.xmlrpc_server_url).
func (s *Site) ServerURL() string { return serverURL(s.o.Kind == Mahara) }

func serverURL(mahara bool) string {
	if mahara {
		return "/api/xmlrpc/server.php"
	}
	return "/mnet/xmlrpc/server.php"
}

// Certificate is the PEM of the site's current pair, "" if its store has none.
func (s *Site) Certificate() string {
	current, _, err := s.o.Store.Keys(context.Background())
	if err != nil || current == nil {
		return ""
	}
	return current.Certificate.PEM
}

// Pairs are the site's current pair and the retired ones, newest first, as a tenant's tables would
// have them.
func (s *Site) Pairs() (current *envelope.KeyPair, history []*envelope.KeyPair, err error) {
	return s.o.Store.Keys(context.Background())
}

// Held is the certificate that the site has of another site, "" if it does not know that site.
func (s *Site) Held(wwwroot string) string {
	certificate, _, err := s.o.Store.Held(context.Background(), wwwroot)
	if err != nil {
		return ""
	}
	return certificate
}

// Know registers another Moodle, with its first certificate.
func (s *Site) Know(wwwroot, certificate string) error {
	return s.hold(context.Background(), wwwroot, certificate)
}

// KnowMahara registers a Mahara.
func (s *Site) KnowMahara(wwwroot, certificate string) error {
	s.mu.Lock()
	s.maharas[wwwroot] = true
	s.mu.Unlock()
	return s.Know(wwwroot, certificate)
}

// Renew gives the site a new pair. With archive, the old pair goes to the front of the history, as
// it should; without, it is lost, as with VMoodle's PHP script. The store must be a Renewer.
func (s *Site) Renew(archive bool) error {
	renewer, ok := s.o.Store.(Renewer)
	if !ok {
		return errors.New("renew: the store of this fake site cannot")
	}
	return renewer.Renew(context.Background(), NewKeyPair(s.o.Wwwroot, 1024), archive)
}

// Misbehave makes the site commit these faults from now on; without arguments the site behaves
// well.
func (s *Site) Misbehave(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.passing = faults, nil
}

// MisbehaveTimes makes the site commit the fault on each of the next n requests.
func (s *Site) MisbehaveTimes(n int, fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passing = slices.Repeat([]Fault{fault}, n)
}

// MisbehaveInTurn makes the site commit one of the faults on each of the next requests; "" means
// none.
func (s *Site) MisbehaveInTurn(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passing = slices.Clone(faults)
}

// Request is one request that a site received.
type Request struct {
	Method   string // "system/keyswap", "system/listServices", or "GET /mnet/publickey.php"; "" if unreadable
	From     string // wwwroot of the caller, "" if not given
	Params   int    // number of parameters
	Force    bool   // keyswap with a fourth parameter that is true
	Sealed   bool
	Verified bool // its signature verified under the caller's certificate, perhaps after healing
	Fault    int  // code of the XML-RPC fault in the answer; NoFault for none
	Status   int  // HTTP status of the answer
	Whole    bool // its answer was written to the end

	SealedAnswer bool   // the answer was sealed
	SealedTo     string // the certificate of the site, as PEM, to which it was sealed; "" if the site has no such certificate
	Node         int    // index of the web server that answered, as in Options.Nodes

	Host, UserAgent, ContentType, AcceptEncoding string
	Close                                        bool // the client asked to close the connection
}

// NoFault is Request.Fault of an answer without a fault; 0 is a code.
const NoFault = -1

// Requests are those answered so far, in the order of their answers.
func (s *Site) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}
