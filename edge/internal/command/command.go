// Package command takes commands through their life at the hub: accepted once,
// sent to the device when it listens, repeated until it answers, and ended.
//
// What always holds: a state is written only on evidence; a command is never
// published after its time to live, after its cancel was stored, or, after a
// restart, before the hub trusts its clock; each command ends in exactly one
// state, and what a device says later is shown beside it.
//
// Send, Accept, Cancel, Answer, Delivered and Wake may be called from any
// goroutine; Run from one.
package command

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/obedio/obedio/edge/internal/dialect"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Outbound is a command on its way to the broker.
type Outbound struct {
	Device fleet.Device
	Name   string
	// Payload is the JSON that the device gets.
	Payload []byte
	// Ref comes back with Delivered.
	Ref string
	// Expires: not to be sent after this.
	Expires time.Time
}

// Sender hands commands to devices; the broker, seen from here.
type Sender interface {
	// Listens reports whether the device is connected and subscribed to this
	// command now.
	Listens(d fleet.Device, name string) bool
	SendCommand(ctx context.Context, o Outbound) error
}

// Devices finds registered devices.
type Devices interface {
	Device(fleet.DeviceID) (fleet.Device, error)
}

// Config is what New needs.
type Config struct {
	Store   *store.Store
	Journal *journal.Journal
	Clock   journal.Clock
	Devices Devices
	Sender  Sender
	// RepeatFirst is how long the hub waits for an answer before it sends a
	// command again, doubled each time up to RepeatMost. 5 s and 60 s.
	RepeatFirst, RepeatMost time.Duration
	// DefaultTTL of a command for which nobody gave one; 1 h.
	DefaultTTL time.Duration
	// MaxPending commands of one device; 100.
	MaxPending int
	// MaxTargets is the number of devices of one job; 2000.
	MaxTargets int
	Logger     *slog.Logger
}

// Commands are the commands of one hub.
type Commands struct {
	c    Config
	wake chan struct{}

	// sending is held from the look at a command's state to its publish, and
	// while a cancel is stored: so nothing is published after a cancel.
	sending sync.Mutex

	mu     sync.Mutex // guards all below
	live   map[fleet.CommandID]*attempt
	online map[fleet.DeviceID]bool // devices that have just begun to listen
	stray  uint64

	forgot time.Time // when old keys were forgotten; Run's
}

// attempt is a command that has not ended.
type attempt struct {
	device fleet.DeviceID
	// deadline has the monotonic clock in it: a step of the wall clock does not
	// move it.
	deadline time.Time
	next     time.Time
	pause    time.Duration
	answered bool // acknowledged: nothing is sent any more
	// held: loaded at a start without trusted time.
	held bool
}

// New returns the commands of a hub, those of earlier runs included.
func New(c Config) (*Commands, error) {
	c.RepeatFirst = cmp.Or(c.RepeatFirst, 5*time.Second)
	c.RepeatMost = cmp.Or(c.RepeatMost, time.Minute)
	c.DefaultTTL = cmp.Or(c.DefaultTTL, time.Hour)
	c.MaxPending = cmp.Or(c.MaxPending, 100)
	c.MaxTargets = cmp.Or(c.MaxTargets, 2000)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	m := &Commands{
		c: c, wake: make(chan struct{}, 1), live: map[fleet.CommandID]*attempt{}, online: map[fleet.DeviceID]bool{},
	}
	pending, err := c.Store.PendingCommands("")
	if err != nil {
		return nil, fmt.Errorf("read pending commands: %w", err)
	}
	_, trusted := c.Clock.Now()
	for _, p := range pending {
		m.track(p, !trusted)
	}
	return m, nil
}

// Stray counts answers to commands that the hub does not know or that belong
// to another device.
func (m *Commands) Stray() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stray
}

func (m *Commands) track(c fleet.Command, held bool) {
	if c.ID == "" {
		return
	}
	now, _ := m.c.Clock.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.State.Ended() {
		delete(m.live, c.ID)
		return
	}
	a, ok := m.live[c.ID]
	if !ok {
		a = &attempt{device: c.Device, deadline: now.Add(c.ExpiresAt.Sub(now)), held: held}
		m.live[c.ID] = a
	}
	a.answered = c.State == fleet.CommandAcknowledged
}

func (m *Commands) poke() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Want is a command that somebody on board wants.
type Want struct {
	Device fleet.DeviceID
	Name   string
	Args   json.RawMessage
	// TTL is its time to live; 0 for the default.
	TTL time.Duration
	Job fleet.JobID
	// Once, if not zero, makes a second Send with it return the command of the
	// first, also after a restart.
	Once Once
}

// Once identifies a request for a command.
type Once struct {
	// Subject is who asks, and Key what he calls the request.
	Subject, Key string
	// Fingerprint tells the request from another one with the same key.
	Fingerprint [32]byte
}

// ErrKeyReused: the key of Want.Once belongs to another request.
var ErrKeyReused = errors.New("key belongs to another request")

// keepDone is for how long a command's Once is remembered, at least; each
// forgetEvery what is older goes.
const (
	keepDone    = 24 * time.Hour
	forgetEvery = time.Hour
)

// Send stores a command from on board and returns it. fleet.ErrNotFound,
// fleet.ErrInvalid, fleet.ErrLimit, ErrKeyReused.
func (m *Commands) Send(ctx context.Context, by fleet.Actor, w Want) (fleet.Command, error) {
	ttl := m.ttl(w.TTL)
	if err := fleet.CheckCommand(w.Device, w.Name, w.Args, ttl); err != nil {
		return fleet.Command{}, err
	}
	if _, err := m.c.Devices.Device(w.Device); err != nil {
		return fleet.Command{}, err
	}
	var id fleet.CommandID
	err := m.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		if known, err := w.Once.known(tx); err != nil || known != "" {
			id = fleet.CommandID(known)
			return err
		}
		id = fleet.NewUUID[fleet.CommandID](tx.Now())
		if err := w.Once.done(tx, string(id)); err != nil {
			return err
		}
		return m.begin(tx, by, id, fleet.CommandDefinition{
			Device: w.Device, Name: w.Name, Args: w.Args, IssuedBy: by, IssuedAt: tx.Now(),
			ExpiresAt: fleet.Millis(tx.Now().Add(ttl)), Job: w.Job,
		})
	})
	if err != nil {
		return fleet.Command{}, err
	}
	return m.started(id)
}

func (m *Commands) ttl(wanted time.Duration) time.Duration { return cmp.Or(wanted, m.c.DefaultTTL) }

// known returns what was made for the request before; empty if there is
// nothing.
func (o Once) known(tx *journal.Tx) (string, error) {
	if o.Key == "" {
		return "", nil
	}
	d, found, err := tx.Done(o.Subject, o.Key)
	if err == nil && found && !bytes.Equal(d.Fingerprint, o.Fingerprint[:]) {
		err = ErrKeyReused
	}
	return d.Result, err
}

// done remembers what the request made.
func (o Once) done(tx *journal.Tx, id string) error {
	if o.Key == "" {
		return nil
	}
	return tx.SetDone(o.Subject, o.Key, store.Done{Fingerprint: o.Fingerprint[:], Result: id, At: tx.Now()})
}

// begin appends the first step of a command. An unknown device or one with too
// many pending commands ends it at once, so that its origin hears of it.
func (m *Commands) begin(tx *journal.Tx, by fleet.Actor, id fleet.CommandID, d fleet.CommandDefinition) error {
	hub := fleet.System("command")
	pending, err := tx.PendingCommands(d.Device)
	if err != nil {
		return err
	}
	if len(pending) >= m.c.MaxPending && d.Order == 0 {
		return fmt.Errorf("%w: device %s has %d pending commands", fleet.ErrLimit, d.Device, len(pending))
	}
	first := fleet.CommandStepped{Command: id, State: fleet.CommandAtHub, Define: &d}
	add := tx.Append
	if d.Job != "" && d.Order == 0 {
		add = tx.AppendAlone // the audit has the job
	}
	if err := add(by, first); err != nil {
		return err
	}
	for _, old := range pending {
		if d.Name == configure && old.Name == configure && old.State.Leads(fleet.CommandSuperseded) && covers(d.Args, old.Args) {
			if err := tx.Append(hub, fleet.CommandStepped{Command: old.ID, State: fleet.CommandSuperseded}); err != nil {
				return err
			}
		}
	}
	failed := ""
	if dev, found, err := fleet.Get[fleet.Device](tx, fleet.DeviceRef(d.Device)); err != nil {
		return err
	} else if !found || dev.Removed {
		failed = "the hub has no such device"
	} else if len(pending) >= m.c.MaxPending {
		failed = "the device has too many pending commands"
	}
	if failed != "" {
		return tx.Append(hub, fleet.CommandStepped{Command: id, State: fleet.CommandFailed, Error: failed})
	}
	return nil
}

func (m *Commands) started(id fleet.CommandID) (fleet.Command, error) {
	c, _, err := fleet.Get[fleet.Command](m.c.Store, fleet.CommandRef(id))
	if err != nil {
		return c, err
	}
	m.track(c, false)
	m.poke()
	return c, nil
}

// Accept stores a command that an order from the console wants, in one
// transaction with move, which moves the order cursor. One that is known
// already is not taken again; one whose time is over is stored as expired.
// left is its time to live from now.
func (m *Commands) Accept(ctx context.Context, o fleet.Order, w fleet.SendCommand, left time.Duration, move func(*journal.Tx) error) error {
	known := false
	err := m.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		if err := move(tx); err != nil {
			return err
		}
		var err error
		if _, known, err = fleet.Get[fleet.Command](tx, fleet.CommandRef(w.Command)); err != nil || known {
			return err
		}
		d := fleet.CommandDefinition{
			Device: w.Device, Name: w.Name, Args: w.Args, IssuedBy: o.Actor, IssuedAt: o.CreatedAt,
			ExpiresAt: fleet.Millis(tx.Now().Add(left)), Job: w.Job, Order: o.Number,
		}
		if left <= 0 {
			return tx.Append(fleet.System("command"), fleet.CommandStepped{
				Command: w.Command, State: fleet.CommandExpired, Define: &d, Error: "its time to live was over when it reached the hub",
			})
		}
		return m.begin(tx, fleet.System("command"), w.Command, d)
	})
	if err != nil || known {
		return err
	}
	_, err = m.started(w.Command)
	return err
}

// Cancel takes a command back, in one transaction with move (may be nil). Once
// the device has it, that is fleet.ErrState; fleet.ErrNotFound.
func (m *Commands) Cancel(ctx context.Context, by fleet.Actor, id fleet.CommandID, move func(*journal.Tx) error) (fleet.Command, error) {
	m.sending.Lock()
	defer m.sending.Unlock()
	var c fleet.Command
	err := m.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		var err error
		var found bool
		if c, found, err = fleet.Get[fleet.Command](tx, fleet.CommandRef(id)); err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("%w: command %s", fleet.ErrNotFound, id)
		}
		step, err := c.Step(fleet.CommandCancelled)
		if err != nil {
			return err
		}
		if err := tx.Append(by, step); err != nil {
			return err
		}
		if c, _, err = fleet.Get[fleet.Command](tx, fleet.CommandRef(id)); err != nil {
			return err
		}
		if move != nil {
			return move(tx)
		}
		return nil
	})
	if err == nil {
		m.track(c, false)
	}
	return c, err
}

// Answer takes what a device says of a command.
func (m *Commands) Answer(ctx context.Context, device fleet.DeviceID, a dialect.Answer) error {
	return m.evidence(ctx, device, a.Command, fleet.CommandStepped{
		Command: a.Command, State: a.State, Result: a.Result, Error: a.Error,
	})
}

// Delivered takes the device's PUBACK of a command; ref is the Outbound's.
func (m *Commands) Delivered(ctx context.Context, device fleet.DeviceID, ref string) error {
	return m.evidence(ctx, device, fleet.CommandID(ref), fleet.CommandStepped{
		Command: fleet.CommandID(ref), State: fleet.CommandDelivered,
	})
}

var errNothing = errors.New("nothing to append")

func (m *Commands) evidence(ctx context.Context, device fleet.DeviceID, id fleet.CommandID, step fleet.CommandStepped) error {
	var after fleet.Command
	err := m.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		c, found, err := fleet.Get[fleet.Command](tx, fleet.CommandRef(id))
		if err != nil {
			return err
		}
		if !found || c.Device != device {
			m.mu.Lock()
			m.stray++
			m.mu.Unlock()
			return errNothing
		}
		if c.State == fleet.CommandAtHub {
			// The device was faster than the record of the publish.
			if err := tx.Append(fleet.System("command"), fleet.CommandStepped{Command: id, State: fleet.CommandSent}); err != nil {
				return err
			}
			c.State = fleet.CommandSent
		}
		late := c.State.Ended() && step.State.Ended() && c.State != step.State && c.Anomaly == ""
		if !c.State.Leads(step.State) && !late {
			return errNothing // said before
		}
		if err := tx.Append(fleet.ByDevice(device), step); err != nil {
			return err
		}
		if v, ok := configurationVersion(c.Name, c.Args); ok && step.State == fleet.CommandSucceeded {
			if err := tx.PutReported(device, store.Reported{Version: v, At: tx.Now()}); err != nil {
				return err
			}
		}
		after, _, err = fleet.Get[fleet.Command](tx, fleet.CommandRef(id))
		return err
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	if err == nil {
		m.track(after, false)
	}
	return err
}

// Wake tells that a device has just begun to listen.
func (m *Commands) Wake(device fleet.DeviceID) {
	m.mu.Lock()
	m.online[device] = true
	m.mu.Unlock()
	m.poke()
}
