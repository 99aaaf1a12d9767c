package postgres

import (
	"os"
	"testing"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/console/internal/store/postgres/pgtest"
	"github.com/obedio/obedio/console/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func open(t testing.TB, c Config) *Store {
	t.Helper()
	if c.URL == "" {
		c.URL = pgtest.URL(t)
	}
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, 10, func(t *testing.T) store.Store { return open(t, Config{}) })
}
