package device

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/obedio/obedio/shared/topic"
)

// Through has a device speak through a repeater instead of connecting by itself:
// its messages travel on the repeater's connection, under the device's own topics.
// To be called before Run.
func (d *Device) Through(repeater *Device) { d.through = repeater }

// relay is what a repeater does for its children. While it has no connection
// itself, they have none.
type relay struct {
	mu       sync.Mutex // guards what follows
	link     link       // nil without one
	children map[string]*relayed
}

// ready begins to relay over a connection.
func (r *relay) ready(l link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.link = l
}

// close ends the ways of all children.
func (r *relay) close() {
	r.mu.Lock()
	children := r.children
	r.link, r.children = nil, nil
	r.mu.Unlock()
	for _, c := range children {
		c.end()
	}
}

// errNoWay is the error of a connection through a repeater that has none itself.
var errNoWay = errors.New("the repeater does not answer")

// open gives a child its way, and has the hub send what is meant for it.
func (r *relay) open(ctx context.Context, d dialing) (link, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	base := strings.TrimSuffix(d.subscribe, topic.Commands(""))
	r.mu.Lock()
	if r.link == nil {
		r.mu.Unlock()
		return nil, errNoWay
	}
	c := &relayed{relay: r, base: base, up: r.link, in: make(chan heard, queued), gone: make(chan struct{})}
	old := r.children[base]
	if r.children == nil {
		r.children = map[string]*relayed{}
	}
	r.children[base] = c
	r.mu.Unlock()
	if old != nil {
		old.end()
	}
	go c.deliver(d.receive)
	if d.deaf {
		return c, nil
	}
	if err := c.subscribe(ctx, d.subscribe); err != nil {
		c.cut()
		return nil, errors.Join(errNoWay, err)
	}
	return c, nil
}

// pass hands a message of the hub to the child that it is for; false when it is
// for none.
func (r *relay) pass(name string, payload []byte, retained bool) bool {
	base, _, ok := strings.Cut(name, "/cmd/")
	if !ok {
		return false
	}
	r.mu.Lock()
	c := r.children[base]
	r.mu.Unlock()
	if c == nil {
		return false
	}
	select {
	case c.in <- heard{name, payload, retained}:
	default: // a repeater has little memory; the hub tells again
	}
	return true
}

type heard struct {
	topic    string
	payload  []byte
	retained bool
}

// relayed is a child's connection: part of its repeater's.
type relayed struct {
	relay *relay
	base  string
	up    link
	in    chan heard
	gone  chan struct{}
	once  sync.Once
}

func (c *relayed) deliver(receive func(string, []byte, bool)) {
	for {
		select {
		case <-c.gone:
			return
		case m := <-c.in:
			receive(m.topic, m.payload, m.retained)
		}
	}
}

func (c *relayed) publish(ctx context.Context, m message) error {
	select {
	case <-c.gone:
		return errLost
	default:
		return c.up.publish(ctx, m)
	}
}

func (c *relayed) subscribe(ctx context.Context, filter string) error {
	return c.up.subscribe(ctx, filter)
}

func (c *relayed) goodbye() { c.cut() }

// cut ends the child's way. The hub is not told: only silence tells.
func (c *relayed) cut() {
	c.relay.mu.Lock()
	if c.relay.children[c.base] == c {
		delete(c.relay.children, c.base)
	}
	c.relay.mu.Unlock()
	c.end()
}

func (c *relayed) end() { c.once.Do(func() { close(c.gone) }) }

func (c *relayed) lost() <-chan struct{} { return c.gone }
