package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/obedio/obedio/edge/internal/broker"
	"github.com/obedio/obedio/edge/internal/command"
	"github.com/obedio/obedio/edge/internal/denial"
	"github.com/obedio/obedio/edge/internal/dialect"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/notify"
	"github.com/obedio/obedio/edge/internal/pki"
	"github.com/obedio/obedio/edge/internal/policy"
	"github.com/obedio/obedio/edge/internal/presence"
	"github.com/obedio/obedio/edge/internal/provision"
	"github.com/obedio/obedio/edge/internal/registry"
	"github.com/obedio/obedio/edge/internal/request"
	"github.com/obedio/obedio/edge/internal/roster"
	"github.com/obedio/obedio/edge/internal/security"
	"github.com/obedio/obedio/edge/internal/selftest"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/edge/internal/traffic"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/topic"
)

// devices stands between the broker and the packages that know what messages
// mean: it is the broker's Authenticator and Handler, and the Sender of those
// who have something to tell devices. Safe for use from any goroutine.
type devices struct {
	site       fleet.SiteID
	maxPayload int
	registry   *registry.Registry
	presence   *presence.Presence
	pki        *pki.PKI
	journal    *journal.Journal
	store      *store.Store
	windows    *windows
	provision  *provision.Provision
	// claim answers a claim that came as a message.
	claim      func(ctx context.Context, payload []byte, from string) []byte
	tell       chan command.Want     // to devices that were moved
	tellLate   func(context.Context) // the time
	came       chan arrival          // with a certificate, which may have replaced others
	requests   *request.Requests
	roster     *roster.Roster
	selftest   *selftest.SelfTest
	commands   *command.Commands
	notifier   *notify.Notifier
	broker     *broker.Broker
	traffic    *traffic.Traffic
	clock      *identity.Clock
	log        *slog.Logger
	policies   *policy.Policies
	denials    *denial.Log
	security   *security.Log
	legacy     bool
	deliveries chan delivery
	look       chan struct{} // of capacity 1; somebody is unsure of rights
	suspected  atomic.Bool   // somebody has shown wrong credentials: there may be a ban

	mu       sync.Mutex // guards all below
	sessions map[fleet.DeviceID]*session
	bad      map[string]uint64
	unsure   map[fleet.DeviceID]struct{} // whose rights are to be looked at
}

// session is what is known of a device's connection.
type session struct {
	generation    uint64
	identity      broker.Identity // with the rights that it has
	settled       bool            // the broker was told of them since it connected
	will          *broker.Will
	subscriptions []string
	spoke         bool // it has sent a status
}

// delivery is a device's PUBACK of a command.
type delivery struct {
	device  fleet.DeviceID
	command string
}

// Authenticate implements broker.Authenticator: a client certificate, or user
// name and password. Whoever shows a certificate is who that says.
func (d *devices) Authenticate(ctx context.Context, c broker.Credentials) (broker.Identity, error) {
	switch {
	case c.Certificate != nil:
		return d.certified(ctx, c)
	case c.Username == joining:
		return d.joins(c)
	}
	dev, err := d.registry.Identify(c.Username, c.Password)
	if err != nil {
		return broker.Identity{}, err
	}
	return d.identityOf(dev, c.Username, "")
}

// Connected implements broker.Handler.
func (d *devices) Connected(s broker.Session) {
	id := s.Identity.Device.ID
	if id == "" {
		return // it is joining
	}
	d.mu.Lock()
	d.sessions[id] = &session{generation: s.Generation, identity: s.Identity, will: s.Will}
	d.mu.Unlock()
	d.traffic.Reconnected(s.Identity.ClientID, d.now())
	d.doubt(id) // its rights may have changed since Authenticate
	if s.Identity.Certificate != "" {
		select {
		case d.came <- arrival{id, s.Identity.Certificate}:
		default: // it will come again
		}
	}
	d.tellMoved(s.Identity.Device)
	d.presence.Connected(id, s.Generation)
	d.wake(id) // a resumed session has its subscriptions already
	d.wakeChildren(s.Identity.Device)
}

// Disconnected implements broker.Handler.
func (d *devices) Disconnected(s broker.Session, cause broker.Cause) {
	id := s.Identity.Device.ID
	if id == "" {
		return
	}
	d.mu.Lock()
	if known, ok := d.sessions[id]; ok && known.generation == s.Generation {
		delete(d.sessions, id)
	}
	d.mu.Unlock()
	d.presence.Disconnected(id, s.Generation, cause == broker.CauseGoodbye)
	d.notifier.Wake(id) // who can be reached is to be looked at again
}

// Subscribed implements broker.Handler.
func (d *devices) Subscribed(s broker.Session, filters []string) {
	id := s.Identity.Device.ID
	d.mu.Lock()
	if known, ok := d.sessions[id]; ok {
		for _, f := range filters {
			if !slices.Contains(known.subscriptions, f) {
				known.subscriptions = append(known.subscriptions, f)
			}
		}
	}
	d.mu.Unlock()
	d.wake(id)
	d.wakeChildren(s.Identity.Device)
}

// Unsubscribed implements broker.Handler.
func (d *devices) Unsubscribed(s broker.Session, filters []string) {
	d.mu.Lock()
	if known, ok := d.sessions[s.Identity.Device.ID]; ok {
		known.subscriptions = slices.DeleteFunc(known.subscriptions, func(f string) bool { return slices.Contains(filters, f) })
	}
	d.mu.Unlock()
	d.notifier.Wake(s.Identity.Device.ID)
}

func (d *devices) wake(id fleet.DeviceID) {
	d.commands.Wake(id)
	d.notifier.Wake(id)
}

// Session returns the subscriptions and the last will of a connection.
func (d *devices) Session(id fleet.DeviceID) ([]string, *resource.LastWill) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.sessions[id]
	if !ok {
		return nil, nil
	}
	var will *resource.LastWill
	if w := s.will; w != nil {
		will = &resource.LastWill{Topic: w.Name, Message: string(w.Payload)}
	}
	return slices.Clone(s.subscriptions), will
}

// BadPayloads counts what could not be read, by device.
func (d *devices) BadPayloads() map[string]uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make(map[string]uint64, len(d.bad))
	for k, n := range d.bad {
		out[k] = n
	}
	return out
}

// maxBad devices are counted by name; what comes after counts as "other".
const maxBad = 2000

func (d *devices) report(id fleet.DeviceID, issues ...string) {
	if len(issues) == 0 {
		return
	}
	d.mu.Lock()
	name := string(id)
	if _, known := d.bad[name]; !known && len(d.bad) >= maxBad {
		name = "other"
	}
	d.bad[name] += uint64(len(issues))
	d.mu.Unlock()
	d.log.Debug("payload not as expected", "device_id", id, "issues", issues)
}

// Publish implements broker.Handler. It returns when what must not be lost is
// on disk. A payload that cannot be read is counted and acknowledged: sent
// again it would be no better.
func (d *devices) Publish(ctx context.Context, s *broker.Session, m *broker.Message) error {
	from := &s.Identity.Device
	if m.Topic.IsZero() {
		return nil
	}
	if m.Topic.System {
		return d.join(ctx, s, m)
	}
	dev, via, err := d.speaker(from, &m.Topic)
	if err != nil {
		d.report(from.ID, err.Error())
		return nil
	}
	if m.Will {
		d.presence.Silent(dev.ID)
		return nil
	}
	d.presence.Through(dev.ID, via)
	if d.signs(s, dev) {
		if err := d.checkSigned(dev, m); err != nil {
			return err
		}
	}
	err = d.message(ctx, s, dev, via, m)
	if errors.Is(err, fleet.ErrInvalid) {
		d.report(from.ID, err.Error())
		d.presence.Heard(dev.ID, nil)
		return nil
	}
	return err
}

// speaker is the device that a message is about: the sender, or a device that
// the sender relays for.
func (d *devices) speaker(from *fleet.Device, t *topic.Topic) (_ *fleet.Device, via fleet.DeviceID, err error) {
	if t.Device == from.ID {
		return from, "", nil
	}
	dev, err := d.registry.Device(t.Device)
	if err != nil {
		return nil, "", err
	}
	if !t.Of(d.site, dev) {
		return nil, "", fmt.Errorf("%w: topic %s is not where device %s is", fleet.ErrInvalid, t.Base(), dev.ID)
	}
	return &dev, from.ID, nil
}

func (d *devices) message(ctx context.Context, s *broker.Session, dev *fleet.Device, via fleet.DeviceID, m *broker.Message) error {
	switch m.Topic.Action {
	case topic.Status, topic.Heartbeat:
		return d.telemetry(ctx, s, dev, m)
	case topic.Metrics:
		batch, err := dialect.DecodeBatch(m.Payload, d.maxPayload)
		if err != nil {
			return err
		}
		for _, f := range batch {
			d.traffic.Observe(dev.ID, m.Received, metricNumbers(f))
			d.report(dev.ID, f.Issues...)
			f.Release()
		}
		d.presence.Heard(dev.ID, nil)
		return nil
	case topic.Press:
		return d.press(ctx, dev, via, m)
	case topic.Ack:
		f, err := dialect.Decode(m.Payload, d.maxPayload)
		if err != nil {
			return err
		}
		defer f.Release()
		a, err := dialect.ReadAnswer(f)
		d.report(dev.ID, f.Issues...)
		if err != nil {
			return err
		}
		d.presence.Heard(dev.ID, nil)
		return d.commands.Answer(ctx, dev.ID, a)
	}
	if id, ok := m.Topic.Request(); ok {
		return d.watchAction(ctx, dev, id, m)
	}
	d.presence.Heard(dev.ID, nil)
	if m.Topic.Action == topic.Renew {
		return d.renew(ctx, s, dev, m)
	}
	return nil
}

func (d *devices) telemetry(ctx context.Context, s *broker.Session, dev *fleet.Device, m *broker.Message) error {
	f, err := dialect.Decode(m.Payload, d.maxPayload)
	if err != nil {
		return err
	}
	defer f.Release()
	t, err := dialect.ReadTelemetry(f, dev.ID)
	d.report(dev.ID, f.Issues...)
	if err != nil {
		return err
	}
	d.traffic.Observe(dev.ID, m.Received, telemetryNumbers(t))
	first := false
	if m.Topic.Action == topic.Status {
		d.mu.Lock()
		if known, ok := d.sessions[dev.ID]; ok && known.generation == s.Generation && !known.spoke {
			known.spoke, first = true, true
		}
		d.mu.Unlock()
	}
	d.presence.Heard(dev.ID, &t)
	if t.Config != nil {
		if err := d.commands.Reports(ctx, dev.ID, *t.Config); err != nil {
			return err
		}
	}
	return d.requests.Observe(ctx, dev.ID, t, first)
}

func (d *devices) press(ctx context.Context, dev *fleet.Device, via fleet.DeviceID, m *broker.Message) error {
	f, err := dialect.Decode(m.Payload, d.maxPayload)
	if err != nil {
		return err
	}
	defer f.Release()
	p, err := dialect.ReadPress(f, dev.ID)
	d.report(dev.ID, f.Issues...)
	if err != nil {
		return err
	}
	state, _ := d.presence.State(dev.ID)
	in := request.Incoming{Device: *dev, Press: p, Dup: m.Dup, Via: via, Signal: state.Signal, Battery: state.Battery}
	if _, err := d.requests.Press(ctx, in); err != nil {
		return err
	}
	d.presence.Heard(dev.ID, &dialect.Telemetry{BootID: p.BootID})
	return nil
}

func (d *devices) watchAction(ctx context.Context, dev *fleet.Device, id string, m *broker.Message) error {
	if dev.Type != fleet.Watch {
		return fmt.Errorf("%w: a %s does not answer requests", fleet.ErrInvalid, dev.Type)
	}
	reqID, err := fleet.ParseUUID[fleet.RequestID]("request_id", id)
	if err != nil {
		return err
	}
	f, err := dialect.Decode(m.Payload, d.maxPayload)
	if err != nil {
		return err
	}
	defer f.Release()
	a, err := dialect.ReadWatchAction(f)
	d.report(dev.ID, f.Issues...)
	if err != nil {
		return err
	}
	d.presence.Heard(dev.ID, nil)
	step := request.Step{Request: reqID, Version: a.Version}
	switch a.Action {
	case "accept":
		step.To = fleet.RequestAccepted
	case "complete":
		step.To = fleet.RequestCompleted
	}
	by := d.wearer(dev)
	switch a.Action {
	case "decline":
		_, err = d.requests.Decline(ctx, by, reqID)
	case "delegate":
		to, ok := d.roster.Member(a.To)
		if !ok {
			return fmt.Errorf("%w: delegate to %q: there is nobody of that id", fleet.ErrInvalid, a.To)
		}
		_, err = d.requests.Offer(ctx, by, reqID, a.Version, to.ID, to.Name)
	default:
		_, err = d.requests.Take(ctx, by, step)
	}
	var late *request.Conflict
	if errors.As(err, &late) || errors.Is(err, fleet.ErrNotFound) {
		// Somebody was faster. The watch is told how the request stands.
		d.notifier.Tell(dev.ID, reqID)
		return nil
	}
	return err
}

// wearer is who acts with a watch: the watch, and the person who wears it.
func (d *devices) wearer(watch *fleet.Device) fleet.Actor {
	by := fleet.ByDevice(watch.ID)
	by.Name = watch.Name
	if p, ok := d.roster.WornBy(watch.ID); ok {
		by.PersonID, by.Name = p.ID, p.Name
	}
	return by
}

// Delivered implements broker.Handler.
func (d *devices) Delivered(clientID, ref string) {
	if child, rest, ok := cutChild(ref); ok {
		// The repeater has it. That is no evidence of what the device has: a command
		// waits for the device's own answer.
		clientID, ref = string(child), rest
		if strings.HasPrefix(ref, commandRef) {
			return
		}
	}
	if d.selftest.Delivered(ref) {
		return
	}
	command, ok := strings.CutPrefix(ref, commandRef)
	if !ok {
		d.notifier.Delivered(fleet.DeviceID(clientID), ref)
		return
	}
	select {
	case d.deliveries <- delivery{fleet.DeviceID(clientID), command}:
	default:
		// Evidence only: what is not recorded as delivered is sent again.
	}
}

const commandRef = "command\x00"

// deliver records which commands devices have acknowledged, until ctx ends.
func (d *devices) deliver(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case v := <-d.deliveries:
			if err := d.commands.Delivered(ctx, v.device, v.command); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// Listens implements command.Sender.
func (d *devices) Listens(dev fleet.Device, name string) bool { return d.Why(dev, name) == "" }

// Why implements notify.Sender.
func (d *devices) Why(dev fleet.Device, name string) string {
	if _, ok := d.broker.Connected(string(dev.ID)); !ok {
		if d.repeater(dev, name) != "" {
			return ""
		}
		return "not connected"
	}
	if !d.subscribes(dev.ID, d.baseOf(dev, name), name) {
		return "not subscribed"
	}
	return ""
}

// via is the repeater that a device is heard through: the last one that it was,
// or the one whose profile says so; empty for none.
func (d *devices) via(dev fleet.Device) fleet.DeviceID {
	if via, known := d.presence.Via(dev.ID); known {
		return via
	}
	return d.policies.RelayOf(dev.ID, d.registry.Devices)
}

// repeater is the one that takes a message for a device which has no connection
// of its own; empty when none does.
func (d *devices) repeater(dev fleet.Device, name string) fleet.DeviceID {
	if via := d.via(dev); via != "" && d.subscribes(via, d.baseOf(dev, name), name) {
		return via
	}
	return ""
}

// childRef marks the messages that a repeater takes for a device.
const childRef = "child\x00"

func cutChild(ref string) (child fleet.DeviceID, rest string, ok bool) {
	rest, ok = strings.CutPrefix(ref, childRef)
	if !ok {
		return "", ref, false
	}
	id, rest, ok := strings.Cut(rest, "\x00")
	return fleet.DeviceID(id), rest, ok
}

// wakeChildren tells that devices can be reached, or not any more, because their
// repeater can, or not.
func (d *devices) wakeChildren(repeater fleet.Device) {
	profile, err := d.policies.ProfileOf(repeater.Profile)
	if err != nil {
		return
	}
	for _, child := range profile.Relay {
		d.wake(child)
	}
}

func (d *devices) subscribes(id fleet.DeviceID, base, name string) bool {
	return d.broker.Subscribes(string(id), topic.Command(base, name))
}

// SendCommand implements command.Sender.
func (d *devices) SendCommand(ctx context.Context, o command.Outbound) error {
	return d.send(ctx, o.Device, o.Name, o.Payload, commandRef+o.Ref, o.Expires)
}

// Notify implements notify.Sender.
func (d *devices) Notify(ctx context.Context, o notify.Outbound) error {
	return d.send(ctx, o.Device, o.Name, o.Payload, o.Ref, time.Time{})
}

func (d *devices) send(ctx context.Context, dev fleet.Device, name string, payload []byte, ref string, expires time.Time) error {
	m := broker.Message{Name: topic.Command(d.baseOf(dev, name), name), Payload: payload, QoS: 1, Ref: ref, Expires: expires}
	if _, ok := d.broker.Connected(string(dev.ID)); !ok {
		if via := d.repeater(dev, name); via != "" {
			m.Through, m.Ref = string(via), childRef+string(dev.ID)+"\x00"+ref
		}
	}
	return d.broker.Send(ctx, m)
}
