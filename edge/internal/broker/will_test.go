package broker

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/fleet"
)

func withWill(d fleet.Device) func(*options) {
	return func(o *options) {
		o.willTopic, o.will, o.willFlags = statusTopic(d), "gone", 1<<3|0x20
	}
}

func TestWill_OfWhoMayHaveNoneIsLeftAlone(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		d := button("btn-001")
		r := start(t, nil)
		id := r.people.device(t, d)
		id.Rules, id.NoWill = allow(t, "another/#"), true
		r.people.set("btn-001", id)
		c := r.dial(t, v)
		c.signIn("btn-001", func(o *options) { o.willTopic, o.will = statusTopic(d), "gone" })
		r.ledger.wait(t, "connected", 1)
		if s, ok := r.Connected("btn-001"); !ok || s.Will != nil {
			t.Fatalf("%t, with the will %v", ok, s.Will)
		}
		_ = c.c.Close()
		r.stop()
		if n := len(r.ledger.all("publish")); n != 0 {
			t.Fatalf("%d messages", n)
		}
	})
}

// Row 3.
func TestWill_IsCheckedAtConnect(t *testing.T) {
	d := button("btn-001")
	for name, will := range map[string]options{
		"wildcard":          {willTopic: "#", will: "x"},
		"library's own":     {willTopic: "$SYS/x", will: "x"},
		"another device's":  {willTopic: statusTopic(button("btn-002")), will: "x"},
		"own command":       {willTopic: d.BaseTopic(site) + "/cmd/reset", will: "x"},
		"below base only":   {willTopic: d.BaseTopic(site), will: "x"},
		"retained press":    {willTopic: pressTopic(d), will: "x", willFlags: 0x20},
		"qos above maximum": {willTopic: statusTopic(d), will: "x", willFlags: 2 << 3},
		"payload too large": {willTopic: statusTopic(d), will: strings.Repeat("x", 5000)},
	} {
		t.Run(name, func(t *testing.T) {
			eachVersion(t, func(t *testing.T, v byte) {
				r := start(t, func(c *Config) { c.Limits.MaxPayloadBytes = 4000 })
				id := r.people.device(t, d)
				id.MaxQoS = 1
				r.people.set("btn-001", id)
				will.id, will.user, will.password = "btn-001", "btn-001", "pw-btn-001"
				r.dial(t, v).refused(will)
				if n := r.Stats().Refused[RefusedWill]; n != 1 {
					t.Fatalf("counted %d", n)
				}
				if n := len(r.ledger.all("connected")); n != 0 {
					t.Fatal("a session began")
				}
			})
		})
	}
}

// Row 3.
func TestWill_GoesThroughTheHubBeforeAnybodyGetsIt(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		for _, taken := range []bool{true, false} {
			r := start(t, nil)
			d := button("btn-001")
			r.people.device(t, d)
			r.people.service(t, "viewer")
			viewer := r.dial(t, frame.V311)
			viewer.signIn("viewer", nil)
			viewer.subscribe(1, 1, "#")
			r.ledger.answer(func(_ context.Context, s Session, m Message) error {
				if !m.Will || !m.Retain || m.QoS != 1 || s.Will == nil || s.Will.Name != m.Name {
					t.Errorf("hub got %+v", m)
				}
				if !taken {
					return fleet.ErrUnavailable
				}
				return nil
			})
			c := r.dial(t, v)
			c.signIn("btn-001", withWill(d))
			_ = c.c.Close()
			e := r.ledger.wait(t, "disconnected", 1)[0]
			if e.cause != CauseLost {
				t.Fatalf("cause %s", e.cause)
			}
			if taken {
				if m := viewer.message(); m.name != statusTopic(d) || m.payload != "gone" {
					t.Fatalf("got %+v", m)
				}
			} else {
				viewer.ping()
			}
			if _, kept := r.server.Topics.Retained.Get(statusTopic(d)); kept != taken {
				t.Fatalf("retained: %v", kept)
			}
			r.stop()
		}
	})
}

// Row 3.
func TestWill_IsNotSentWhenClientOrHubEndsTheConnection(t *testing.T) {
	d := button("btn-001")
	for name, end := range map[string]func(r *rig, c *raw){
		"goodbye":  func(_ *rig, c *raw) { c.send([]byte{0xe0, 0}) },
		"kick":     func(r *rig, _ *raw) { r.Kick("btn-001", "") },
		"forget":   func(r *rig, _ *raw) { r.Forget("btn-001", "") },
		"shutdown": func(r *rig, _ *raw) { r.StopAccepting() },
	} {
		t.Run(name, func(t *testing.T) {
			eachVersion(t, func(t *testing.T, v byte) {
				r := start(t, nil)
				r.people.device(t, d)
				c := r.dial(t, v)
				c.signIn("btn-001", withWill(d))
				r.ledger.wait(t, "connected", 1)
				end(r, c)
				c.wantClosed()
				r.ledger.wait(t, "disconnected", 1)
				r.stop()
				if n := len(r.ledger.all("publish")); n != 0 {
					t.Fatalf("%d wills", n)
				}
			})
		})
	}
}

func TestWill_OfTheOldConnectionComesBeforeTheNewSession(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		r := start(t, nil)
		d := button("btn-001")
		r.people.device(t, d)
		old := r.dial(t, v)
		old.signIn("btn-001", withWill(d))
		r.ledger.wait(t, "connected", 1)
		fresh := r.dial(t, v)
		fresh.signIn("btn-001", withWill(d))
		old.wantClosed()
		r.ledger.wait(t, "connected", 2)
		var order []string
		r.ledger.mu.Lock()
		for _, e := range r.ledger.events {
			order = append(order, e.what)
		}
		second := r.ledger.events[len(r.ledger.events)-1].session
		first := r.ledger.events[0].session
		r.ledger.mu.Unlock()
		if got := strings.Join(order, " "); got != "connected publish disconnected connected" {
			t.Fatalf("order: %s", got)
		}
		if first.Generation >= second.Generation {
			t.Fatalf("generations %d, %d", first.Generation, second.Generation)
		}
		if e := r.ledger.all("disconnected")[0]; e.cause != CauseTakenOver {
			t.Fatalf("cause %s", e.cause)
		}
		fresh.ping()
	})
}

func TestWill_DelayIsKept(t *testing.T) {
	d := button("btn-001")
	delayed := func(o *options) {
		withWill(d)(o)
		o.willProps = []byte{24, 0, 0, 0, 60}
		o.props = []byte{17, 0, 0, 1, 0}
		o.persistent = true
	}
	t.Run("sent after it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := startMem(t, nil)
			r.people.device(t, d)
			c := r.dialMem(t, frame.V5)
			c.signIn("btn-001", delayed)
			_ = c.c.Close()
			time.Sleep(59 * time.Second) // of the bubble's clock
			if n := len(r.ledger.all("publish")); n != 0 {
				t.Fatal("too early")
			}
			time.Sleep(2 * time.Second)
			if got := r.ledger.all("publish"); len(got) != 1 || !got[0].message.Will {
				t.Fatalf("got %+v", got)
			}
			r.stop()
		})
	})
	t.Run("not sent when the session goes on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := startMem(t, nil)
			r.people.device(t, d)
			c := r.dialMem(t, frame.V5)
			c.signIn("btn-001", delayed)
			_ = c.c.Close()
			time.Sleep(30 * time.Second) // of the bubble's clock
			c = r.dialMem(t, frame.V5)
			c.signIn("btn-001", func(o *options) { o.persistent = true; o.keepalive = 600 })
			time.Sleep(120 * time.Second)
			if n := len(r.ledger.all("publish")); n != 0 {
				t.Fatal("sent")
			}
			r.stop()
		})
	})
	t.Run("sent at once when the session ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := startMem(t, nil)
			r.people.device(t, d)
			c := r.dialMem(t, frame.V5)
			c.signIn("btn-001", delayed)
			_ = c.c.Close()
			synctest.Wait()
			c = r.dialMem(t, frame.V5)
			c.signIn("btn-001", nil)
			if n := len(r.ledger.all("publish")); n != 1 {
				t.Fatal("not sent")
			}
			r.stop()
		})
	})
	t.Run("dropped when the hub stops", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := startMem(t, nil)
			r.people.device(t, d)
			c := r.dialMem(t, frame.V5)
			c.signIn("btn-001", delayed)
			_ = c.c.Close()
			synctest.Wait()
			r.stop()
			if n := len(r.ledger.all("publish")); n != 0 {
				t.Fatal("sent")
			}
		})
	})
}

func TestRetain_OnlyStatusByDefault(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		r := start(t, nil)
		d := button("btn-001")
		r.people.device(t, d)
		c := r.dial(t, v)
		c.signIn("btn-001", nil)
		c.send(publishPacket(v, statusTopic(d), 1, 1, 1, "{}"))
		c.wantAck(frame.PUBACK, 1)
		c.send(publishPacket(v, pressTopic(d), 1, 2, 1, "{}"))
		if v == frame.V5 {
			if code := c.wantAck(frame.PUBACK, 2); code != frame.NotAuthorized {
				t.Fatalf("code %#x", code)
			}
		} else {
			c.wantClosed()
		}
		if n := r.Stats().Dropped[DroppedRetain]; n != 1 {
			t.Fatalf("counted %d", n)
		}
	})
}
