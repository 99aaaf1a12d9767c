package link

import (
	"sync"
	"time"
)

// chunk is under way, and arrives at a time.
type chunk struct {
	data []byte
	at   time.Time
	end  bool // the sender has ended its direction
}

// line holds what is under way on one connection in one direction. One goroutine
// puts, another takes.
type line struct {
	most int

	mu    sync.Mutex // guards what follows
	queue []chunk
	bytes int
	more  chan struct{} // closed when something was put; nil when nobody waits
	room  chan struct{} // the same for what was taken
}

// put appends c once there is room; false if done closes before.
func (l *line) put(c chunk, done <-chan struct{}) bool {
	for {
		l.mu.Lock()
		if l.bytes == 0 || l.bytes+len(c.data) <= l.most {
			l.queue = append(l.queue, c)
			l.bytes += len(c.data)
			wake(&l.more)
			l.mu.Unlock()
			return true
		}
		room := waiting(&l.room)
		l.mu.Unlock()
		select {
		case <-room:
		case <-done:
			return false
		}
	}
}

// first is the chunk that arrives next; false if done closes before there is one.
// It stays in the line, and takes room, until drop.
func (l *line) first(done <-chan struct{}) (chunk, bool) {
	for {
		l.mu.Lock()
		if len(l.queue) > 0 {
			c := l.queue[0]
			l.mu.Unlock()
			return c, true
		}
		more := waiting(&l.more)
		l.mu.Unlock()
		select {
		case <-more:
		case <-done:
			return chunk{}, false
		}
	}
}

func (l *line) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes -= len(l.queue[0].data)
	l.queue[0] = chunk{}
	if l.queue = l.queue[1:]; len(l.queue) == 0 {
		l.queue = nil // what the array held is free
	}
	wake(&l.room)
}

func waiting(c *chan struct{}) <-chan struct{} {
	if *c == nil {
		*c = make(chan struct{})
	}
	return *c
}

func wake(c *chan struct{}) {
	if *c != nil {
		close(*c)
		*c = nil
	}
}
