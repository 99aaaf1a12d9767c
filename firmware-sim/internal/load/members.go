package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/hubapi"
	"github.com/obedio/obedio/firmware-sim/internal/join"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// member is one device that has joined.
type member struct {
	id   fleet.DeviceID
	base string // of its topics
	// It shows a user name with a password, or has settings for TLS.
	username, password string
	tls                *tls.Config
}

// joinAtOnce is how many devices join at a time.
const joinAtOnce = 8

// members has every client's device join: at a hub as real devices do, each by a
// token of its own.
func (l *load) members(ctx context.Context) ([]member, error) {
	kind := fleet.Sensor
	if l.c.Presses || l.c.Action == "mixed" {
		kind = fleet.Button
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	all := make([]member, l.c.Clients)
	gate := make(chan struct{}, joinAtOnce)
	var wg sync.WaitGroup
	for i := range all {
		if ctx.Err() != nil {
			break
		}
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			id := fleet.DeviceID(fmt.Sprintf("%s%04d", l.c.Prefix, i+1))
			var err error
			if l.c.Peer {
				all[i], err = l.invent(kind, id)
			} else {
				all[i], err = l.join(ctx, kind, id)
			}
			if err != nil {
				cancel(fmt.Errorf("device %s joins: %w", id, err))
			}
		})
	}
	wg.Wait()
	return all, context.Cause(ctx)
}

// invent makes up a device for a broker that knows none.
func (l *load) invent(kind fleet.DeviceType, id fleet.DeviceID) (member, error) {
	m := member{id: id, base: topic.Base("bench", "load", kind, id)}
	if !l.c.TLS {
		m.username, m.password = string(id), "-"
		return m, nil
	}
	shown, err := l.c.Authority.certify(id)
	if err == nil {
		m.tls, err = shown.TLS(time.Now)
	}
	return m, err
}

// join is what a device and the chief who lets it in do: a token is made, its QR
// code read, and claimed; without TLS by a device that knows no certificates.
func (l *load) join(ctx context.Context, kind fleet.DeviceType, id fleet.DeviceID) (member, error) {
	h, err := join.NewHardware("load-")
	if err != nil {
		return member{}, err
	}
	var token hubapi.Token
	err = politely(ctx, func() (err error) {
		token, err = l.c.API.MakeToken(ctx, hubapi.NewToken{DeviceID: id, Type: kind, Room: "load"})
		return err
	})
	if err != nil {
		return member{}, err
	}
	payload, err := join.ParsePayload(token.Payload)
	if err != nil {
		return member{}, err
	}
	claim := h.ByPassword
	if l.c.TLS {
		claim = h.ByToken
	}
	var joined join.Joined
	err = politely(ctx, func() (err error) {
		joined, err = claim(ctx, payload)
		return err
	})
	if err != nil {
		return member{}, err
	}
	return memberOf(joined)
}

func memberOf(j join.Joined) (member, error) {
	secure, err := j.Credentials.TLS(time.Now)
	return member{
		id: j.DeviceID, base: j.Topics["base"], username: j.Credentials.Username, password: j.Credentials.Password, tls: secure,
	}, err
}

// The pauses after a hub has said that this is too much at once.
const (
	restFirst = time.Second
	restMost  = 16 * time.Second
	restTries = 8 // more than a minute, after which the limits of a hub begin anew
)

// politely calls a hub, and again later if it says that it is asked too much.
func politely(ctx context.Context, call func() error) error {
	pause := restFirst
	for try := 1; ; try++ {
		err := call()
		if try == restTries || !tooMuch(err) {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(err, ctx.Err())
		case <-timer.C:
		}
		pause = min(2*pause, restMost)
	}
}

func tooMuch(err error) bool {
	var no *join.Refusal
	return hubapi.IsStatus(err, http.StatusTooManyRequests) || errors.As(err, &no) && no.Status == http.StatusTooManyRequests
}
