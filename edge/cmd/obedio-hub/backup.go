package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/obedio/obedio/edge/internal/backup"
	"github.com/obedio/obedio/edge/internal/config"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/program"
)

type backingUp struct {
	config.Data
	program.Output
	File       string   `arg:"" optional:"" help:"The file to write; - for standard output."`
	Keep       bool     `name:"keep" env:"-" help:"Let the running hub keep it, in place of a file; encrypted for its --backup-recipient when nothing else is said."`
	Passphrase string   `name:"passphrase-file" placeholder:"FILE" help:"Encrypt under the passphrase in this file; - for standard input."`
	Recipients []string `name:"recipient" placeholder:"age1…" env:"-" help:"Encrypt for this age public key (age-keygen makes one); may be repeated."`
	Plain      bool     `name:"plain" env:"-" help:"Do not encrypt. The backup holds keys and password verifiers."`
	Traffic    bool     `name:"with-traffic" env:"-" help:"Add the running hub's record of messages and its summaries."`
}

// madeBackup is what backup prints.
type madeBackup struct {
	File      string `json:"file"`
	Bytes     int64  `json:"bytes"`
	Encrypted bool   `json:"encrypted"`
}

// Run makes a backup. It is encrypted here: the running hub learns no
// passphrase.
func (c *backingUp) Run(ctx context.Context, env *program.Env) error {
	if c.Keep == (c.File != "") {
		return program.Usagef("name a file, or --keep, one of them")
	}
	if (c.Keep || c.Traffic) && !c.Socket().Running(ctx) {
		return fmt.Errorf("no hub answers on %s: --keep and --with-traffic need one", c.Data.Data)
	}
	if c.Keep {
		return c.keep(ctx, env)
	}
	recipients, err := c.recipients(env)
	if err != nil {
		return err
	}
	made := madeBackup{File: c.File, Encrypted: !c.Plain}
	write := func(w io.Writer) error {
		counted := &counter{w: w}
		err := c.write(ctx, counted, env, recipients)
		made.Bytes = counted.n
		return err
	}
	if c.File == "-" {
		return write(env.Stdout)
	}
	if err := backup.WriteFile(c.File, write); err != nil {
		return err
	}
	return c.Print(env, made, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: %d bytes\n", made.File, made.Bytes)
		return err
	})
}

// keep lets the running hub make and keep a backup.
func (c *backingUp) keep(ctx context.Context, env *program.Env) error {
	in := map[string]any{}
	if len(c.Recipients) > 0 {
		in["recipients"] = c.Recipients
	}
	if c.Plain {
		in["plain"] = true
	}
	if c.Traffic {
		in["with_traffic"] = true
	}
	if c.Passphrase != "" {
		phrase, err := readPassphrase(c.Passphrase, env)
		if err != nil {
			return err
		}
		in["passphrase"] = phrase
	}
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		var made struct {
			Name      string `json:"name"`
			Bytes     int64  `json:"bytes"`
			Encrypted bool   `json:"encrypted"`
		}
		if err := l.Call(ctx, http.MethodPost, "/api/v1/backups", nil, in, &made); err != nil {
			return err
		}
		out := madeBackup{filepath.Join(c.Data.Data, backup.Dir, made.Name), made.Bytes, made.Encrypted}
		return c.Print(env, out, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%s: %d bytes\n", out.File, out.Bytes)
			return err
		})
	})
}

func (c *backingUp) recipients(env *program.Env) ([]age.Recipient, error) {
	ways := 0
	for _, given := range []bool{c.Plain, c.Passphrase != "", len(c.Recipients) > 0} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return nil, program.Usagef("a backup holds keys: say --recipient, --passphrase-file or --plain, one of them")
	case c.Plain:
		return nil, nil
	case c.Passphrase == "":
		all, err := backup.ParseRecipients(c.Recipients)
		if err != nil {
			return nil, program.Usagef("--recipient: %s", err)
		}
		return all, nil
	}
	phrase, err := readPassphrase(c.Passphrase, env)
	if err != nil {
		return nil, err
	}
	r, err := age.NewScryptRecipient(phrase)
	if err != nil {
		return nil, fmt.Errorf("take passphrase: %w", err)
	}
	return []age.Recipient{r}, nil
}

func readPassphrase(file string, env *program.Env) (string, error) {
	var b []byte
	var err error
	if file == "-" {
		b, err = io.ReadAll(io.LimitReader(env.Stdin, 4096))
	} else {
		b, err = os.ReadFile(file)
	}
	if err != nil {
		return "", fmt.Errorf("read passphrase: %w", err)
	}
	phrase := strings.TrimRight(string(b), "\r\n")
	if phrase == "" {
		return "", program.Usagef("--passphrase-file: it is empty")
	}
	return phrase, nil
}

// write asks the running hub for a plain backup and encrypts that; without one
// it opens the store itself.
func (c *backingUp) write(ctx context.Context, w io.Writer, env *program.Env, to []age.Recipient) (err error) {
	if !c.Socket().Running(ctx) {
		if _, err := backup.Finish(c.Data.Data); err != nil {
			return err
		}
		s, err := store.Open(store.Config{Dir: c.Data.Data, ReadOnly: true, Logger: env.Log})
		if err != nil {
			return err
		}
		if err := s.Close(); err != nil { // there is one: now it may be written to
			return err
		}
		if s, err = store.Open(store.Config{Dir: c.Data.Data, Logger: env.Log}); err != nil {
			return err
		}
		_, err = backup.Write(ctx, w, backup.Source{
			Dir: c.Data.Data, Stores: []backup.Store{s}, Version: env.Version, Now: time.Now(),
		}, to...)
		return errors.Join(err, s.Close())
	}
	out := io.WriteCloser(nopCloser{w})
	if len(to) > 0 {
		if out, err = age.Encrypt(w, to...); err != nil {
			return fmt.Errorf("encrypt backup: %w", err)
		}
	}
	return withHub(ctx, c.Data, env, func(l *program.Local) (err error) {
		resp, err := l.Send(ctx, http.MethodPost, "/api/v1/backups/stream", "application/json", nil,
			strings.NewReader(fmt.Sprintf(`{"plain":true,"with_traffic":%t}`, c.Traffic)))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, resp.Body.Close()) }()
		if _, err := io.Copy(out, resp.Body); err != nil {
			return fmt.Errorf("take the backup from the hub: %w", err)
		}
		return out.Close()
	})
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// keys open an encrypted backup.
type keys struct {
	Passphrase string `name:"passphrase-file" placeholder:"FILE" help:"The passphrase of the backup is in this file; - for standard input."`
	Identity   string `name:"identity" placeholder:"FILE" help:"The age secret key for the backup is in this file."`
}

func (k keys) read(env *program.Env) ([]age.Identity, error) {
	var all []age.Identity
	if k.Passphrase != "" {
		phrase, err := readPassphrase(k.Passphrase, env)
		if err != nil {
			return nil, err
		}
		i, err := age.NewScryptIdentity(phrase)
		if err != nil {
			return nil, fmt.Errorf("take passphrase: %w", err)
		}
		all = append(all, i)
	}
	if k.Identity != "" {
		f, err := os.Open(k.Identity)
		if err != nil {
			return nil, fmt.Errorf("read key: %w", err)
		}
		defer f.Close()
		more, err := age.ParseIdentities(f)
		if err != nil {
			return nil, fmt.Errorf("read key %s: %w", k.Identity, err)
		}
		all = append(all, more...)
	}
	return all, nil
}

type restoring struct {
	config.Data
	program.Output
	keys
	File    string `arg:"" help:"The backup; - for standard input."`
	Replace bool   `name:"replace" env:"-" help:"Move data that are there aside; without it they are a reason not to restore."`
}

// restored is what restore prints.
type restored struct {
	backup.Manifest
	Data  string `json:"data"`
	Aside string `json:"aside,omitempty"`
}

// Run restores.
func (c *restoring) Run(ctx context.Context, env *program.Env) (err error) {
	if c.Socket().Running(ctx) || store.InUse(c.Data.Data) {
		return fmt.Errorf("a hub runs on %s: stop it first", c.Data.Data)
	}
	opening, err := c.read(env)
	if err != nil {
		return err
	}
	in, closeIt, err := openBackup(c.File, env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeIt()) }()
	m, aside, err := backup.Restore(ctx, in, backup.RestoreConfig{Dir: c.Data.Data, Replace: c.Replace, Keys: opening, Now: time.Now()})
	if errors.Is(err, backup.ErrNotEmpty) {
		return fmt.Errorf("%w: take another --data, or --replace to move them aside", err)
	}
	if err != nil {
		return err
	}
	out := restored{m, c.Data.Data, aside}
	return c.Print(env, out, func(w io.Writer) error {
		fmt.Fprintf(w, "%s is as site %s was at %s\n", out.Data, m.Site, m.CreatedAt.Format(time.RFC3339))
		if aside != "" {
			fmt.Fprintf(w, "what was there before is in %s\n", aside)
		}
		_, err := fmt.Fprintln(w, "commands that waited then are not sent; the console is told of a new epoch")
		return err
	})
}

func openBackup(file string, env *program.Env) (io.Reader, func() error, error) {
	if file == "-" {
		return env.Stdin, func() error { return nil }, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, fmt.Errorf("read backup: %w", err)
	}
	return f, f.Close, nil
}
