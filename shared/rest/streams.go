package rest

import (
	"context"
	"fmt"
	"sync"

	"github.com/obedio/obedio/shared/fleet"
)

// EnterStream counts the stream that the request of ctx opens, for a raw
// handler: at most most of its route, and perSubject for one subject. Its
// context ends with the request and with the server; leave is to be called
// once. fleet.ErrUnavailable and ErrLimit when there are too many.
func (a *API) EnterStream(ctx context.Context, most, perSubject int) (_ context.Context, leave func(), err error) {
	x := exchangeOf(ctx)
	left, err := x.route.streams.enter(x.subject.Key(), most, perSubject)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(a.life, cancel)
	return ctx, func() {
		stop()
		cancel()
		left()
	}, nil
}

// streamCount bounds how many streams of one kind are open, in all and for one
// subject.
type streamCount struct {
	mu        sync.Mutex // guards both
	all       int
	bySubject map[string]int
}

// enter counts one more stream; leave is to be called once.
func (c *streamCount) enter(subject string, most, perSubject int) (leave func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bySubject == nil {
		c.bySubject = map[string]int{}
	}
	if c.all >= most {
		return nil, fmt.Errorf("open stream: %w: %d streams are open", fleet.ErrUnavailable, c.all)
	}
	if c.bySubject[subject] >= perSubject {
		return nil, fmt.Errorf("open stream: %w: you have %d open streams", fleet.ErrLimit, perSubject)
	}
	c.all++
	c.bySubject[subject]++
	return func() { c.leave(subject) }, nil
}

func (c *streamCount) leave(subject string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.bySubject[subject]--; c.bySubject[subject] <= 0 {
		delete(c.bySubject, subject)
	}
}

// Streams is how many event streams are open.
func (a *API) Streams() int { return a.streams.open() }

func (c *streamCount) open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all
}
