package link

import (
	"context"
	"errors"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"
)

// dialTimeout is how long the target has.
const dialTimeout = 20 * time.Second

// carry connects to the target and carries both ways until both have ended, or
// one has broken.
func (l *Link) carry(ctx context.Context, k *conn) {
	dial, cancel := context.WithTimeout(ctx, dialTimeout)
	to, err := l.c.Dial(dial)
	cancel()
	if err != nil {
		l.bad.Add(1)
		l.c.Logger.Debug("target not reached", "error", err)
		k.abort()
		return
	}
	if !k.reached(to) {
		return
	}
	up := passage{
		l: l, k: k, from: k.from, to: to, modem: l.up, all: &l.upMeter, own: &k.up,
		way: func(p Profile) Way { return p.Up }, chance: chance(l.c.Seed, k.number, "up"),
	}
	down := passage{
		l: l, k: k, from: to, to: k.from, modem: l.down, all: &l.downMeter, own: &k.down,
		way: func(p Profile) Way { return p.Down }, chance: chance(l.c.Seed, k.number, "down"),
	}
	var wg sync.WaitGroup
	for _, p := range []*passage{&up, &down} {
		p.line.most = l.c.Window
		wg.Go(p.take)
		wg.Go(p.give)
	}
	wg.Wait()
}

func chance(seed uint64, number int64, way string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(way + strconv.FormatInt(number, 10)))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// passage is one direction of one connection.
type passage struct {
	l        *Link
	k        *conn
	from, to net.Conn
	modem    *modem
	all, own *meter
	way      func(Profile) Way
	chance   *rand.Rand // only take uses it
	line     line
}

// wholeRead is how much is read at once when segments need not be told apart.
const wholeRead = 16 << 10

// take reads what is sent, and puts it into the line.
func (p *passage) take() {
	var last time.Time // nothing arrives before
	var buf []byte
	for {
		profile, ok := p.passing()
		if !ok {
			return
		}
		most := wholeRead
		if p.way(profile) != (Way{}) {
			most = SegmentBytes
		}
		if len(buf) < most {
			buf = make([]byte, most)
		}
		n, err := p.from.Read(buf[:most])
		if n > 0 {
			at, ok := p.arrival(n)
			if !ok {
				return
			}
			if at.Before(last) {
				at = last
			}
			last = at
			if !p.line.put(chunk{data: append([]byte(nil), buf[:n]...), at: at}, p.k.done) {
				return
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			at := time.Now().Add(p.way(profile).Delay)
			if at.Before(last) {
				at = last
			}
			p.line.put(chunk{at: at, end: true}, p.k.done)
			return
		default:
			p.k.abort()
			return
		}
	}
}

// passing returns the profile, once the link is not half open; false if the
// connection ends before.
func (p *passage) passing() (Profile, bool) {
	for {
		profile, changed := p.l.now()
		if profile.Mode != HalfOpen {
			return profile, true
		}
		select {
		case <-changed:
		case <-p.k.done:
			return profile, false
		}
	}
}

// arrival has n bytes sent, and returns when they arrive; false if the connection
// ends before there is room for them.
func (p *passage) arrival(n int) (time.Time, bool) {
	segments := (n + SegmentBytes - 1) / SegmentBytes
	for _, m := range []*meter{p.all, p.own} {
		m.sent(n, segments)
	}
	select {
	case <-p.modem.turn:
		defer func() { p.modem.turn <- struct{}{} }()
	case <-p.k.done:
		return time.Time{}, false
	}
	for {
		// Whoever waits for room waits for that of the link as it is by then.
		profile, changed := p.l.now()
		way := p.way(profile)
		sent, wait := p.modem.send(time.Now(), n, way)
		if wait > 0 {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-changed:
				timer.Stop()
			case <-p.k.done:
				timer.Stop()
				return sent, false
			}
			continue
		}
		lost := losses(p.chance, way)
		for range lost {
			for _, m := range []*meter{p.all, p.own} {
				m.repeated(n)
			}
			p.modem.push(n, way)
		}
		jitter := time.Duration(p.chance.Float64() * float64(way.Jitter))
		return sent.Add(way.Delay + jitter + late(lost, profile.RTT())), true
	}
}

// give writes what arrives.
func (p *passage) give() {
	for {
		c, ok := p.line.first(p.k.done)
		if !ok || !pause(p.k.done, c.at) {
			return
		}
		if _, ok := p.passing(); !ok {
			return
		}
		if c.end {
			if half, ok := p.to.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			} else {
				_ = p.to.Close()
			}
			return
		}
		if _, err := p.to.Write(c.data); err != nil {
			p.k.abort()
			return
		}
		p.line.drop()
	}
}
