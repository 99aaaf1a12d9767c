package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/hubapi"
	"github.com/obedio/obedio/shared/fleet"
)

// Config is what Run needs. Zero fields take their defaults.
type Config struct {
	API  *hubapi.Client
	MQTT string
	// TLS: MQTT is an address for TLS, and the clients have certificates.
	TLS bool
	// Authority certifies the clients of a Peer with TLS, and its server.
	Authority *Authority
	// Clients that connect; 100.
	Clients int
	// Rate is how many messages each client sends in a second; 1.
	Rate float64
	// QoS 0 or 1.
	QoS byte
	// PayloadBytes of a message; 200.
	PayloadBytes int
	// Duration of sending; 10 s.
	Duration time.Duration
	// Drain is how long answers are waited for after that; 10 s.
	Drain time.Duration
	// Presses: the clients are buttons that press, and the receipt counts.
	Presses bool
	// Action is what the clients publish otherwise: status, heartbeat, metrics,
	// or mixed (70, 20, 9 per cent and 1 per cent of presses). heartbeat.
	Action string
	// Window is how many messages of a client may wait for their PUBACK; 32.
	Window int
	// Seed of the jitter.
	Seed uint64
	// Prefix begins the ids of the devices: another run at the same time has
	// another one, a further run with the same one is of the same devices. One
	// that no other run has if empty.
	Prefix string
	// Keep leaves the devices on the hub.
	Keep bool
	// Peer: MQTT is another broker, which knows no devices and sends no receipts.
	// API is not used.
	Peer bool
	// Watch are processes whose CPU time and memory are measured meanwhile, with
	// those that descend from them.
	Watch []int
	// Restart: instead of sending, wait for so long at most until the hub has been
	// restarted by somebody, and all clients are back. Connected is called before.
	Restart   time.Duration
	Connected func(*Report) error
	// LiveReaders read the hub's live traffic meanwhile; SlowReaders do so too,
	// and rest for a second after each batch.
	LiveReaders, SlowReaders int
	Logger                   *slog.Logger
}

// Report is what Run measured.
type Report struct {
	Clients     int     `json:"clients"`
	Rate        float64 `json:"rate_per_client"`
	QoS         byte    `json:"qos"`
	Payload     int     `json:"payload_bytes"`
	DurationMS  int64   `json:"duration_ms"`
	Mode        string  `json:"mode"`
	TLS         bool    `json:"tls"`
	JoinMS      int64   `json:"join_ms"`
	ConnectMS   int64   `json:"connect_ms"`
	Connected   int     `json:"connected"`
	Failed      int     `json:"failed_connections"`
	Broken      int     `json:"broken_connections"` // readers of the live traffic among them
	Sent        int64   `json:"sent"`
	Acked       int64   `json:"acknowledged"`
	Lost        int64   `json:"lost"`
	Duplicates  int64   `json:"duplicates"`
	MessagesIn  int64   `json:"hub_messages_in"`
	PerSecond   float64 `json:"messages_per_second"`
	BehindMaxMS int64   `json:"behind_max_ms"`
	Connect     Latency `json:"connect_latency"`
	PUBACK      Latency `json:"puback_latency"`
	Presses     *Count  `json:"presses,omitempty"`
	Watched     *Usage  `json:"watched,omitempty"`
	Live        *Live   `json:"live,omitempty"`
	Back        *Back   `json:"back,omitempty"`
	FirstError  string  `json:"first_error,omitempty"`
}

// Live is what the readers of the live traffic got.
type Live struct {
	Messages     int64  `json:"messages"`
	Dropped      uint64 `json:"dropped"`
	SlowMessages int64  `json:"slow_messages"`
	SlowDropped  uint64 `json:"slow_dropped"`
}

// Count is what became of presses.
type Count struct {
	Made       int64   `json:"made"`
	Receipted  int64   `json:"receipted"`
	Lost       int64   `json:"lost"`
	Duplicates int64   `json:"duplicate_receipts"`
	Receipt    Latency `json:"receipt_latency"`
}

// load is a measurement that runs.
type load struct {
	c       Config
	to      []connecting // what each client connects with
	clients []*client
	pace    []*pacer

	connects, pubacks, receipts *histogram
	sent, acked, duplicates     atomic.Int64
	made, receipted, again      atomic.Int64
	broken                      atomic.Int64
	behind                      atomic.Int64

	mu    sync.Mutex // guards first
	first error
}

// Run has devices join, connects them, lets them send, waits for what is
// under way, and removes the devices.
func Run(ctx context.Context, c Config) (*Report, error) {
	c.Clients = cmp.Or(c.Clients, 100)
	c.Rate = cmp.Or(c.Rate, 1)
	c.PayloadBytes = cmp.Or(c.PayloadBytes, 200)
	c.Duration = cmp.Or(c.Duration, 10*time.Second)
	c.Drain = cmp.Or(c.Drain, 10*time.Second)
	c.Action = cmp.Or(c.Action, "heartbeat")
	c.Window = cmp.Or(c.Window, 32)
	c.Prefix = cmp.Or(c.Prefix, "load-"+run+"-")
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	l := &load{c: c, connects: newHistogram(), pubacks: newHistogram(), receipts: newHistogram()}
	report := &Report{Clients: c.Clients, Rate: c.Rate, QoS: c.QoS, Payload: c.PayloadBytes, Mode: c.Action, TLS: c.TLS}
	if c.Presses {
		report.Mode = "presses"
	}

	began := time.Now()
	devices, err := l.members(ctx)
	if !c.Keep && !c.Peer {
		defer l.remove(context.WithoutCancel(ctx))
	}
	if err != nil {
		return nil, err
	}
	report.JoinMS = time.Since(began).Milliseconds()
	c.Logger.Info("devices have joined", "devices", len(devices), "took_ms", report.JoinMS)

	began = time.Now()
	l.connect(ctx, devices)
	report.ConnectMS = time.Since(began).Milliseconds()
	defer func() {
		for _, k := range l.clients {
			if k != nil {
				k.close()
			}
		}
	}()
	for _, k := range l.clients {
		if k != nil {
			report.Connected++
		}
	}
	report.Failed = len(devices) - report.Connected
	if report.Connected == 0 {
		return nil, fmt.Errorf("no client could connect: %w", errors.Join(l.first, ctx.Err()))
	}
	c.Logger.Info("clients are connected", "connected", report.Connected, "took_ms", report.ConnectMS)

	if c.Restart > 0 {
		return report, l.restart(ctx, report)
	}
	before, err := l.messages(ctx)
	if err != nil {
		return nil, err
	}
	live := l.readLive(ctx)
	defer live() // also when the rest fails
	sent := make(chan struct{})
	used, err := watch(c.Watch, c.Duration, sent)
	if err != nil {
		return nil, err
	}
	took := l.send(ctx)
	l.drain(ctx)
	close(sent)
	if report.Watched, err = used(); err != nil {
		return nil, err
	}
	report.Live = live()
	after, err := l.messages(ctx)
	if err != nil {
		return nil, err
	}
	l.fill(report, took, after-before)
	return report, ctx.Err()
}

// messages is the hub's count of what it has taken; a peer is not asked.
func (l *load) messages(ctx context.Context) (int64, error) {
	if l.c.Peer {
		return 0, nil
	}
	return l.c.API.Messages(ctx)
}

// readLive starts the readers of the live traffic; the function that it returns
// ends them and says what they got.
func (l *load) readLive(ctx context.Context) func() *Live {
	if l.c.LiveReaders+l.c.SlowReaders == 0 {
		return func() *Live { return nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	var mu sync.Mutex
	sum := &Live{}
	read := func(slow bool) {
		err := l.c.API.Live(ctx, func(n int, dropped uint64) {
			mu.Lock()
			if slow {
				sum.SlowMessages, sum.SlowDropped = sum.SlowMessages+int64(n), sum.SlowDropped+dropped
			} else {
				sum.Messages, sum.Dropped = sum.Messages+int64(n), sum.Dropped+dropped
			}
			mu.Unlock()
			if slow {
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
		})
		if err != nil { // nobody reads then, and the figures are not what they say
			l.broken.Add(1)
			l.fail(err)
		}
	}
	for range l.c.LiveReaders {
		wg.Go(func() { read(false) })
	}
	for range l.c.SlowReaders {
		wg.Go(func() { read(true) })
	}
	return func() *Live {
		cancel()
		wg.Wait()
		return sum
	}
}

func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == nil {
		l.first = err
	}
}

// run names this process among others.
var run = string(fleet.NewEpoch())[:6]

// remove ends the requests of the devices, and takes the devices off the hub
// again.
func (l *load) remove(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if l.made.Load() > 0 {
		_, err := l.c.API.CancelOpen(ctx, func(id fleet.DeviceID) bool { return strings.HasPrefix(string(id), l.c.Prefix) })
		if err != nil {
			l.c.Logger.Warn("requests not cancelled", "prefix", l.c.Prefix, "error", err)
		}
	}
	if err := l.c.API.RemoveDevices(ctx, l.c.Prefix); err != nil {
		l.c.Logger.Warn("devices not removed", "prefix", l.c.Prefix, "error", err)
	}
}

// connecting at once; the hub has to take them one by one anyway.
const connectAtOnce = 64

// connect connects all devices.
func (l *load) connect(ctx context.Context, devices []member) {
	l.clients, l.pace, l.to = make([]*client, len(devices)), make([]*pacer, len(devices)), make([]connecting, len(devices))
	gate := make(chan struct{}, connectAtOnce)
	var wg sync.WaitGroup
	for i, d := range devices {
		l.pace[i] = newPacer(l.c, i, d)
		c := connecting{
			addr: l.c.MQTT, tls: d.tls, id: string(d.id), username: d.username, password: d.password, window: l.c.Window, timeout: 30 * time.Second,
		}
		if l.c.Presses || l.c.Action == "mixed" {
			c.subscribe = d.base + "/cmd/#"
		}
		l.to[i] = c
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			began := time.Now()
			k, err := dial(ctx, c)
			if err != nil {
				l.fail(err)
				return
			}
			l.connects.record(i, time.Since(began))
			k.acked = func(took time.Duration, known bool) {
				if !known {
					l.duplicates.Add(1)
					return
				}
				l.acked.Add(1)
				l.pubacks.record(i, took)
			}
			k.received = func(_ string, payload []byte) { l.receipt(i, payload) }
			l.clients[i] = k
		})
	}
	wg.Wait()
}

// send lets all clients send, and returns how long that took.
func (l *load) send(ctx context.Context) time.Duration {
	began := time.Now()
	var wg sync.WaitGroup
	for i, k := range l.clients {
		if k == nil {
			continue
		}
		go func() {
			// It ends with the connection, which is closed at the end.
			if err := k.read(); !isClosed(err) {
				l.broken.Add(1)
				l.fail(fmt.Errorf("client %d: %w", i+1, err))
			}
		}()
		wg.Go(func() {
			if err := l.sendOne(ctx, i, k, began); err != nil && ctx.Err() == nil {
				l.fail(fmt.Errorf("client %d: %w", i+1, err))
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

// sendOne sends at a steady rate, beginning at a moment of its own.
func (l *load) sendOne(ctx context.Context, i int, k *client, began time.Time) error {
	// Who is held up by a full window must still come to an end.
	ctx, cancel := context.WithDeadline(ctx, began.Add(l.c.Duration+l.c.Drain))
	defer cancel()
	p := l.pace[i]
	end := began.Add(l.c.Duration)
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for at := began.Add(p.first()); at.Before(end); at = at.Add(p.interval) {
		if wait := time.Until(at); wait > 0 {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-timer.C:
			}
		}
		topic, payload, press := p.next()
		if press {
			l.made.Add(1)
		}
		if err := k.publish(ctx, topic, payload, max(l.c.QoS, qosOf(press))); err != nil {
			return err
		}
		l.sent.Add(1)
		for behind := time.Since(at).Milliseconds(); ; {
			if old := l.behind.Load(); behind <= old || l.behind.CompareAndSwap(old, behind) {
				break
			}
		}
	}
	return nil
}

// qosOf: a press is always QoS 1.
func qosOf(press bool) byte {
	if press {
		return 1
	}
	return 0
}

// drain waits until everything is answered, or for as long as it may.
func (l *load) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.c.Drain)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		open := int64(0)
		if !l.c.Peer {
			open = l.made.Load() - l.receipted.Load()
		}
		for _, k := range l.clients {
			if k != nil {
				open += int64(k.unacknowledged())
			}
		}
		if open <= 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (l *load) fill(r *Report, took time.Duration, messagesIn int64) {
	r.DurationMS = took.Milliseconds()
	r.Broken = int(l.broken.Load())
	r.Sent, r.Acked, r.Duplicates = l.sent.Load(), l.acked.Load(), l.duplicates.Load()
	r.MessagesIn = messagesIn
	switch {
	case l.c.QoS > 0:
		r.Lost = max(0, r.Sent-r.Acked)
	case !l.c.Peer: // what QoS 0 has lost only the hub's own count can tell
		r.Lost = max(0, r.Sent-messagesIn)
	}
	r.PerSecond = float64(r.Sent) / took.Seconds()
	r.BehindMaxMS = l.behind.Load()
	r.Connect, r.PUBACK = l.connects.latency(), l.pubacks.latency()
	if r.Watched != nil && r.Sent > 0 {
		r.Watched.CPUMicrosPerMessage = r.Watched.CPUSeconds * 1e6 / float64(r.Sent)
	}
	if made := l.made.Load(); made > 0 && !l.c.Peer {
		r.Presses = &Count{
			Made: made, Receipted: l.receipted.Load(), Lost: made - l.receipted.Load(), Duplicates: l.again.Load(),
			Receipt: l.receipts.latency(),
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first != nil {
		r.FirstError = l.first.Error()
	}
}
