package main

import (
	"context"
	"io"

	"github.com/obedio/obedio/edge/internal/backup"
	"github.com/obedio/obedio/edge/internal/config"
	"github.com/obedio/obedio/shared/program"
)

const auditPath = "/api/v1/audit"

type audits struct {
	List   auditList   `cmd:"" help:"Show the newest entries."`
	Verify auditVerify `cmd:"" help:"Look whether all entries are what was written: exit code 0 or 1."`
	Export auditExport `cmd:"" help:"Write all entries, the oldest first."`
}

type auditList struct {
	config.Data
	program.Output
	program.AuditFilter
	Limit int `name:"limit" default:"50" env:"-" help:"How many entries at most."`
}

// Run lists entries.
func (c *auditList) Run(ctx context.Context, env *program.Env) error {
	if c.Limit < 1 {
		return program.Usagef("--limit %d: want more than 0", c.Limit)
	}
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		return l.AuditList(ctx, env, c.Output, auditPath, c.AuditFilter, c.Limit)
	})
}

type auditVerify struct {
	config.Data
	program.Output
}

// Run verifies; what is wrong makes the exit code 1.
func (c *auditVerify) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) error { return l.AuditVerify(ctx, env, c.Output, auditPath) })
}

type auditExport struct {
	config.Data
	program.AuditFilter
	Format string `name:"format" default:"ndjson" enum:"ndjson,csv" env:"-" help:"ndjson or csv."`
	File   string `arg:"" help:"The file to write; - for standard output."`
}

// Run exports.
func (c *auditExport) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		write := func(w io.Writer) error { return l.AuditExport(ctx, w, auditPath, c.Format, c.AuditFilter) }
		if c.File == "-" {
			return write(env.Stdout)
		}
		return backup.WriteFile(c.File, write)
	})
}
