package broker

import (
	"context"
	"math"
	"strconv"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/topic"
)

// sysEvery is how often the $SYS topics are published; Mosquitto's default.
const sysEvery = 10 * time.Second

// silenceLibrary removes the $SYS messages that the library has published at
// its start: it counts what it sees, which is not much.
func (b *Broker) silenceLibrary() {
	for _, pk := range b.server.Topics.Messages(mqtt.SysPrefix + "/#") {
		pk.Payload = nil
		b.server.Topics.RetainMessage(pk)
	}
}

// housekeep publishes $SYS and ends sessions whose time is over, until ctx
// ends.
func (b *Broker) housekeep(ctx context.Context) {
	s := newSysTopics(b)
	tick := time.NewTicker(sysEvery)
	defer tick.Stop()
	for {
		s.publish()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		b.sweepSessions(b.now())
	}
}

// sysTopics publishes the broker's counters under the names that Mosquitto
// uses (mosquitto(8), "Broker status"), so that its tools and dashboards work.
type sysTopics struct {
	b       *Broker
	started time.Time
	last    time.Time
	before  map[string]uint64
	loads   map[string]*[3]float64
	maximum int
	told    map[string]string
}

func newSysTopics(b *Broker) *sysTopics {
	return &sysTopics{
		b: b, started: time.Now(), before: map[string]uint64{}, loads: map[string]*[3]float64{}, told: map[string]string{},
	}
}

// windows of the load averages.
var windows = [3]struct {
	name string
	over time.Duration
}{{"1min", time.Minute}, {"5min", 5 * time.Minute}, {"15min", 15 * time.Minute}}

// publish tells what has changed.
func (s *sysTopics) publish() {
	now := time.Now()
	st := s.b.Stats()
	var in, out, dropped uint64
	for k, n := range st.Messages {
		if k.Direction == "in" {
			in += n
		} else {
			out += n
		}
	}
	for _, n := range st.Dropped {
		dropped += n
	}
	s.maximum = max(s.maximum, st.Connected)
	stored, storedBytes := s.b.stored()
	subscribed, shared := s.b.countSubscriptions()
	values := map[string]string{
		"version":                    "obedio-hub",
		"uptime":                     strconv.FormatInt(int64(now.Sub(s.started).Seconds()), 10) + " seconds",
		"clients/total":              strconv.Itoa(st.Sessions),
		"clients/connected":          strconv.Itoa(st.Connected),
		"clients/active":             strconv.Itoa(st.Connected),
		"clients/disconnected":       strconv.Itoa(max(0, st.Sessions-st.Connected)),
		"clients/inactive":           strconv.Itoa(max(0, st.Sessions-st.Connected)),
		"clients/maximum":            strconv.Itoa(s.maximum),
		"clients/expired":            count(st.Expired),
		"messages/received":          count(st.PacketsIn),
		"messages/sent":              count(st.PacketsOut),
		"messages/stored":            strconv.Itoa(stored),
		"store/messages/count":       strconv.Itoa(stored),
		"store/messages/bytes":       strconv.FormatInt(storedBytes, 10),
		"publish/messages/received":  count(in),
		"publish/messages/sent":      count(out),
		"publish/messages/dropped":   count(dropped),
		"publish/bytes/received":     count(st.PayloadIn),
		"publish/bytes/sent":         count(st.PayloadOut),
		"bytes/received":             count(st.BytesIn),
		"bytes/sent":                 count(st.BytesOut),
		"retained messages/count":    strconv.Itoa(st.Retained),
		"subscriptions/count":        strconv.Itoa(subscribed),
		"shared_subscriptions/count": strconv.Itoa(shared),
	}
	s.load(values, now, map[string]uint64{
		"messages/received": st.PacketsIn, "messages/sent": st.PacketsOut,
		"publish/received": in, "publish/sent": out, "publish/dropped": dropped,
		"bytes/received": st.BytesIn, "bytes/sent": st.BytesOut,
		"sockets": st.Sockets, "connections": st.Connections,
	})
	for name, v := range values {
		if s.told[name] != v {
			s.told[name] = v
			s.b.tellSys(name, v)
		}
	}
}

// load adds the averages of what happened in a minute.
func (s *sysTopics) load(values map[string]string, now time.Time, counters map[string]uint64) {
	passed := now.Sub(s.last)
	first := s.last.IsZero()
	s.last = now
	for name, n := range counters {
		avg := s.loads[name]
		if avg == nil {
			avg = new([3]float64)
			s.loads[name] = avg
		}
		if !first && passed > 0 {
			aMinute := float64(n-s.before[name]) / passed.Minutes()
			for i, w := range windows {
				avg[i] = aMinute + math.Exp(-passed.Seconds()/w.over.Seconds())*(avg[i]-aMinute)
			}
		}
		s.before[name] = n
		for i, w := range windows {
			values["load/"+name+"/"+w.name] = strconv.FormatFloat(avg[i], 'f', 2, 64)
		}
	}
}

// tellSys retains a $SYS message and sends it to who subscribes. It is not
// recorded, and not kept over a restart.
func (b *Broker) tellSys(name, value string) {
	pk := packets.Packet{
		ProtocolVersion: frame.V311,
		FixedHeader:     packets.FixedHeader{Type: packets.Publish, Retain: true},
		TopicName:       mqtt.SysPrefix + "/broker/" + name, Payload: []byte(value), Origin: hubOrigin,
	}
	b.routing.RLock()
	defer b.routing.RUnlock()
	b.server.Topics.RetainMessage(pk)
	r := &routed{b: b, pk: pk}
	for id, sub := range b.subscribersOf(pk.TopicName) {
		if cl, ok := b.server.Clients.Get(id); ok {
			r.hand(cl, sub)
		}
	}
}

// stored counts the messages that sessions and topics hold, and their bytes.
func (b *Broker) stored() (count int, size int64) {
	retained, retainedBytes := b.retained.sum()
	b.mu.Lock()
	defer b.mu.Unlock()
	count, size = retained, int64(retainedBytes)
	for _, k := range b.sessions {
		k.mu.Lock()
		count += len(k.sizes)
		size += int64(k.bytes - messageOverhead*len(k.sizes))
		k.mu.Unlock()
	}
	return count, size
}

// countSubscriptions counts the subscriptions of all sessions, and those that
// are shared.
func (b *Broker) countSubscriptions() (all, shared int) {
	for _, cl := range b.server.Clients.GetAll() {
		for filter := range cl.State.Subscriptions.GetAll() {
			all++
			if group, _, err := topic.SplitShare(filter); err == nil && group != "" {
				shared++
			}
		}
	}
	return all, shared
}

func count(n uint64) string { return strconv.FormatUint(n, 10) }
