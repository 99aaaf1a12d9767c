package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	links "github.com/obedio/obedio/firmware-sim/internal/link"
	"github.com/obedio/obedio/shared/program"
)

type link struct {
	Serve linkServe `cmd:"" default:"withargs" help:"Carry connections as a bad network would."`
	Set   linkSet   `cmd:"" help:"Make a running link another one."`
	Show  linkShow  `cmd:"" help:"What a running link is, and what it has carried."`
}

type linkServe struct {
	Listen    string `name:"listen" default:"127.0.0.1:8445" help:"Take connections here."`
	To        string `name:"to" default:"127.0.0.1:8444" help:"Carry them to here."`
	Profile   string `name:"profile" default:"lan" help:"How the link is at the start: lan, vsat, flaky, starlink, cut, half-open, captive-portal, portal-redirect, bad-gateway or garbage; changes may follow, such as vsat,rtt=800ms,loss=5%,rate=256k."`
	Seed      uint64 `name:"seed" default:"1" help:"Seed of losses and jitter."`
	Control   string `name:"control" placeholder:"SOCKET|ADDRESS" help:"Take what link set and link show ask for here: the path of a socket, or an address of this machine."`
	ReadyFile string `name:"ready-file" placeholder:"FILE" help:"Write a JSON file when connections are taken."`
}

// Run carries until it is told to end.
func (c *linkServe) Run(ctx context.Context, env *program.Env) error {
	profile, err := links.ParseProfile(c.Profile)
	if err != nil {
		return program.Usagef("--profile: %s", err)
	}
	if _, _, err := net.SplitHostPort(c.To); err != nil {
		return program.Usagef("--to: %s", err)
	}
	on, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen for connections: %w", err)
	}
	l, err := links.New(links.Config{
		Listener: on, Profile: profile, Seed: c.Seed, Logger: env.Log,
		Dial: func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", c.To) },
	})
	if err != nil {
		_ = on.Close()
		return err
	}
	listeners := map[string]string{"link": on.Addr().String()}
	group, ctx := errgroup.WithContext(ctx)
	if c.Control != "" {
		switches, err := links.ListenControl(ctx, c.Control)
		if err != nil {
			_ = on.Close()
			return err
		}
		listeners["control"] = switches.Addr().String()
		group.Go(func() error { return l.Control(ctx, switches) })
	}
	group.Go(func() error { return l.Run(ctx) })
	remove, err := program.WriteReady(c.ReadyFile, listeners)
	if err != nil {
		group.Go(func() error { return err })
	} else {
		env.Log.Info("the link is there", "listen", listeners["link"], "to", c.To, "profile", profile.Name)
		defer func() { _ = remove() }()
	}
	return group.Wait()
}

// linkSwitch says which link.
type linkSwitch struct {
	program.Output
	Control string `name:"control" required:"" placeholder:"SOCKET|ADDRESS" help:"The --control of the link."`
}

type linkSet struct {
	linkSwitch
	Profile string `arg:"" help:"As --profile of the link."`
}

// Run changes a link.
func (c *linkSet) Run(ctx context.Context, env *program.Env) error {
	if _, err := links.ParseProfile(c.Profile); err != nil {
		return program.Usagef("%s", err)
	}
	s, err := links.Ask(ctx, c.Control, c.Profile)
	if err != nil {
		return err
	}
	return c.Print(env, s, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "the link is %s\n", s.Profile.Name)
		return err
	})
}

type linkShow struct{ linkSwitch }

// Run prints what a link is and has carried.
func (c *linkShow) Run(ctx context.Context, env *program.Env) error {
	s, err := links.Ask(ctx, c.Control, "")
	if err != nil {
		return err
	}
	return c.Print(env, s, func(w io.Writer) error {
		fmt.Fprintf(w, "the link is %s (%s)\n%d connections, %d open, %d refused, %d answered by a page, %d did not reach the target\n",
			s.Profile.Name, s.Profile.Mode, s.Counters.Connections, s.Open, s.Refused, s.Answered, s.Failed)
		fmt.Fprintf(w, "headers of IP and TCP: about %d bytes more\n", s.HeaderBytes)
		rows := [][]string{{"connection", "from", "since", "up", "down", "lost segments"}, {
			"all", "", "", fmt.Sprint(s.Up.Bytes), fmt.Sprint(s.Down.Bytes), fmt.Sprint(s.Up.Lost + s.Down.Lost),
		}}
		for _, k := range s.List {
			state := "open"
			if !k.EndedAt.IsZero() {
				state = k.EndedAt.Sub(k.Since).Round(time.Millisecond).String() + " long"
			}
			rows = append(rows, []string{
				fmt.Sprint(k.Number), k.From, k.Since.Format(time.TimeOnly) + ", " + state, fmt.Sprint(k.Up.Bytes), fmt.Sprint(k.Down.Bytes),
				fmt.Sprint(k.Up.Lost + k.Down.Lost),
			})
		}
		return program.Table(w, rows)
	})
}
