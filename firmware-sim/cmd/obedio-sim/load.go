package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/hubapi"
	loading "github.com/obedio/obedio/firmware-sim/internal/load"
	"github.com/obedio/obedio/shared/program"
)

type load struct {
	hub
	program.Output
	MQTT         string        `name:"mqtt" default:"127.0.0.1:1883" help:"The hub's address for MQTT."`
	TLS          bool          `name:"tls" help:"Connect with client certificates, to --mqtts."`
	MQTTS        string        `name:"mqtts" default:"127.0.0.1:8883" help:"The hub's address for MQTT over TLS."`
	Authority    string        `name:"authority" placeholder:"FILE" help:"With --peer and --tls: certificate and key (PEM) of the authority that the other broker trusts, and is under; it must be known as hub.obedio.internal."`
	Reconnect    time.Duration `name:"reconnect" help:"Instead of sending, wait so long at most until somebody has restarted the hub and all clients are connected again, and measure that."`
	ReadyFile    string        `name:"ready-file" placeholder:"FILE" help:"With --reconnect: write a JSON file when all clients are connected: the hub may be restarted."`
	Clients      int           `name:"clients" default:"100" help:"Devices that connect."`
	Rate         float64       `name:"rate" default:"1" help:"Messages of each in a second."`
	QoS          int           `name:"qos" default:"1" enum:"0,1" help:"0 or 1."`
	PayloadBytes int           `name:"payload-bytes" default:"200" help:"Size of a payload."`
	Duration     time.Duration `name:"duration" default:"10s" help:"How long they send."`
	Drain        time.Duration `name:"drain" default:"10s" help:"How long to wait for what is under way then."`
	Presses      bool          `name:"presses" help:"Press buttons, and measure the time to the receipt."`
	Action       string        `name:"action" default:"heartbeat" enum:"status,heartbeat,metrics,mixed" help:"What they send otherwise: status, heartbeat, metrics, or mixed (70, 20, 9 % and 1 % presses)."`
	Window       int           `name:"window" default:"32" help:"Messages of one device that may wait for their PUBACK."`
	Seed         uint64        `name:"seed" default:"1" help:"Seed of the jitter."`
	Prefix       string        `name:"prefix" help:"Begins the ids of the devices; of this run only if empty."`
	Keep         bool          `name:"keep" help:"Leave the devices on the hub."`
	Peer         bool          `name:"peer" help:"--mqtt is another broker, without devices and receipts; no hub is asked."`
	Watch        []int         `name:"watch" placeholder:"PID" help:"Measure CPU and memory of processes and their descendants meanwhile."`
	LiveReaders  int           `name:"live-readers" help:"Read the hub's live traffic meanwhile."`
	SlowReaders  int           `name:"slow-live-readers" help:"The same, with a pause of a second after each batch."`
}

// Run measures.
func (c *load) Run(ctx context.Context, env *program.Env) error {
	switch {
	case c.Clients < 1 || c.Rate <= 0 || c.Window < 1 || c.Window > 30000:
		return program.Usagef("want --clients and --window from 1, and a --rate above 0")
	case c.PayloadBytes < 1 || c.PayloadBytes > 60000:
		return program.Usagef("--payload-bytes %d: want 1 to 60000", c.PayloadBytes)
	}
	var api *hubapi.Client
	if c.Peer {
		if c.LiveReaders+c.SlowReaders > 0 {
			return program.Usagef("--peer has no live traffic to read")
		}
	} else {
		var err error
		if api, err = c.client(env); err != nil {
			return err
		}
	}
	mqtt := c.MQTT
	if c.TLS {
		mqtt = c.MQTTS
	}
	var authority *loading.Authority
	if c.Peer && c.TLS {
		var err error
		if authority, err = loading.ReadAuthority(c.Authority); err != nil {
			return program.Usagef("--authority: %s", err)
		}
	}
	r, err := loading.Run(ctx, loading.Config{
		API: api, MQTT: mqtt, TLS: c.TLS, Authority: authority, Restart: c.Reconnect, Connected: c.ready, Clients: c.Clients, Rate: c.Rate, QoS: byte(c.QoS), PayloadBytes: c.PayloadBytes,
		Duration: c.Duration, Drain: c.Drain, Presses: c.Presses, Action: c.Action, Window: c.Window, Seed: c.Seed,
		Prefix: c.Prefix, Keep: c.Keep, Peer: c.Peer, Watch: c.Watch, LiveReaders: c.LiveReaders, SlowReaders: c.SlowReaders, Logger: env.Log,
	})
	if err != nil {
		return err
	}
	if err := c.Print(env, r, func(w io.Writer) error { return printLoad(w, r) }); err != nil {
		return err
	}
	if b := r.Back; b != nil && b.Missing > 0 {
		return fmt.Errorf("%d clients are not back: %s", b.Missing, r.FirstError)
	}
	if r.Lost > 0 || r.Failed > 0 || r.Broken > 0 || r.Presses != nil && r.Presses.Lost > 0 {
		return fmt.Errorf("%d messages lost, %d connections failed, %d broken: %s", r.Lost, r.Failed, r.Broken, r.FirstError)
	}
	return nil
}

// ready tells whoever waits that all clients are connected.
func (c *load) ready(r *loading.Report) error {
	if c.ReadyFile == "" {
		return nil
	}
	b, err := json.Marshal(map[string]int{"pid": os.Getpid(), "connected": r.Connected})
	if err != nil {
		return err
	}
	return os.WriteFile(c.ReadyFile, b, 0o644)
}

func printLoad(w io.Writer, r *loading.Report) error {
	ms := func(us int64) string { return fmt.Sprintf("%.2f", float64(us)/1000) }
	row := func(name string, l loading.Latency) []string {
		return []string{name, fmt.Sprint(l.Count), ms(l.MeanUS), ms(l.P50US), ms(l.P95US), ms(l.P99US), ms(l.MaxUS)}
	}
	fmt.Fprintf(w, "%s, %d clients × %g a second, QoS %d, %d bytes, %.1f s\n", r.Mode, r.Clients, r.Rate, r.QoS, r.Payload, float64(r.DurationMS)/1000)
	fmt.Fprintf(w, "connected %d of %d in %d ms, broken %d; joined in %d ms\n", r.Connected, r.Clients, r.ConnectMS, r.Broken, r.JoinMS)
	if b := r.Back; b != nil {
		fmt.Fprintf(w, "restart: the hub answered again after %d ms; all back %d ms later, %d missing, %d attempts failed\n", b.AwayMS, b.BackMS, b.Missing, b.Failed)
		return program.Table(w, [][]string{{"latency in ms", "count", "mean", "p50", "p95", "p99", "max"}, row("connect", r.Connect), row("back", b.Latency)})
	}
	fmt.Fprintf(w, "sent %d (%.0f a second), acknowledged %d, lost %d, duplicates %d; generator behind by at most %d ms\n",
		r.Sent, r.PerSecond, r.Acked, r.Lost, r.Duplicates, r.BehindMaxMS)
	if u := r.Watched; u != nil {
		fmt.Fprintf(w, "watched: %.2f s CPU, %.1f µs a message, %d MiB resident, at most %d MiB, growth %.3f\n",
			u.CPUSeconds, u.CPUMicrosPerMessage, u.ResidentBytes>>20, u.ResidentMaxBytes>>20, u.Growth)
	}
	if v := r.Live; v != nil {
		fmt.Fprintf(w, "live traffic: %d read, %d dropped; slow readers: %d read, %d dropped\n", v.Messages, v.Dropped, v.SlowMessages, v.SlowDropped)
	}
	rows := [][]string{{"latency in ms", "count", "mean", "p50", "p95", "p99", "max"}, row("connect", r.Connect), row("PUBACK", r.PUBACK)}
	if p := r.Presses; p != nil {
		fmt.Fprintf(w, "presses %d, receipts %d, lost %d, receipts twice %d\n", p.Made, p.Receipted, p.Lost, p.Duplicates)
		rows = append(rows, row("receipt", p.Receipt))
	}
	return program.Table(w, rows)
}
