package device

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// Config is what New needs. Zero fields take their defaults; durations are in
// simulated time unless they say otherwise.
type Config struct {
	ID   fleet.DeviceID
	Type fleet.DeviceType
	// Name is what the hub calls the device; a watch finds itself by it in
	// taken_by.
	Name string
	// BaseTopic is what joining gave; the rest of that is in Saved.
	BaseTopic string
	// HubTime is what the hub's clock says now; zero when the device has not
	// heard of it.
	HubTime time.Time

	Broker    Broker
	Transport Transport  // TCP
	MQTT      Version    // MQTT311
	Dialect   Dialect    // Seed
	Time      TimeSource // Wall
	// BootIDs: the firmware names each of its boots.
	BootIDs bool
	// KeepsCounter: the sequence counter goes on over a loss of power.
	KeepsCounter bool
	Firmware     string // "1.4.2"

	Clock *Clock
	Seed  uint64

	// Keepalive of MQTT and Timeout for connecting and for a PUBACK are in real
	// time: 30 s and 10 s.
	Keepalive, Timeout time.Duration
	// Heartbeat is the interval of heartbeats; ±10 %. By type: 60 s for watches
	// and repeaters, 5 min for buttons and sensors.
	Heartbeat time.Duration
	// Metrics is the interval of samples of sensors and repeaters; 1 min.
	Metrics time.Duration
	// Batch: now and then so many samples go out as one message; 1.
	Batch int
	// BackoffFirst and BackoffMost bound the wait before the device connects
	// again: 1 s and 60 s.
	BackoffFirst, BackoffMost time.Duration
	// ResendFirst and ResendMost bound the wait for a receipt: 10 s and 2 min.
	ResendFirst, ResendMost time.Duration
	// Duplicates is the chance that a press goes out twice.
	Duplicates float64
	// Deafness is the chance that the firmware loses a receipt after MQTT has
	// taken it: the hub must give it again when the press comes again.
	Deafness float64
	// Outbox is how many presses a button keeps; 32.
	Outbox int
	// Battery in per cent, at first; 20 to 100 by chance if 0. Drain is what it
	// loses in an hour; 0.2.
	Battery, Drain float64
	// CommandFailures is the chance that a command fails.
	CommandFailures float64
	// AnswerAfter is how long the device takes before it says that it has begun
	// with a command. AnswersTwice: it says everything twice. StrayAnswers: it
	// also answers commands that nobody has sent.
	AnswerAfter                Span
	AnswersTwice, StrayAnswers bool

	// SleepAfter: with nothing to do for so long the device says goodbye and
	// sleeps, until it is pressed or its heartbeat is due; never if 0. WakeDelay is
	// the time from there, or from a boot, until its radio begins to connect.
	SleepAfter time.Duration
	WakeDelay  Span
	// DozeAfter and DozeFor: a watch is awake so long, and then out of reach so
	// long; it does not doze if DozeFor is 0.
	DozeAfter, DozeFor Span
	// BrownOuts is the chance that a battery below BrownOutBelow per cent breaks
	// down when the radio sends.
	BrownOutBelow, BrownOuts float64
	// StuckEvery: the first press never ends, and another one is reported each so
	// long, until somebody mends the button; it does not stick if 0.
	StuckEvery Span
	// Bounces is how often the contact closes again within milliseconds of a push.
	Bounces Amount
	// Impatience is how often a guest presses again, each ImpatientEvery, while
	// the lamp does not say that somebody is coming.
	Impatience     Amount
	ImpatientEvery Span
	// Dup is the chance that a press is sent again at once with MQTT's DUP flag;
	// firmware of MQTT 3.1.1 only.
	Dup     float64
	Hearing Hearing // HearsWell
	// ClockFault: ClockRight. ClockDrift is what a clock that drifts gains; 0.05.
	ClockFault ClockFault
	ClockDrift float64
	// Wearer of a watch; nil for one that nobody wears.
	Wearer *Wearer

	// Saved is what the device kept from before.
	Saved Saved
	// Keep writes down what the device keeps (Saved): it is called when that must
	// not get lost, and may ask the device. Nil for a device without such a place.
	Keep func() error
	// LedgerKeep is how many facts of each kind the ledger keeps; all if 0.
	LedgerKeep int
	// News rings at every new fact; may be nil.
	News   *Bell
	Logger *slog.Logger
}

// defaults fills in what was left out.
func (c *Config) defaults() {
	c.Transport = cmp.Or(c.Transport, TCP)
	c.MQTT = cmp.Or(c.MQTT, MQTT311)
	c.Dialect = cmp.Or(c.Dialect, Seed)
	c.Time = cmp.Or(c.Time, Wall)
	c.Firmware = cmp.Or(c.Firmware, "1.4.2")
	c.Keepalive = cmp.Or(c.Keepalive, 30*time.Second)
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	heartbeat := 5 * time.Minute
	if c.Type == fleet.Watch || c.Type == fleet.Repeater {
		heartbeat = time.Minute
	}
	c.Heartbeat = cmp.Or(c.Heartbeat, heartbeat)
	c.Metrics = cmp.Or(c.Metrics, time.Minute)
	c.Batch = max(1, c.Batch)
	c.BackoffFirst = cmp.Or(c.BackoffFirst, time.Second)
	c.BackoffMost = cmp.Or(c.BackoffMost, time.Minute)
	c.ResendFirst = cmp.Or(c.ResendFirst, 10*time.Second)
	c.ResendMost = cmp.Or(c.ResendMost, 2*time.Minute)
	c.Outbox = cmp.Or(c.Outbox, 32)
	c.Drain = cmp.Or(c.Drain, 0.2)
	c.Hearing = cmp.Or(c.Hearing, HearsWell)
	c.ClockFault = cmp.Or(c.ClockFault, ClockRight)
	c.ClockDrift = cmp.Or(c.ClockDrift, 0.05)
	if c.Clock == nil {
		c.Clock = NewClock(1)
	}
	if c.Keep == nil {
		c.Keep = func() error { return nil }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// Device is one simulated device.
type Device struct {
	c   Config
	log *slog.Logger
	// timeTopic is where the hub tells the time.
	timeTopic string
	write     writer
	ledger    *Ledger
	mailbox   chan func()
	done      chan struct{}                                // closed when Run has ended
	final     Saved                                        // of the end; read after done
	dial      func(context.Context, dialing) (link, error) // of this package, but in tests

	// What follows belongs to Run's goroutine.
	ctx     context.Context //nolint:containedctx // the life of Run, for what it starts
	waiting sync.WaitGroup  // goroutines that Run has started

	// Kept over a loss of power.
	boots    uint64
	sequence uint64
	outbox   outbox
	memory   memory
	settings []byte
	base     string // where it was moved to
	battery  battery
	// credentials change when the certificate is renewed.
	credentials Credentials

	// Lost with it.
	power    bool
	asleep   bool
	bootID   string
	bootAt   time.Duration
	reason   string // of the boot, until it was told
	light    light
	rings    map[fleet.RequestID]*ring
	busy     int
	samples  []sample
	interval time.Duration // of heartbeats
	stirred  time.Duration // when it last had something to do
	drowsy   bool          // a look at whether it may sleep is planned

	// What no loss of power changes.
	stuck, mended bool
	stuckKind     PressKind

	network bool        // the radio reaches the site's network
	nobody  atomic.Bool // and nobody answers at the hub's address
	relay   relay
	// through is the repeater whose connection it uses; nil for its own. Set
	// before Run.
	through *Device
	link    link
	sender  *sender
	attempt *attempt
	failed  int // attempts since the last connection
	// muted: the connection may be good for nothing but a new certificate, so
	// nothing else is said on it.
	muted   bool
	hub     hubClock
	renewal renewal

	radio   radio
	chances chances
}

// chances are the streams of chance, one for each kind of decision.
type chances struct {
	backoff, beat, fault, deaf, wearer, metrics, renew, habit *rand.Rand
}

// New returns a device that is switched off. fleet.ErrInvalid.
func New(c Config) (*Device, error) {
	c.defaults()
	t, err := topic.Parse(topic.Action(c.BaseTopic, topic.Status))
	if err != nil {
		return nil, err
	}
	if t.Device != c.ID || t.Type != c.Type {
		return nil, fmt.Errorf("%w: base topic %s is not that of %s %s", fleet.ErrInvalid, c.BaseTopic, c.Type, c.ID)
	}
	stream := func(name string) *rand.Rand { return Chance(c.Seed, string(c.ID), name) }
	at := stream("place")
	d := &Device{
		c: c, log: c.Logger, timeTopic: topic.System(t.Site, topic.SystemTime), write: writer{c.Dialect, c.Time, c.ID}, ledger: newLedger(c.LedgerKeep, c.News),
		mailbox: make(chan func(), 256), done: make(chan struct{}), network: true, dial: dial,
		outbox: outbox{size: c.Outbox}, memory: memory{size: 64}, rings: map[fleet.RequestID]*ring{},
		battery: battery{level: cmp.Or(c.Battery, 20+80*at.Float64()), drain: c.Drain},
		radio:   radio{mean: -80 + 35*at.Float64(), noise: stream("radio")},
		chances: chances{
			stream("backoff"), stream("beat"), stream("fault"), stream("deaf"), stream("wearer"), stream("metrics"), stream("renew"), stream("habit"),
		},
	}
	d.radio.now = d.radio.mean
	d.light.lamp = LampOff
	d.restore(c.Saved)
	if !c.HubTime.IsZero() {
		d.hub.set(c.HubTime)
	}
	if err := d.credentials.Check(); err != nil {
		return nil, err
	}
	return d, nil
}

// ID is the device's id.
func (d *Device) ID() fleet.DeviceID { return d.c.ID }

// Type is the device's type.
func (d *Device) Type() fleet.DeviceType { return d.c.Type }

// Name is what the hub calls the device.
func (d *Device) Name() string { return d.c.Name }

// BootIDs reports whether the firmware names its boots.
func (d *Device) BootIDs() bool { return d.c.BootIDs }

// Ledger holds what the device did and learnt.
func (d *Device) Ledger() *Ledger { return d.ledger }

// Run lives the device's life until ctx ends; then it says goodbye and
// returns.
func (d *Device) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.ctx = ctx
	for {
		select {
		case <-ctx.Done():
			d.stop()
			return nil
		case fn := <-d.mailbox:
			fn()
		}
	}
}

// stop ends the connection cleanly. What still comes in is taken and left
// alone, so that nobody waits for a device that has ended.
func (d *Device) stop() {
	d.final = d.save()
	d.abandon()
	d.renewal.stop()
	ended := d.farewell()
	for {
		select {
		case <-ended:
			close(d.done)
			d.waiting.Wait()
			return
		case <-d.mailbox:
		}
	}
}

// farewell tells the hub that the device goes, and ends the connection. It
// returns at once; ended is closed when that is done.
func (d *Device) farewell() (ended chan struct{}) {
	ended = make(chan struct{})
	l, s := d.link, d.sender
	if l == nil {
		close(ended)
		return ended
	}
	gone, muted := d.status(d.write.gone()), d.muted
	d.disconnected()
	d.waiting.Go(func() {
		defer close(ended)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), time.Second)
		defer cancel()
		<-s.stopped
		if !muted {
			if err := l.publish(ctx, gone); err != nil {
				d.log.Debug("goodbye not said", "device_id", d.c.ID, "error", err)
			}
		}
		l.goodbye()
	})
	return ended
}

// disconnected forgets the connection.
func (d *Device) disconnected() {
	d.relay.close()
	d.sender.stop()
	d.link, d.sender, d.muted = nil, nil, false
	d.ledger.note(func(f *Facts) { f.Online = false })
}

// post has fn run on Run's goroutine. It must not be called from there.
func (d *Device) post(fn func()) {
	select {
	case d.mailbox <- fn:
	case <-d.done:
	}
}

// ask is post that waits until fn has run; false when the device has ended.
func (d *Device) ask(fn func()) bool {
	ran := make(chan struct{})
	d.post(func() { fn(); close(ran) })
	select {
	case <-ran:
		return true
	case <-d.done:
		return false
	}
}

// later has fn run after a while of simulated time, unless the device has lost
// power by then. at least is in real time: what a hub in real time needs.
func (d *Device) later(after, atLeast time.Duration, fn func()) {
	boot := d.boots
	if d.c.Clock.Real(after) < atLeast {
		after = time.Duration(float64(atLeast) * d.c.Clock.speed)
	}
	d.c.Clock.After(after, func() {
		d.post(func() {
			if d.power && d.boots == boot {
				fn()
			}
		})
	})
}

func (d *Device) uptime() time.Duration { return d.c.Clock.Now() - d.bootAt }

func (d *Device) reading() reading {
	r := reading{battery: d.battery.read(d.c.Clock.Now()), signal: d.radio.read(), uptime: d.uptime()}
	d.ledger.note(func(f *Facts) { f.Battery = &r.battery })
	return r
}

func (d *Device) status(payload []byte) message {
	return message{topic: topic.Action(d.c.BaseTopic, topic.Status), payload: payload, qos: 1, retain: true}
}
