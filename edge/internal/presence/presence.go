// Package presence turns evidence (a connection, a message, a silence) into
// the newest state of each device: ready, sleeping, late, lost, disconnected,
// with since when and as of when.
//
// What always holds: an end of a connection counts only for the connection
// that it belongs to, so an old connection cannot mark a device that is back;
// each change of a state takes the next version, and versions go on upwards
// over restarts, also over kill -9, of one store.
//
// On disk: the newest states, written every few seconds. After a kill what
// came in between is learnt again from the devices. All methods may be called
// from any goroutine.
package presence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/obedio/obedio/edge/internal/dialect"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// Config is what New needs.
type Config struct {
	Store *store.Store
	Now   func() time.Time
	// Policies by type of device; DefaultPolicies by default.
	Policies map[fleet.DeviceType]Policy
	// Interval is the reporting interval of a security profile, which counts
	// instead of that of the type; 0 for none. It is asked again and again. May be
	// nil.
	Interval func(profile string) time.Duration
	// SweepEvery is how often silence is looked for; 5 s by default.
	SweepEvery time.Duration
	// FlushEvery is how often states are written to disk; 5 s by default.
	FlushEvery time.Duration
	// RefreshAfter: a state in which nothing changed but the time of the last
	// message is told again after this time; 30 s by default.
	RefreshAfter time.Duration
	// BatteryBand and SignalBand are how far a value is to move until it is worth
	// a byte on the way to the console; 2 % and 6 dB by default.
	BatteryBand, SignalBand int
	Logger                  *slog.Logger
}

// Presence holds the newest states.
type Presence struct {
	c       Config
	started time.Time
	changes *feed.Feed[fleet.DeviceState]

	mu      sync.Mutex // guards all below
	devices map[fleet.DeviceID]*entry
	version uint64
	ceiling uint64
	bands   int // how many times wider than set
	dirty   map[fleet.DeviceID]bool
}

// reserve is how many versions are taken from the store at once.
const reserve = 1 << 20

const ceilingSetting = "state_ceiling"

// New loads the states of the last run.
func New(ctx context.Context, c Config) (*Presence, error) {
	if c.Policies == nil {
		c.Policies = DefaultPolicies()
	}
	c.SweepEvery = cmp.Or(c.SweepEvery, 5*time.Second)
	c.FlushEvery = cmp.Or(c.FlushEvery, 5*time.Second)
	c.RefreshAfter = cmp.Or(c.RefreshAfter, 30*time.Second)
	c.BatteryBand = cmp.Or(c.BatteryBand, 2)
	c.SignalBand = cmp.Or(c.SignalBand, 6)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Presence{
		c: c, started: c.Now(), changes: feed.New[fleet.DeviceState](4096),
		devices: map[fleet.DeviceID]*entry{}, bands: 1, dirty: map[fleet.DeviceID]bool{},
	}
	types := map[fleet.DeviceID]fleet.Device{}
	if err := store.Entities(c.Store, "", func(d fleet.Device) bool {
		types[d.ID] = d
		return true
	}); err != nil {
		return nil, fmt.Errorf("read devices: %w", err)
	}
	states, err := c.Store.States()
	if err != nil {
		return nil, fmt.Errorf("read device states: %w", err)
	}
	for _, s := range states {
		p.devices[s.ID] = &entry{
			state: s, ashore: s, kind: types[s.ID].Type, profile: types[s.ID].Profile,
			goodbye: s.Presence == fleet.Sleeping, broken: s.Presence == fleet.Disconnected,
		}
	}
	p.ceiling, _, err = store.Setting[uint64](c.Store, ceilingSetting)
	if err != nil {
		return nil, fmt.Errorf("read state ceiling: %w", err)
	}
	// Versions up to the ceiling may have been told to the console before a kill.
	p.version = p.ceiling
	if err := p.raiseCeiling(ctx); err != nil {
		return nil, err
	}
	for _, d := range types {
		p.Registered(d)
	}
	return p, nil
}

func (p *Presence) raiseCeiling(ctx context.Context) error {
	next := p.version + reserve
	err := p.c.Store.Update(ctx, func(tx *store.Tx) error {
		tx.Essential() // no start without it
		return tx.PutSetting(ceilingSetting, next)
	})
	if err != nil {
		return fmt.Errorf("reserve state versions: %w", err)
	}
	p.mu.Lock()
	p.ceiling = next
	p.mu.Unlock()
	return nil
}

// Run looks for silence and writes states until ctx ends, and then once more.
func (p *Presence) Run(ctx context.Context) error {
	sweep, flush := time.NewTicker(p.c.SweepEvery), time.NewTicker(p.c.FlushEvery)
	defer sweep.Stop()
	defer flush.Stop()
	for {
		select {
		case <-ctx.Done():
			return p.flush(context.WithoutCancel(ctx))
		case <-sweep.C:
			p.sweep()
		case <-flush.C:
			if err := p.flush(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

func (p *Presence) flush(ctx context.Context) error {
	p.mu.Lock()
	var rows []fleet.DeviceState
	for id := range p.dirty {
		rows = append(rows, p.devices[id].state)
	}
	clear(p.dirty)
	low := p.version+reserve/2 > p.ceiling
	p.mu.Unlock()
	if low {
		if err := p.raiseCeiling(ctx); err != nil && !errors.Is(err, fleet.ErrFull) {
			return err
		}
	}
	if len(rows) == 0 {
		return nil
	}
	err := p.c.Store.Update(ctx, func(tx *store.Tx) error {
		for _, s := range rows {
			if err := tx.PutState(s); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		p.mu.Lock()
		for _, s := range rows {
			p.dirty[s.ID] = true // written next time, when there is room again
		}
		p.mu.Unlock()
	}
	if err != nil && !errors.Is(err, fleet.ErrFull) {
		return fmt.Errorf("write %d device states: %w", len(rows), err)
	}
	return nil
}

// Changes is the feed of states that changed.
func (p *Presence) Changes() *feed.Feed[fleet.DeviceState] { return p.changes }

// State returns the newest state of a device; false when the hub has none.
func (p *Presence) State(id fleet.DeviceID) (fleet.DeviceState, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.devices[id]
	if !ok {
		return fleet.DeviceState{}, false
	}
	return e.state, true
}

// Counts says how many registered devices are in each state.
func (p *Presence) Counts() map[fleet.Presence]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := map[fleet.Presence]int{}
	for _, e := range p.devices {
		n[e.state.Presence]++
	}
	return n
}

// StateHead is the highest version so far. Part of lane.Log.
func (p *Presence) StateHead() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.version
}

// Changed counts the devices whose state changed after a version.
func (p *Presence) Changed(after uint64) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, e := range p.devices {
		if e.state.Version > after {
			n++
		}
	}
	return n
}

// stateBytes is about what a state takes on the wire.
const stateBytes = 48

// States returns what changed after a version, the lowest version first. Part
// of lane.Log.
func (p *Presence) States(after uint64, maxBytes int) (lane.StateBatch, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := lane.StateBatch{After: after, Upto: p.version, AsOfMS: p.c.Now().UnixMilli()}
	for _, e := range p.devices {
		if e.state.Version > after {
			b.States = append(b.States, e.state)
		}
	}
	slices.SortFunc(b.States, func(x, y fleet.DeviceState) int { return cmp.Compare(x.Version, y.Version) })
	if n := max(1, maxBytes/stateBytes); len(b.States) > n {
		b.States = b.States[:n]
		b.Upto = b.States[n-1].Version
	}
	return b, nil
}

// WidenBands has values move so many times further than set until they go
// ashore: 1 and more.
func (p *Presence) WidenBands(times int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bands = max(1, times)
}

// tells reports whether a state says anything to the console that the one it
// was told before does not. The time of the last message is nothing: that a
// device is ready says that it is heard in time.
func (p *Presence) tells(before, now fleet.DeviceState) bool {
	return before.Version == 0 || before.Presence != now.Presence || before.Firmware != now.Firmware || before.BootID != now.BootID ||
		moved(before.Battery, now.Battery, p.c.BatteryBand*p.bands) || moved(before.Signal, now.Signal, p.c.SignalBand*p.bands)
}

// moved reports whether a value has come, gone or moved by the width of a band.
func moved(a, b *int, band int) bool {
	if a == nil || b == nil {
		return (a == nil) != (b == nil)
	}
	return max(*a-*b, *b-*a) >= band
}

// Registered tells of a device that was registered, changed or removed.
func (p *Presence) Registered(d fleet.Device) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.devices[d.ID]
	switch {
	case d.Removed && ok && e.state.Presence != fleet.Retired:
		e.state.Presence, e.state.Since, e.live = fleet.Retired, fleet.Millis(d.UpdatedAt), 0
		p.changed(e)
	case d.Removed:
	case !ok || e.state.Presence == fleet.Retired:
		p.devices[d.ID] = &entry{kind: d.Type, profile: d.Profile, state: fleet.DeviceState{
			ID: d.ID, Presence: fleet.NeverSeen, Since: fleet.Millis(d.CreatedAt),
		}}
		p.changed(p.devices[d.ID])
	default:
		e.kind, e.profile = d.Type, d.Profile
	}
}

// Connected tells of a new connection of a device; generation grows with each
// connection to the broker.
func (p *Presence) Connected(id fleet.DeviceID, generation uint64) {
	p.evidence(id, func(e *entry) { e.live = max(e.live, generation) })
}

// Disconnected tells of the end of a connection; goodbye says that the device
// ended it by its own word.
func (p *Presence) Disconnected(id fleet.DeviceID, generation uint64, goodbye bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.devices[id]
	if !ok || e.live != generation || e.state.Presence == fleet.Retired {
		return // an old connection's end, after a new one's begin
	}
	e.live, e.goodbye, e.broken = 0, goodbye, !goodbye
	p.settle(e, p.c.Now(), true)
}

// Heard tells of a message of a device; t may be nil when it said nothing of
// itself.
func (p *Presence) Heard(id fleet.DeviceID, t *dialect.Telemetry) {
	p.evidence(id, func(e *entry) {
		if t != nil {
			e.take(*t)
		}
	})
}

// Through tells by which way a message of a device came: a repeater, or none
// for its own connection. It is in memory only.
func (p *Presence) Through(id, via fleet.DeviceID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.devices[id]; ok {
		e.via, e.heard = via, true
	}
}

// Via is the repeater through which a device was heard last; empty for none.
// known is false when it was not heard since the hub's start.
func (p *Presence) Via(id fleet.DeviceID) (via fleet.DeviceID, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.devices[id]
	if !ok {
		return "", false
	}
	return e.via, e.heard
}

// Silent tells of a last will: the broker says for the device that it is gone.
func (p *Presence) Silent(id fleet.DeviceID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.devices[id]; ok && e.live == 0 && e.state.Presence != fleet.Retired {
		e.goodbye, e.broken = false, true
		p.settle(e, p.c.Now(), false)
	}
}

func (p *Presence) evidence(id fleet.DeviceID, fn func(*entry)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.devices[id]
	if !ok || e.state.Presence == fleet.Retired {
		return
	}
	now := p.c.Now()
	before := e.state
	fn(e)
	e.seen, e.goodbye, e.broken = now, false, false
	e.state.LastSeen = fleet.Millis(now)
	told := !sameState(before, e.state) || now.Sub(e.told) >= p.c.RefreshAfter
	p.settle(e, now, told)
}

func (p *Presence) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.c.Now()
	for _, e := range p.devices {
		p.settle(e, now, false)
	}
}

func (p *Presence) policy(e *entry) Policy {
	policy := p.c.Policies[e.kind]
	if p.c.Interval != nil {
		if own := p.c.Interval(e.profile); own > 0 {
			return policy.at(own)
		}
	}
	return policy
}

// ReportingInterval is how often a device of that type and profile is expected to
// report while it is awake.
func (p *Presence) ReportingInterval(kind fleet.DeviceType, profile string) time.Duration {
	return p.policy(&entry{kind: kind, profile: profile}).Interval
}

// settle judges what the evidence amounts to. The caller holds the lock.
func (p *Presence) settle(e *entry, now time.Time, told bool) {
	if e.state.Presence == fleet.Retired {
		return
	}
	next := p.policy(e).judge(e.evidence(p.started), now)
	if e.seen.IsZero() && (next == fleet.Ready || e.state.Presence == fleet.Lost) {
		next = e.state.Presence // the start of the hub is no sign of life
	}
	if next != e.state.Presence {
		e.state.Presence, e.state.Since = next, fleet.Millis(now)
		told = true
	}
	if told {
		p.changed(e)
	}
}

func (p *Presence) changed(e *entry) {
	if p.tells(e.ashore, e.state) {
		p.version++
		e.state.Version = p.version
		e.ashore = e.state
	}
	e.told = p.c.Now()
	p.dirty[e.state.ID] = true
	p.changes.Publish(e.state)
}
