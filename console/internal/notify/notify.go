// Package notify tells people and programs who are at no screen of what the
// fleet warns of: webhooks and mail. Who is told of what are rules.
//
// What always holds: a notification is on disk before the alert counts as told;
// it is kept while its receiver does not answer, and delivered once when it
// does, or given up by its time to live, and what became of it can be seen. A
// kill between the other side's answer and its being on disk may repeat one: it
// has the same id then. Of several replicas one tries each.
//
// On disk: deliveries, the newest of those that have ended too. In memory: the
// same, and the rules. The methods of Notify may be called from any goroutine;
// Run from one.
package notify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/courier"
	"github.com/obedio/obedio/shared/fleet"
)

// Config is what New needs. Zero fields take their defaults.
type Config struct {
	Store store.Store
	// Now is the clock; time.Now.
	Now func() time.Time
	// Site is what is known of a site; it must not wait.
	Site func(fleet.SiteID) (name string, tags []string)
	// Words are what people read of an alert that has no words of its own.
	Words func(fleet.AlertKind) (title, action string)
	SMTP  courier.SMTP
	// Dial reaches receivers; a net.Dialer by default.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Life of a delivery. 72 h.
	Life time.Duration
	// MaxWaiting deliveries; of more, the oldest of the least severity are dropped.
	// 5,000.
	MaxWaiting int
	// Keep so many that have ended. 1,000.
	Keep int
	// RetryFirst is the pause after the first failure, RetryMost the longest. 30 s
	// and 15 min.
	RetryFirst, RetryMost time.Duration
	// Timeout of one try. 30 s.
	Timeout time.Duration
	// ReadEvery is how often rules and deliveries are read anew: another replica may
	// have changed them. 1 min.
	ReadEvery time.Duration
	// Lead says whether this console is the one of several that delivers; it is, by
	// default.
	Lead   func(context.Context) bool
	Logger *slog.Logger
}

// NamedRule is a rule with its document.
type NamedRule struct {
	store.Document
	Rule Rule
}

// Notify notifies.
type Notify struct {
	c    Config
	http *courier.Caller
	wake chan struct{}

	mu    sync.Mutex // guards all below
	rules []NamedRule
	all   map[string]store.Delivery
	read  time.Time
}

// Payload is what a receiver gets.
type Payload struct {
	DeliveryID string              `json:"delivery_id"`
	Site       fleet.SiteID        `json:"site,omitempty"`
	SiteName   string              `json:"site_name,omitempty"`
	Rule       string              `json:"rule"`
	Event      string              `json:"event"`
	At         time.Time           `json:"at"`
	ArrivedAt  time.Time           `json:"arrived_at,omitzero"`
	Severity   fleet.AlertSeverity `json:"severity"`
	Title      string              `json:"title"`
	Text       string              `json:"text,omitempty"`
	Alert      *fleet.Alert        `json:"alert,omitempty"`
}

// agent names the console to receivers.
const agent = "obedio-console"

// New reads rules and deliveries.
func New(ctx context.Context, c Config) (*Notify, error) {
	c.Life = cmp.Or(c.Life, 72*time.Hour)
	c.MaxWaiting, c.Keep = cmp.Or(c.MaxWaiting, 5000), cmp.Or(c.Keep, 1000)
	c.RetryFirst, c.RetryMost = cmp.Or(c.RetryFirst, 30*time.Second), cmp.Or(c.RetryMost, 15*time.Minute)
	if c.Lead == nil {
		c.Lead = func(context.Context) bool { return true }
	}
	c.Timeout, c.ReadEvery = cmp.Or(c.Timeout, 30*time.Second), cmp.Or(c.ReadEvery, time.Minute)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Site == nil {
		c.Site = func(id fleet.SiteID) (string, []string) { return string(id), nil }
	}
	if c.Words == nil {
		c.Words = func(k fleet.AlertKind) (string, string) { return string(k), "" }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	n := &Notify{
		c: c, wake: make(chan struct{}, 1),
		http: courier.NewCaller(courier.CallerConfig{Agent: agent, Dial: c.Dial, Timeout: c.Timeout, Now: c.Now}),
	}
	return n, n.Reload(ctx)
}

// Reload reads rules and deliveries anew.
func (n *Notify) Reload(ctx context.Context) error {
	var rules []NamedRule
	for after := ""; ; {
		page, err := n.c.Store.Documents(ctx, store.DocumentRule, after, 500)
		if err != nil {
			return fmt.Errorf("read rules: %w", err)
		}
		for _, d := range page {
			after = d.Name
			r := NamedRule{Document: d}
			if err := json.Unmarshal(d.Body, &r.Rule); err != nil {
				return fmt.Errorf("decode rule %s: %w", d.Name, err)
			}
			rules = append(rules, r)
		}
		if len(page) < 500 {
			break
		}
	}
	all := map[string]store.Delivery{}
	for before := ""; ; {
		page, err := n.c.Store.Deliveries(ctx, before, 500)
		if err != nil {
			return fmt.Errorf("read deliveries: %w", err)
		}
		for _, d := range page {
			before = d.ID
			all[d.ID] = d
		}
		if len(page) < 500 {
			break
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rules, n.all, n.read = rules, all, n.c.Now()
	return nil
}

// Rules are the rules, by name.
func (n *Notify) Rules() []NamedRule {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.rules)
}

// Rule returns a rule; fleet.ErrNotFound.
func (n *Notify) Rule(name string) (NamedRule, error) {
	for _, r := range n.Rules() {
		if r.Name == name {
			return r, nil
		}
	}
	return NamedRule{}, fmt.Errorf("%w: rule %s", fleet.ErrNotFound, name)
}

// secretSetting names the key that signs a rule's webhook calls.
func secretSetting(name string) string { return "webhook_secret/" + name }

// HasSecret reports whether a rule's webhook calls are signed.
func (n *Notify) HasSecret(ctx context.Context, name string) (bool, error) {
	s, err := n.c.Store.Setting(ctx, secretSetting(name))
	return s != "", err
}

// Put stores a rule, if its version still is version (0: if there is none).
// secret is the key that signs its webhook calls: nil leaves it, an empty one
// takes it away. Errors as of store.PutDocument, and fleet.ErrInvalid.
func (n *Notify) Put(ctx context.Context, by fleet.Actor, name string, r Rule, version uint64, secret *string) error {
	if err := r.Check(); err != nil {
		return err
	}
	if r.Mail != nil && n.c.SMTP.Host == "" {
		return fmt.Errorf("%w: mail: the console has no mail server: set --smtp-host and --smtp-from", fleet.ErrInvalid)
	}
	if secret != nil && *secret != "" && len(*secret) < courier.MinSecret {
		return fmt.Errorf("%w: webhook_secret: want at least %d bytes", fleet.ErrInvalid, courier.MinSecret)
	}
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode rule: %w", err)
	}
	if _, err := n.c.Store.PutDocument(ctx, by, store.Document{Kind: store.DocumentRule, Name: name, Body: body}, version); err != nil {
		return err
	}
	if r.Webhook == nil || version == 0 && secret == nil {
		none := "" // what another rule of this name had
		secret = &none
	}
	if secret != nil {
		if err := n.c.Store.SetSetting(ctx, secretSetting(name), *secret); err != nil {
			return err
		}
	}
	return n.Reload(ctx)
}

// Remove removes a rule and its key. What it has under way is dropped.
func (n *Notify) Remove(ctx context.Context, by fleet.Actor, name string, version uint64) error {
	if _, err := n.c.Store.PutDocument(ctx, by, store.Document{Kind: store.DocumentRule, Name: name, Removed: true}, version); err != nil {
		return err
	}
	return errors.Join(n.c.Store.SetSetting(ctx, secretSetting(name), ""), n.Reload(ctx))
}

// Tell queues what rules say of an event of an alert. Told again, nothing is
// queued twice.
func (n *Notify) Tell(ctx context.Context, a store.Alert, event string) error {
	name, tags := n.c.Site(a.Site)
	title, action := n.c.Words(a.Kind)
	p := Payload{
		Site: a.Site, SiteName: name, Event: event, At: a.Since, ArrivedAt: a.ArrivedAt, Severity: a.Severity,
		Title: cmp.Or(title, string(a.Kind)), Text: action, Alert: &a.Alert,
	}
	if event == EventGone {
		p.Title, p.Text, p.At = "Gone: "+p.Title, "", a.RectifiedAt
	}
	for _, r := range n.Rules() {
		if !r.Rule.wants(event, a.Alert, a.Site, tags) {
			continue
		}
		key := fmt.Sprintf("%s\x00%s\x00%d\x00%d\x00%s", a.Site, a.ID, a.Occurrences, a.ArrivedAt.UnixMilli(), event)
		if err := n.queue(ctx, r, p, a.ArrivedAt, key); err != nil {
			return err
		}
	}
	return nil
}

// Test queues a test notification on every channel of a rule, and returns what it
// has queued. fleet.ErrNotFound.
func (n *Notify) Test(ctx context.Context, name string) ([]store.Delivery, error) {
	r, err := n.Rule(name)
	if err != nil {
		return nil, err
	}
	now := n.now()
	key := fleet.NewUUID[string](now)
	err = n.queue(ctx, r, Payload{
		Event: EventTest, At: now, Severity: fleet.AlertInfo, Title: "Test of rule " + name,
		Text: "Nothing has happened. Somebody wants to know whether this arrives.",
	}, now, key)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(n.Deliveries("", 100), func(d store.Delivery) bool {
		return d.Rule != name || d.Event != EventTest || d.CreatedAt.Before(now)
	}), nil
}

func (n *Notify) now() time.Time { return fleet.Millis(n.c.Now()) }

// queue stores the deliveries of one event by one rule. key names the event: its
// deliveries have ids that follow from it.
func (n *Notify) queue(ctx context.Context, r NamedRule, p Payload, at time.Time, key string) error {
	now := n.now()
	for channel, to := range r.Rule.channels() {
		sum := sha256.Sum256([]byte(key + "\x00" + r.Name + "\x00" + channel))
		p.DeliveryID, p.Rule = fmt.Sprintf("%013d-%s", max(0, at.UnixMilli()), hex.EncodeToString(sum[:8])), r.Name
		body, err := json.Marshal(p)
		if err != nil {
			return fmt.Errorf("encode notification: %w", err)
		}
		if err := n.makeRoom(ctx, now); err != nil {
			return err
		}
		d, err := n.c.Store.PutDelivery(ctx, store.Delivery{
			ID: p.DeliveryID, Rule: r.Name, Channel: channel, To: to, Event: p.Event, Site: p.Site, Severity: p.Severity, Body: body,
			State: store.DeliveryWaiting, CreatedAt: now, ExpiresAt: now.Add(n.c.Life), Next: now,
		}, 0)
		if errors.Is(err, fleet.ErrExists) {
			continue // it was queued before the alert was noted as told
		}
		if err != nil {
			return err
		}
		n.keep(d)
	}
	return nil
}

func (n *Notify) keep(d store.Delivery) {
	n.mu.Lock()
	n.all[d.ID] = d
	n.mu.Unlock()
	n.Wake()
}

// Wake has what is due tried now.
func (n *Notify) Wake() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// makeRoom drops one that waits when there are too many.
func (n *Notify) makeRoom(ctx context.Context, now time.Time) error {
	waiting := n.waiting(func(store.Delivery) bool { return true })
	if len(waiting) < n.c.MaxWaiting {
		return nil
	}
	least := slices.MinFunc(waiting, func(a, b store.Delivery) int {
		return cmp.Or(cmp.Compare(a.Severity.Rank(), b.Severity.Rank()), cmp.Compare(a.ID, b.ID))
	})
	least.State, least.Error, least.DoneAt = store.DeliveryDropped, "too many were waiting", now
	return n.store(ctx, least)
}

// store stores a change of a delivery. One that another replica has changed is
// read again.
func (n *Notify) store(ctx context.Context, d store.Delivery) error {
	next, err := n.c.Store.PutDelivery(ctx, d, d.Version)
	if errors.Is(err, fleet.ErrVersion) || errors.Is(err, fleet.ErrNotFound) {
		return n.Reload(ctx)
	}
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.all[d.ID] = next
	n.mu.Unlock()
	return nil
}

func (n *Notify) waiting(keep func(store.Delivery) bool) []store.Delivery {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []store.Delivery
	for _, d := range n.all {
		if d.State == store.DeliveryWaiting && keep(d) {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b store.Delivery) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Deliveries are the newest, those with ids before the given one ("" for all).
func (n *Notify) Deliveries(before string, most int) []store.Delivery {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := slices.SortedFunc(maps.Values(n.all), func(a, b store.Delivery) int { return cmp.Compare(b.ID, a.ID) })
	if before != "" {
		all = slices.DeleteFunc(all, func(d store.Delivery) bool { return d.ID >= before })
	}
	return all[:min(len(all), most)]
}

// Run delivers until ctx ends.
func (n *Notify) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.wake:
		case <-timer.C:
		}
		round, wait, leads := n.reloadOld, time.Minute, n.c.Lead(ctx)
		if leads {
			round = n.Deliver
		}
		if err := round(ctx); err != nil && ctx.Err() == nil {
			if errors.Is(err, store.ErrFailed) || errors.Is(err, store.ErrClosed) {
				return err
			}
			n.c.Logger.Warn("notifications not delivered", "error", err)
		}
		if !leads {
			wait = 15 * time.Second // the one who does may be gone
		} else {
			for _, d := range n.waiting(func(store.Delivery) bool { return true }) {
				wait = min(wait, d.Next.Sub(n.c.Now()))
			}
		}
		timer.Reset(max(wait, 10*time.Millisecond))
	}
}

// reloadOld reads rules and deliveries anew when that was done too long ago.
func (n *Notify) reloadOld(ctx context.Context) error {
	n.mu.Lock()
	old := n.c.Now().Sub(n.read) >= n.c.ReadEvery
	n.mu.Unlock()
	if !old {
		return nil
	}
	return n.Reload(ctx)
}

// Deliver tries what is due, once, and forgets the oldest that have ended.
func (n *Notify) Deliver(ctx context.Context) error {
	now := n.now()
	if err := n.reloadOld(ctx); err != nil {
		return err
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var failed error
	// Receivers do not wait for each other; those of one rule come in order.
	byRule := map[string][]store.Delivery{}
	for _, d := range n.waiting(func(d store.Delivery) bool { return !d.Next.After(now) }) {
		byRule[d.Rule+"\x00"+d.Channel] = append(byRule[d.Rule+"\x00"+d.Channel], d)
	}
	for _, due := range byRule {
		all.Go(func() {
			for _, d := range due {
				unreached, err := n.try(ctx, d)
				mu.Lock()
				failed = errors.Join(failed, err)
				mu.Unlock()
				if unreached || err != nil || ctx.Err() != nil {
					return // the next would not arrive either
				}
			}
		})
	}
	all.Wait()
	return errors.Join(failed, n.prune(ctx))
}

// try tries one delivery, and stores what came of it. unreached: its receiver
// gave no answer.
func (n *Notify) try(ctx context.Context, d store.Delivery) (unreached bool, err error) {
	now := n.now()
	end := func(s store.DeliveryState, why string) error {
		d.State, d.Error, d.DoneAt = s, why, n.now()
		n.c.Logger.Info("notification", "state", s, "rule", d.Rule, "channel", d.Channel, "to", d.To, "event", d.Event, "tries", d.Tries, "error", why)
		return n.store(ctx, d)
	}
	rule, err := n.Rule(d.Rule)
	switch {
	case now.After(d.ExpiresAt):
		return false, end(store.DeliveryExpired, cmp.Or(d.Error, "its time was over"))
	case err != nil || rule.Rule.Disabled && d.Event != EventTest:
		return false, end(store.DeliveryDropped, "its rule was removed or switched off")
	}
	// Whoever stores this tries it: another replica's version is another.
	d.Tries++
	pause := n.c.RetryFirst << min(d.Tries-1, 20)
	if pause <= 0 || pause > n.c.RetryMost {
		pause = n.c.RetryMost
	}
	d.Next = now.Add(n.c.Timeout + pause)
	if d, err = n.c.Store.PutDelivery(ctx, d, d.Version); err != nil {
		if errors.Is(err, fleet.ErrVersion) || errors.Is(err, fleet.ErrNotFound) {
			return false, n.Reload(ctx)
		}
		return false, err
	}
	call, cancel := context.WithTimeout(ctx, n.c.Timeout)
	defer cancel()
	if d.Channel == channelMail {
		err = n.mail(call, rule.Rule, d)
	} else {
		err = n.call(call, rule.Rule, d)
	}
	var refused *courier.Refusal
	answered := errors.As(err, &refused)
	switch {
	case err == nil:
		return false, end(store.DeliveryDelivered, "")
	case answered && refused.Final:
		return false, end(store.DeliveryFailed, refused.Reason)
	}
	d.Error, d.Next = err.Error(), n.now().Add(pause)
	return !answered, n.store(ctx, d)
}

func (n *Notify) call(ctx context.Context, r Rule, d store.Delivery) error {
	if r.Webhook == nil {
		return courier.Never("the rule has no webhook any more")
	}
	secret, err := n.c.Store.Setting(ctx, secretSetting(d.Rule))
	if err != nil {
		return fmt.Errorf("read the key of rule %s: %w", d.Rule, err)
	}
	return n.http.Call(ctx, r.Webhook.URL, d.ID, []byte(secret), d.Body)
}

func (n *Notify) mail(ctx context.Context, r Rule, d store.Delivery) error {
	if r.Mail == nil {
		return courier.Never("the rule has no mail any more")
	}
	if n.c.SMTP.Host == "" {
		return courier.Never("the console has no mail server any more")
	}
	var p Payload
	if err := json.Unmarshal(d.Body, &p); err != nil {
		return courier.Never(err.Error())
	}
	return n.c.SMTP.Send(ctx, agent, courier.Mail{
		ID: d.ID + "@console.obedio", To: r.Mail.To, At: d.CreatedAt,
		Subject: fmt.Sprintf("[%s] %s: %s", cmp.Or(p.SiteName, "console"), p.Severity, p.Title), Text: p.words(),
	}, n.c.Timeout, n.c.Dial)
}

// words are the text of a mail.
func (p Payload) words() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line("%s", p.Title)
	if p.Text != "" {
		line("%s", p.Text)
	}
	line("")
	if p.Site != "" {
		line("Site: %s (%s)", p.SiteName, p.Site)
	}
	line("Happened: %s", p.At.Format(time.RFC3339))
	if !p.ArrivedAt.IsZero() {
		line("Arrived: %s", p.ArrivedAt.Format(time.RFC3339))
	}
	if a := p.Alert; a != nil {
		if a.Subject != "" {
			line("%s: %s", a.SubjectKind, a.Subject)
		}
		if a.Count > 0 {
			line("Count: %d (%s)", a.Count, strings.Join(a.Members, ", "))
		}
		for _, name := range slices.Sorted(maps.Keys(a.Detail)) {
			line("%s: %s", name, a.Detail[name])
		}
	}
	line("Rule: %s", p.Rule)
	return b.String()
}

// prune forgets the oldest that have ended.
func (n *Notify) prune(ctx context.Context) error {
	n.mu.Lock()
	var ended []string
	for id, d := range n.all {
		if d.State != store.DeliveryWaiting {
			ended = append(ended, id)
		}
	}
	n.mu.Unlock()
	if len(ended) <= n.c.Keep {
		return nil
	}
	slices.Sort(ended)
	for _, id := range ended[:len(ended)-n.c.Keep] {
		if err := n.c.Store.DeleteDelivery(ctx, id); err != nil {
			return fmt.Errorf("forget deliveries: %w", err)
		}
		n.mu.Lock()
		delete(n.all, id)
		n.mu.Unlock()
	}
	return nil
}
