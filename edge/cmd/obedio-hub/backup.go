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
	"github.com/obedio/obedio/edge/internal/broker"
	"github.com/obedio/obedio/edge/internal/config"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/edge/internal/traffic"
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
	if !c.Socket().Running(ctx) {
		return fmt.Errorf("no hub answers on %s: --keep needs one", c.Data.Data)
	}
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

type verifying struct {
	program.Output
	keys
	Data string `name:"data" placeholder:"DIR" help:"The data directory of a hub that does not run."`
	File string `arg:"" optional:"" help:"A backup, in place of --data; - for standard input."`
}

// verified is what verify prints.
type verified struct {
	OK       bool             `json:"ok"`
	Stores   []store.Report   `json:"stores"`
	Manifest *backup.Manifest `json:"manifest,omitempty"`
}

// Run verifies; what is wrong makes the exit code 1.
func (c *verifying) Run(ctx context.Context, env *program.Env) error {
	var v verified
	var err error
	switch {
	case (c.File == "") == (c.Data == ""):
		return program.Usagef("name a backup or --data, one of them")
	case c.File != "":
		v, err = c.backup(ctx, env)
	default:
		v, err = c.data(ctx, env)
	}
	if err != nil {
		return err
	}
	wrong := 0
	for _, s := range v.Stores {
		wrong += len(s.Findings)
	}
	v.OK = wrong == 0
	if err := c.Print(env, v, v.print); err != nil {
		return err
	}
	if wrong > 0 {
		return fmt.Errorf("%d things are wrong: restore a backup", wrong)
	}
	return nil
}

func (v verified) print(w io.Writer) error {
	for _, s := range v.Stores {
		fmt.Fprintf(w, "%s: %d keys, %d records, %d entities", s.Store, s.Keys, s.Records, s.Entities)
		if s.Refolded {
			fmt.Fprint(w, ", all as the journal says")
		}
		fmt.Fprintf(w, "; %d things are wrong\n", len(s.Findings))
		for _, f := range s.Findings {
			fmt.Fprintf(w, "  %s: %s\n", f.Where, f.What)
		}
	}
	return nil
}

func (c *verifying) data(ctx context.Context, env *program.Env) (verified, error) {
	if (config.Data{Data: c.Data}).Socket().Running(ctx) || store.InUse(c.Data) {
		return verified{}, fmt.Errorf("a hub runs on %s: stop it first, or verify a backup of it", c.Data)
	}
	if _, err := os.Stat(c.Data); err != nil {
		return verified{}, fmt.Errorf("data directory: %w", err)
	}
	if _, err := backup.Finish(c.Data); err != nil {
		return verified{}, err
	}
	return verifyStores(ctx, c.Data, env)
}

// verifyStores verifies what is in a data directory. A store that cannot even
// be opened is a finding.
func verifyStores(ctx context.Context, dir string, env *program.Env) (verified, error) {
	s, err := store.Open(store.Config{Dir: dir, ReadOnly: true, Logger: env.Log})
	if errors.Is(err, store.ErrDamaged) {
		return verified{Stores: []store.Report{{Store: store.Name, Findings: []store.Finding{{Where: store.Name, What: err.Error()}}}}}, nil
	}
	if err != nil {
		return verified{}, err
	}
	r, err := s.Verify()
	if err == nil {
		err = s.Sessions().Load(func(key string, value []byte) error {
			if wrong := broker.CheckStored(key, value); wrong != nil {
				r.Findings = append(r.Findings, store.Finding{Where: fmt.Sprintf("session %q", key), What: wrong.Error()})
			}
			return nil
		})
	}
	if err = errors.Join(err, s.Close()); err != nil {
		return verified{}, err
	}
	history := store.Report{Store: traffic.Name, Findings: []store.Finding{}}
	problems, err := traffic.VerifyDir(ctx, dir)
	for _, p := range problems {
		history.Findings = append(history.Findings, store.Finding{Where: p.Key, What: p.What})
	}
	return verified{Stores: []store.Report{r, history}}, err
}

func (c *verifying) backup(ctx context.Context, env *program.Env) (v verified, err error) {
	opening, err := c.read(env)
	if err != nil {
		return v, err
	}
	in, closeIt, err := openBackup(c.File, env)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, closeIt()) }()
	work, err := os.MkdirTemp("", "obedio-verify-")
	if err != nil {
		return v, fmt.Errorf("make room to look into the backup: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	m, err := backup.Extract(in, work, opening...)
	if err != nil {
		return v, err
	}
	v, err = verifyStores(ctx, work, env)
	v.Manifest = &m
	return v, err
}

type healthcheck struct {
	config.Data
}

// Run asks the hub whether it takes work.
func (c *healthcheck) Run(ctx context.Context, env *program.Env) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if !c.Socket().Running(ctx) {
		return fmt.Errorf("no hub answers on %s", c.Data.Data)
	}
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		var h struct {
			Status  string `json:"status"`
			Version string `json:"version"`
		}
		if err := l.Call(ctx, http.MethodGet, "/readyz", nil, nil, &h); err != nil {
			return err
		}
		_, err := fmt.Fprintf(env.Stdout, "%s: version %s\n", h.Status, h.Version)
		return err
	})
}

type supporting struct {
	config.Data
	File string `arg:"" help:"The zip file to write; - for standard output."`
}

// Run writes the support bundle.
func (c *supporting) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) (err error) {
		resp, err := l.Send(ctx, http.MethodGet, "/api/v1/system/support", "", nil, nil)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, resp.Body.Close()) }()
		write := func(w io.Writer) error {
			_, err := io.Copy(w, resp.Body)
			return err
		}
		if c.File == "-" {
			return write(env.Stdout)
		}
		return backup.WriteFile(c.File, write)
	})
}
