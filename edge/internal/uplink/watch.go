package uplink

import (
	"context"
	"errors"
	"net"
	"net/url"
	"time"
)

// returnJitter spreads hubs whose link has come back at the same time.
const returnJitter = 2 * time.Second

// watch says when it is worth to try again after a failure: an address or a
// route of this machine has changed, or the console can be reached, which it
// could not before.
func (u *Uplink) watch(ctx context.Context, failure error) <-chan struct{} {
	back := make(chan struct{}, 1)
	tell := func() { signal(back) }
	go watchNetwork(ctx, tell)
	var unreachable *net.OpError
	if errors.As(failure, &unreachable) && unreachable.Op == "dial" || errors.Is(failure, context.DeadlineExceeded) {
		go u.probe(ctx, u.link.url, tell)
	}
	return back
}

// probe opens an empty connection now and then until one succeeds. It costs a
// hundred bytes, where an attempt costs thousands.
func (u *Uplink) probe(ctx context.Context, address string, tell func()) {
	at, err := url.Parse(address)
	if err != nil {
		return
	}
	host := at.Host
	if at.Port() == "" {
		host = net.JoinHostPort(at.Hostname(), "443")
	}
	dial := u.c.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	tick := time.NewTicker(u.c.ProbeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		try, cancel := context.WithTimeout(ctx, u.c.ProbeEvery)
		c, err := dial(try, "tcp", host)
		cancel()
		if err == nil {
			_ = c.Close() // it was only a look
			tell()
			return
		}
	}
}
