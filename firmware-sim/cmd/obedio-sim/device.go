package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/device"
	"github.com/obedio/obedio/firmware-sim/internal/join"
	"github.com/obedio/obedio/shared/program"
)

type single struct {
	program.Output
	Payload string        `arg:"" help:"File with what a provisioning QR code says; - for standard input."`
	Presses int           `name:"presses" default:"1" help:"How often it is pressed, once it has joined."`
	Pause   time.Duration `name:"pause" default:"2s" help:"Before each press."`
}

// maxPayload is more than a QR code holds, in bytes.
const maxPayload = 4096

// Run has one device join by its QR code, pressed, and live until it is told to
// end.
func (c *single) Run(ctx context.Context, env *program.Env) error {
	text, err := c.read(env.Stdin)
	if err != nil {
		return fmt.Errorf("read the QR code: %w", err)
	}
	payload, err := join.ParsePayload(text)
	if err != nil {
		return err
	}
	h, err := join.NewHardware("sim-")
	if err != nil {
		return err
	}
	joined, err := h.ByToken(ctx, payload)
	if err != nil {
		return fmt.Errorf("join the site: %w", err)
	}
	d, err := device.New(device.Config{
		ID: joined.DeviceID, Type: payload.DeviceType, BaseTopic: joined.Topics["base"], HubTime: joined.Time,
		Broker: device.BrokerAt(joined.BrokerURLs), Saved: device.Saved{Credentials: joined.Credentials},
		Clock: device.NewClock(1), Logger: env.Log,
	})
	if err != nil {
		return err
	}
	err = c.Print(env, joined, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s has joined as %s, and connects to %s\n", h.ID(), joined.DeviceID, joined.BrokerURLs)
		return err
	})
	if err != nil {
		return err
	}
	go c.press(ctx, d)
	d.PowerOn()
	return d.Run(ctx)
}

func (c *single) read(in io.Reader) ([]byte, error) {
	if c.Payload != "-" {
		return os.ReadFile(c.Payload)
	}
	return io.ReadAll(io.LimitReader(in, maxPayload))
}

// press presses the device as often as was asked.
func (c *single) press(ctx context.Context, d *device.Device) {
	for range c.Presses {
		select {
		case <-ctx.Done():
			return
		case <-time.After(c.Pause):
			d.Press(device.PressKind{})
		}
	}
}
