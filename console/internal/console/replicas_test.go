package console

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/obedio/obedio/console/internal/fleetview"
	"github.com/obedio/obedio/console/internal/relay"
	"github.com/obedio/obedio/console/internal/relay/relaytest"
	"github.com/obedio/obedio/console/internal/store/postgres"
	"github.com/obedio/obedio/console/internal/store/postgres/pgtest"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
	"github.com/obedio/obedio/shared/lane"
)

// replicaOf tells the other process of TestReplicas_KillOne what it is to be.
const replicaOf = "OBEDIO_TEST_REPLICA"

func TestMain(m *testing.M) {
	if v := os.Getenv(replicaOf); v != "" {
		if err := beReplica(v); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(pgtest.Main(m))
}

// shared is what several consoles have in common.
type shared struct {
	t      testing.TB
	Store  string
	Events string
	pki    string // the directory of the first console
}

func share(t testing.TB, events string) *shared {
	return &shared{t: t, Store: pgtest.URL(t), Events: events}
}

// config is that of one more console: it has the keys of the first.
func (s *shared) config() Config {
	s.t.Helper()
	dir := s.t.TempDir()
	if s.pki == "" {
		s.pki = filepath.Join(dir, "pki")
	} else {
		files, err := os.ReadDir(s.pki)
		if err == nil {
			err = os.Mkdir(filepath.Join(dir, "pki"), 0o700)
		}
		for _, f := range files {
			var b []byte
			if b, err = os.ReadFile(filepath.Join(s.pki, f.Name())); err == nil {
				err = os.WriteFile(filepath.Join(dir, "pki", f.Name()), b, 0o600)
			}
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return replicaConfig(dir, s.Store, s.Events)
}

func replicaConfig(dir, store, events string) Config {
	return Config{
		Data: dir, Postgres: postgres.Config{URL: store}, Events: relay.Config{URL: events, RetryWithin: 50 * time.Millisecond},
		HubLink: manyEnrolments,
	}
}

// beReplica is a console until it is killed. It prints the address of its hub
// link when that takes work.
func beReplica(settings string) error {
	var v struct{ Dir, Store, Events string }
	if err := json.Unmarshal([]byte(settings), &v); err != nil {
		return err
	}
	c := replicaConfig(v.Dir, v.Store, v.Events)
	var err error
	if c.Listeners.HubLink, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	console, err := New(context.Background(), c)
	if err != nil {
		return err
	}
	go func() {
		<-console.Ready()
		fmt.Println(c.Listeners.HubLink.Addr())
	}()
	return console.Run(context.Background())
}

// heard waits until a console hears the others.
func (r *rig) heard() {
	in := r.c.relay.Messages().Subscribe(0)
	for !r.c.relay.Up() {
		if _, err := in.Next(r.t.Context()); err != nil {
			r.t.Fatal(err)
		}
	}
}

// awaits reads rows of the fleet view until one is as wanted.
func awaits(t testing.TB, rows *feed.Reader[fleetview.Row], what string, want func(fleetview.Row) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		item, err := rows.Next(ctx)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if want(item.Value) {
			return
		}
	}
}

func TestReplicas_HearOfEachOther(t *testing.T) {
	s := share(t, relaytest.Start(t).URL)
	a := start(t, s.config())
	b := start(t, s.config())
	a.heard()
	b.heard()
	if a.c.identity != b.c.identity {
		t.Fatal("they are two fleets")
	}
	rows := a.c.fleet.Changes().Subscribe(a.c.fleet.Changes().Head())

	// What comes in at one is seen at the other: sites, contact, devices.
	b.addSite("yacht-1")
	awaits(t, rows, "the new site", func(r fleetview.Row) bool { return r.Site.ID == "yacht-1" })
	h := a.hub("yacht-1")
	h.dials(b)
	h.mustHello()
	awaits(t, rows, "the hub's contact", func(r fleetview.Row) bool { return r.Link == fleetview.Online })
	h.device("watch-1", fleet.Watch)
	far := a.c.link.Events().Subscribe(a.c.link.Events().Head())
	h.pushAll()
	for {
		e, err := far.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e.Value.Moved {
			if !e.Value.Far || !slices.Contains(e.Value.Changed(), fleet.DeviceRef("watch-1")) {
				t.Errorf("told of %+v", e.Value)
			}
			break
		}
	}
	awaits(t, rows, "the device", func(r fleetview.Row) bool { return r.Counts.AllDevices() == 1 })

	// An order that is given at one reaches the hub that waits at the other.
	waits := h.pulls()
	atA := *h
	atA.r = a
	sent := atA.send("watch-1", map[string]any{"name": "locate"})
	if err := <-waits; err != nil || len(h.orders) != 1 {
		t.Fatalf("%d orders, %v", len(h.orders), err)
	}
	if got := atA.command(sent.ID); got.State != fleet.CommandQueued {
		t.Errorf("the command is %+v", got)
	}

	// The ticket of one is good at the other; a Hello at one ends what the other
	// has: calls that wait, and the ticket.
	h.dials(a)
	h.grow(3)
	h.pushAll()
	old := *h
	waits = old.pulls()
	h.dials(b)
	h.mustHello()
	wantCode(t, "the call that waited at the other console", <-waits, connect.CodeFailedPrecondition)
	_, err := old.push(lane.Push{})
	wantCode(t, "a push with the ticket of before", err, connect.CodeFailedPrecondition)
	h.grow(3)
	h.pushAll()

	// Revoking at one shuts the hub out at the other.
	waits = h.pulls()
	a.mustAPI(http.MethodDelete, "/api/v1/sites/yacht-1", nil, nil)
	if err := <-waits; err == nil {
		t.Error("the call of a hub that was revoked goes on")
	}
	_, err = h.hello()
	wantCode(t, "a hub that was revoked", err, connect.CodePermissionDenied)
}

// pulls asks for orders and waits for some, in the background; it returns when
// the console has the call.
func (h *testHub) pulls() <-chan error {
	h.r.t.Helper()
	in := h.r.c.link.Events().Subscribe(h.r.c.link.Events().Head())
	waits := make(chan error, 1)
	go func() {
		_, err := h.pull(30 * time.Second)
		waits <- err
	}()
	for {
		e, err := in.Next(h.r.t.Context())
		if err != nil {
			h.r.t.Fatal(err)
		}
		if !e.Value.Far && e.Value.Site == fleet.SiteID(h.site) {
			return waits
		}
	}
}

// Without the server that carries events nothing is lost; when it is back,
// everything is read again.
func TestReplicas_OutliveTheirEvents(t *testing.T) {
	events := relaytest.Start(t)
	s := share(t, events.URL)
	a := start(t, s.config())
	b := start(t, s.config())
	a.heard()
	b.heard()
	a.addSite("yacht-1")
	h := a.hub("yacht-1")
	rows := a.c.fleet.Changes().Subscribe(a.c.fleet.Changes().Head())
	events.Stop()
	h.dials(b)
	h.mustHello()
	h.device("watch-1", fleet.Watch)
	h.pushAll()
	b.addSite("yacht-2")
	h.dials(a)
	h.grow(5) // one record is not known to be new at the other
	h.pushAll()
	if got := b.site("yacht-1"); got.Counts.Devices == 0 {
		t.Errorf("asked for, it is %+v", got)
	}
	events.Start()
	awaits(t, rows, "the site of the other console", func(r fleetview.Row) bool { return r.Site.ID == "yacht-2" })
}

// One of two consoles is killed while hubs push and orders are given: the hubs
// go on at the other, nothing is lost, nothing is there twice.
func TestReplicas_KillOne(t *testing.T) {
	s := share(t, relaytest.Start(t).URL)
	a := start(t, s.config())
	hubs := make([]*testHub, 6)
	for i := range hubs {
		site := fmt.Sprint("yacht-", i)
		a.addSite(site)
		hubs[i] = a.hub(site)
	}
	other, addr := s.process()
	for i, h := range hubs {
		if i%2 == 0 {
			h.cl = a.clientAt("https://"+addr, h.tls.Clone())
		}
		h.mustHello()
		h.device("watch-1", fleet.Watch)
		h.pushAll()
	}
	moved, commands := 0, map[string]map[fleet.CommandID]bool{}
	for round := range 12 {
		if round == 6 {
			go other.Process.Kill() // while the hubs push
		}
		for _, h := range hubs {
			h.grow(7)
			c := h.send("watch-1", map[string]any{"name": "locate"})
			if commands[h.site] == nil {
				commands[h.site] = map[fleet.CommandID]bool{}
			}
			commands[h.site][c.ID] = true
			if err := h.tryAll(); err != nil {
				h.dials(a) // as a hub does, whatever the call has come to
				h.mustHello()
				h.pushAll()
				moved++
			}
		}
	}
	if err := other.Wait(); err == nil || moved == 0 {
		t.Fatalf("the other console was not killed under load: %v, %d hubs moved", err, moved)
	}
	for _, h := range hubs {
		if _, err := h.pull(0); err != nil {
			t.Error(err)
		}
		want := commands[h.site]
		for _, o := range h.orders {
			id := o.Body.(fleet.SendCommand).Command
			if !want[id] {
				t.Errorf("%s: command %s was ordered twice, or by nobody", h.site, id)
			}
			delete(want, id)
		}
		if len(want) != 0 {
			t.Errorf("%s: %d commands have not come", h.site, len(want))
		}
		a.holds(h)
	}
}

// process starts one more console in a process of its own.
func (s *shared) process() (*exec.Cmd, string) {
	s.t.Helper()
	c := s.config()
	settings, err := json.Marshal(struct{ Dir, Store, Events string }{c.Data, s.Store, s.Events})
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(s.t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), replicaOf+"="+string(settings))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.t.Fatal(err)
	}
	return cmd, strings.TrimSpace(line)
}

// tryAll is pushAll for who may fail.
func (h *testHub) tryAll() error {
	for {
		p := h.rest()
		if p.Batches == nil {
			return nil
		}
		if _, err := h.push(p); err != nil {
			return err
		}
	}
}

// holds compares what the console holds of a hub with what the hub has told.
func (r *rig) holds(h *testHub) {
	r.t.Helper()
	told := fleettest.NewMemory()
	if _, err := lane.Greet(told, lane.Hello{Epoch: h.epoch, Lanes: map[fleet.Lane]lane.HelloLane{}}, lane.Given{}); err != nil {
		r.t.Fatal(err)
	}
	var all lane.Push
	for _, l := range fleet.LogLanes() {
		if n := fleet.Seq(len(h.lanes[l])); n > 0 {
			all.Batches = append(all.Batches, h.batch(l, 1, n))
		}
	}
	if _, err := lane.Receive(told, all); err != nil {
		r.t.Fatal(err)
	}
	h.r = r
	if got := h.digest(); got != told.SyncDigest() {
		r.t.Errorf("%s: the console's fold is %s, the hub's %s", h.site, got, told.SyncDigest())
	}
	var v struct {
		Lanes []struct {
			Lane    int    `json:"lane"`
			Durable uint64 `json:"durable"`
		} `json:"lanes"`
	}
	r.mustAPI(http.MethodGet, "/api/v1/sites/"+h.site+"/sync", nil, &v)
	for _, l := range v.Lanes {
		if want, ok := h.lanes[fleet.Lane(l.Lane)]; ok && l.Durable != uint64(len(want)) {
			r.t.Errorf("%s: %d records of lane %d are held, want %d", h.site, l.Durable, l.Lane, len(want))
		}
	}
}
