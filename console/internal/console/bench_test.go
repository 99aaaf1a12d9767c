package console

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/console/internal/store/badger"
	"github.com/obedio/obedio/console/internal/store/postgres"
	"github.com/obedio/obedio/console/internal/store/postgres/pgtest"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// The size of the fleet of BenchmarkFleet; by default a small one. The full one:
//
//	OBEDIO_BENCH_SITES=10000 OBEDIO_BENCH_DEVICES=1000 \
//		go test ./internal/console -run '^$' -bench Fleet/badger -benchtime 1x -timeout 2h
const (
	benchSites   = "OBEDIO_BENCH_SITES"
	benchDevices = "OBEDIO_BENCH_DEVICES" // of each site
)

func benchSize(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// BenchmarkFleet loads a fleet into a store, starts a console on it, and
// measures what people wait for: the first page of the fleet, and searches; and
// how many states of devices are taken a second while nobody looks. Times are
// of whole answers of the API in this process.
func BenchmarkFleet(b *testing.B) {
	sites, devices := benchSize(benchSites, 200), benchSize(benchDevices, 50)
	b.Run("badger", func(b *testing.B) { benchFleet(b, Config{Data: b.TempDir(), Store: badger.Config{}}, sites, devices) })
	b.Run("postgres", func(b *testing.B) {
		benchFleet(b, Config{Data: b.TempDir(), Postgres: postgres.Config{URL: pgtest.URL(b)}}, sites, devices)
	})
}

func benchFleet(b *testing.B, c Config, sites, devices int) {
	v, err := New(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	loadFleet(b, v.store, sites, devices)
	took := time.Since(began)
	b.Logf("loaded %d sites, %d devices in %s: %.0f devices/s", sites, sites*devices, took.Round(time.Second), float64(sites*devices)/took.Seconds())
	if err := v.Close(); err != nil {
		b.Fatal(err)
	}
	began = time.Now()
	if v, err = New(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = v.Close() })
	b.Logf("console starts in %s; the store has %d MB; resident %d MB", time.Since(began).Round(time.Millisecond), v.store.Bytes()>>20, resident())
	r := &rig{t: b, c: v}
	for _, q := range []struct{ name, path string }{
		{"first page of sites", "/api/v1/sites?limit=50"},
		{"sites with a filter", "/api/v1/sites?limit=50&filter=" + url.QueryEscape("state:never_connected lost:>3")},
		{"search by id", "/api/v1/devices/search?q=button-0007"},
		{"search by a word", "/api/v1/devices/search?q=0042"},
		{"search by a word and a site", "/api/v1/devices/search?q=" + url.QueryEscape("site:site-00007 cabin")},
		{"search of lost", "/api/v1/devices/search?q=state:lost"},
		{"search of low batteries in some rooms", "/api/v1/devices/search?q=" + url.QueryEscape("battery:<5 room:cabin-1*")},
		{"search of a rare tag", "/api/v1/devices/search?q=tag:rare"},
		{"search of a type", "/api/v1/devices/search?q=type:watch"},
		{"search of old firmware, not lost", "/api/v1/devices/search?q=" + url.QueryEscape("firmware:1.0.* -state:lost type:button")},
		{"search of nothing", "/api/v1/devices/search?q=nonesuch"},
		{"search that no term leads", "/api/v1/devices/search?q=" + url.QueryEscape("profile:nonesuch")},
		{"search that few of many match", "/api/v1/devices/search?q=" + url.QueryEscape("button type:nonesuch")},
	} {
		b.Run(strings.ReplaceAll(q.name, " ", "_"), func(b *testing.B) {
			var took []time.Duration
			for range 30 {
				began := time.Now()
				if code := r.api(http.MethodGet, q.path, nil, nil); code != http.StatusOK {
					b.Fatalf("%s answers %d", q.path, code)
				}
				took = append(took, time.Since(began))
			}
			first := took[0]
			slices.Sort(took)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(first.Microseconds())/1000, "first-ms")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
		})
	}
	b.Logf("resident after the searches %d MB", resident())
	b.Run("ingest", func(b *testing.B) { benchIngest(b, v.store, sites, devices) })
	b.Logf("resident after that %d MB", resident())
}

// resident is the memory of this process, in MB.
func resident() int {
	runtime.GC()
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages int
	if _, err := fmt.Sscan(string(raw), &size, &pages); err != nil {
		return 0
	}
	return pages * os.Getpagesize() >> 20
}

// processor is the time that this process has had of the processors; that of a
// database server is not in it.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchSite(i int) fleet.SiteID { return fleet.SiteID(fmt.Sprintf("site-%05d", i)) }

// benchDevice is one of a site; benchState its state.
func benchDevice(site, i int) fleet.Device {
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	kind := []fleet.DeviceType{fleet.Button, fleet.Button, fleet.Button, fleet.Watch, fleet.Sensor}[i%5]
	d := fleet.Device{
		ID: fleet.DeviceID(fmt.Sprintf("%s-%04d", kind, i)), Type: kind, Room: fleet.RoomID(fmt.Sprint("cabin-", 100+i/5)), Profile: string(kind),
		Version: 1, CreatedAt: at, UpdatedAt: at,
	}
	if (site*7919+i)%100_000 == 7 {
		d.Tags = []string{"rare"}
	}
	return d
}

func benchState(site, i int, version uint64) fleet.DeviceState {
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	n := site*1000003 + i*7919
	charge, signal, up := 31+n%69, -40-n%50, int64(86400+version)
	v := fleet.DeviceState{
		ID: benchDevice(site, i).ID, Presence: fleet.Ready, Since: at, LastSeen: at.Add(time.Duration(version) * time.Second),
		Battery: &charge, Signal: &signal, Firmware: "1.4.2", BootID: "0f3a9c21", UptimeS: &up, Version: version,
	}
	switch {
	case n%500 == 1:
		v.Presence = fleet.Lost
	case n%50 == 2:
		*v.Battery = n % 30
	case n%1000 == 3:
		v.Firmware = fmt.Sprint("1.0.", n%7)
	}
	return v
}

// loadFleet puts devices with their states into a store, some sites at once.
func loadFleet(b *testing.B, s store.Store, sites, devices int) {
	b.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < sites; i = int(next.Add(1)) - 1 {
				if err := loadSite(b.Context(), s, i, devices); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if b.Failed() {
		b.FailNow()
	}
}

func loadSite(ctx context.Context, s store.Store, site, devices int) error {
	err := s.AddSite(ctx, fleet.System("bench"), store.Site{ID: benchSite(site), Name: fmt.Sprint("Yacht ", site), CreatedAt: time.Now()}, 1<<30)
	if err != nil {
		return err
	}
	for from := 0; from < devices; from += 1000 {
		err := s.UpdateSite(ctx, benchSite(site), func(tx store.SiteTx) error {
			for i := from; i < min(devices, from+1000); i++ {
				if err := tx.PutEntity(benchDevice(site, i)); err != nil {
					return err
				}
				if err := tx.PutState(benchState(site, i, uint64(i+1)), time.Now().UnixMilli()); err != nil {
					return err
				}
			}
			return tx.SetStateVersion(uint64(devices))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// benchIngest takes pushes of 100 states from random sites, as hubs bring them.
func benchIngest(b *testing.B, s store.Store, sites, devices int) {
	rows := min(100, devices)
	var taken atomic.Int64
	until := time.Now().Add(10 * time.Second)
	began, worked := time.Now(), processor()
	var all sync.WaitGroup
	for w := range 32 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for time.Now().Before(until) && !b.Failed() {
				site := r.IntN(sites)
				err := s.UpdateSite(b.Context(), benchSite(site), func(tx store.SiteTx) error {
					at, err := tx.StateVersion()
					if err != nil {
						return err
					}
					push := lane.Push{State: &lane.StateBatch{After: at, Upto: at + uint64(rows), AsOfMS: time.Now().UnixMilli()}}
					from := r.IntN(devices)
					for i := range rows {
						push.State.States = append(push.State.States, benchState(site, (from+i)%devices, at+uint64(i)+1))
					}
					_, err = lane.Receive(tx, push)
					return err
				})
				if err != nil {
					b.Error(err)
					return
				}
				taken.Add(int64(rows))
			}
		})
	}
	all.Wait()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(taken.Load())/time.Since(began).Seconds(), "rows/s")
	b.ReportMetric(float64((processor()-worked).Microseconds())/float64(taken.Load()), "cpu-us/row")
}
