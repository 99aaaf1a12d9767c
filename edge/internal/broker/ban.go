package broker

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Ban is an address that is not let in because too many of its clients have
// shown wrong credentials.
type Ban struct {
	// Address, or the prefix of 64 bits of an IPv6 address.
	Address netip.Prefix
	Since   time.Time
	Until   time.Time
	// Failures so far, and who was tried last.
	Failures uint64
	Username string
}

// bans remember failed sign-ins by address.
type bans struct {
	limits *Limits
	now    func() time.Time

	mu     sync.Mutex // guards what follows
	byAddr map[netip.Prefix]*suspect
}

// suspect is an address with failed sign-ins.
type suspect struct {
	Ban
	bucket *rate.Limiter
	last   time.Time
}

// maxSuspects are remembered; the one that was quiet for longest is forgotten.
const maxSuspects = 4096

func newBans(l *Limits, now func() time.Time) *bans {
	return &bans{limits: l, now: now, byAddr: make(map[netip.Prefix]*suspect)}
}

// netOf is who counts as one: an address, or a network of IPv6 addresses from
// elsewhere. On board all share one network.
func netOf(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() && !a.IsLinkLocalUnicast() && !a.IsPrivate() && !a.IsLoopback() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // the zero prefix for an address that is none
	return p
}

// isBanned reports whether an address is not let in now.
func (b *bans) isBanned(a netip.Addr) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.byAddr[netOf(a)]
	return s != nil && b.now().Before(s.Until)
}

// failed counts a failed sign-in, and reports whether it begins a ban.
func (b *bans) failed(a netip.Addr, username string) bool {
	if !a.IsValid() {
		return false
	}
	now, key := b.now(), netOf(a)
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.byAddr[key]
	if s == nil {
		b.makeRoom()
		s = &suspect{Ban: Ban{Address: key}}
		b.byAddr[key] = s
	}
	if s.bucket == nil {
		s.bucket = rate.NewLimiter(rate.Every(b.limits.AuthFailureEvery), b.limits.AuthFailures)
	}
	s.last, s.Username = now, username
	s.Failures++
	if now.Before(s.Until) || s.bucket.AllowN(now, 1) {
		return false
	}
	s.Since, s.Until = now, now.Add(b.limits.BanTime)
	return true
}

// makeRoom forgets who was quiet for longest. b.mu is held.
func (b *bans) makeRoom() {
	if len(b.byAddr) < maxSuspects {
		return
	}
	var oldest *suspect
	for _, s := range b.byAddr {
		if oldest == nil || s.last.Before(oldest.last) {
			oldest = s
		}
	}
	delete(b.byAddr, oldest.Address)
}

// Bans returns the addresses that are not let in now, the newest first.
func (b *Broker) Bans() []Ban {
	b.bans.mu.Lock()
	defer b.bans.mu.Unlock()
	now := b.now()
	var all []Ban
	for _, s := range b.bans.byAddr {
		if now.Before(s.Until) {
			all = append(all, s.Ban)
		}
	}
	slices.SortFunc(all, func(x, y Ban) int {
		return cmp.Or(y.Since.Compare(x.Since), cmp.Compare(x.Address.String(), y.Address.String()))
	})
	return all
}

// LiftBan lets an address in again and forgets its failures. It reports whether
// it was banned.
func (b *Broker) LiftBan(a netip.Addr) bool {
	b.bans.mu.Lock()
	defer b.bans.mu.Unlock()
	key := netOf(a.Unmap())
	s := b.bans.byAddr[key]
	delete(b.bans.byAddr, key)
	return s != nil && b.now().Before(s.Until)
}
