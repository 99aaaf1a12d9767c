package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/console/internal/store/postgres/pgtest"
	"github.com/obedio/obedio/console/internal/store/storetest"
	"github.com/obedio/obedio/shared/fleet"
)

func TestOpen_FindsEverythingAgain(t *testing.T) {
	addr := pgtest.URL(t)
	s := open(t, Config{URL: addr})
	storetest.AddSite(t, s, "yacht-1")
	again := open(t, Config{URL: addr})
	if _, err := again.Site(t.Context(), "yacht-1"); err != nil {
		t.Error(err)
	}
	if again.Bytes() == 0 {
		t.Error("the store takes no space")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.AddSite(t.Context(), fleet.System("test"), store.Site{ID: "b"}, 10); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a closed store answers %v", err)
	}
	if _, err := s.Site(t.Context(), "b"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a closed store answers %v", err)
	}
}

func TestOpen_ManyAtOnceMigrateOnce(t *testing.T) {
	addr := pgtest.URL(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			s, err := Open(t.Context(), Config{URL: addr, Connections: 2})
			if err != nil {
				t.Error(err)
				return
			}
			_ = s.Close()
		})
	}
	all.Wait()
}

func TestOpen_RefusesTheTablesOfANewerProgram(t *testing.T) {
	addr := pgtest.URL(t)
	s := open(t, Config{URL: addr})
	if _, err := s.pool.Exec(t.Context(), "INSERT INTO "+versionTable+" (version_id, is_applied) VALUES (99, true)"); err != nil {
		t.Fatal(err)
	}
	if again, err := Open(t.Context(), Config{URL: addr}); err == nil || !strings.Contains(err.Error(), "schema version 99, this program knows") {
		t.Errorf("got %v", err)
		if err == nil {
			_ = again.Close()
		}
	}
}

func TestOpen_SaysWhichDatabaseIsOutOfReach(t *testing.T) {
	_, err := Open(t.Context(), Config{URL: "postgres://somebody:secret@127.0.0.1:1/fleet"})
	if !errors.Is(err, fleet.ErrUnavailable) || !strings.Contains(err.Error(), "127.0.0.1:1/fleet") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	if _, err := Open(t.Context(), Config{URL: "postgres://a:secret@host:port/"}); !errors.Is(err, fleet.ErrInvalid) || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestUpdate_RunsAgainWhenTheServerSaysSo(t *testing.T) {
	s := open(t, Config{})
	storetest.AddSite(t, s, "a")
	for _, code := range []string{"40001", "40P01"} {
		runs := 0
		err := s.UpdateSite(t.Context(), "a", func(tx store.SiteTx) error {
			runs++
			if err := tx.PutContact(store.Contact{Version: fmt.Sprint(code, runs)}); err != nil || runs == 2 {
				return err
			}
			return &pgconn.PgError{Code: code}
		})
		if err != nil || runs != 2 {
			t.Errorf("%s: %d runs, %v", code, runs, err)
		}
	}
	s.c.Retries = 2
	err := s.UpdateSite(t.Context(), "a", func(store.SiteTx) error { return &pgconn.PgError{Code: "40001"} })
	if !errors.Is(err, fleet.ErrUnavailable) {
		t.Errorf("for ever: %v", err)
	}
}

// Two consoles on one database number the orders of a site without holes, and
// write one audit.
func TestStore_OfSeveralConsoles(t *testing.T) {
	addr := pgtest.URL(t)
	both := []*Store{open(t, Config{URL: addr}), open(t, Config{URL: addr})}
	storetest.AddSite(t, both[0], "a")
	const each = 40
	ctx := context.WithoutCancel(t.Context())
	var all sync.WaitGroup
	for _, s := range both {
		for i := range each {
			all.Go(func() {
				err := s.UpdateSite(ctx, "a", func(tx store.SiteTx) error {
					if _, err := tx.AddOrder(storetest.NewOrder(i, time.Hour)); err != nil {
						return err
					}
					return tx.Audit(fleet.System("test"), store.AuditOrderQueued, "a", nil)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	if n := len(storetest.AuditOf(t, both[1])); n != 1+2*each {
		t.Errorf("%d entries in the audit", n)
	}
	err := both[1].ViewSite(ctx, "a", func(v store.SiteView) error {
		n := uint64(0)
		err := v.OrdersAfter(0, func(o store.Order) bool {
			n++
			return o.Number == n
		})
		if n != 2*each {
			t.Errorf("%d orders without a hole, want %d", n, 2*each)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestLead_OneConsoleUntilItsTimeIsOver(t *testing.T) {
	s := open(t, Config{})
	lead := func(work, self string, ttl time.Duration) bool {
		t.Helper()
		ok, err := s.Lead(t.Context(), work, self, ttl)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if !lead("sweep", "a", time.Hour) || lead("sweep", "b", time.Hour) || !lead("sweep", "a", time.Hour) || !lead("other", "b", time.Hour) {
		t.Error("not the one that came first")
	}
	if !lead("sweep", "a", -time.Second) || !lead("sweep", "b", time.Hour) || lead("sweep", "a", time.Hour) {
		t.Error("the time that is over still counts")
	}
}

// A transaction whose connection is cut leaves nothing, and the next one finds
// another connection.
func TestUpdate_OutlivesALostConnection(t *testing.T) {
	s := open(t, Config{})
	storetest.AddSite(t, s, "a")
	err := s.UpdateSite(t.Context(), "a", func(tx store.SiteTx) error {
		if err := tx.PutContact(store.Contact{Version: "lost"}); err != nil {
			return err
		}
		pid := tx.(*site).t.conn.PgConn().PID()
		_, err := s.pool.Exec(t.Context(), "SELECT pg_terminate_backend($1)", int(pid))
		return err
	})
	if !errors.Is(err, fleet.ErrUnavailable) {
		t.Errorf("a lost connection: %v", err)
	}
	err = s.UpdateSite(t.Context(), "a", func(tx store.SiteTx) error {
		c, err := tx.Contact()
		if c.Version != "" {
			t.Errorf("something is left: %+v", c)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A server that goes without a word is out of reach, for reads as for writes.
func TestUpdate_SaysThatTheServerIsGone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	network, addr := "unix", filepath.Join(q.Get("host"), ".s.PGSQL.5432")
	if u.Hostname() != "" {
		network, addr = "tcp", u.Host
	}
	var mu sync.Mutex
	var conns []net.Conn
	go func() {
		for {
			here, err := l.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial(network, addr)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			conns = append(conns, here, there)
			mu.Unlock()
			go io.Copy(here, there)
			go io.Copy(there, here)
		}
	}()
	q.Del("host")
	q.Set("sslmode", "disable")
	u.Host, u.RawQuery = l.Addr().String(), q.Encode()
	s := open(t, Config{URL: u.String()})
	storetest.AddSite(t, s, "a")
	err = s.UpdateSite(t.Context(), "a", func(tx store.SiteTx) error {
		l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range conns {
			c.Close()
		}
		return tx.PutContact(store.Contact{Version: "2"})
	})
	if !errors.Is(err, fleet.ErrUnavailable) {
		t.Errorf("a write: %v", err)
	}
	if _, err := s.Site(t.Context(), "a"); !errors.Is(err, fleet.ErrUnavailable) {
		t.Errorf("a read: %v", err)
	}
	if _, err := s.Sites(t.Context(), "", 10); !errors.Is(err, fleet.ErrUnavailable) {
		t.Errorf("a list: %v", err)
	}
}

// A caller that goes away while it waits for a site does not keep the
// connection, nor the site.
func TestUpdate_EndsWithItsCaller(t *testing.T) {
	addr := pgtest.URL(t)
	s, other := open(t, Config{URL: addr}), open(t, Config{URL: addr})
	storetest.AddSite(t, s, "a")
	err := s.UpdateSite(t.Context(), "a", func(store.SiteTx) error {
		ctx, stop := context.WithCancel(t.Context())
		waits := make(chan error, 1)
		go func() {
			waits <- other.UpdateSite(ctx, "a", func(store.SiteTx) error { return nil })
		}()
		for n := 0; n == 0; { // until the server says that it waits
			err := s.pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'SELECT site%'").Scan(&n)
			if err != nil {
				t.Fatal(err)
			}
		}
		stop()
		if err := <-waits; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.UpdateSite(t.Context(), "a", func(store.SiteTx) error { return nil }); err != nil {
		t.Error(err)
	}
}

// The tables lead with the site where they are about one.
func TestMigrations_TablesLeadWithTheSite(t *testing.T) {
	s := open(t, Config{})
	rows, err := s.pool.Query(t.Context(), `SELECT c.table_name, (SELECT k.column_name FROM information_schema.key_column_usage k
		WHERE k.table_schema = c.table_schema AND k.table_name = c.table_name AND k.ordinal_position = 1)
		FROM information_schema.columns c WHERE c.table_schema = current_schema() AND c.column_name = 'site_id'`)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	var table, first string
	_, err = pgx.ForEachRow(rows, []any{&table, &first}, func() error {
		if n++; first != "site_id" {
			t.Errorf("the key of %s begins with %s", table, first)
		}
		return nil
	})
	if err != nil || n < 8 {
		t.Errorf("%d tables are about a site: %v", n, err)
	}
}

func TestOpen_IndexesDevicesThatHaveNoTerms(t *testing.T) {
	addr := pgtest.URL(t)
	s := open(t, Config{URL: addr})
	storetest.AddSite(t, s, "a")
	err := s.UpdateSite(t.Context(), "a", func(tx store.SiteTx) error {
		return errors.Join(
			tx.PutEntity(fleet.Device{ID: "button-1", Type: fleet.Button, Room: "cabin-1", Version: 1}),
			tx.PutState(fleet.DeviceState{ID: "button-1", Presence: fleet.Lost, Version: 1}, 0))
	})
	if err == nil {
		_, err = s.pool.Exec(t.Context(), "DELETE FROM device_terms")
	}
	if err == nil {
		_, err = s.pool.Exec(t.Context(), "DELETE FROM meta WHERE name = 'setting/"+termsSetting+"'")
	}
	if err != nil {
		t.Fatal(err)
	}
	page, err := open(t, Config{URL: addr}).SearchDevices(t.Context(), store.DeviceQuery{
		Conditions: []store.DeviceCondition{{Field: store.TermState, Ranges: []store.TermRange{store.Exactly("lost")}}},
		Match:      func(store.FoundDevice) bool { return true }, Limit: 10, Scan: 10,
	}, store.DevicePlace{})
	if err != nil || len(page.Devices) != 1 {
		t.Errorf("%d devices are found after the start: %v", len(page.Devices), err)
	}
}
