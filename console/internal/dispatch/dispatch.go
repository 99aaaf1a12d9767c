// Package dispatch is what the console wants of hubs: orders, numbered per
// site, followed to their end.
//
// What always holds: the orders of a site are numbered from 1 without holes,
// in the transaction that stores them; an order ends exactly once, on
// evidence: the hub's own record, or, when it was never offered to a hub, the
// console's clock. A command that was ordered is a command at once, in the
// state queued; as soon as the hub tells of it, the hub's word is shown.
//
// An order that the hub may hold is never ended ashore: past its time it is
// shown queued or taken, with its expires_at in the past, until the hub says
// what became of it. One that no hub was offered ends expired ashore; should a
// hub ask for it afterwards, it gets it with no time left, and answers
// expired as well. An order whose end is known is always sent so, which keeps
// a hub with a new disk from doing old work again.
//
// The methods of Dispatch may be called from any goroutine; Run and RunJobs from
// one each.
package dispatch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
)

// Config is what New needs. Zero fields take their defaults.
type Config struct {
	Store store.Store
	// Now is the clock; time.Now.
	Now func() time.Time
	// TTL of an order for which nobody gave one; 24 h. MaxTTL; 30 days.
	TTL, MaxTTL time.Duration
	// MaxPending orders of one site; 10,000.
	MaxPending int
	// MaxTargets of one job; 10,000.
	MaxTargets int
	// JobsEvery is how often jobs are worked on; 1 s.
	JobsEvery time.Duration
	// Match reads a filter of devices and returns what finds those of a site that
	// it matches; no job is begun without it. fleet.ErrInvalid.
	Match func(filter string) (func(store.SiteView) ([]fleet.DeviceID, error), error)
	// SweepEvery is how often orders whose time is over are looked for; 5 s.
	SweepEvery time.Duration
	// ReadEvery is how often jobs are read anew: another console may have begun
	// some. 1 min.
	ReadEvery time.Duration
	// Lead says whether this console is the one that looks for them; it does, by
	// default.
	Lead func(context.Context) bool
	// Kept is how many events a reader of the feed may lag; 1024.
	Kept int
	// Wake is told of a site for which there is an order; may be nil.
	Wake   func(fleet.SiteID)
	Logger *slog.Logger
}

// Event says that an order was added, or ended ashore.
type Event struct {
	Site  fleet.SiteID
	Order store.Order
	// Far: it happened at another console that shares the store.
	Far bool
}

// Dispatch makes and follows orders.
type Dispatch struct {
	c      Config
	events *feed.Feed[Event]
	jobs   jobs
}

// New returns the dispatch of a console.
func New(c Config) *Dispatch {
	c.TTL = cmp.Or(c.TTL, 24*time.Hour)
	c.MaxTTL = cmp.Or(c.MaxTTL, fleet.MaxTTL)
	c.MaxPending = cmp.Or(c.MaxPending, 10_000)
	c.MaxTargets = cmp.Or(c.MaxTargets, 10_000)
	c.JobsEvery = cmp.Or(c.JobsEvery, time.Second)
	c.SweepEvery = cmp.Or(c.SweepEvery, 5*time.Second)
	c.Kept = cmp.Or(c.Kept, 1024)
	c.ReadEvery = cmp.Or(c.ReadEvery, time.Minute)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Lead == nil {
		c.Lead = func(context.Context) bool { return true }
	}
	if c.Wake == nil {
		c.Wake = func(fleet.SiteID) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Match == nil {
		c.Match = func(string) (func(store.SiteView) ([]fleet.DeviceID, error), error) {
			return nil, fmt.Errorf("%w: this console has no filter of devices", fleet.ErrInvalid)
		}
	}
	return &Dispatch{c: c, events: feed.New[Event](c.Kept), jobs: jobs{
		events: feed.New[fleet.JobID](c.Kept), wake: make(chan struct{}, 1), active: map[fleet.JobID]*activeJob{},
	}}
}

// Events is the feed of orders.
func (d *Dispatch) Events() *feed.Feed[Event] { return d.events }

// Want is a command that somebody ashore wants.
type Want struct {
	Device fleet.DeviceID
	Name   string
	Args   json.RawMessage
	// TTL is its time to live; 0 for the default.
	TTL time.Duration
	Job fleet.JobID
}

// Send orders a command for a device. fleet.ErrNotFound, fleet.ErrInvalid,
// fleet.ErrLimit, fleet.ErrState for a site that was revoked.
func (d *Dispatch) Send(ctx context.Context, by fleet.Actor, site fleet.SiteID, w Want) (Command, error) {
	if err := fleet.CheckCommand(w.Device, w.Name, w.Args, cmp.Or(w.TTL, d.c.TTL)); err != nil {
		return Command{}, err
	}
	o, err := d.add(ctx, by, site, w.TTL, func(tx store.SiteTx, now time.Time) (fleet.OrderBody, error) {
		dev, found, err := fleet.Get[fleet.Device](tx, fleet.DeviceRef(w.Device))
		if err != nil {
			return nil, err
		}
		if !found || dev.Removed {
			return nil, fmt.Errorf("%w: device %s on site %s", fleet.ErrNotFound, w.Device, site)
		}
		return fleet.SendCommand{
			Command: fleet.NewUUID[fleet.CommandID](now), Device: w.Device, Name: w.Name, Args: w.Args, Job: w.Job,
		}, nil
	})
	if err != nil {
		return Command{}, err
	}
	return Command{Command: queued(o)}, nil
}

// Cancel orders that a command is not sent any more. The hub decides: what the
// device has already cannot be taken back. A command for which a cancel is
// under way stays with that one. fleet.ErrNotFound; fleet.ErrState when the
// command cannot be cancelled any more.
func (d *Dispatch) Cancel(ctx context.Context, by fleet.Actor, site fleet.SiteID, id fleet.CommandID) (Command, error) {
	var c Command
	_, err := d.add(ctx, by, site, 0, func(tx store.SiteTx, _ time.Time) (fleet.OrderBody, error) {
		var err error
		if c, err = Find(tx, id); err != nil {
			return nil, err
		}
		if c.Cancel != nil {
			return nil, nil
		}
		if !c.State.Leads(fleet.CommandCancelled) {
			return nil, fmt.Errorf("%w: command %s is %s and cannot be cancelled", fleet.ErrState, id, c.State)
		}
		return fleet.CancelCommand{Command: id}, nil
	})
	if err != nil {
		return c, err
	}
	err = d.c.Store.ViewSite(ctx, site, func(v store.SiteView) (err error) {
		c, err = Find(v, id)
		return err
	})
	return c, err
}

// PutDevice orders that a device be as told, if the hub still has ifVersion of
// it (0: only if the hub has none).
func (d *Dispatch) PutDevice(ctx context.Context, by fleet.Actor, site fleet.SiteID, dev fleet.Device, ifVersion uint64, ttl time.Duration) (store.Order, error) {
	if err := dev.Check(); err != nil {
		return store.Order{}, err
	}
	return d.add(ctx, by, site, ttl, func(store.SiteTx, time.Time) (fleet.OrderBody, error) {
		return fleet.PutDevice{Device: dev, IfVersion: ifVersion}, nil
	})
}

// RemoveDevice orders that a device be removed, if the hub still has ifVersion
// of it.
func (d *Dispatch) RemoveDevice(ctx context.Context, by fleet.Actor, site fleet.SiteID, id fleet.DeviceID, ifVersion uint64, ttl time.Duration) (store.Order, error) {
	if _, err := fleet.ParseDeviceID(string(id)); err != nil {
		return store.Order{}, err
	}
	return d.add(ctx, by, site, ttl, func(store.SiteTx, time.Time) (fleet.OrderBody, error) {
		return fleet.RemoveDevice{Device: id, IfVersion: ifVersion}, nil
	})
}

// add stores the order that body returns; none for a nil body.
func (d *Dispatch) add(
	ctx context.Context, by fleet.Actor, site fleet.SiteID, ttl time.Duration,
	body func(store.SiteTx, time.Time) (fleet.OrderBody, error),
) (store.Order, error) {
	ttl = cmp.Or(ttl, d.c.TTL)
	if ttl < 0 || ttl > d.c.MaxTTL {
		return store.Order{}, fmt.Errorf("%w: ttl %s: want more than 0 and at most %s", fleet.ErrInvalid, ttl, d.c.MaxTTL)
	}
	var o store.Order
	err := d.c.Store.UpdateSite(ctx, site, func(tx store.SiteTx) error {
		o = store.Order{} // the transaction may run again
		now := fleet.Millis(d.c.Now())
		if !tx.Site().RevokedAt.IsZero() {
			return fmt.Errorf("%w: site %s was revoked", fleet.ErrState, site)
		}
		counts, err := tx.Counts()
		if err != nil {
			return err
		}
		if counts.OrdersPending >= d.c.MaxPending {
			return fmt.Errorf("%w: site %s has %d pending orders", fleet.ErrLimit, site, counts.OrdersPending)
		}
		b, err := body(tx, now)
		if err != nil || b == nil {
			return err
		}
		o, err = tx.AddOrder(store.Order{Order: fleet.Order{
			ID: fleet.NewUUID[fleet.OrderID](now), CreatedAt: now, ExpiresAt: fleet.Millis(now.Add(ttl)), Actor: by, Body: b,
		}})
		if err != nil {
			return err
		}
		action, detail := entryOf(o)
		return tx.Audit(by, action, string(site), detail)
	})
	if err != nil {
		return o, err
	}
	if o.Number != 0 {
		d.c.Wake(site)
		d.events.Publish(Event{Site: site, Order: o})
	}
	return o, nil
}

// Tell is told of an order that was added, or has ended, at another console.
func (d *Dispatch) Tell(ctx context.Context, site fleet.SiteID, n uint64) error {
	var o store.Order
	var found bool
	err := d.c.Store.ViewSite(ctx, site, func(v store.SiteView) (err error) {
		o, found, err = v.Order(n)
		return err
	})
	if err != nil || !found {
		return err
	}
	d.c.Wake(site)
	d.events.Publish(Event{Site: site, Order: o, Far: true})
	return nil
}

// entryOf is what the audit is told of a new order.
func entryOf(o store.Order) (action string, detail map[string]string) {
	detail = map[string]string{
		"order": strconv.FormatUint(o.Number, 10), "kind": string(o.Body.OrderKind()), "expires_at": o.ExpiresAt.Format(time.RFC3339),
	}
	action = store.AuditOrderQueued
	switch b := o.Body.(type) {
	case fleet.SendCommand:
		action = store.AuditCommandQueued
		detail["command_id"], detail["device_id"], detail["name"] = string(b.Command), string(b.Device), b.Name
	case fleet.CancelCommand:
		action = store.AuditCancelQueued
		detail["command_id"] = string(b.Command)
	case fleet.PutDevice:
		detail["device_id"] = string(b.Device.ID)
	case fleet.RemoveDevice:
		detail["device_id"] = string(b.Device)
	}
	return action, detail
}

// Run ends orders whose time is over and that no hub was offered, until ctx
// ends.
func (d *Dispatch) Run(ctx context.Context) error {
	tick := time.NewTicker(d.c.SweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !d.c.Lead(ctx) {
			continue
		}
		if err := d.Sweep(ctx); err != nil && ctx.Err() == nil {
			if errors.Is(err, store.ErrFailed) || errors.Is(err, store.ErrClosed) {
				return err
			}
			d.c.Logger.Warn("orders not swept", "error", err)
		}
	}
}

// Sweep does once what Run does.
func (d *Dispatch) Sweep(ctx context.Context) error {
	now := fleet.Millis(d.c.Now())
	var failed error
	err := d.c.Store.DueOrders(ctx, now, func(site fleet.SiteID, n uint64) bool {
		failed = d.expire(ctx, site, n, now)
		return failed == nil
	})
	return errors.Join(err, failed)
}

func (d *Dispatch) expire(ctx context.Context, site fleet.SiteID, n uint64, now time.Time) error {
	var ended *store.Order
	err := d.c.Store.UpdateSite(ctx, site, func(tx store.SiteTx) error {
		ended = nil
		m, err := tx.Marks()
		if err != nil || n <= m.Offered {
			return err // offered meanwhile: the hub decides
		}
		if err := tx.EndOrder(n, store.OrderExpired, "its time to live was over before the hub asked for it", now); err != nil {
			return err
		}
		o, _, err := tx.Order(n)
		if err != nil {
			return err
		}
		ended = &o
		return d.settleOrder(tx, o, now)
	})
	if err != nil {
		return fmt.Errorf("end order %d of site %s: %w", n, site, err)
	}
	if ended != nil {
		d.events.Publish(Event{Site: site, Order: *ended})
	}
	return nil
}
