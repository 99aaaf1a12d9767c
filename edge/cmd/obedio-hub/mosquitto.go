package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/obedio/obedio/edge/internal/backup"
	"github.com/obedio/obedio/edge/internal/config"
	"github.com/obedio/obedio/edge/internal/mosquitto"
	"github.com/obedio/obedio/shared/program"
)

type importMosquitto struct {
	config.Data
	program.Output
	Passwd   string `name:"passwd" placeholder:"FILE" help:"Mosquitto's password file."`
	Dynsec   string `name:"dynsec" placeholder:"FILE" help:"The file of its dynamic security plugin."`
	DryRun   bool   `name:"dry-run" help:"Change nothing, and print the same report."`
	Register string `name:"register" placeholder:"TYPE,ROOM" help:"Register users that are no devices yet, as devices of this type in this room."`
}

// Run brings the files in. What could not be brought in is printed; the rest is
// in all the same.
func (c *importMosquitto) Run(ctx context.Context, env *program.Env) error {
	if c.Passwd == "" && c.Dynsec == "" {
		return program.Usagef("want --passwd, --dynsec or both")
	}
	in := map[string]any{"dry_run": c.DryRun}
	for name, file := range map[string]string{"passwd": c.Passwd, "dynsec": c.Dynsec} {
		text, err := readFile(file)
		if err != nil {
			return err
		}
		in[name] = text
	}
	if c.Register != "" {
		kind, room, ok := strings.Cut(c.Register, ",")
		if !ok {
			return program.Usagef("--register %s: want TYPE,ROOM, such as button,cabin-101", c.Register)
		}
		in["register"] = map[string]string{"type": kind, "room": room}
	}
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		var r mosquitto.Report
		if err := l.Call(ctx, http.MethodPost, "/api/v1/security/mosquitto/import", nil, in, &r); err != nil {
			return err
		}
		return c.Print(env, r, func(w io.Writer) error {
			did := "imported"
			if r.DryRun {
				did = "would be imported"
			}
			for _, n := range r.Notes {
				if _, err := fmt.Fprintln(w, n); err != nil {
					return err
				}
			}
			_, err := fmt.Fprintf(w, "%s: %d passwords, %d ACL documents, %d new devices; %d notes\n",
				did, len(r.Credentials), len(r.ACLs), len(r.Registered), len(r.Notes))
			return err
		})
	})
}

// readFile reads a file of the command line; nothing for no file.
func readFile(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	b, err := os.ReadFile(name)
	return string(b), err
}

type exporting struct {
	Mosquitto exportMosquitto `cmd:"" help:"Write devices, passwords and rights as Mosquitto's files."`
}

type exportMosquitto struct {
	config.Data
	program.Output
	Passwd string `name:"passwd" required:"" placeholder:"FILE" help:"Where to write the password file."`
	Dynsec string `name:"dynsec" required:"" placeholder:"FILE" help:"Where to write the file of the dynamic security plugin."`
}

// Run writes the files, readable by their owner only, also where others could
// read those that are replaced: they hold password hashes.
func (c *exportMosquitto) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		var f struct {
			Passwd string           `json:"passwd"`
			Dynsec string           `json:"dynsec"`
			Notes  []mosquitto.Note `json:"notes"`
		}
		if err := l.Call(ctx, http.MethodGet, "/api/v1/security/mosquitto/export", nil, nil, &f); err != nil {
			return err
		}
		for name, text := range map[string]string{c.Passwd: f.Passwd, c.Dynsec: f.Dynsec} {
			if err := backup.WriteFile(name, func(w io.Writer) error { _, err := io.WriteString(w, text); return err }); err != nil {
				return err
			}
		}
		return c.Print(env, map[string]any{"notes": f.Notes}, func(w io.Writer) error {
			for _, n := range f.Notes {
				if _, err := fmt.Fprintln(w, n); err != nil {
					return err
				}
			}
			_, err := fmt.Fprintf(w, "written: %s, %s\n", c.Passwd, c.Dynsec)
			return err
		})
	})
}
