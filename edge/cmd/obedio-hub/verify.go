package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/obedio/obedio/edge/internal/backup"
	"github.com/obedio/obedio/edge/internal/broker"
	"github.com/obedio/obedio/edge/internal/config"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/edge/internal/traffic"
	"github.com/obedio/obedio/shared/program"
)

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
