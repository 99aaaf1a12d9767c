package broker

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/obedio/obedio/edge/internal/broker/frame"
)

// BenchmarkPublish measures a QoS 1 publish from the socket to its PUBACK, the
// client's share included, with and without a subscriber that takes it.
func BenchmarkPublish(b *testing.B) {
	for _, subscribed := range []bool{false, true} {
		b.Run(fmt.Sprintf("subscriber=%v", subscribed), func(b *testing.B) {
			r := start(b, func(c *Config) { c.Handler, c.Logger = quiet{}, newQuietLogger() })
			d := button("btn-001")
			r.people.device(b, d)
			r.people.service(b, "viewer")
			if subscribed {
				v := r.dial(b, frame.V311)
				v.signIn("viewer", nil)
				v.subscribe(1, 0, "obedio/#")
				go func() { _, _ = io.Copy(io.Discard, v.r) }()
			}
			c := r.dial(b, frame.V311)
			c.signIn("btn-001", nil)
			payload := string(make([]byte, 200))
			b.ReportAllocs()
			const burst = 20
			for n := 0; b.Loop(); n++ {
				if n%burst != 0 {
					continue
				}
				var all []byte
				for i := range uint16(burst) {
					all = append(all, publishPacket(frame.V311, statusTopic(d), 1, i+1, 0, payload)...)
				}
				c.send(all)
				for range burst {
					c.want(frame.PUBACK)
				}
			}
		})
	}
}

// quiet is a Handler that takes everything and remembers nothing.
type quiet struct{}

func (quiet) Connected(Session)                                 {}
func (quiet) Disconnected(Session, Cause)                       {}
func (quiet) Subscribed(Session, []string)                      {}
func (quiet) Unsubscribed(Session, []string)                    {}
func (quiet) Publish(context.Context, *Session, *Message) error { return nil }
func (quiet) Delivered(string, string)                          {}
