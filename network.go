package main

import (
	"context"
	"errors"
	"net/netip"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/peers"
	"renew_mnetkeys/rotate"
)

// network lets rotate speak MNet through a peers.Client.
type network struct{ client *peers.Client }

var (
	_ rotate.Network     = network{}
	_ rotate.Introducer  = network{}
	_ rotate.Locator     = network{}
	_ rotate.ForceProber = network{}
)

// Push implements rotate.Network.
func (n network) Push(ctx context.Context, own rotate.Identity, p rotate.Peer) rotate.Push {
	push := n.client.Push(ctx, peers.Identity(own), remote(p), true)
	return rotate.Push{Answered: push.Answered, Failure: failureOf(push.Failure), Attempts: push.Attempts}
}

// Prove implements rotate.Network.
func (n network) Prove(ctx context.Context, own rotate.Identity, p rotate.Peer, answered *envelope.Certificate, mayKeyswap bool) rotate.Proof {
	proof := n.client.Prove(ctx, peers.Identity(own), remote(p), answered, mayKeyswap)
	return rotate.Proof{Certificate: proof.Certificate, Healed: proof.Healed, Fault: proof.Fault, Forgotten: proof.Forgotten,
		Failure: failureOf(proof.Failure), Attempts: proof.Attempts}
}

// PublicKey implements rotate.Network.
func (n network) PublicKey(ctx context.Context, p rotate.Peer) (*envelope.Certificate, *rotate.Failure) {
	shown, err := n.client.PublicKey(ctx, remote(p))
	return shown, failureIn(err)
}

// Reachable implements rotate.Network.
func (n network) Reachable(ctx context.Context, p rotate.Peer) *rotate.Failure {
	return failureIn(n.client.Reachable(ctx, remote(p)))
}

// failureIn is the failure that an error of the client is, nil for none.
func failureIn(err error) *rotate.Failure {
	var f *peers.Failure
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return failureOf(f)
	}
	return &rotate.Failure{Reason: peers.ReasonConnect, Detail: err.Error(), Pending: true}
}

// moodleServerURL and moodle are what VMoodle registers a new host as.
const (
	moodle          = "moodle"
	moodleServerURL = "/mnet/xmlrpc/server.php"
)

// Introduce implements rotate.Introducer. The keyswap is the stock one: forced
// mode is for hosts that know us.
func (n network) Introduce(ctx context.Context, own rotate.Identity, wwwroot string) (rotate.Peer, *rotate.Failure) {
	host := rotate.Peer{Wwwroot: wwwroot, Application: moodle, ServerURL: moodleServerURL, SSLVerification: 2}
	push := n.client.Push(ctx, peers.Identity(own), remote(host), false)
	if push.Answered == nil {
		return host, failureOf(push.Failure)
	}
	host.Certificate, host.Expires = push.Answered.PEM, push.Answered.NotAfter.Unix()
	title, err := n.client.Title(ctx, wwwroot, host.SSLVerification)
	if err != nil || title == "" {
		title = wwwroot // as good a name as any; the administrator can change it
	}
	host.Name = title
	return host, nil
}

// Address implements rotate.Locator.
func (n network) Address(ctx context.Context, wwwroot string) (netip.Addr, error) {
	return n.client.Address(ctx, wwwroot)
}

// Nodes implements rotate.Network.
func (n network) Nodes(ctx context.Context, wwwroot string) ([]string, *rotate.Failure) {
	addresses, err := n.client.Addresses(ctx, wwwroot)
	if err != nil {
		return nil, failureIn(err)
	}
	nodes := make([]string, len(addresses))
	for i, a := range addresses {
		nodes[i] = a.String()
	}
	return nodes, nil
}

// ipAddress is what mnet_host says of a host's address: "" when it has none.
func (n network) ipAddress(ctx context.Context, wwwroot string) string {
	a, err := n.Address(ctx, wwwroot)
	if err != nil {
		return ""
	}
	return a.String()
}

// own resolves the address of a tenant's own site.
func (n network) own(c *config.Config) func(context.Context) string {
	return func(ctx context.Context) string { return n.ipAddress(ctx, c.Wwwroot) }
}

func remote(p rotate.Peer) peers.Peer {
	return peers.Peer{Wwwroot: p.Wwwroot, Application: p.Application, ServerURL: p.ServerURL,
		SSLVerification: p.SSLVerification, Certificate: p.Certificate, Node: p.Node}
}

func failureOf(f *peers.Failure) *rotate.Failure {
	if f == nil {
		return nil
	}
	return &rotate.Failure{Reason: f.Reason, Detail: f.Detail, Pending: f.Pending(), NoRoute: f.NoRoute, Refused: f.Refused, Other: f.Other}
}

// TakesForce implements rotate.ForceProber.
func (n network) TakesForce(ctx context.Context, own rotate.Identity, p rotate.Peer) rotate.Forced {
	mode, _ := n.client.TakesForce(ctx, peers.Identity(own), remote(p))
	return map[peers.ForcedMode]rotate.Forced{
		peers.ForceUnknown: rotate.ForcedUnknown, peers.ForceTaken: rotate.ForcedTaken, peers.ForceIgnored: rotate.ForcedIgnored,
	}[mode]
}
