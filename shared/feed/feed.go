// Package feed is a stream from one place of a program to many: a publisher
// that is never held up, and readers that each go at their own speed.
//
// The newest values are kept in a ring. What always holds: Publish takes
// bounded time and memory whatever the readers do; a reader gets every value
// after its position in order and once, or is told by ErrLagged that some are
// gone.
//
// A Feed may be used from every goroutine; a Reader from one at a time. The
// package imports the standard library only.
package feed

import (
	"context"
	"errors"
	"sync"
)

// ErrLagged tells a reader that values after its position are gone. The next
// call goes on with the newest that comes.
var ErrLagged = errors.New("feed: reader has lagged behind")

// ErrClosed tells a reader that it has read everything and no more will come.
var ErrClosed = errors.New("feed: closed")

// Item is one value with its position. Positions count from 1 without holes.
type Item[T any] struct {
	Pos   uint64
	Value T
}

// Feed keeps the newest values for its readers.
type Feed[T any] struct {
	mu     sync.Mutex // guards all below
	ring   []T        // position p is at (p-1) % len
	head   uint64     // position of the newest value; 0 when there is none
	wake   chan struct{}
	closed bool
}

// New returns a feed that keeps the newest size values; size is at least 1.
func New[T any](size int) *Feed[T] {
	return &Feed[T]{ring: make([]T, max(size, 1))}
}

// Publish adds v and returns its position. It never waits for readers. After
// Close it does nothing and returns the last position.
func (f *Feed[T]) Publish(v T) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return f.head
	}
	f.ring[f.head%uint64(len(f.ring))] = v
	f.head++
	f.wakeReaders()
	return f.head
}

// Head is the position of the newest value; 0 when there is none.
func (f *Feed[T]) Head() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.head
}

// Close ends the feed: readers get what is left, then ErrClosed. Close may be
// called more than once.
func (f *Feed[T]) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.wakeReaders()
}

func (f *Feed[T]) wakeReaders() {
	if f.wake != nil {
		close(f.wake)
		f.wake = nil
	}
}

// Oldest is the position after which all kept values are.
func (f *Feed[T]) Oldest() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if size := uint64(len(f.ring)); f.head > size {
		return f.head - size
	}
	return 0
}

// Subscribe returns a reader of the values after position pos: Oldest for all
// that are kept, Head for only those to come. A reader holds nothing and need
// not be closed.
func (f *Feed[T]) Subscribe(pos uint64) *Reader[T] { return &Reader[T]{f: f, pos: pos} }

// Reader reads a feed from a position on.
type Reader[T any] struct {
	f   *Feed[T]
	pos uint64 // of the last value that was read
}

// Pos is the position of the last value that was read, or the one that the
// reader began after.
func (r *Reader[T]) Pos() uint64 { return r.pos }

// Next waits for the value after the reader's position. ErrLagged if it is
// gone, or if the position is one that the feed has not reached (it belongs to
// another life of the program); ErrClosed; or the error of ctx.
func (r *Reader[T]) Next(ctx context.Context) (Item[T], error) {
	for {
		item, wake, err := r.poll()
		if wake == nil {
			return item, err
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return Item[T]{}, ctx.Err()
		}
	}
}

// Poll is Next without waiting: ok is false when there is nothing yet.
func (r *Reader[T]) Poll() (item Item[T], ok bool, err error) {
	item, wake, err := r.poll()
	return item, wake == nil && err == nil, err
}

func (r *Reader[T]) poll() (Item[T], <-chan struct{}, error) {
	f := r.f
	f.mu.Lock()
	defer f.mu.Unlock()
	size := uint64(len(f.ring))
	if r.pos > f.head || f.head-r.pos > size {
		r.pos = f.head
		return Item[T]{}, nil, ErrLagged
	}
	if r.pos < f.head {
		v := f.ring[r.pos%size]
		r.pos++
		return Item[T]{Pos: r.pos, Value: v}, nil, nil
	}
	if f.closed {
		return Item[T]{}, nil, ErrClosed
	}
	if f.wake == nil {
		f.wake = make(chan struct{})
	}
	return Item[T]{}, f.wake, nil
}
