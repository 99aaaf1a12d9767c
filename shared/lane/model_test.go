package lane_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
	"github.com/obedio/obedio/shared/lane"
	"github.com/obedio/obedio/shared/wire"
)

// hub is a model of the hub's store: what is in it is durable.
type hub struct {
	epoch   fleet.Epoch // as the store says
	life    fleet.Epoch // that the link has begun; empty when it is the store's
	lanes   map[fleet.Lane][][]byte
	hashes  map[fleet.Lane][]lane.Hash
	base    map[fleet.Lane]int // the oldest record that is still there
	fold    *fleettest.Memory
	states  map[fleet.DeviceID]fleet.DeviceState
	version uint64
	saved   lane.Saved
	cursor  uint64
}

func newHub(epoch fleet.Epoch) *hub {
	h := &hub{
		epoch: epoch, lanes: map[fleet.Lane][][]byte{}, hashes: map[fleet.Lane][]lane.Hash{}, base: map[fleet.Lane]int{},
		states: map[fleet.DeviceID]fleet.DeviceState{}, fold: fleettest.NewMemory(),
	}
	for _, l := range fleet.LogLanes() {
		h.hashes[l] = []lane.Hash{{}}
	}
	return h
}

// clone is a copy of the hub's disk.
func (h *hub) clone() *hub {
	c := *h
	c.lanes, c.hashes, c.base, c.states = maps.Clone(h.lanes), maps.Clone(h.hashes), maps.Clone(h.base), maps.Clone(h.states)
	for _, l := range fleet.LogLanes() {
		c.lanes[l], c.hashes[l] = slices.Clip(c.lanes[l]), slices.Clip(c.hashes[l])
	}
	c.fold, c.saved = h.fold.Clone(), keep(h.saved)
	return &c
}

func keep(s lane.Saved) lane.Saved {
	s.Acked, s.Hashes = maps.Clone(s.Acked), maps.Clone(s.Hashes)
	return s
}

// append stores a record whose effect is in the fold already.
func (h *hub) append(l fleet.Lane, b []byte) {
	h.lanes[l] = append(h.lanes[l], b)
	h.hashes[l] = append(h.hashes[l], h.hashes[l][len(h.hashes[l])-1].Next(b))
}

func (h *hub) touch(id fleet.DeviceID, battery int) {
	h.version++
	h.states[id] = fleet.DeviceState{ID: id, Presence: fleet.Ready, Battery: &battery, Version: h.version}
}

func (h *hub) Entity(r fleet.Ref) ([]byte, error) { return h.fold.Entity(r) }

func (h *hub) EachRecord(l fleet.Lane, from fleet.Seq, fn func(fleet.Seq, []byte) (bool, error)) error {
	for i := max(int(from), h.base[l]+1, 1); i <= len(h.lanes[l]); i++ {
		if more, err := fn(fleet.Seq(i), h.lanes[l][i-1]); err != nil || !more {
			return err
		}
	}
	return nil
}

func (h *hub) Head(l fleet.Lane) (lane.Position, error) {
	n := len(h.lanes[l])
	return lane.Position{Seq: fleet.Seq(n), Hash: h.hashes[l][n]}, nil
}

func (h *hub) Base(l fleet.Lane) (lane.Position, error) {
	if h.base[l] == 0 {
		return lane.Position{}, nil
	}
	return lane.Position{Seq: fleet.Seq(h.base[l]), Hash: h.hashes[l][h.base[l]]}, nil
}

func (h *hub) HashAt(l fleet.Lane, s fleet.Seq) (lane.Hash, error) {
	if int(s) < h.base[l] {
		return lane.Hash{}, fmt.Errorf("%w: record %d of lane %s was dropped", fleet.ErrNotFound, s, l)
	}
	return h.hashes[l][s], nil
}

func (h *hub) Read(l fleet.Lane, after fleet.Seq, maxBytes int) (lane.Batch, error) {
	prev, err := h.HashAt(l, after)
	b := lane.Batch{Lane: l, First: after + 1, Prev: prev}
	for _, r := range h.lanes[l][after:] {
		if maxBytes -= len(r); maxBytes < 0 && len(b.Records) > 0 {
			break
		}
		b.Records = append(b.Records, r)
	}
	return b, err
}

func (h *hub) StateHead() uint64 { return h.version }

func (h *hub) States(after uint64, maxBytes int) (lane.StateBatch, error) {
	b := lane.StateBatch{After: after, Upto: h.version}
	for _, s := range slices.SortedFunc(maps.Values(h.states), func(a, b fleet.DeviceState) int {
		return int(a.Version) - int(b.Version)
	}) {
		if s.Version <= after {
			continue
		}
		if len(b.States) > 0 && len(b.States)*64 > maxBytes {
			break
		}
		b.States = append(b.States, s)
		b.Upto = s.Version
	}
	if n := len(b.States); n > 0 && b.States[n-1].Version < h.version {
		return b, nil
	}
	b.Upto = h.version
	return b, nil
}

// order is one of the console's, with the life of the console that made it.
type order struct {
	number uint64
	id     int
	made   int
}

// console is a model of the console: all of it is durable but the ticket.
type console struct {
	held    *fleettest.Memory
	orders  []order
	head    uint64
	offered uint64
	taken   uint64
	life    int // of its store
	hub     string
	policy  uint64

	ticket string
	epoch  fleet.Epoch // of the session
	next   int
}

func newConsole() *console { return &console{held: fleettest.NewMemory(), life: 1} }

func (c *console) clone() *console {
	d := *c
	d.held, d.orders = c.held.Clone(), slices.Clone(c.orders)
	return &d
}

func (c *console) name() string { return fmt.Sprint("life-", c.life) }

func (c *console) add(id, life int) {
	c.head++
	c.orders = append(c.orders, order{number: c.head, id: id, made: life})
}

// hello is the transaction of a Hello: a copy that replaces the original.
func (c *console) hello(h lane.Hello, knows string) (lane.Welcome, error) {
	tx := c.held.Clone()
	h.Hub = c.hub
	w, err := lane.Greet(tx, h, lane.Given{Offered: c.offered, Taken: c.taken, Console: c.name()})
	if err != nil {
		return w, err
	}
	c.held = tx
	w.ConsoleID, w.ConsoleEpoch, w.Policy = "console", c.name(), c.policy
	if w.Durable == nil {
		return w, nil
	}
	if knows != "" && knows != c.name() && h.OrderCursor > c.taken {
		c.renumber(h.OrderCursor)
	}
	c.taken = max(c.taken, h.OrderCursor)
	if w.Began {
		c.taken = max(c.taken, w.OrderFloor)
	}
	c.next++
	c.ticket, c.epoch = fmt.Sprint("ticket-", c.next), h.Epoch
	w.Ticket = []byte(c.ticket)
	return w, nil
}

// renumber is store.SiteTx's.
func (c *console) renumber(cursor uint64) {
	base := cursor
	var fresh []order
	c.orders = slices.DeleteFunc(c.orders, func(o order) bool {
		if o.made == c.life {
			fresh = append(fresh, o)
			return true
		}
		base = max(base, o.number)
		return false
	})
	c.head, c.offered, c.taken = base, max(cursor, min(c.offered, base)), max(cursor, min(c.taken, base))
	for _, o := range fresh {
		c.add(o.id, o.made)
	}
}

// due are the orders behind a cursor.
func (c *console) due(cursor uint64) []fleet.Order {
	var out []fleet.Order
	for _, o := range c.orders {
		if o.number > cursor {
			out = append(out, fleet.Order{Number: o.number, ID: fleet.OrderID(fmt.Sprint(o.id))})
			c.offered = max(c.offered, o.number)
		}
	}
	return out
}

func (c *console) push(p lane.Push) (lane.Applied, []fleet.Order, error) {
	if c.ticket == "" || string(p.Ticket) != c.ticket {
		return lane.Applied{}, nil, lane.ErrTicket
	}
	tx := c.held.Clone()
	if e, _ := tx.Epoch(); e != c.epoch {
		return lane.Applied{}, nil, lane.ErrTicket
	}
	a, err := lane.Receive(tx, p)
	if err != nil {
		return lane.Applied{}, nil, err
	}
	c.held, c.taken = tx, max(c.taken, p.OrderCursor)
	return a, c.due(p.OrderCursor), nil
}

// recall is as a hub calls it, in parts.
func (c *console) recall(maxBytes int) ([]fleet.Restated, error) {
	var all []fleet.Restated
	for after := ""; ; {
		got, err := lane.Recall(c.held, after, maxBytes)
		if err != nil {
			return nil, err
		}
		all = append(all, got.Entities...)
		if after = got.Next; after == "" {
			return all, nil
		}
	}
}

// world is a site, its hub, its console and the link between them.
type world struct {
	t     *rapid.T
	story *fleettest.Story
	hub   *hub
	shore *console
	send  *lane.Sender
	boots int
	lives int
	lost  bool // records of the hub may be lost without its knowing it
	// renewed counts the lives since the last welcome.
	renewed int

	stray []lane.Push // sent long ago, and still under way
	ran   map[int]int // how often each order took effect, in all lives
	made  int         // orders
}

func newWorld(t *rapid.T) *world {
	w := &world{
		t: t, story: fleettest.NewStory(rapid.Uint64().Draw(t, "story")), hub: newHub("epoch-1"), shore: newConsole(), lives: 1,
		ran: map[int]int{},
	}
	w.story.GoOn(w.hub.fold, w.hub.epoch)
	w.boot()
	return w
}

// boot starts the hub's program: what is not on its disk is gone.
func (w *world) boot() {
	w.boots++
	e := w.hub.epoch
	if w.hub.life != "" {
		e = w.hub.life
	}
	w.send = lane.NewSender(e, fmt.Sprint("boot-", w.boots), keep(w.hub.saved))
}

func (w *world) save() { w.hub.saved = keep(w.send.Saved()) }

func (w *world) happen() {
	r := w.story.Next()
	b, err := wire.EncodeRecord(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.hub.append(r.Body.Lane(), b)
}

// wireRecord is wire.EncodeRecord.
func wireRecord(r fleet.Record) ([]byte, error) { return wire.EncodeRecord(r) }

func (w *world) order() {
	w.made++
	w.shore.add(w.made, w.shore.life)
}

func (w *world) take(orders []fleet.Order) {
	for _, o := range lane.Due(w.hub.cursor, orders) {
		var id int
		fmt.Sscan(string(o.ID), &id)
		if o.Number <= w.shore.taken {
			w.t.Fatalf("order %d is done again: the console knows that a hub has taken it", o.Number)
		}
		w.ran[id]++ // one transaction
		w.hub.cursor = o.Number
	}
}

// restoreHub puts an older copy of the hub's disk back. told says that the hub
// knows of it, as after `obedio-hub restore`.
func (w *world) restoreHub(old *hub, told bool) {
	w.hub, w.lost = old.clone(), true
	if told {
		before := w.hub.epoch
		w.lives++
		w.hub.epoch, w.hub.life = fleet.Epoch(fmt.Sprint("epoch-", w.lives)), ""
		if w.hub.saved.Epoch == "" {
			w.hub.saved.Epoch = before
		}
	}
	w.story.GoOn(w.hub.fold, w.hub.epoch)
	w.boot()
}

func (w *world) restoreConsole(old *console) {
	life, next := w.shore.life, w.shore.next
	w.shore = old.clone()
	w.shore.life, w.shore.next, w.shore.ticket, w.lost = life+1, next, "", true
}

// sync makes one call; lost tells which way gets lost.
func (w *world) sync(lost string) {
	if w.send.Ready() {
		w.push(lost)
		return
	}
	hello, err := w.send.Hello(w.hub, w.hub.cursor)
	if err != nil {
		w.t.Fatalf("hello: %v", err)
	}
	if lost == "request" {
		return
	}
	welcome, err := w.shore.hello(hello, w.send.Saved().ConsoleEpoch)
	if err != nil {
		w.t.Fatalf("greet: %v", err)
	}
	if lost == "answer" {
		return
	}
	err = w.send.OnHello(w.hub, welcome)
	if errors.Is(err, lane.ErrBehind) || errors.Is(err, lane.ErrDiverged) {
		w.renew()
		return
	}
	if err != nil {
		w.t.Fatalf("on hello: %v", err)
	}
	if lost == "crash" {
		w.boot()
		return
	}
	w.renewed = 0
	w.hub.cursor = max(w.hub.cursor, welcome.OrderFloor)
	if w.send.Wants(welcome) || w.send.Epoch() != w.hub.epoch {
		w.recover(welcome)
		return
	}
	w.save()
}

func (w *world) renew() {
	w.lives++
	w.hub.life = fleet.Epoch(fmt.Sprint("epoch-", w.lives))
	w.send.Renew(w.hub.life, w.renewed > 0)
	w.renewed++
	w.save()
}

// recover is the hub's part after a Welcome that asks for it, then it starts
// anew.
func (w *world) recover(welcome lane.Welcome) {
	var back []fleet.Restated
	if welcome.Recall {
		var err error
		if back, err = w.shore.recall(rapid.IntRange(1, 5000).Draw(w.t, "recall")); err != nil {
			w.t.Fatalf("recall: %v", err)
		}
	}
	behind := map[fleet.Lane]fleet.Seq{}
	for _, l := range fleet.LogLanes() {
		behind[l] = welcome.Durable[l].Seq
	}
	mine, err := lane.Mine(w.hub, behind)
	if err != nil {
		w.t.Fatal(err)
	}
	told, err := lane.Restore(w.hub, mine, back, func(e fleet.Entity) fleet.Entity {
		if c, ok := e.(fleet.Command); ok && !c.State.Ended() {
			c.State = fleet.CommandFailed
			return c
		}
		return e
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if welcome.Restate {
		for ref := range w.hub.fold.All() {
			if !fleet.Restatable(ref.Kind) || slices.ContainsFunc(told, func(r fleet.Restated) bool { return r.Entity.Ref() == ref }) {
				continue
			}
			b, _ := w.hub.fold.Entity(ref)
			e, err := fleet.DecodeEntity(ref.Kind, b)
			if err != nil {
				w.t.Fatal(err)
			}
			told = append(told, fleet.Restated{Entity: e})
		}
	}
	for _, r := range told {
		b, err := wire.EncodeRecord(fleet.Record{Actor: fleet.System("restore"), Body: r})
		if err != nil {
			w.t.Fatal(err)
		}
		if err := w.hub.fold.PutEntity(r.Entity); err != nil {
			w.t.Fatal(err)
		}
		w.hub.append(r.Lane(), b)
	}
	w.hub.epoch, w.hub.life = w.send.Epoch(), ""
	w.send.Recovered(welcome.Recovery)
	w.save()
	w.story.GoOn(w.hub.fold, w.hub.epoch)
	w.boot()
}

func (w *world) push(lost string) {
	p, more, err := w.send.Push(w.hub, rapid.IntRange(1, 600).Draw(w.t, "chunk"), rapid.Bool().Draw(w.t, "state"), w.hub.cursor)
	if err != nil {
		w.t.Fatalf("push: %v", err)
	}
	if !more && w.shore.head <= w.hub.cursor {
		if string(p.Ticket) != w.shore.ticket {
			w.send.Close() // as a pull is told, which waits at the console all the time
		}
		return
	}
	w.stray = append(w.stray, p)
	if lost == "request" {
		return
	}
	a, orders, err := w.shore.push(p)
	if errors.Is(err, lane.ErrTicket) || errors.Is(err, lane.ErrDiverged) {
		w.send.Close()
		return
	}
	if err != nil {
		w.t.Fatalf("receive: %v", err)
	}
	if lost == "answer" {
		return
	}
	if _, err := w.send.OnPush(w.hub, a.Receipt); err != nil {
		if errors.Is(err, lane.ErrBehind) || errors.Is(err, lane.ErrDiverged) {
			w.send.Close()
			return
		}
		w.t.Fatalf("on push: %v", err)
	}
	w.take(orders)
	if lost == "crash" {
		w.boot()
		return
	}
	w.save()
}

// settle lets the link work until both ends have what the other has.
func (w *world) settle() {
	for range 2_000 {
		w.sync("")
		if w.equal() {
			return
		}
	}
	w.t.Fatalf("not in sync: acked %v, held %v", w.send.Saved().Acked, w.positions())
}

func (w *world) positions() map[fleet.Lane]fleet.Seq {
	out := map[fleet.Lane]fleet.Seq{}
	for _, l := range fleet.LogLanes() {
		p, _ := w.shore.held.Position(l)
		out[l] = p.Seq
	}
	return out
}

func (w *world) equal() bool {
	if !w.send.Ready() || w.send.Saved().Acked[fleet.LaneState] != w.hub.version || w.hub.cursor < w.shore.head || w.hub.life != "" {
		return false
	}
	for l, at := range w.positions() {
		if int(at) != len(w.hub.lanes[l]) {
			return false
		}
	}
	return true
}
