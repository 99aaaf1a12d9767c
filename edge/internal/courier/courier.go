// Package courier notifies people and programs that are at no watch and at no
// screen: a buzzer on board, webhooks, mail. Who is told of what are rules,
// which are documents of the site's policy.
//
// What always holds: a notification is on disk with the alert that it is of, in
// one transaction, so a restart loses none; it is kept while the network is
// away, and delivered once when it is back, or given up by its time to live, and
// what became of it can be seen. A kill between the other side's answer and its
// being on disk may repeat one: it has the same id then.
//
// On disk: deliveries, the newest of those that have ended too, and the keys that
// sign webhook calls. In memory: the same. All methods may be called from any
// goroutine.
package courier

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/obedio/obedio/edge/internal/document"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/courier"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/wire"
)

// Config is what New needs. Zero fields take their defaults.
type Config struct {
	Site    fleet.SiteID
	Store   *store.Store
	Journal *journal.Journal
	Now     func() time.Time
	// MaxDocuments of the site, of all kinds together.
	MaxDocuments int
	// About is what people read as the site's name, and the time zone of quiet
	// hours.
	About func() (siteName string, zone *time.Location)
	// Alerts are those that have not ended; Words are what people read of a kind.
	Alerts func() []fleet.Alert
	Words  func(fleet.AlertKind) (title, action string)
	// Buzz says whether the buzzer is on, and why; may be nil.
	Buzz func(context.Context, Buzzer) error
	SMTP SMTP
	// Dial reaches receivers; a net.Dialer by default.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Life of a delivery. 72 h.
	Life time.Duration
	// MaxWaiting deliveries; of more, the oldest of the least severity are dropped.
	// 1,000.
	MaxWaiting int
	// Keep so many that have ended. 500.
	Keep int
	// RetryFirst is the pause after the first failure, RetryMost the longest. 30 s
	// and 15 min.
	RetryFirst, RetryMost time.Duration
	// Timeout of one try. 30 s.
	Timeout time.Duration
	Logger  *slog.Logger
}

// Courier delivers notifications.
type Courier struct {
	c     Config
	rules *document.Set[Rule]
	http  *courier.Caller
	wake  chan struct{}
	// Owned by Run: how far lane 0 was read, and how far that is on disk.
	read, saved fleet.Seq
	begun       bool // saved is on disk
	// skipped is how far lane 0 need not be read: no rule was about requests then.
	skipped atomic.Uint64

	mu     sync.Mutex // guards all below
	all    map[string]store.Delivery
	buzzer *Buzzer // as it was told last
}

// Payload is what a receiver gets.
type Payload struct {
	DeliveryID string              `json:"delivery_id"`
	Site       fleet.SiteID        `json:"site"`
	SiteName   string              `json:"site_name"`
	Rule       string              `json:"rule"`
	Event      string              `json:"event"`
	At         time.Time           `json:"at"`
	Severity   fleet.AlertSeverity `json:"severity"`
	Title      string              `json:"title"`
	Text       string              `json:"text,omitempty"`
	Alert      *fleet.Alert        `json:"alert,omitempty"`
	Request    fleet.RequestID     `json:"request_id,omitempty"`
	Room       fleet.RoomID        `json:"room,omitempty"`
}

// The events.
const (
	EventRaised    = "alert.raised"
	EventGone      = "alert.gone"
	EventMissed    = "request.missed"
	EventEmergency = "request.emergency"
	EventTest      = "test"
)

const cursorSetting = "courier_cursor"

// New reads rules and deliveries. It follows the journal, so it is called before
// the first decision.
func New(c Config) (*Courier, error) {
	c.Life = cmp.Or(c.Life, 72*time.Hour)
	c.MaxWaiting, c.Keep, c.MaxDocuments = cmp.Or(c.MaxWaiting, 1000), cmp.Or(c.Keep, 500), cmp.Or(c.MaxDocuments, 4096)
	c.RetryFirst, c.RetryMost = cmp.Or(c.RetryFirst, 30*time.Second), cmp.Or(c.RetryMost, 15*time.Minute)
	c.Timeout = cmp.Or(c.Timeout, 30*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: c.Timeout}).DialContext
	}
	k := &Courier{c: c, wake: make(chan struct{}, 1), all: map[string]store.Delivery{}, http: courier.NewCaller(courier.CallerConfig{
		Agent: agent, Dial: c.Dial, Timeout: c.Timeout, Now: c.Now,
	})}
	var err error
	if k.rules, err = document.NewSet(document.Config[Rule]{
		Kind: fleet.DocumentNotification, Store: c.Store, Journal: c.Journal, Changed: func(string) { k.Wake() },
	}); err != nil {
		return nil, err
	}
	deliveries, err := c.Store.Deliveries()
	if err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	for _, d := range deliveries {
		k.all[d.ID] = d
	}
	var found bool
	if k.read, found, err = store.Setting[fleet.Seq](c.Store, cursorSetting); err != nil {
		return nil, fmt.Errorf("read the courier's cursor: %w", err)
	}
	if k.begun = found; !found {
		head, err := c.Store.Head(fleet.LaneRequests)
		if err != nil {
			return nil, err
		}
		k.read = head.Seq
	}
	k.saved = k.read
	c.Journal.Follow(func(e journal.Event) {
		switch {
		case e.Lane == fleet.LaneRequests && !k.aboutRequests():
			k.skipped.Store(uint64(e.Seq)) // a busy site has thousands a minute
		case e.Lane == fleet.LaneRequests, e.Body.Kind() == fleet.KindAlertChanged:
			k.Wake()
		}
	})
	return k, nil
}

// aboutRequests reports whether a rule is about requests.
func (k *Courier) aboutRequests() bool {
	return slices.ContainsFunc(k.rules.All(), func(r document.Of[Rule]) bool {
		return !r.Value.Disabled && (slices.Contains(r.Value.On, OnMissed) || slices.Contains(r.Value.On, OnEmergency))
	})
}

// Wake has what waits tried now, such as when the network is back.
func (k *Courier) Wake() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// NetworkBack has everything tried now that got no answer before.
func (k *Courier) NetworkBack() {
	k.mu.Lock()
	for id, d := range k.all {
		if d.State == store.DeliveryWaiting && d.Unreached {
			d.Next = k.c.Now()
			k.all[id] = d
		}
	}
	k.mu.Unlock()
	k.Wake()
}

// Rules are the rules, by name.
func (k *Courier) Rules() []document.Of[Rule] { return k.rules.All() }

// Rule returns a rule; fleet.ErrNotFound.
func (k *Courier) Rule(name string) (document.Of[Rule], error) { return k.rules.Get(name) }

// HasSecret reports whether a rule's webhook calls are signed.
func (k *Courier) HasSecret(name string) (bool, error) {
	b, err := k.c.Store.NoticeSecret(name)
	return len(b) > 0, err
}

// Put stores a rule; version is the one that the change was made on, or
// document.Fresh. secret is the key that signs its webhook calls: nil leaves it,
// an empty one takes it away. Errors as of document.Put, and fleet.ErrInvalid.
func (k *Courier) Put(ctx context.Context, by fleet.Actor, name string, r Rule, version uint64, secret *string) error {
	if err := r.Check(); err != nil {
		return err
	}
	if r.Mail != nil && k.c.SMTP.Host == "" {
		return fmt.Errorf("%w: mail: the hub has no mail server: set --smtp-host and --smtp-from", fleet.ErrInvalid)
	}
	if secret != nil && *secret != "" && len(*secret) < courier.MinSecret {
		return fmt.Errorf("%w: webhook.secret: want at least %d bytes", fleet.ErrInvalid, courier.MinSecret)
	}
	return k.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		if version == document.Fresh {
			if err := document.Room(tx, 1, k.c.MaxDocuments); err != nil {
				return err
			}
		}
		if err := document.Put(tx, by, document.Write{Kind: fleet.DocumentNotification, Name: name, Version: version}, r); err != nil {
			return err
		}
		switch {
		case r.Webhook == nil || secret != nil && *secret == "":
			tx.DeleteNoticeSecret(name)
		case secret != nil:
			return tx.PutNoticeSecret(name, []byte(*secret))
		}
		return nil
	})
}

// Remove removes a rule and its key. What it has under way is delivered.
func (k *Courier) Remove(ctx context.Context, by fleet.Actor, name string, version uint64) error {
	return k.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		tx.DeleteNoticeSecret(name)
		return document.Remove(tx, by, document.Write{Kind: fleet.DocumentNotification, Name: name, Version: version})
	})
}

// AlertIn queues what rules say of a change of an alert, inside its decision.
// before is the zero value for one that was raised.
func (k *Courier) AlertIn(tx *journal.Tx, before, after fleet.Alert) error {
	raised := after.State == fleet.AlertActive && before.State != fleet.AlertActive
	gone := before.State.Holds() && !after.State.Holds()
	if !raised && !gone {
		return nil
	}
	title, action := k.c.Words(after.Kind)
	p := Payload{Event: EventRaised, Severity: after.Severity, Title: title, Text: action, Alert: &after, Room: after.Room}
	if gone {
		p.Event, p.Title, p.Text = EventGone, "Gone: "+title, ""
	}
	for _, r := range k.rules.All() {
		if r.Value.wants(after) && (raised || r.Value.WhenGone) {
			if err := k.queue(tx.Tx, tx.Then, tx.Now(), tx.Trusted(), r, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// Test queues a test notification on every channel of a rule. fleet.ErrNotFound;
// fleet.ErrState when the rule has none that leaves the hub.
func (k *Courier) Test(ctx context.Context, name string) ([]store.Delivery, error) {
	r, err := k.rules.Get(name)
	if err != nil {
		return nil, err
	}
	if r.Value.Webhook == nil && r.Value.Mail == nil {
		return nil, fmt.Errorf("%w: rule %s has neither webhook nor mail to test", fleet.ErrState, name)
	}
	before := k.now()
	r.Value.Quiet = nil
	err = k.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		return k.queue(tx.Tx, tx.Then, tx.Now(), tx.Trusted(), r, Payload{
			Event: EventTest, Severity: fleet.AlertInfo, Title: "Test of rule " + name, Text: "Nothing has happened. Somebody wants to know whether this arrives.",
		})
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(k.Deliveries("", 100), func(d store.Delivery) bool {
		return d.Rule != name || d.Event != EventTest || d.CreatedAt.Before(before)
	}), nil
}

func (k *Courier) now() time.Time { return fleet.Millis(k.c.Now()) }

// queue stores the deliveries of one event by one rule. then is called with what
// is to be done after the commit.
func (k *Courier) queue(tx *store.Tx, then func(func()), now time.Time, trusted bool, r document.Of[Rule], p Payload) error {
	name, zone := k.c.About()
	for channel, to := range r.Value.channels() {
		p.DeliveryID, p.Site, p.SiteName, p.Rule, p.At = fleet.NewUUID[string](now), k.c.Site, name, r.Name, now
		body, err := json.Marshal(p)
		if err != nil {
			return fmt.Errorf("encode notification: %w", err)
		}
		d := store.Delivery{
			ID: p.DeliveryID, Rule: r.Name, Channel: channel, To: to, Event: p.Event, Severity: p.Severity, Body: body,
			CreatedAt: now, Next: now, State: store.DeliveryWaiting, Request: p.Request,
		}
		if p.Alert != nil {
			d.Alert = p.Alert.ID
		}
		d.Next, d.Deferred = r.Value.Quiet.until(now, zone, p.Severity)
		if trusted {
			d.ExpiresAt = d.Next.Add(k.c.Life)
		}
		if err := k.makeRoom(tx, then, now); err != nil {
			return err
		}
		if err := tx.PutDelivery(d); err != nil {
			return err
		}
		then(func() { k.take(d) })
	}
	return nil
}

// channels are the ways of a rule that leave the hub, with their receivers as
// people may see them.
func (r Rule) channels() map[string]string {
	out := map[string]string{}
	if r.Webhook != nil {
		if host := courier.Host(r.Webhook.URL); host != "" {
			out[channelWebhook] = host
		}
	}
	if r.Mail != nil {
		out[channelMail] = strings.Join(r.Mail.To, ", ")
	}
	return out
}

const (
	channelWebhook = "webhook"
	channelMail    = "mail"
)

func (k *Courier) take(d store.Delivery) {
	k.mu.Lock()
	k.all[d.ID] = d
	k.mu.Unlock()
	k.Wake()
}

// makeRoom drops one that waits when there are too many.
func (k *Courier) makeRoom(tx *store.Tx, then func(func()), now time.Time) error {
	k.mu.Lock()
	waiting := k.waiting()
	k.mu.Unlock()
	if len(waiting) < k.c.MaxWaiting {
		return nil
	}
	least := slices.MinFunc(waiting, func(a, b store.Delivery) int {
		return cmp.Or(cmp.Compare(a.Severity.Rank(), b.Severity.Rank()), cmp.Compare(a.ID, b.ID))
	})
	least.State, least.Error, least.DoneAt = store.DeliveryDropped, "too many were waiting", now
	then(func() { k.take(least) })
	return tx.PutDelivery(least)
}

// waiting are those that have not ended. The caller holds the lock.
func (k *Courier) waiting() []store.Delivery {
	return slices.Collect(func(yield func(store.Delivery) bool) {
		for _, d := range k.all {
			if d.State == store.DeliveryWaiting && !yield(d) {
				return
			}
		}
	})
}

// Deliveries are the newest, those with ids before the given one ("" for all).
func (k *Courier) Deliveries(before string, most int) []store.Delivery {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := slices.SortedFunc(maps.Values(k.all), func(a, b store.Delivery) int { return cmp.Compare(b.ID, a.ID) })
	if before != "" {
		all = slices.DeleteFunc(all, func(d store.Delivery) bool { return d.ID >= before })
	}
	return all[:min(len(all), most)]
}

// Troubles counts the deliveries that wait after a failure, and those that were
// lost since a time.
func (k *Courier) Troubles(since time.Time) (waiting, lost int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, d := range k.all {
		switch d.State {
		case store.DeliveryWaiting:
			if d.Tries > 0 {
				waiting++
			}
		case store.DeliveryFailed, store.DeliveryExpired:
			if d.DoneAt.After(since) {
				lost++
			}
		case store.DeliveryDelivered, store.DeliveryDropped:
		}
	}
	return waiting, lost
}

// Run delivers until ctx ends.
func (k *Courier) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.wake:
		case <-timer.C:
		}
		wait, err := k.round(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
		timer.Reset(wait)
	}
}

// round queues what requests ask for, tries what is due, and returns how long
// nothing will be.
func (k *Courier) round(ctx context.Context) (time.Duration, error) {
	if !k.begun { // events count from the first start on
		if err := k.c.Store.Update(ctx, func(tx *store.Tx) error { return tx.PutSetting(cursorSetting, k.read) }); err != nil {
			return 0, fmt.Errorf("store the courier's cursor: %w", err)
		}
		k.begun = true
	}
	if err := k.readRequests(ctx); err != nil {
		return 0, err
	}
	k.buzz(ctx)
	if err := k.deliver(ctx); err != nil {
		return 0, err
	}
	if err := k.prune(ctx); err != nil {
		return 0, err
	}
	wait := time.Minute // quiet hours begin and end
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, d := range k.waiting() {
		wait = min(wait, d.Next.Sub(k.c.Now()))
	}
	return max(wait, 10*time.Millisecond), nil
}

// saveEvery is after how many records that no rule is about their having been
// read is stored.
const saveEvery = 1000

// readRequests queues what rules say of requests, from the records that were
// not read yet.
func (k *Courier) readRequests(ctx context.Context) error {
	k.read = max(k.read, fleet.Seq(k.skipped.Load()))
	for {
		batch, err := k.c.Store.Read(fleet.LaneRequests, k.read, 256<<10)
		if err != nil {
			return fmt.Errorf("read requests: %w", err)
		}
		if len(batch.Records) == 0 {
			return nil
		}
		next := k.read + fleet.Seq(len(batch.Records))
		var found []Payload
		for _, b := range batch.Records {
			r, err := wire.DecodeRecord(fleet.LaneRequests, b)
			if err != nil {
				return fmt.Errorf("read requests: %w", err)
			}
			if p, ok := k.requestEvent(r); ok && !k.told(p, found) {
				found = append(found, p)
			}
		}
		var then []func()
		if len(found) == 0 && next-k.saved < saveEvery {
			k.read = next
			continue
		}
		err = k.c.Store.UpdateThen(ctx, func(tx *store.Tx) error {
			then = nil
			for _, p := range found {
				on := map[string]string{EventMissed: OnMissed, EventEmergency: OnEmergency}[p.Event]
				for _, r := range k.rules.All() {
					if r.Value.Disabled || !slices.Contains(r.Value.On, on) {
						continue
					}
					if err := k.queue(tx, func(fn func()) { then = append(then, fn) }, k.now(), true, r, p); err != nil {
						return err
					}
				}
			}
			return tx.PutSetting(cursorSetting, next)
		}, func() {
			for _, fn := range then {
				fn()
			}
		})
		if err != nil {
			return fmt.Errorf("queue notifications: %w", err)
		}
		k.read, k.saved = next, next
	}
}

// told reports whether an event of a request is among those found, or was queued
// before: an impatient guest is one emergency.
func (k *Courier) told(p Payload, found []Payload) bool {
	if slices.ContainsFunc(found, func(f Payload) bool { return f.Request == p.Request && f.Event == p.Event }) {
		return true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, d := range k.all {
		if d.Request == p.Request && d.Event == p.Event {
			return true
		}
	}
	return false
}

// requestEvent is what a record says that rules may be about.
func (k *Courier) requestEvent(r fleet.Record) (Payload, bool) {
	p := Payload{Severity: fleet.AlertCritical}
	switch b := r.Body.(type) {
	case fleet.Pressed:
		if b.Priority != fleet.Emergency { // one that joins may raise the request
			return p, false
		}
		p.Event, p.Request = EventEmergency, b.Press.Request
	case fleet.RequestOpened:
		if b.Priority != fleet.Emergency {
			return p, false
		}
		p.Event, p.Request = EventEmergency, b.Request
	case fleet.RequestStepped:
		if b.State != fleet.RequestMissed {
			return p, false
		}
		p.Event, p.Request = EventMissed, b.Request
	default:
		return p, false
	}
	req, found, err := fleet.Get[fleet.Request](k.c.Store, fleet.RequestRef(p.Request))
	if err != nil || !found || req.Purpose != fleet.PurposeCall {
		return p, false // nobody off the ship is told of drills and tests
	}
	p.Room, p.Title = req.Room, "Emergency in "+string(req.Room)
	if p.Event == EventMissed {
		p.Title = "A call from " + string(req.Room) + " was missed"
	}
	p.Text = "At " + r.At.Format(time.RFC3339) + "."
	return p, true
}

// together is how many deliveries are tried at a time.
const together = 4

// deliver tries what is due.
func (k *Courier) deliver(ctx context.Context) error {
	now := k.now()
	k.mu.Lock()
	due := slices.DeleteFunc(k.waiting(), func(d store.Delivery) bool { return d.Next.After(now) })
	k.mu.Unlock()
	slices.SortFunc(due, func(a, b store.Delivery) int {
		return cmp.Or(cmp.Compare(b.Severity.Rank(), a.Severity.Rank()), cmp.Compare(a.ID, b.ID))
	})
	for group := range slices.Chunk(due, together) {
		var all sync.WaitGroup
		for i := range group {
			all.Go(func() { k.try(ctx, &group[i]) })
		}
		all.Wait()
		if ctx.Err() != nil {
			return nil
		}
		err := k.c.Store.Update(ctx, func(tx *store.Tx) error {
			for _, d := range group {
				if err := tx.PutDelivery(d); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("store outcomes of deliveries: %w", err)
		}
		k.mu.Lock()
		for _, d := range group {
			k.all[d.ID] = d
		}
		k.mu.Unlock()
		if slices.ContainsFunc(group, func(d store.Delivery) bool { return d.State == store.DeliveryDelivered }) {
			k.NetworkBack()
		}
	}
	return nil
}

// try tries one delivery and notes the outcome in it.
func (k *Courier) try(ctx context.Context, d *store.Delivery) {
	now := k.now()
	end := func(s store.DeliveryState, why string) {
		d.State, d.Error, d.DoneAt = s, why, now
		k.c.Logger.Info("notification", "state", s, "rule", d.Rule, "channel", d.Channel, "to", d.To, "event", d.Event, "tries", d.Tries, "error", why)
	}
	rule, err := k.rules.Get(d.Rule)
	switch {
	case !d.ExpiresAt.IsZero() && now.After(d.ExpiresAt):
		end(store.DeliveryExpired, cmp.Or(d.Error, "its time was over"))
		return
	case err != nil || rule.Value.Disabled:
		end(store.DeliveryDropped, "its rule was removed or switched off")
		return
	case d.Deferred && d.Tries == 0 && !k.stillWanted(*d):
		end(store.DeliveryDropped, "seen or gone before quiet hours were over")
		return
	}
	d.Tries++
	ctx, cancel := context.WithTimeout(ctx, k.c.Timeout)
	defer cancel()
	if d.Channel == channelMail {
		err = k.mail(ctx, rule.Value, *d)
	} else {
		err = k.call(ctx, rule.Value, *d)
	}
	var refused *courier.Refusal
	answered := errors.As(err, &refused)
	d.Unreached = err != nil && !answered
	switch {
	case err == nil:
		end(store.DeliveryDelivered, "")
	case answered && refused.Final:
		end(store.DeliveryFailed, refused.Reason)
	default:
		d.Error = err.Error()
		pause := k.c.RetryFirst << min(d.Tries-1, 20)
		if pause <= 0 || pause > k.c.RetryMost {
			pause = k.c.RetryMost
		}
		d.Next = now.Add(pause)
	}
}

// stillWanted reports whether an alert that waited for the end of quiet hours is
// still one that nobody has seen.
func (k *Courier) stillWanted(d store.Delivery) bool {
	if d.Alert == "" || d.Event != EventRaised {
		return true
	}
	a, found, err := fleet.Get[fleet.Alert](k.c.Store, fleet.AlertRef(d.Alert))
	return err != nil || !found || a.State == fleet.AlertActive
}

// prune forgets the oldest that have ended.
func (k *Courier) prune(ctx context.Context) error {
	k.mu.Lock()
	var ended []string
	for id, d := range k.all {
		if d.State != store.DeliveryWaiting {
			ended = append(ended, id)
		}
	}
	k.mu.Unlock()
	more := len(ended) - k.c.Keep
	if more <= 0 {
		return nil
	}
	slices.Sort(ended)
	err := k.c.Store.Update(ctx, func(tx *store.Tx) error {
		for _, id := range ended[:more] {
			tx.DeleteDelivery(id)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("forget deliveries: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range ended[:more] {
		delete(k.all, id)
	}
	return nil
}
