package device

import (
	"math/rand/v2"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Hearing is how a device takes what the hub sends it.
type Hearing string

// The kinds of hearing.
const (
	// HearsWell: as it should.
	HearsWell Hearing = "well"
	// Unsubscribed: it is connected, and listens to none of its commands.
	Unsubscribed Hearing = "unsubscribed"
	// Unanswering: it is connected and subscribed, its radio answers pings, and
	// nothing behind that takes or acknowledges a message.
	Unanswering Hearing = "unanswering"
)

// ClockFault is what is wrong with a device's clock.
type ClockFault string

// The faults of clocks.
const (
	// ClockRight: nothing.
	ClockRight ClockFault = "right"
	// ClockZero: nobody has ever set it; it begins in 1970 at each boot.
	ClockZero ClockFault = "zero"
	// ClockFuture: it is ten years ahead.
	ClockFuture ClockFault = "future"
	// ClockDrifts: it gains Config.ClockDrift of the time since the boot.
	ClockDrifts ClockFault = "drifts"
)

// Amount is a range of whole numbers.
type Amount struct{ Least, Most int }

// Draw picks a number of the range.
func (a Amount) Draw(r *rand.Rand) int {
	if a.Most <= a.Least {
		return a.Least
	}
	return a.Least + r.IntN(a.Most-a.Least+1)
}

// wall is what the device's clock says now.
func (d *Device) wall() time.Time {
	switch d.c.ClockFault {
	case ClockRight:
	case ClockZero:
		return time.UnixMilli(0).Add(d.uptime())
	case ClockFuture:
		return time.Now().AddDate(10, 0, 0)
	case ClockDrifts:
		return time.Now().Add(time.Duration(float64(d.uptime()) * d.c.ClockDrift))
	}
	return time.Now()
}

// telling reports whether a time that the device writes can be read as one: a
// small number of milliseconds is what others count since their boot.
func (d *Device) telling() bool {
	return d.c.Time == Wall && !(d.c.ClockFault == ClockZero && d.c.Dialect == Camel)
}

// sags has a weak battery break down under what the radio takes: the device
// restarts before it has sent anything. It reports whether that has happened.
func (d *Device) sags() bool {
	if d.battery.level >= d.c.BrownOutBelow || d.chances.habit.Float64() >= d.c.BrownOuts {
		return false
	}
	d.brownOut(Span{time.Second, 3 * time.Second}.Draw(d.chances.habit))
	return true
}

// BrownOut restarts the device as a dip of its voltage does; it is up again after
// a while of simulated time.
func (d *Device) BrownOut(away time.Duration) { d.post(func() { d.brownOut(away) }) }

func (d *Device) brownOut(away time.Duration) {
	if !d.power {
		return
	}
	d.ledger.note(func(f *Facts) { f.BrownOuts++ })
	d.reboot(away, bootBrownOut)
}

// pushed is one push of a button with what the push and its guest are like: a
// worn contact closes several times, one that sticks never opens, and an
// impatient guest does not wait.
func (d *Device) pushed(k PressKind) {
	d.press(k)
	for i := range d.c.Bounces.Draw(d.chances.habit) {
		d.later(0, time.Duration(i+1)*bounceGap, func() { d.press(k) })
	}
	if d.c.StuckEvery.Most > 0 && !d.stuck && !d.mended {
		d.stuck, d.stuckKind = true, k
		d.stick()
	}
	var when time.Duration
	for range d.c.Impatience.Draw(d.chances.habit) {
		when += d.c.ImpatientEvery.Draw(d.chances.habit)
		d.later(when, 0, func() {
			// Whoever sees that somebody is coming, or has been there, is content.
			if d.light.lamp == LampWaiting || d.light.lamp == LampStored {
				d.press(k)
			}
		})
	}
}

// bounceGap is about how long a contact takes to bounce, in real time.
const bounceGap = 6 * time.Millisecond

// stick goes on pressing while the contact is closed: the firmware takes each so
// long for another press. A restart does not open it.
func (d *Device) stick() {
	d.later(d.c.StuckEvery.Draw(d.chances.habit), 20*time.Millisecond, func() {
		if d.stuck {
			d.press(d.stuckKind)
			d.stick()
		}
	})
}

// Mend frees a button that sticks, for good.
func (d *Device) Mend() { d.post(func() { d.stuck, d.mended = false, true }) }

// stir notes that the device has something to do. One that sleeps does so when
// it has had nothing to do for a while.
func (d *Device) stir() {
	d.stirred = d.c.Clock.Now()
	if d.c.SleepAfter <= 0 || d.drowsy {
		return
	}
	d.drowsy = true
	d.later(d.c.SleepAfter, 0, d.nod)
}

func (d *Device) nod() {
	d.drowsy = false
	if d.asleep {
		return
	}
	idle := d.c.Clock.Now() - d.stirred
	if idle < d.c.SleepAfter || d.link == nil || len(d.outbox.pending) > 0 {
		d.drowsy = true
		d.later(max(d.c.SleepAfter-idle, d.c.SleepAfter/4), 0, d.nod)
		return
	}
	d.sleep()
}

// Sleep says goodbye and ends the connection. A press or PowerOn wakes the
// device.
func (d *Device) Sleep() { d.post(d.sleep) }

func (d *Device) sleep() {
	if !d.power || d.asleep {
		return
	}
	d.asleep = true
	d.ledger.note(func(f *Facts) { f.Sleeps++ })
	d.abandon()
	d.farewell()
}

// planDoze has a watch doze now and then: its radio goes off without a word, to
// save the battery, and comes back by itself.
func (d *Device) planDoze() {
	if d.c.DozeFor.Most <= 0 {
		return
	}
	d.later(d.c.DozeAfter.Draw(d.chances.habit), 0, func() {
		d.asleep = true
		d.ledger.note(func(f *Facts) { f.Dozes++ })
		d.abandon()
		if l := d.link; l != nil {
			l.cut()
			d.disconnected()
		}
		d.later(d.c.DozeFor.Draw(d.chances.habit), 0, func() {
			d.wake(bootPower)
			d.planDoze()
		})
	})
}

// Hub says whether anybody answers at the hub's address. While nobody does,
// connections are refused, and the device goes on trying with its back-off: it
// cannot know.
func (d *Device) Hub(there bool) {
	d.post(func() {
		d.nobody.Store(!there)
		if !there && d.through == nil {
			d.hangUp()
		}
	})
}

// acceptLate has the wearer accept a request that the watch has just been told
// is over: the finger was on its way.
func (d *Device) acceptLate(id fleet.RequestID, r *ring, saw uint64) {
	w := d.c.Wearer
	if w == nil || saw == 0 || d.chances.habit.Float64() >= w.LateAccepts {
		return
	}
	d.later(w.Reaction.Draw(d.chances.habit), 0, func() { d.actOn(id, r, "accept", saw) })
}
