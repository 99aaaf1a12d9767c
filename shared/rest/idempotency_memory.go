package rest

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// MemoryIdempotencyConfig bounds what is remembered. Zero fields take the
// defaults.
type MemoryIdempotencyConfig struct {
	// Now is the clock; time.Now by default.
	Now func() time.Time
	// Keys at most; 4096 by default. Beyond, the oldest answer is forgotten.
	Keys int
	// Bytes of answers at most; 8 MiB by default.
	Bytes int
	// Keep answers for so long; 24 h by default.
	Keep time.Duration
}

// MemoryIdempotency remembers answers until the program ends. It is safe for
// use from every goroutine.
type MemoryIdempotency struct {
	cfg MemoryIdempotencyConfig

	mu    sync.Mutex // guards all below
	keys  map[IdempotencyKey]*list.Element
	order list.List // *kept; the front is the oldest
	bytes int
}

type kept struct {
	key         IdempotencyKey
	fingerprint [32]byte
	at          time.Time
	answer      *Answer // nil while it is worked on
}

// size counts what an entry costs, roughly.
func (k *kept) size() int {
	n := 256 + len(k.key.Key) + len(k.key.Subject)
	if k.answer != nil {
		n += len(k.answer.Body)
	}
	return n
}

// NewMemoryIdempotency returns an empty store.
func NewMemoryIdempotency(c MemoryIdempotencyConfig) *MemoryIdempotency {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Keys <= 0 {
		c.Keys = 4096
	}
	if c.Bytes <= 0 {
		c.Bytes = 8 << 20
	}
	if c.Keep <= 0 {
		c.Keep = 24 * time.Hour
	}
	return &MemoryIdempotency{cfg: c, keys: map[IdempotencyKey]*list.Element{}}
}

// Claim implements IdempotencyStore.
func (m *MemoryIdempotency) Claim(_ context.Context, key IdempotencyKey, fingerprint [32]byte) (*Answer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.cfg.Now()
	for e := m.order.Front(); e != nil; {
		k, next := e.Value.(*kept), e.Next()
		if now.Sub(k.at) < m.cfg.Keep {
			break
		}
		if k.answer != nil {
			m.drop(e)
		}
		e = next
	}
	if e, ok := m.keys[key]; ok {
		k := e.Value.(*kept)
		switch {
		case k.fingerprint != fingerprint:
			return nil, ErrKeyReused
		case k.answer == nil:
			return nil, ErrInProgress
		}
		again := *k.answer
		return &again, nil
	}
	k := &kept{key: key, fingerprint: fingerprint, at: now}
	if !m.makeRoom(1, k.size()) {
		return nil, fmt.Errorf("%w: %d requests with an idempotency key are being worked on", fleet.ErrUnavailable, len(m.keys))
	}
	m.keys[key] = m.order.PushBack(k)
	m.bytes += k.size()
	return nil, nil
}

// Finish implements IdempotencyStore.
func (m *MemoryIdempotency) Finish(_ context.Context, key IdempotencyKey, a Answer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.keys[key]
	if !ok {
		return fmt.Errorf("finish idempotency key: %w", fleet.ErrNotFound)
	}
	k := e.Value.(*kept)
	m.bytes -= k.size()
	k.answer = &a
	m.bytes += k.size()
	m.makeRoom(0, 0)
	return nil
}

// Release implements IdempotencyStore.
func (m *MemoryIdempotency) Release(_ context.Context, key IdempotencyKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.keys[key]; ok {
		m.drop(e)
	}
	return nil
}

// makeRoom forgets the oldest answers until so many keys and bytes more fit.
// Keys that are worked on are never forgotten: their work would be done twice.
func (m *MemoryIdempotency) makeRoom(keys, bytes int) bool {
	fits := func() bool { return len(m.keys)+keys <= m.cfg.Keys && m.bytes+bytes <= m.cfg.Bytes }
	for e := m.order.Front(); e != nil && !fits(); {
		next := e.Next()
		if e.Value.(*kept).answer != nil {
			m.drop(e)
		}
		e = next
	}
	return fits()
}

func (m *MemoryIdempotency) drop(e *list.Element) {
	k := e.Value.(*kept)
	m.order.Remove(e)
	delete(m.keys, k.key)
	m.bytes -= k.size()
}
