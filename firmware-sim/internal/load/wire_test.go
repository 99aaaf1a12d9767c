package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"pgregory.net/rapid"
)

// What is written here, another implementation reads.
func TestWire_IsReadByAnotherImplementation(t *testing.T) {
	var b []byte
	b = appendConnect(b, "dev-1", "user", "pass", 300)
	b = appendSubscribe(b, 1, "a/b/cmd/#", 1)
	b = appendPublish(b, "a/b/press", bytes.Repeat([]byte("x"), 300), 1, 513)
	b = appendPublish(b, "a/b/status", []byte("{}"), 0, 0)
	b = appendPuback(b, 7)
	r := bytes.NewReader(b)
	next := func() packets.ControlPacket {
		p, err := packets.ReadPacket(r)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if c := next().(*packets.ConnectPacket); c.ClientIdentifier != "dev-1" || c.Username != "user" || string(c.Password) != "pass" || !c.CleanSession || c.Validate() != packets.Accepted {
		t.Errorf("%+v", c)
	}
	if c, err := packets.ReadPacket(bytes.NewReader(appendConnect(nil, "dev-1", "", "", 60))); err != nil || c.(*packets.ConnectPacket).UsernameFlag || c.(*packets.ConnectPacket).Validate() != packets.Accepted {
		t.Errorf("with a certificate: %+v %v", c, err)
	}
	if s := next().(*packets.SubscribePacket); s.MessageID != 1 || s.Topics[0] != "a/b/cmd/#" || s.Qoss[0] != 1 {
		t.Errorf("%+v", s)
	}
	if p := next().(*packets.PublishPacket); p.MessageID != 513 || p.Qos != 1 || p.TopicName != "a/b/press" || len(p.Payload) != 300 {
		t.Errorf("%+v", p)
	}
	if p := next().(*packets.PublishPacket); p.Qos != 0 || string(p.Payload) != "{}" {
		t.Errorf("%+v", p)
	}
	if a := next().(*packets.PubackPacket); a.MessageID != 7 {
		t.Errorf("%+v", a)
	}
}

func TestWire_ReadsWhatItWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		topic := rapid.StringN(1, 60, 200).Draw(t, "topic")
		payload := rapid.SliceOfN(rapid.Byte(), 0, 20_000).Draw(t, "payload")
		qos := rapid.ByteRange(0, 1).Draw(t, "qos")
		p, err := readPacket(bufio.NewReader(bytes.NewReader(appendPublish(nil, topic, payload, qos, 77))), nil)
		if err != nil {
			t.Fatal(err)
		}
		gotTopic, got, gotQoS, id, err := p.publish()
		if err != nil || gotTopic != topic || !bytes.Equal(got, payload) || gotQoS != qos || qos == 1 && id != 77 {
			t.Fatalf("%q %d %d %v", gotTopic, gotQoS, id, err)
		}
	})
}

func FuzzReadPacket(f *testing.F) {
	f.Add(appendPublish(nil, "a", []byte("b"), 1, 1))
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Add([]byte{0x40, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := readPacket(bufio.NewReader(bytes.NewReader(b)), nil)
		if err != nil {
			return
		}
		_, _, _, _, _ = p.publish()
		_, _ = p.id()
	})
}

func TestClient_MeasuresEachPUBACKOnceAndAnswersMessages(t *testing.T) {
	ours, theirs := net.Pipe()
	k := &client{conn: ours, in: bufio.NewReader(ours), window: make(chan struct{}, 2), sentAt: map[uint16]time.Time{}}
	type ack struct{ known bool }
	acks, messages := make(chan ack, 4), make(chan string, 1)
	k.acked = func(_ time.Duration, known bool) { acks <- ack{known} }
	k.received = func(topic string, payload []byte) { messages <- topic + " " + string(payload) }
	ended := make(chan error, 1)
	go func() { ended <- k.read() }()
	hub := bufio.NewReader(theirs)
	send := func(b []byte) {
		t.Helper()
		if _, err := theirs.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	sent := make(chan error, 1)
	go func() { sent <- k.publish(t.Context(), "a", []byte("x"), 1) }()
	p, err := readPacket(hub, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, id, err := p.publish()
	if err := errors.Join(err, <-sent); err != nil {
		t.Fatal(err)
	}
	send(appendPuback(nil, id))
	if a := <-acks; !a.known || k.unacknowledged() != 0 {
		t.Errorf("%+v, %d open", a, k.unacknowledged())
	}
	send(appendPuback(nil, id))
	if a := <-acks; a.known {
		t.Error("the second PUBACK counted like the first")
	}
	go func() { _, _ = theirs.Write(appendPublish(nil, "cmd/receipt", []byte("{}"), 1, 9)) }()
	if m := <-messages; m != "cmd/receipt {}" {
		t.Error(m)
	}
	if p, err = readPacket(hub, nil); err != nil || p.kind != typePuback {
		t.Errorf("%+v %v", p, err)
	}
	_ = theirs.Close()
	if err := <-ended; err == nil {
		t.Error("read ended without an error")
	}
}

func TestClient_WaitsForRoomInItsWindow(t *testing.T) {
	k := &client{window: make(chan struct{}, 1), sentAt: map[uint16]time.Time{}}
	k.window <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.publish(ctx, "a", nil, 1); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestPacer_SendsWhatItShould(t *testing.T) {
	d := member{id: "load-1", base: "obedio/y/load/button/load-1"}
	for _, c := range []struct {
		config Config
		tail   string
	}{
		{Config{Action: "heartbeat", Rate: 1, PayloadBytes: 200}, "/heartbeat"},
		{Config{Action: "status", Rate: 1, PayloadBytes: 200}, "/status"},
		{Config{Action: "metrics", Rate: 1, PayloadBytes: 200}, "/metrics"},
		{Config{Action: "heartbeat", Presses: true, Rate: 1, PayloadBytes: 200}, "/press"},
	} {
		p := newPacer(c.config, 1, d)
		topic, payload, press := p.next()
		if !strings.HasSuffix(topic, c.tail) || press != (c.tail == "/press") {
			t.Errorf("%s %t", topic, press)
		}
		var m map[string]any
		if err := json.Unmarshal(payload, &m); err != nil || len(payload) != 200 || m["device_id"] != "load-1" {
			t.Errorf("%d bytes %s: %v", len(payload), payload, err)
		}
		if f := p.first(); f < 0 || f >= time.Second {
			t.Errorf("first at %s", f)
		}
	}
	counts := map[string]int{}
	p := newPacer(Config{Action: "mixed", Rate: 1, PayloadBytes: 100, Seed: 1}, 1, d)
	for range 5000 {
		topic, _, _ := p.next()
		counts[topic[len(d.base):]]++
	}
	for action, share := range map[string]int{"/status": 70, "/heartbeat": 20, "/metrics": 9, "/press": 1} {
		if got := counts[action] / 50; got < share-3 || got > share+3 {
			t.Errorf("%s: %d %%, want about %d", action, got, share)
		}
	}
}

func TestLoad_CountsAReceiptOncePerPress(t *testing.T) {
	l := &load{receipts: newHistogram(), pace: []*pacer{newPacer(Config{Rate: 1}, 0, member{})}}
	l.pace[0].press()
	for _, payload := range []string{`{"sequence_id":1,"stage":"accepted"}`, `{"sequence_id":1,"stage":"stored"}`, `{"sequence_id":1,"stage":"stored"}`, `x`} {
		l.receipt(0, []byte(payload))
	}
	if l.receipted.Load() != 1 || l.again.Load() != 1 || l.receipts.latency().Count != 1 {
		t.Fatalf("%d receipts, %d again", l.receipted.Load(), l.again.Load())
	}
}

func TestHistogram_MergesItsShards(t *testing.T) {
	h := newHistogram()
	for i := range 1000 {
		h.record(i, time.Duration(i+1)*time.Millisecond)
	}
	h.record(0, 10*time.Minute)
	got := h.latency()
	if got.Count != 1001 || got.P50US < 495_000 || got.P50US > 506_000 || got.P99US < 985_000 || got.MaxUS < longest.Microseconds()*99/100 {
		t.Fatalf("%+v", got)
	}
}
