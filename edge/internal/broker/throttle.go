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
		c.pace.bytes = limiter(r.rate.Bytes, limits.ByteRate, limits.MaxPacketBytes)
	}
	return &c.pace
}

// throttle waits for as long as the client is too fast after a packet of size
// bytes. Answers that it waits for leave before. false: the connection has
// ended.
func (c *conn) throttle(size int) bool {
	p := c.paceOf(c.rights.Load())
	now := time.Now()
	wait := max(p.messages.ReserveN(now, 1).DelayFrom(now), p.bytes.ReserveN(now, size).DelayFrom(now))
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
