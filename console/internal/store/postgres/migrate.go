package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is where the number of the last migration is kept.
const versionTable = "schema_version"

// migrate applies the migrations that are missing, while no other console does.
// A database of a newer program is refused.
func (s *Store) migrate(ctx context.Context) (err error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(s.pool)
	defer func() { err = errors.Join(err, db.Close()) }() // the pool stays open
	turn, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return fmt.Errorf("prepare migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithTableName(versionTable), goose.WithSessionLocker(turn))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	there, known, err := p.GetVersions(ctx)
	if err != nil {
		return translate(err)
	}
	if there > known {
		return fmt.Errorf("the database has schema version %d, this program knows %d: use the program that wrote it, or a newer one", there, known)
	}
	if there == known {
		return nil
	}
	done, err := p.Up(ctx)
	if err != nil {
		return translate(fmt.Errorf("migrate from version %d to %d: %w", there, known, err))
	}
	for _, m := range done {
		s.log.Info("tables brought up to date", "migration", m.Source.Path, "took", m.Duration)
	}
	return nil
}
