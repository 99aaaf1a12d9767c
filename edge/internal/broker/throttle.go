package broker

import (
	"time"

	"golang.org/x/time/rate"
)

// throttle keeps a client to the rate of its identity: beyond it the client is
// not read from for a while, so that nothing is lost and TCP holds it back.

// pace is how fast one client may publish. The connection's goroutine owns it.
type pace struct {
	rights          *rights // under which it was made
	messages, bytes *rate.Limiter
	told            time.Time // when the limit was reported last

	// Messages and their bytes that are not settled with the limiters yet; that
	// is done for a hundredth of a second's worth at once.
	unsettled, unsettledBytes, atOnce int
}

// burst is for how long a client may be faster than its rate.
const burst = 10 * time.Second

func (c *conn) paceOf(r *rights) *pace {
	if c.pace.rights != r {
		limiter := func(own, usual float64, least int) *rate.Limiter {
			if own <= 0 {
				own = usual
			}
			return rate.NewLimiter(rate.Limit(own), max(least, int(own*burst.Seconds())))
		}
		limits := &c.b.limits
		c.pace.rights = r
		c.pace.messages = limiter(r.rate.Messages, limits.MessageRate, 1)
		c.pace.bytes = limiter(r.rate.Bytes, limits.ByteRate, 2*limits.MaxPacketBytes)
		c.pace.atOnce = max(1, int(c.pace.messages.Limit()/100))
	}
	return &c.pace
}

// throttle waits for as long as the client is too fast after a packet of size
// bytes. Answers that it waits for leave before. false: the connection has
// ended.
func (c *conn) throttle(size int) bool {
	p := c.paceOf(c.rights.Load())
	p.unsettled++
	p.unsettledBytes += size
	if p.unsettled < p.atOnce && p.unsettledBytes < c.b.limits.MaxPacketBytes {
		return true
	}
	now := time.Now()
	wait := max(p.messages.ReserveN(now, p.unsettled).DelayFrom(now), p.bytes.ReserveN(now, p.unsettledBytes).DelayFrom(now))
	p.unsettled, p.unsettledBytes = 0, 0
	if wait <= 0 {
		return true
	}
	if now.Sub(p.told) >= time.Second {
		p.told = now
		c.limited(LimitRate, "")
	}
	if !c.out.flushed(c.b.limits.MaxOutboundBytes) {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}
