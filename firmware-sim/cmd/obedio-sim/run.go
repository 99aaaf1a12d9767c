package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/obedio/obedio/firmware-sim/internal/device"
	"github.com/obedio/obedio/firmware-sim/internal/scenario"
	"github.com/obedio/obedio/shared/program"
)

type run struct {
	hub
	program.Output
	MQTT     string  `name:"mqtt" placeholder:"ADDRESS" help:"The hub's address for MQTT, instead of the one that it tells devices when they join."`
	MQTTS    string  `name:"mqtts" placeholder:"ADDRESS" help:"The same for MQTT over TLS."`
	MQTTWS   string  `name:"mqtt-ws" placeholder:"ADDRESS" help:"The same for MQTT over WebSocket."`
	MQTTWSS  string  `name:"mqtt-wss" placeholder:"ADDRESS" help:"The same for MQTT over WebSocket over TLS."`
	Join     string  `name:"join" default:"token" enum:"token,code,label,mqtt,password" help:"How devices join: token (read the QR code of a provisioning token, claim over HTTPS), code (the short code is typed), label (a chief scans theirs), mqtt (as token, over MQTT), password (as token, without certificate)."`
	Scenario string  `arg:"" help:"A built-in scenario (see obedio-sim list), or a file."`
	Devices  int     `name:"devices" help:"How many devices, in the scenario's proportions; its own number if 0."`
	Rate     float64 `name:"rate" help:"Calls in a minute, for scenarios with calls; their own if 0."`
	Seed     uint64  `name:"seed" default:"1" help:"Seed of all chance."`
	Speed    float64 `name:"speed" default:"1" help:"How many times as fast as real time the devices and their people live."`
	Prefix   string  `name:"prefix" help:"Begins every device id: for a second simulator on one hub."`
	Report   string  `name:"report" placeholder:"FILE" help:"Write a report in JSON, with the ledger of every device; - for standard output."`
	State    string  `name:"state" placeholder:"FILE" help:"Keep the devices' keys, certificates and memories in this file between runs. Without it, and for another hub, devices of an earlier run are removed and join again."`
}

// errUnmet ends the program with exit code 1.
var errUnmet = errors.New("not everything was as expected")

// Run plays a scenario.
func (c *run) Run(ctx context.Context, env *program.Env) error {
	if c.Speed <= 0 || c.Speed > 1000 {
		return program.Usagef("--speed %g: want more than 0 and at most 1000", c.Speed)
	}
	script, err := scenario.Load(c.Scenario)
	if err != nil {
		return program.Usagef("%s", err)
	}
	if c.Devices != 0 {
		if err := script.Resize(c.Devices); err != nil {
			return program.Usagef("--devices: %s", err)
		}
	}
	api, err := c.client(env)
	if err != nil {
		return err
	}
	report, err := scenario.Run(ctx, scenario.Config{
		Script: script, API: api, Broker: device.Broker{MQTT: c.MQTT, MQTTS: c.MQTTS, MQTTWS: c.MQTTWS, MQTTWSS: c.MQTTWSS},
		Join: scenario.Way(c.Join), Seed: c.Seed, Speed: c.Speed, Rate: c.Rate, Prefix: c.Prefix,
		StateFile: c.State, Logger: env.Log,
	})
	if err != nil {
		return err
	}
	if err := c.write(env, report); err != nil {
		return err
	}
	if script.Endless {
		return nil
	}
	short := *report
	short.Devices = nil // the report file has the ledgers
	if err := c.Print(env, short, report.Print); err != nil {
		return err
	}
	if !report.OK {
		return errUnmet
	}
	return nil
}

func (c *run) write(env *program.Env, report *scenario.Report) error {
	if c.Report == "" {
		return nil
	}
	b, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	b = append(b, '\n')
	if c.Report == "-" {
		_, err = env.Stdout.Write(b)
	} else {
		err = os.WriteFile(c.Report, b, 0o644)
	}
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
