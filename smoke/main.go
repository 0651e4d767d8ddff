// Command smoke renews the MNet key of a small Moodle world and checks that everything works
// afterwards: a tenant on an embedded MySQL server, its web server with a configuration cache, and
// four peers, two of which have problems. Only Go must be installed, and only the loopback
// interface is used. It runs the real command; options after -- are passed on to it.
//
//	go run ./smoke
//	go run ./smoke -- --concurrency=1
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"renew_mnetkeys/envelope"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "smoke:", err)
		os.Exit(1)
	}
}

// run is the story. Both the command and the checks write to out, sometimes concurrently. nil means
// that every check passed.
func run(ctx context.Context, extra []string, out io.Writer) (err error) {
	if len(extra) > 0 && extra[0] == "--" {
		extra = extra[1:]
	}
	dir, err := os.MkdirTemp("", "renew_mnetkeys-smoke-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	top, err := repository(ctx)
	if err != nil {
		return err
	}
	binary, err := build(ctx, top, dir)
	if err != nil {
		return err
	}
	start := time.Now()
	s, err := stage(ctx, top, dir)
	if err != nil {
		return err
	}
	defer s.Close()
	tell(out, s)

	renewal := command{binary, append([]string{"--config=" + s.config, "--host=" + s.own.Wwwroot(), "--retries=1"}, extra...)}
	fmt.Fprintf(out, "$ %v\n", renewal)
	first, err := renewal.run(ctx, out)
	if err != nil {
		return err
	}
	fmt.Fprintln(out)
	c := &checks{out: out}
	second := c.renewed(ctx, s, first, s.old)
	if second == nil {
		return c.verdict(start)
	}

	scripted := renewal.with("--json", "--debug")
	fmt.Fprintf(out, "\nOnce more, as a script would; its output is read, not shown:\n$ %v\n\n", scripted)
	again, err := scripted.run(ctx, io.Discard)
	if err != nil {
		return err
	}
	if third := c.renewed(ctx, s, again, second, s.old); third != nil {
		c.json(s, again, third)
		c.secrets(s.db.Password, []*envelope.KeyPair{s.old, second, third}, first, again)
	}
	return c.verdict(start)
}

// tell introduces the sites.
func tell(out io.Writer, s *scene) {
	fmt.Fprintf(out, "A Moodle tenant at %s, database on port %d, with four peers:\n", s.own.Wwwroot(), s.db.Port)
	for _, p := range []struct{ peer, what string }{
		{s.patched.wwwroot, "Patched: takes our key by a forced keyswap; has renewed its own key unnoticed"},
		{s.stock.wwwroot, "Stock: takes nothing, must fetch our key when we call it"},
		{s.off.wwwroot, "Off: has MNet switched off"},
		{s.dead.wwwroot, "Dead: nobody listens there"},
	} {
		fmt.Fprintf(out, "  %-24s %s\n", p.peer, p.what)
	}
	fmt.Fprintln(out)
}
