package pki

import (
	"slices"
	"strings"
	"sync"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// known is a copy of all certificates in memory, never behind what was
// acknowledged: it is asked at every handshake.
type known struct {
	mu       sync.RWMutex // guards both
	bySerial map[string]fleet.Certificate
	byDevice map[fleet.DeviceID][]string // serials in the order of their issue
}

func newKnown(s *store.Store) (*known, error) {
	k := &known{bySerial: map[string]fleet.Certificate{}, byDevice: map[fleet.DeviceID][]string{}}
	var all []fleet.Certificate
	err := store.Entities(s, "", func(c fleet.Certificate) bool {
		all = append(all, c)
		return true
	})
	slices.SortFunc(all, func(a, b fleet.Certificate) int {
		if n := a.IssuedAt.Compare(b.IssuedAt); n != 0 {
			return n
		}
		return strings.Compare(a.Serial, b.Serial)
	})
	for _, c := range all {
		k.put(c)
	}
	return k, err
}

func (k *known) put(c fleet.Certificate) {
	if _, ok := k.bySerial[c.Serial]; !ok && c.Device != "" {
		k.byDevice[c.Device] = append(k.byDevice[c.Device], c.Serial)
	}
	k.bySerial[c.Serial] = c
}

func (k *known) event(e journal.Event) {
	for _, change := range e.Changes {
		if c, ok := change.After.(fleet.Certificate); ok {
			k.mu.Lock()
			k.put(c)
			k.mu.Unlock()
		}
	}
}

func (k *known) certificate(serial string) (fleet.Certificate, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	c, ok := k.bySerial[serial]
	return c, ok
}

// of returns the certificates of a device, the newest first.
func (k *known) of(device fleet.DeviceID) []fleet.Certificate {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var all []fleet.Certificate
	for _, s := range slices.Backward(k.byDevice[device]) {
		all = append(all, k.bySerial[s])
	}
	return all
}

// revoked returns the device certificates of an authority that were taken back.
func (k *known) revoked(authorityKey string) []fleet.Certificate {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var all []fleet.Certificate
	for _, c := range k.bySerial {
		if c.Revoked() && c.Authority == authorityKey {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b fleet.Certificate) int { return strings.Compare(a.Serial, b.Serial) })
	return all
}

// relies reports whether some device has a certificate of an authority that
// counts, and none of another.
func (k *known) relies(authorityKey string) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, serials := range k.byDevice {
		here, elsewhere := false, false
		for _, s := range serials {
			if c := k.bySerial[s]; !c.Revoked() && c.Authority == authorityKey {
				here = true
			} else if !c.Revoked() {
				elsewhere = true
			}
		}
		if here && !elsewhere {
			return true
		}
	}
	return false
}
