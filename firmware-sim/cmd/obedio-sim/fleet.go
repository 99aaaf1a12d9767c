package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/flotilla"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/program"
)

// share is a share that is written as 5% or 0.05.
type share float64

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *share) UnmarshalText(b []byte) error {
	text, percent := strings.CutSuffix(string(b), "%")
	v, err := strconv.ParseFloat(text, 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v <= 1) {
		return fmt.Errorf("%q: want a share such as 5%%", b)
	}
	*s = share(v)
	return nil
}

type fleet struct {
	program.Output
	Sites     int           `name:"sites" default:"100" help:"Hubs, each of a site of its own."`
	Devices   int           `name:"devices-per-site" default:"20" help:"Devices of each."`
	Console   string        `name:"console" default:"http://127.0.0.1:8090" help:"The console's REST address, to register sites and make claims."`
	TokenFile string        `name:"token-file" placeholder:"FILE" help:"File with a token of the console that may do so; - for standard input. Not needed with --claims, or when all hubs are in --state."`
	Claims    string        `name:"claims" placeholder:"FILE" help:"Claim files, one after the other, instead: a hub for each. - for standard input."`
	HubLink   string        `name:"hublink" placeholder:"ADDRESS" help:"Address of the hub link (host:port) instead of the one that claims name."`
	State     string        `name:"state" placeholder:"DIR" help:"Keep what the hubs are and remember here: a second run does not enrol them anew. It holds keys."`
	Prefix    string        `name:"prefix" default:"fleet-" help:"Begins the ids of the sites."`
	Seed      uint64        `name:"seed" default:"1" help:"Seed of everything that is made up."`
	Rate      float64       `name:"rate" default:"6" help:"Calls of guests on each site in an hour; each is about three records."`
	Changes   share         `name:"changes" default:"10%" help:"Share of the devices whose state changes in an interval."`
	Every     time.Duration `name:"state-every" default:"60s" help:"The interval in which states go up, unless the console says."`
	Offline   share         `name:"offline" default:"0%" help:"Share of the hubs that are in contact once, and then away for good."`
	Late      share         `name:"late" default:"0%" help:"Share of the hubs that come and go."`
	Lost      share         `name:"lost" default:"2%" help:"Share of the devices that are lost."`
	Hours     int           `name:"traffic-hours" default:"2" help:"Hours of traffic before the start that are told, too."`
	Spread    time.Duration `name:"spread" default:"5s" help:"The time within which hubs come, and come back."`
	AtOnce    int           `name:"at-once" default:"256" help:"Hubs that may be between their connection and their fresh state at a time."`
	Reconnect bool          `name:"reconnect" help:"When all are in contact, cut all links at once and measure how they come back, with full handshakes and a snapshot of their state; then end, unless --duration says more."`
	Snapshot  int           `name:"snapshot-bytes" default:"7168" help:"Size of that snapshot, as encoded, before compression; fewer bytes where there are too few devices."`
	Within    time.Duration `name:"within" default:"10m" help:"The longest to wait until all are in contact, or back."`
	Duration  time.Duration `name:"duration" default:"0s" help:"Go on so long when all are in contact; until told to end if 0."`
	Report    string        `name:"report" placeholder:"FILE" help:"Write the report in JSON."`
	ReadyFile string        `name:"ready-file" placeholder:"FILE" help:"Write a JSON file when all hubs are in contact."`
}

// Run lets the hubs be in contact.
func (c *fleet) Run(ctx context.Context, env *program.Env) error {
	if c.Sites < 1 || c.Devices < 1 || c.Devices > 9999 || c.AtOnce < 1 || c.Every < time.Second || c.Hours < 0 || c.Hours > 720 {
		return program.Usagef("want --sites and --at-once from 1, --devices-per-site from 1 to 9999, --state-every from 1s and --traffic-hours from 0 to 720")
	}
	config := flotilla.Config{
		Sites: c.Sites, Devices: c.Devices, Prefix: c.Prefix, State: c.State, HubLink: c.HubLink, Seed: c.Seed, Calls: c.Rate,
		Changes: float64(c.Changes), StateEvery: c.Every, Offline: float64(c.Offline), Late: float64(c.Late), Lost: float64(c.Lost),
		Hours: c.Hours, Spread: c.Spread, AtOnce: c.AtOnce, SnapshotBytes: c.Snapshot, Version: env.Version, Logger: env.Log,
	}
	if c.HubLink != "" {
		if _, _, err := net.SplitHostPort(c.HubLink); err != nil {
			return program.Usagef("--hublink: %s", err)
		}
	}
	var err error
	if c.Claims != "" {
		if config.Claims, err = c.claims(env); err != nil {
			return program.Usagef("--claims: %s", err)
		}
	} else {
		config.Shore.URL = c.Console
		if c.TokenFile != "" {
			if config.Shore.Token, err = readToken(env, c.TokenFile); err != nil {
				return err
			}
		}
	}
	f, err := flotilla.New(config)
	if err != nil {
		return program.Usagef("%s", err)
	}
	remove := func() error { return nil }
	r, err := f.Run(ctx, flotilla.Plan{
		Reconnect: c.Reconnect, Within: c.Within, Duration: c.Duration,
		Online: func() (err error) {
			remove, err = program.WriteReady(c.ReadyFile, nil)
			return err
		},
	})
	err = errors.Join(err, remove())
	if r == nil {
		return err
	}
	if c.Report != "" {
		b, failed := json.MarshalIndent(r, "", "  ")
		if failed == nil {
			failed = os.WriteFile(c.Report, append(b, '\n'), 0o644)
		}
		err = errors.Join(err, failed)
	}
	return errors.Join(err, c.Print(env, r, func(w io.Writer) error { return printFleet(w, r) }))
}

func (c *fleet) claims(env *program.Env) ([]identity.Claim, error) {
	in := env.Stdin
	if c.Claims != "-" {
		f, err := os.Open(c.Claims)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	all, err := flotilla.ReadClaims(in)
	if err == nil && len(all) == 0 {
		err = errors.New("there is no claim")
	}
	return all, err
}

func printFleet(w io.Writer, r *flotilla.Report) error {
	fmt.Fprintf(w, "%d sites with %d devices, %d of them away and %d late by intent, %d refused; %d enrolled in %.1f s\n",
		r.Sites, r.Devices, r.Offline, r.Late, r.Refused, r.Enrolled, float64(r.EnrolMS)/1000)
	rows := [][]string{{"", "handshakes", "retries", "told to wait", "errors", "pushes", "records", "states", "kB up", "kB down"}}
	row := func(name string, t flotilla.Traffic) {
		text := []string{name}
		for _, n := range []int64{t.Handshakes, t.Retries, t.Waits, t.Errors, t.Pushes, t.Records, t.States, t.BytesUp / 1000, t.BytesDown / 1000} {
			text = append(text, strconv.FormatInt(n, 10))
		}
		rows = append(rows, text)
	}
	if p := r.Connect; p != nil {
		fmt.Fprintf(w, "contact: %s\n", p)
		row("contact", p.Traffic)
	}
	if p := r.Reconnect; p != nil {
		fmt.Fprintf(w, "return after a cut, full handshakes: %s\n", p)
		row("return", p.Traffic)
	}
	row("in all", r.Total)
	fmt.Fprintf(w, "orders %d, hours of traffic %d, records set aside %d, new epochs %d; %d MiB resident\n",
		r.Total.Orders, r.Total.Hours, r.Total.Rejected, r.Total.Epochs, r.ResidentBytes>>20)
	if err := program.Table(w, rows); err != nil {
		return err
	}
	var kinds []string
	for kind := range r.Errors {
		kinds = append(kinds, kind)
	}
	sort.Strings(kinds)
	for _, kind := range kinds {
		fmt.Fprintf(w, "%6d × %s\n", r.Errors[kind], kind)
	}
	return nil
}
