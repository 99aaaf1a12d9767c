package rest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

// EnterStream counts the stream that the request of ctx opens, for a raw
// handler: at most most of its route, and perSubject for one subject. Its
// context ends with the request and with the server; leave is to be called
// once. It ends too when what the subject is signed in with ends, or has other
// rights: the client asks again. fleet.ErrUnavailable and ErrLimit when there
// are too many.
func (a *API) EnterStream(ctx context.Context, most, perSubject int) (_ context.Context, leave func(), err error) {
	x := exchangeOf(ctx)
	left, err := x.route.streams.enter(x.subject.Key(), most, perSubject)
	if err != nil {
		return nil, nil, err
	}
	ctx, end := a.stream(ctx)
	return ctx, func() {
		end()
		left()
	}, nil
}

// stream returns the context of the stream that the request of ctx opens: see
// EnterStream. end is to be called once.
func (a *API) stream(ctx context.Context) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(a.life, cancel)
	s := &liveStream{subject: exchangeOf(ctx).subject, cancel: cancel}
	a.live.add(s)
	return ctx, func() {
		a.live.remove(s)
		stop()
		cancel()
	}
}

// recheckStreams ends the streams of those who are not signed in any more, or
// have other rights by now.
func (a *API) recheckStreams() {
	for _, s := range a.live.list() {
		now, err := a.cfg.Accounts.Recheck(a.life, s.subject)
		if err != nil || !now.Rights().Equal(s.subject.Rights()) {
			s.cancel()
		}
	}
}

// liveStream is one that is open.
type liveStream struct {
	subject account.Subject
	cancel  context.CancelFunc
}

// liveStreams are those that are open; as many as the counts allow.
type liveStreams struct {
	mu   sync.Mutex // guards open
	open map[*liveStream]struct{}
}

func (l *liveStreams) add(s *liveStream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = map[*liveStream]struct{}{}
	}
	l.open[s] = struct{}{}
}

func (l *liveStreams) remove(s *liveStream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, s)
}

func (l *liveStreams) list() []*liveStream {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.open))
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
