package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/obedio/obedio/console/internal/config"
	"github.com/obedio/obedio/shared/program"
)

type audits struct {
	List   auditList   `cmd:"" help:"Show the newest entries."`
	Verify auditVerify `cmd:"" help:"Look whether all entries are what was written: exit code 0 or 1."`
	Export auditExport `cmd:"" help:"Write all entries, the oldest first."`
}

// auditOf says whose audit is meant.
type auditOf struct {
	Site string `name:"site" env:"-" placeholder:"SITE" help:"The audit of that site's hub, as it has told of it; the console's own if empty."`
}

func (a auditOf) path() string {
	if a.Site == "" {
		return "/api/v1/audit"
	}
	return sitePath(a.Site) + "/audit"
}

type auditList struct {
	config.Data
	program.Output
	program.AuditFilter
	auditOf
	Limit int `name:"limit" default:"50" env:"-" help:"How many entries at most."`
}

// Run lists entries.
func (c *auditList) Run(ctx context.Context, env *program.Env) error {
	if c.Limit < 1 {
		return program.Usagef("--limit %d: want more than 0", c.Limit)
	}
	return withConsole(ctx, c.Data, env, func(l *program.Local) error {
		return l.AuditList(ctx, env, c.Output, c.path(), c.AuditFilter, c.Limit)
	})
}

type auditVerify struct {
	config.Data
	program.Output
	auditOf
}

// Run verifies; what is wrong makes the exit code 1.
func (c *auditVerify) Run(ctx context.Context, env *program.Env) error {
	return withConsole(ctx, c.Data, env, func(l *program.Local) error { return l.AuditVerify(ctx, env, c.Output, c.path()) })
}

type auditExport struct {
	config.Data
	program.AuditFilter
	auditOf
	Format string `name:"format" default:"ndjson" enum:"ndjson,csv" env:"-" help:"ndjson or csv."`
	File   string `arg:"" help:"The file to write, which must not be there; - for standard output."`
}

// Run exports.
func (c *auditExport) Run(ctx context.Context, env *program.Env) error {
	return withConsole(ctx, c.Data, env, func(l *program.Local) error {
		write := func(w io.Writer) error { return l.AuditExport(ctx, w, c.path(), c.Format, c.AuditFilter) }
		if c.File == "-" {
			return write(env.Stdout)
		}
		f, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("write the audit: %w", err)
		}
		err = write(f)
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err != nil {
			os.Remove(c.File) // half an audit must not look whole
		}
		return err
	})
}
