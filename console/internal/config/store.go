package config

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/obedio/obedio/console/internal/console"
	"github.com/obedio/obedio/console/internal/store/postgres"
	"github.com/obedio/obedio/shared/fleet"
)

// embedded is the store that needs no server.
const embedded = "badger"

// Store says where everything is kept.
type Store struct {
	Store       string `name:"store" default:"badger" placeholder:"badger|URL" help:"Where everything is kept: badger, in the data directory; or the address of a database that speaks PostgreSQL's protocol, postgres://user@host/name, which several consoles may share. A password comes from --store-dsn-file, PGPASSFILE or PGPASSWORD."`
	StoreFile   string `name:"store-dsn-file" placeholder:"FILE" help:"File with the address of that database, password and all; instead of --store."`
	Connections int    `name:"store-connections" default:"16" help:"Connections to that database at most."`
}

// address is that of the database; "" for the embedded store.
func (s Store) address() (string, error) {
	if s.StoreFile != "" {
		b, err := os.ReadFile(s.StoreFile)
		if err != nil {
			return "", fmt.Errorf("--store-dsn-file: %w", err)
		}
		v := strings.TrimSpace(string(b))
		if !isDatabase(v) {
			return "", fmt.Errorf("%w: --store-dsn-file %s: want postgres://user:password@host/name", fleet.ErrInvalid, s.StoreFile)
		}
		return v, nil
	}
	if s.Store == embedded || s.Store == "" {
		return "", nil
	}
	if !isDatabase(s.Store) {
		return "", fmt.Errorf("%w: --store: want badger, or postgres://user@host/name", fleet.ErrInvalid)
	}
	u, err := url.Parse(s.Store)
	if err != nil {
		return "", fmt.Errorf("%w: --store is no URL: want postgres://user@host/name", fleet.ErrInvalid)
	}
	if _, secret := u.User.Password(); secret || u.Query().Has("password") {
		return "", fmt.Errorf("%w: --store holds a password, which others on the machine can read: use --store-dsn-file or PGPASSFILE", fleet.ErrInvalid)
	}
	return s.Store, nil
}

func isDatabase(v string) bool {
	return strings.HasPrefix(v, "postgres://") || strings.HasPrefix(v, "postgresql://")
}

// Check says what is wrong with the settings.
func (s Store) Check() error {
	if s.Connections < 0 {
		return fmt.Errorf("%w: --store-connections: want more than 0", fleet.ErrInvalid)
	}
	_, err := s.address()
	return err
}

// Console puts the choice into the settings of a console.
func (s Store) Console(c *console.Config) error {
	u, err := s.address()
	if err != nil {
		return err
	}
	c.Postgres = postgres.Config{URL: u, Connections: s.Connections}
	return nil
}
