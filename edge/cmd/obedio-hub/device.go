package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/obedio/obedio/edge/internal/config"
	"github.com/obedio/obedio/shared/program"
)

type device struct {
	Add    deviceAdd    `cmd:"" help:"Register a device."`
	List   deviceList   `cmd:"" help:"List devices."`
	Move   deviceMove   `cmd:"" help:"Move a device to another room."`
	Remove deviceRemove `cmd:"" help:"Remove a device."`
}

// credentials are what a device needs to connect.
type credentials struct {
	DeviceID  string `json:"device_id"`
	Username  string `json:"username"`
	Password  string `json:"password"`
	BaseTopic string `json:"base_topic"`
}

// view is what the command line shows of a device.
type view struct {
	DeviceID    string            `json:"device_id"`
	Type        string            `json:"type"`
	Room        string            `json:"room"`
	Name        string            `json:"name,omitempty"`
	Profile     string            `json:"security_profile"`
	Tags        []string          `json:"tags,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	LegacyID    string            `json:"legacy_device_id,omitempty"`
	BaseTopic   string            `json:"base_topic,omitempty"`
	ETag        string            `json:"etag,omitempty"`
	Presence    json.RawMessage   `json:"presence,omitempty"`
	Battery     *int              `json:"battery,omitempty"`
	Credentials *struct {
		Username string `json:"username"`
		Password string `json:"password"`
	} `json:"credentials,omitempty"`
}

type deviceAdd struct {
	config.Data
	program.Output
	ID       string   `name:"id" required:"" help:"The device's id."`
	Type     string   `name:"type" required:"" help:"button, watch, repeater or sensor."`
	Room     string   `name:"room" required:"" help:"Where it is, such as cabin-101."`
	Name     string   `name:"name" help:"What people call it."`
	Profile  string   `name:"profile" help:"Security profile; that of the type if empty."`
	Tags     []string `name:"tags" help:"Tags."`
	Generate bool     `name:"generate-password" help:"Make a password for MQTT and print it, once."`
	Stdin    bool     `name:"password-stdin" help:"Read the password for MQTT from standard input."`
}

// Run registers a device.
func (c *deviceAdd) Run(ctx context.Context, env *program.Env) error {
	in := map[string]any{
		"device_id": c.ID, "type": c.Type, "room": c.Room, "name": c.Name, "security_profile": c.Profile,
		"generate_password": c.Generate,
	}
	if len(c.Tags) > 0 {
		in["tags"] = c.Tags
	}
	if c.Stdin {
		b, err := io.ReadAll(io.LimitReader(env.Stdin, 1024))
		if err != nil {
			return fmt.Errorf("read password: %w", err)
		}
		in["password"] = strings.TrimRight(string(b), "\r\n")
	}
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		var d view
		if err := l.Call(ctx, http.MethodPost, "/api/v1/devices", nil, in, &d); err != nil {
			return err
		}
		made := credentials{DeviceID: d.DeviceID, Username: d.DeviceID, BaseTopic: d.BaseTopic}
		if d.Credentials != nil {
			made.Password = d.Credentials.Password
		}
		return c.Print(env, made, func(w io.Writer) error {
			rows := [][]string{{"device", "topic"}, {made.DeviceID, made.BaseTopic}}
			if made.Password != "" {
				rows[0], rows[1] = append(rows[0], "password"), append(rows[1], made.Password)
			}
			return program.Table(w, rows)
		})
	})
}

type deviceList struct {
	config.Data
	program.Output
	Filter string `arg:"" optional:"" help:"Such as 'state:lost type:button room:cabin-1*'."`
}

// Run lists devices.
func (c *deviceList) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		all, err := pages[view](ctx, l, "/api/v1/devices", url.Values{"filter": {c.Filter}})
		if err != nil {
			return err
		}
		return c.Print(env, all, func(w io.Writer) error {
			rows := [][]string{{"device", "type", "room", "state"}}
			for _, d := range all {
				var p struct {
					State string `json:"state"`
				}
				if err := json.Unmarshal(d.Presence, &p); err != nil {
					return err
				}
				rows = append(rows, []string{d.DeviceID, d.Type, d.Room, p.State})
			}
			return program.Table(w, rows)
		})
	})
}

type deviceMove struct {
	config.Data
	program.Output
	ID   string `arg:"" help:"The device's id."`
	Room string `arg:"" help:"The room that it moves to."`
}

// Run moves a device; everything else of it stays.
func (c *deviceMove) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		path := "/api/v1/devices/" + url.PathEscape(c.ID)
		var d view
		if err := l.Call(ctx, http.MethodGet, path, nil, nil, &d); err != nil {
			return err
		}
		in := map[string]any{
			"room": c.Room, "name": d.Name, "security_profile": d.Profile, "tags": d.Tags, "metadata": d.Metadata,
			"legacy_device_id": d.LegacyID,
		}
		if err := l.Call(ctx, http.MethodPut, path, http.Header{"If-Match": {d.ETag}}, in, &d); err != nil {
			return err
		}
		return c.Print(env, d, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%s is in %s now: %s\n", d.DeviceID, d.Room, d.BaseTopic)
			return err
		})
	})
}

type deviceRemove struct {
	config.Data
	ID string `arg:"" help:"The device's id."`
}

// Run removes a device.
func (c *deviceRemove) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		path := "/api/v1/devices/" + url.PathEscape(c.ID)
		var d view
		if err := l.Call(ctx, http.MethodGet, path, nil, nil, &d); err != nil {
			return err
		}
		return l.Call(ctx, http.MethodDelete, path, http.Header{"If-Match": {d.ETag}}, nil, nil)
	})
}

type importing struct {
	Devices   importDevices   `cmd:"" help:"Register the devices of a CSV file."`
	Mosquitto importMosquitto `cmd:"" help:"Bring in Mosquitto's password and dynamic security files."`
}

type importDevices struct {
	config.Data
	program.Output
	File string `arg:"" help:"CSV with the columns device_id,type,room and, if wanted, profile,password,legacy_device_id; - for standard input."`
}

// Run imports; wrong rows are told with their line, and the rest is imported.
func (c *importDevices) Run(ctx context.Context, env *program.Env) (err error) {
	in := env.Stdin
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		in = f
	}
	return withHub(ctx, c.Data, env, func(l *program.Local) (err error) {
		resp, err := l.Send(ctx, http.MethodPost, "/api/v1/devices/import", "text/csv", nil, in)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, resp.Body.Close()) }()
		wrong, done := 0, 0
		for dec := json.NewDecoder(resp.Body); dec.More(); {
			var row struct {
				credentials
				Line  int    `json:"line"`
				Error string `json:"error"`
			}
			if err := dec.Decode(&row); err != nil {
				return fmt.Errorf("read the hub's answer: %w", err)
			}
			if row.Error != "" {
				wrong++
				fmt.Fprintf(env.Stderr, "%s: line %d: %s\n", c.File, row.Line, row.Error)
				continue
			}
			done++
			made := row.credentials
			err := c.Print(env, made, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s\t%s\t%s\n", made.DeviceID, made.Password, made.BaseTopic)
				return err
			})
			if err != nil {
				return err
			}
		}
		if wrong > 0 {
			return fmt.Errorf("%d rows imported, %d not", done, wrong)
		}
		return nil
	})
}

type sendingOne struct {
	Send commandSend `cmd:"" help:"Send a command to a device."`
}

type commandSend struct {
	config.Data
	program.Output
	Device string        `arg:"" help:"The device's id."`
	Name   string        `arg:"" help:"The command's name, such as reset."`
	Args   string        `name:"args" help:"Its arguments, as JSON."`
	TTL    time.Duration `name:"ttl" help:"Time to live; the hub's default if 0."`
}

// Run sends a command; it does not wait for the device.
func (c *commandSend) Run(ctx context.Context, env *program.Env) error {
	in := map[string]any{"name": c.Name}
	if c.TTL > 0 {
		in["ttl_ms"] = c.TTL.Milliseconds()
	}
	if c.Args != "" {
		if !json.Valid([]byte(c.Args)) {
			return program.Usagef("--args: want JSON")
		}
		in["args"] = json.RawMessage(c.Args)
	}
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		var made map[string]any
		if err := l.Call(ctx, http.MethodPost, "/api/v1/devices/"+url.PathEscape(c.Device)+"/command", nil, in, &made); err != nil {
			return err
		}
		return c.Print(env, made, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%s is %s\n", made["command_id"], made["state"])
			return err
		})
	})
}
