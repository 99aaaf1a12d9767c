package traffic_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/obedio/obedio/edge/internal/traffic"
	"github.com/obedio/obedio/shared/fleet"
)

// mix makes the messages of a site: each device reports with jitter, 70 %
// status, 20 % heartbeat, 9 % metrics, 1 % press.
type mix struct {
	rng     *rand.Rand
	at      time.Time
	gap     time.Duration // mean time between two messages of the site
	devices []mixDevice
	buf     []traffic.Number
}

type mixDevice struct {
	id     fleet.DeviceID
	kind   fleet.DeviceType
	room   fleet.RoomID
	topics [4]string
	signal float64
	temp   float64
}

func newMix(devices int, start time.Time, gap time.Duration) *mix {
	m := &mix{rng: rand.New(rand.NewPCG(1, 2)), at: start, gap: gap}
	kinds := fleet.DeviceTypes()
	for i := range devices {
		d := mixDevice{
			id: fleet.DeviceID(fmt.Sprintf("dev-%04d", i)), kind: kinds[i%len(kinds)],
			room: fleet.RoomID(fmt.Sprintf("cabin-%03d", i/3)), signal: -60, temp: 21,
		}
		for j, action := range []string{"status", "heartbeat", "metrics", "press"} {
			d.topics[j] = fmt.Sprintf("obedio/yacht-1/%s/%s/%s/%s", d.room, d.kind, d.id, action)
		}
		m.devices = append(m.devices, d)
	}
	return m
}

// next is the next message, and the numbers in it. The time between two
// messages is random, so nothing about it can be foretold.
func (m *mix) next() (traffic.Message, []traffic.Number) {
	m.at = m.at.Add(time.Duration(m.rng.ExpFloat64() * float64(m.gap)))
	d := &m.devices[m.rng.IntN(len(m.devices))]
	action := 0
	switch p := m.rng.IntN(100); {
	case p >= 99:
		action = 3
	case p >= 90:
		action = 2
	case p >= 70:
		action = 1
	}
	d.signal += float64(m.rng.IntN(3) - 1)
	m.buf = m.buf[:0]
	switch action {
	case 0:
		m.buf = append(m.buf, traffic.Number{Name: "battery", Value: 80}, traffic.Number{Name: "signal_strength", Value: d.signal})
	case 2:
		d.temp += float64(m.rng.IntN(3)-1) / 10
		m.buf = append(m.buf, traffic.Number{Name: "temperature", Value: float64(int(d.temp*10)) / 10})
	}
	size := [4]int{171, 84, 120, 143}[action] + m.rng.IntN(4)
	return traffic.Message{
		At: m.at, Direction: traffic.Inbound, Device: string(d.id), Topic: d.topics[action], Type: d.kind, Room: d.room,
		QoS: [4]byte{1, 0, 0, 1}[action], Size: size,
	}, m.buf
}

// feed gives t that many messages, writing as the hub would: every five
// seconds of the messages' own time.
func (m *mix) feed(t *traffic.Traffic, n int, observe bool, each func() error) error {
	last := m.at
	for range n {
		msg, numbers := m.next()
		if msg.At.Sub(last) >= 5*time.Second {
			last = msg.At
			if err := each(); err != nil {
				return err
			}
		}
		t.Record(msg)
		if observe {
			t.Observe(fleet.DeviceID(msg.Device), msg.At, numbers)
		}
	}
	return each()
}
