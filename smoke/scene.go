package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/peers/peertest"
)

// scene is a tenant and its four peers, all of them in this process and on the loopback interface.
type scene struct {
	db     *database
	web    *webSide
	config string // path of config.php
	old    *envelope.KeyPair
	own    *peertest.Site

	patched peer // stores the key at a forced keyswap; has renewed, which the tenant does not know
	stock   peer // stores nothing at a keyswap, must fetch the key when the tenant calls it
	off     peer // has MNet switched off
	dead    peer // no process listens there
}

// peer is a host that the tenant knows; certificate is the one in its row before the renewal.
type peer struct {
	name, wwwroot string
	certificate   *envelope.Certificate
	site          *peertest.Site // nil: dead
}

// stage starts everything and shows that each link works before the renewal: a link that never
// worked proves nothing.
func stage(ctx context.Context, repository, dir string) (s *scene, err error) {
	s = &scene{}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	s.db, err = startDatabase(ctx, account{Host: "127.0.0.1", User: "moodle", Password: "pw-" + rand.Text(), Database: "moodle"})
	if err != nil {
		return s, err
	}
	s.web = &webSide{db: s.db.DB, entry: cacheEntry(dir)}
	if s.own, err = peertest.Start(peertest.Options{Kind: peertest.Patched, Store: s.web}); err != nil {
		return s, fmt.Errorf("start the own site: %w", err)
	}
	s.old = peertest.NewKeyPair(s.own.Wwwroot(), 2048)
	for _, start := range []func() error{
		func() error { return s.start(&s.patched, "Patched", peertest.Patched) },
		func() error { return s.start(&s.stock, "Stock", peertest.Stock) },
		func() error { return s.start(&s.off, "Off", peertest.Patched) },
		func() error { return s.bury(&s.dead, "Dead") },
	} {
		if err := start(); err != nil {
			return s, err
		}
	}
	if err := makeTables(ctx, s.db.DB, repository); err != nil {
		return s, err
	}
	if err := fillTables(ctx, s.db.DB, s.own.Wwwroot(), s.old, []peer{s.patched, s.stock, s.off, s.dead}); err != nil {
		return s, err
	}
	if s.config, err = writeConfig(dir, s.db.account, s.own.Wwwroot()); err != nil {
		return s, err
	}
	return s, s.rehearse(ctx)
}

// start runs a peer that has the tenant's old certificate.
func (s *scene) start(p *peer, name string, kind peertest.Kind) error {
	site, err := peertest.Start(peertest.Options{Kind: kind, Name: name})
	if err != nil {
		return fmt.Errorf("start peer %s: %w", name, err)
	}
	*p = peer{name: name, wwwroot: site.Wwwroot(), site: site}
	if p.certificate, err = envelope.ParseCertificate(site.Certificate()); err != nil {
		return fmt.Errorf("certificate of peer %s: %w", name, err)
	}
	return site.Know(s.own.Wwwroot(), s.old.Certificate.PEM)
}

// bury makes a peer of a port that was free a moment ago. No process here listens on a new port
// afterwards.
func (s *scene) bury(p *peer, name string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("find a port: %w", err)
	}
	wwwroot := "http://" + l.Addr().String()
	*p = peer{name: name, wwwroot: wwwroot, certificate: peertest.NewKeyPair(wwwroot, 1024).Certificate}
	return l.Close()
}

// rehearse makes calls in both directions with every peer, which also fills the local site's cache.
// Then it causes the problems.
func (s *scene) rehearse(ctx context.Context) error {
	for _, p := range []peer{s.patched, s.stock, s.off} {
		if err := errors.Join(s.callsUs(ctx, p), s.weCall(ctx, p)); err != nil {
			return fmt.Errorf("before the renewal, peer %s: %w", p.name, err)
		}
	}
	s.off.site.Misbehave(peertest.Off)
	return s.patched.site.Renew(true)
}

// callTime is the limit of one sealed call, including healing. On the loopback interface it takes
// milliseconds.
const callTime = 5 * time.Second

// callsUs makes the peer's sealed call to the tenant.
func (s *scene) callsUs(ctx context.Context, p peer) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return p.site.Call(ctx, s.own.Wwwroot())
}

// weCall makes the sealed call of the tenant's web server to the peer.
func (s *scene) weCall(ctx context.Context, p peer) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return s.own.Call(ctx, p.wwwroot)
}

// Close stops everything that was started.
func (s *scene) Close() {
	for _, site := range []*peertest.Site{s.own, s.patched.site, s.stock.site, s.off.site} {
		if site != nil {
			site.Close()
		}
	}
	if s.db != nil {
		s.db.Close()
	}
}
