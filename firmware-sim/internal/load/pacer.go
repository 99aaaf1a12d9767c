package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/device"
	"github.com/obedio/obedio/shared/fleet"
)

// pacer says what one client sends, and when.
type pacer struct {
	base     string
	id       fleet.DeviceID
	boot     string
	interval time.Duration
	presses  bool
	mixed    bool
	action   string
	bytes    int
	chance   *rand.Rand

	mu      sync.Mutex // guards all below
	seq     uint64
	pressed map[uint64]time.Time // without receipt
}

func newPacer(c Config, i int, d member) *pacer {
	return &pacer{
		base: d.base, id: d.id, boot: "load-" + run, interval: time.Duration(float64(time.Second) / c.Rate),
		presses: c.Presses, mixed: c.Action == "mixed", action: c.Action, bytes: c.PayloadBytes,
		chance: device.Chance(c.Seed, fmt.Sprint("client ", i)), pressed: map[uint64]time.Time{},
	}
}

// first is when the client begins: clients do not send in step.
func (p *pacer) first() time.Duration {
	return time.Duration(p.chance.Float64() * float64(p.interval))
}

// next is the next message.
func (p *pacer) next() (topic string, payload []byte, press bool) {
	action := p.action
	if p.mixed {
		switch x := p.chance.IntN(100); {
		case x < 70:
			action = "status"
		case x < 90:
			action = "heartbeat"
		case x < 99:
			action = "metrics"
		default:
			action = "press"
		}
	}
	if p.presses || action == "press" {
		return p.base + "/press", p.press(), true
	}
	at := time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00")
	var head string
	switch action {
	case "metrics":
		head = fmt.Sprintf(`{"device_id":%q,"timestamp":%q,"temperature_c":%.1f,"humidity_pct":%d`, p.id, at, 20+5*p.chance.Float64(), 40+p.chance.IntN(20))
	case "status":
		head = fmt.Sprintf(`{"device_id":%q,"timestamp":%q,"online":true,"battery":%d,"signal_strength":%d,"firmware_version":"1.4.2"`, p.id, at, 80, -60-p.chance.IntN(5))
	default:
		head = fmt.Sprintf(`{"device_id":%q,"timestamp":%q,"uptime_s":%d,"battery":%d,"signal_strength":%d`, p.id, at, p.up(), 80, -60-p.chance.IntN(5))
	}
	return p.base + "/" + action, pad(head, p.bytes, action == "metrics"), false
}

// up grows with every message, as an uptime does.
func (p *pacer) up() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seq++
	return p.seq
}

// pad fills a payload up to its size: with a field that the hub does not know,
// or, in metrics, with digits of a number.
func pad(head string, size int, numbers bool) []byte {
	name, fill, end := `,"pad":"`, "x", `"}`
	if numbers {
		name, fill, end = `,"pad":0.`, "1", "}"
	}
	room := size - len(head) - len(name) - len(end)
	if room < 1 {
		return []byte(head + "}")
	}
	return []byte(head + name + strings.Repeat(fill, room) + end)
}

func (p *pacer) press() []byte {
	p.mu.Lock()
	p.seq++
	seq := p.seq
	p.pressed[seq] = time.Now()
	p.mu.Unlock()
	return pad(fmt.Sprintf(`{"device_id":%q,"timestamp":%q,"press_type":"single","boot_id":%q,"sequence_id":%d`, p.id,
		time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00"), p.boot, seq), p.bytes, false)
}

// receipt takes a message of the hub to the i-th client.
func (l *load) receipt(i int, payload []byte) {
	now := time.Now()
	var r struct {
		SequenceID uint64 `json:"sequence_id"`
		Stage      string `json:"stage"`
	}
	if json.Unmarshal(payload, &r) != nil || r.Stage != "stored" {
		return
	}
	p := l.pace[i]
	p.mu.Lock()
	at, waiting := p.pressed[r.SequenceID]
	delete(p.pressed, r.SequenceID)
	p.mu.Unlock()
	if !waiting {
		l.again.Add(1)
		return
	}
	l.receipted.Add(1)
	l.receipts.record(i, now.Sub(at))
}

// isClosed reports whether a connection has ended by our own wish.
func isClosed(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe)
}
