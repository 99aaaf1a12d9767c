package broker

import (
	"io"
	"testing"

	"github.com/obedio/obedio/edge/internal/broker/frame"
)

// FuzzSession throws bytes at an established session, and at the door: no
// panic, in the gate or in the library behind it, and the broker goes on.
func FuzzSession(f *testing.F) {
	d := button("btn-001")
	commands := d.BaseTopic(site) + "/cmd/#"
	for _, v := range versions {
		f.Add(v, true, cat(
			subscribePacket(v, 1, 1, commands, "$share/g/"+commands, "#"),
			publishPacket(v, pressTopic(d), 1, 2, 0, "x"), publishPacket(v, pressTopic(d), 2, 3, 0, "x"), ackPacket(frame.PUBREL, 3),
			publishPacket(v, statusTopic(d), 0, 0, 1, ""), []byte{0xc0, 0}, []byte{0xe0, 0}))
		f.Add(v, true, cat(ackPacket(frame.PUBACK, 1), ackPacket(frame.PUBREC, 1), ackPacket(frame.PUBCOMP, 1), ackPacket(frame.PUBREL, 1)))
		f.Add(v, false, connectPacket(v, options{id: "btn-001", user: "btn-001", password: "pw-btn-001", willTopic: statusTopic(d), will: "x"}))
	}
	f.Add(byte(5), true, []byte{0x82, 6, 0, 1, 0, 0, 1, 'a'})
	f.Add(byte(5), true, []byte{0x10, 0xff, 0xff, 0xff, 0x7f})
	f.Add(byte(5), true, []byte{0xa2, 5, 0, 1, 0, 0, 0})

	r := startMem(f, nil)
	r.people.device(f, d)
	f.Fuzz(func(t *testing.T, version byte, signedIn bool, in []byte) {
		version = 3 + version%3
		c := r.dialMem(t, version)
		if signedIn {
			c.signIn("btn-001", func(o *options) { o.persistent = version < 5 })
		}
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			_, _ = io.Copy(io.Discard, c.r)
		}()
		_ = c.try(in) // the hub may close at any byte
		_ = c.c.Close()
		<-drained
		if n := r.Stats().Panics; n != 0 {
			t.Fatalf("panics: %d\n%s", n, r.logs.String())
		}
		r.logs.mu.Lock()
		r.logs.b.Reset()
		r.logs.mu.Unlock()
		r.ledger.mu.Lock()
		r.ledger.events = nil
		r.ledger.mu.Unlock()
	})
}
