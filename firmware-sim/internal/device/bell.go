package device

import "sync"

// Bell wakes everybody who waits for news. It may be used from any goroutine;
// a nil Bell is silent.
type Bell struct {
	mu sync.Mutex // guards ch
	ch chan struct{}
}

// Ring wakes all who wait.
func (b *Bell) Ring() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}

// Wait returns a channel that is closed at the next Ring.
func (b *Bell) Wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}
