package device

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/obedio/obedio/shared/topic"
)

// The reasons of a boot, as firmware tells them.
const (
	bootPower    = "power_on"
	bootCommand  = "command"
	bootPanic    = "panic"
	bootBrownOut = "brown_out"
)

// PowerOn switches the device on, or wakes it; it connects by itself.
func (d *Device) PowerOn() { d.post(func() { d.wake(bootPower) }) }

// PowerOff takes the power away: the connection ends without a word, and what
// the firmware does not keep is forgotten.
func (d *Device) PowerOff() { d.post(d.powerOff) }

// Crash restarts the device without its wish; it is up again after a while of
// simulated time.
func (d *Device) Crash(away time.Duration) { d.post(func() { d.reboot(away, bootPanic) }) }

// Network says whether the radio reaches the site's network. Without it every
// connection ends; with it again the device connects at once.
func (d *Device) Network(up bool) {
	d.post(func() {
		d.network = up
		if !up {
			d.abandon()
			d.hangUp()
			return
		}
		d.failed = 0
		d.connect(0)
	})
}

// DropLink ends the connection without a word; the device connects again with
// back-off.
func (d *Device) DropLink() { d.post(d.hangUp) }

func (d *Device) wake(reason string) {
	switch {
	case !d.power:
		d.boot(reason)
	case d.asleep:
		d.asleep = false
		d.failed = 0
		d.connect(d.c.WakeDelay.Draw(d.chances.habit))
	}
}

func (d *Device) boot(reason string) {
	d.power, d.asleep, d.reason = true, false, reason
	d.boots++
	d.bootAt = d.c.Clock.Now()
	d.interval = d.c.Heartbeat
	if !d.c.KeepsCounter {
		d.sequence = 0
	}
	if d.c.BootIDs {
		d.bootID = newBootID(d.boots)
	}
	d.light = light{lamp: LampOff}
	d.ledger.note(func(f *Facts) { f.Boots++; f.Lamp = d.light.lamp })
	d.applySettings()
	d.later(d.jitter(d.interval, 0, 1), 0, d.beat)
	d.startMetrics()
	d.planDoze()
	if d.stuck {
		d.stick()
	}
	d.drowsy, d.failed = false, 0
	d.connect(d.c.WakeDelay.Draw(d.chances.habit))
}

// newBootID is random, as that of real firmware: it must differ from those of
// earlier runs against the same hub, also of runs with the same seed.
func newBootID(boots uint64) string {
	var b [4]byte
	rand.Read(b[:])
	return fmt.Sprintf("b%d-%s", boots, hex.EncodeToString(b[:]))
}

func (d *Device) powerOff() {
	if !d.power {
		return
	}
	d.power = false
	d.abandon()
	d.hangUp()
	d.light = light{lamp: LampOff}
	d.forgetRings()
	d.samples = nil
	d.ledger.note(func(f *Facts) { f.Lamp = LampOff })
}

func (d *Device) reboot(away time.Duration, reason string) {
	if !d.power {
		return
	}
	d.powerOff()
	boot := d.boots
	d.c.Clock.After(away, func() {
		d.post(func() {
			if !d.power && d.boots == boot {
				d.boot(reason)
			}
		})
	})
}

// hangUp ends the connection without a word.
func (d *Device) hangUp() {
	if d.link == nil {
		return
	}
	d.link.cut()
	d.lost(d.link)
}

// errNobody is the error of a connection while nobody answers at the hub's
// address.
var errNobody = errors.New("connection refused: the hub is away")

// attempt is one try to connect.
type attempt struct{ cancel context.CancelFunc }

func (d *Device) abandon() {
	if d.attempt != nil {
		d.attempt.cancel()
		d.attempt = nil
	}
}

func (d *Device) awake() bool { return d.power && !d.asleep && d.network }

// connect tries to connect, after a while of simulated time.
func (d *Device) connect(after time.Duration) {
	if !d.awake() || d.link != nil {
		return
	}
	d.abandon()
	ctx, cancel := context.WithCancel(d.ctx)
	a := &attempt{cancel}
	d.attempt = a
	c, credentials, now := d.c, d.credentials, d.hub.now
	d.waiting.Go(func() {
		if after > 0 && c.Clock.Sleep(ctx, after) != nil {
			return
		}
		var l link
		var err error
		up := make(chan struct{}) // messages wait until the device has the link
		to := dialing{
			transport: c.Transport, broker: c.Broker, version: c.MQTT, clientID: string(c.ID), credentials: credentials, now: now,
			will: d.status(d.write.gone()), subscribe: topic.Commands(c.BaseTopic), time: d.timeTopic,
			keepalive: c.Keepalive, timeout: c.Timeout, deaf: c.Hearing == Unsubscribed, mute: c.Hearing == Unanswering,
			receive: func(name string, payload []byte, retained bool) {
				select {
				case <-up:
				case <-ctx.Done():
					return
				}
				d.post(func() {
					if d.link == l {
						d.receive(name, payload, retained)
					}
				})
			},
		}
		switch {
		case d.nobody.Load():
			err = errNobody
		case d.through != nil:
			l, err = d.through.relay.open(ctx, to)
		default:
			l, err = d.dial(ctx, to)
		}
		d.post(func() { d.connected(a, l, err); close(up) })
		select {
		case <-up:
		case <-d.done: // nobody will take the link any more
			if l != nil {
				l.cut()
			}
		}
	})
}

func (d *Device) connected(a *attempt, l link, err error) {
	if d.attempt != a {
		if l != nil {
			l.cut()
		}
		return
	}
	d.attempt = nil
	if err != nil {
		a.cancel()
		if d.ctx.Err() != nil {
			return
		}
		d.log.Debug("device not connected", "device_id", d.c.ID, "error", err)
		d.ledger.note(func(f *Facts) {
			f.LastError = err.Error()
			f.Failed++
			if errors.Is(err, ErrRefused) {
				f.Refused++
			}
		})
		d.retry()
		return
	}
	d.link, d.failed = l, 0
	d.sender = newSender(d.ctx, l, d.c.Timeout, &d.waiting)
	d.ledger.note(func(f *Facts) { f.Connections++; f.Online = true })
	d.waiting.Go(func() {
		defer a.cancel()
		select {
		case <-l.lost():
			d.post(func() { d.lost(l) })
		case <-d.done:
		}
	})
	if d.credentials.Certificate == "" || d.through != nil {
		d.birth() // a repeater does not show the certificates of others
		return
	}
	// What the connection is good for depends on the hub's time, which it tells
	// first.
	d.muted, d.renewal.asked = true, 0
	d.later(0, d.c.Timeout, func() { d.unmute(l) })
}

// retry connects again after a wait that doubles, with jitter, so that a
// thousand devices do not come back in step.
func (d *Device) retry() {
	pause := min(d.c.BackoffFirst<<min(d.failed, 12), d.c.BackoffMost)
	d.failed++
	least := time.Duration(float64(50*time.Millisecond) * d.c.Clock.speed) // the hub lives in real time
	d.connect(max(least, d.jitter(pause, 0.5, 1)))
}

func (d *Device) jitter(of time.Duration, least, most float64) time.Duration {
	return time.Duration(float64(of) * (least + (most-least)*d.chances.backoff.Float64()))
}

// lost takes the end of a connection that was not the device's wish.
func (d *Device) lost(l link) {
	if d.link != l {
		return
	}
	d.disconnected()
	d.ledger.note(func(f *Facts) { f.Lost++ })
	d.retry()
}

// birth is what a device says when it is connected.
func (d *Device) birth() {
	if d.sags() {
		return
	}
	d.stir()
	d.relay.ready(d.link)
	payload := d.write.status(d.wall(), d.reading(), d.c.Firmware, d.bootID, d.reason, d.configVersion())
	d.ledger.note(func(f *Facts) { f.Statuses.Sent++ })
	d.send(d.status(payload), func(err error) {
		if err == nil {
			d.reason = ""
			d.ledger.note(func(f *Facts) { f.Statuses.Acknowledged++ })
		}
	})
	d.outbox.reconnected()
	d.sendPresses()
	d.answerAgain()
	d.actAgain()
	d.goOn()
}

// beat sends a heartbeat, and plans the next one.
func (d *Device) beat() {
	if d.asleep && d.c.SleepAfter > 0 {
		d.wake(bootPower) // what it says at its birth is its sign of life
	}
	if d.link != nil && !d.muted {
		d.ledger.note(func(f *Facts) { f.Heartbeats.Sent++ })
		m := message{topic: topic.Action(d.c.BaseTopic, topic.Heartbeat), payload: d.write.heartbeat(d.wall(), d.reading()), qos: 1}
		d.send(m, func(err error) {
			if err == nil {
				d.ledger.note(func(f *Facts) { f.Heartbeats.Acknowledged++ })
			}
		})
	}
	d.later(time.Duration(float64(d.interval)*(0.9+0.2*d.chances.beat.Float64())), 0, d.beat)
}
