package config

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/obedio/obedio/console/internal/console"
	"github.com/obedio/obedio/console/internal/relay"
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

// Events says how consoles that share a database tell each other what happens.
type Events struct {
	Events     string `name:"events" placeholder:"URL" help:"For several consoles on one database: a server that speaks Redis' protocol, redis://host:port, through which they tell each other at once what happens. Nothing is kept there."`
	EventsFile string `name:"events-url-file" placeholder:"FILE" help:"File with that address, password and all; instead of --events."`
}

// relay is the settings as the console takes them.
func (e Events) relay() (relay.Config, error) {
	c := relay.Config{URL: e.Events}
	if e.EventsFile != "" {
		b, err := os.ReadFile(e.EventsFile)
		if err != nil {
			return c, fmt.Errorf("--events-url-file: %w", err)
		}
		c.URL = strings.TrimSpace(string(b))
	} else if u, err := url.Parse(e.Events); err == nil {
		if _, secret := u.User.Password(); secret {
			return c, fmt.Errorf("%w: --events holds a password, which others on the machine can read: use --events-url-file", fleet.ErrInvalid)
		}
	}
	if c.URL == "" {
		return c, nil
	}
	if err := c.Check(); err != nil {
		return c, fmt.Errorf("--events: %w", err)
	}
	return c, nil
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
