package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/obedio/obedio/shared/fleet"
)

func TestStore_IsChosenByItsAddress(t *testing.T) {
	file := secretFile(t, "postgres://obedio:secret@db/fleet\n")
	for name, c := range map[string]struct {
		store Store
		want  string
	}{
		"embedded":    {Store{Store: "badger"}, ""},
		"database":    {Store{Store: "postgres://obedio@db/fleet"}, "postgres://obedio@db/fleet"},
		"other name":  {Store{Store: "postgresql:///fleet?host=/run/postgresql"}, "postgresql:///fleet?host=/run/postgresql"},
		"from a file": {Store{Store: "badger", StoreFile: file}, "postgres://obedio:secret@db/fleet"},
	} {
		got, err := c.store.address()
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestEvents_AreForConsolesThatShareAStore(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Serve)
		says  string
	}{
		"embedded store":     {func(s *Serve) { s.Events.Events = "redis://localhost" }, "--events is for several consoles"},
		"another protocol":   {func(s *Serve) { s.Events.Events = "amqp://localhost" }, "--events"},
		"password in a flag": {func(s *Serve) { s.Events.Events = "redis://:secret@localhost" }, "use --events-url-file"},
		"no file":            {func(s *Serve) { s.EventsFile = "/nowhere/url" }, "--events-url-file"},
	} {
		s := good(t)
		c.spoil(&s)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := good(t)
	s.Store.Store, s.EventsFile = "postgres://db/fleet", secretFile(t, "rediss://:secret@localhost/2")
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	c, err := s.Console()
	if err != nil || c.Events.URL != "rediss://:secret@localhost/2" || c.Postgres.URL != "postgres://db/fleet" {
		t.Errorf("%+v, %v", c.Events, err)
	}
}

func TestStore_NamesWhatIsWrongAndNoSecret(t *testing.T) {
	for name, c := range map[string]struct {
		store Store
		says  string
	}{
		"another engine":        {Store{Store: "sqlite"}, "--store: want badger, or postgres://"},
		"password in a flag":    {Store{Store: "postgres://obedio:secret@db/fleet"}, "use --store-dsn-file or PGPASSFILE"},
		"password in the query": {Store{Store: "postgres://db/fleet?password=secret"}, "use --store-dsn-file or PGPASSFILE"},
		"no URL":                {Store{Store: "postgres://obedio:secret@db:port/"}, "--store is no URL"},
		"no file":               {Store{StoreFile: "/nowhere/dsn"}, "--store-dsn-file"},
		"another file":          {Store{StoreFile: secretFile(t, "hunter2")}, "--store-dsn-file"},
		"connections":           {Store{Connections: -1}, "--store-connections"},
	} {
		err := c.store.Check()
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "obedio:secret") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
		if name != "no file" && !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%s is not invalid: %v", name, err)
		}
	}
}
