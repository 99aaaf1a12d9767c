package rest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
)

// Event is one message of the event stream.
type Event struct {
	// Name is the event's name: "request", "command", "mqtt:device-status" ….
	Name string
	// Permission is what a subject needs to get it.
	Permission account.Action
	// Site is what it is about; empty when it is about no single site.
	Site fleet.SiteID
	// Data is JSON, written once for all readers.
	Data json.RawMessage
}

// NewEvent returns an event with v as its data.
func NewEvent(name string, p account.Action, site fleet.SiteID, v any) (Event, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return Event{}, fmt.Errorf("write event %s: %w", name, err)
	}
	return Event{Name: name, Permission: p, Site: site, Data: data}, nil
}

// EventsConfig says what GET /api/v1/events streams. Feed and Names are
// required; zero fields take the defaults.
type EventsConfig struct {
	// Feed is what is streamed; its size is how far a client may fall behind or
	// be away and still miss nothing.
	Feed *feed.Feed[Event]
	// Names are the event names that there are, for ?events=.
	Names []string
	// Comment is how often a silent stream shows that it lives; 15 s by default.
	Comment time.Duration
	// Recheck is how often the subject's rights are looked up again; 5 s by default.
	Recheck time.Duration
	// WriteTimeout ends the stream of a client that does not read; 10 s by default.
	WriteTimeout time.Duration
	// Streams at most; 512 by default. PerSubject at most; 32 by default.
	Streams, PerSubject int
}

// ResyncEvent is the name of the event that tells a client to read everything
// again, because events are gone that it has not seen.
const ResyncEvent = "resync"

// Events adds GET /api/v1/events to the table: server-sent events with an id
// each, resumed by Last-Event-ID.
func (a *API) Events(c EventsConfig) {
	if c.Comment <= 0 {
		c.Comment = 15 * time.Second
	}
	if c.Recheck <= 0 {
		c.Recheck = 5 * time.Second
	}
	if c.WriteTimeout <= 0 {
		c.WriteTimeout = 10 * time.Second
	}
	if c.Streams <= 0 {
		c.Streams = 512
	}
	if c.PerSubject <= 0 {
		c.PerSubject = 32
	}
	var life [4]byte
	rand.Read(life[:])
	s := &eventStreams{api: a, cfg: c, life: hex.EncodeToString(life[:])}
	a.Raw(Route{
		OperationID: "events", Method: http.MethodGet, Path: "/api/v1/events", Permission: account.EventsRead,
		Summary: "Live events", Tags: []string{"events"}, Stream: true, Produces: "text/event-stream",
		Errors: []int{http.StatusTooManyRequests},
		Description: "Server-sent events: " + strings.Join(c.Names, ", ") + ", and " + ResyncEvent +
			" when events were missed. Resume with Last-Event-ID.",
		Params: map[string]string{"events": "Names of events, separated by commas; all if absent."},
	}, s.handle)
}

type eventStreams struct {
	api  *API
	cfg  EventsConfig
	life string // ids of another life of the program mean nothing in this one
}

func (s *eventStreams) handle(c *gin.Context) {
	names, err := s.names(c.Query("events"))
	if err != nil {
		s.api.Fail(c, err)
		return
	}
	x := exchangeOf(c.Request.Context())
	leave, err := s.api.streams.enter(x.subject.Key(), s.cfg.Streams, s.cfg.PerSubject)
	if err != nil {
		s.api.Fail(c, err)
		return
	}
	defer leave()
	ctx, end := s.api.stream(c.Request.Context())
	defer end()

	h := c.Writer.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // proxies must pass events on at once
	c.Status(http.StatusOK)
	st := &stream{s: s, ctl: http.NewResponseController(c.Writer), w: c.Writer, subject: x.subject, names: names}
	st.run(ctx, c.GetHeader("Last-Event-ID"))
	// The end of the answer must not wait long for who does not read.
	_ = st.ctl.SetWriteDeadline(time.Now().Add(time.Second))
}

// names reads ?events=; nil for all.
func (s *eventStreams) names(q string) ([]string, error) {
	if q == "" {
		return nil, nil
	}
	names := strings.Split(q, ",")
	for _, n := range names {
		if !slices.Contains(s.cfg.Names, n) {
			return nil, NewProblem(TypeInvalid, fmt.Sprintf("event %q: want some of %s", cutTo(n, 64), strings.Join(s.cfg.Names, ",")),
				FieldError{Location: "query.events", Message: "unknown event"})
		}
	}
	return names, nil
}

func (s *eventStreams) id(pos uint64) string { return s.life + "-" + strconv.FormatUint(pos, 10) }

// position reads Last-Event-ID; ok is false for an id of another life.
func (s *eventStreams) position(id string) (uint64, bool) {
	n, ok := strings.CutPrefix(id, s.life+"-")
	if !ok {
		return 0, false
	}
	pos, err := strconv.ParseUint(n, 10, 64)
	return pos, err == nil
}

// stream is one open stream; the goroutine of its request owns it.
type stream struct {
	s       *eventStreams
	ctl     *http.ResponseController
	w       http.ResponseWriter
	subject account.Subject
	names   []string
	reader  *feed.Reader[Event]
	out     bytes.Buffer
	toldID  uint64 // position of the last id that the client got
}

// burst is how many events are written at once at most.
const burst = 64

func (st *stream) run(ctx context.Context, lastID string) {
	f := st.s.cfg.Feed
	st.out.WriteString("retry: 3000\n")
	if pos, ok := st.s.position(lastID); ok {
		st.reader = f.Subscribe(pos)
		st.out.WriteString("\n")
	} else {
		st.reader = f.Subscribe(f.Head())
		if lastID != "" {
			st.resync("restarted")
		} else {
			st.writeID() // so that a client which gets no event can resume too
		}
	}
	if st.send() != nil {
		return
	}
	now := time.Now()
	comment, recheck := now.Add(st.s.cfg.Comment), now.Add(st.s.cfg.Recheck)
	for {
		next := comment
		if recheck.Before(next) {
			next = recheck
		}
		wait, cancel := context.WithDeadline(ctx, next)
		item, err := st.reader.Next(wait)
		cancel()
		switch {
		case err == nil:
			st.event(item)
			st.more()
		case errors.Is(err, feed.ErrLagged):
			st.resync("lagged")
		case ctx.Err() != nil, errors.Is(err, feed.ErrClosed):
			return
		}
		now = time.Now()
		if !now.Before(recheck) {
			if !st.stillMay(ctx) {
				return
			}
			recheck = now.Add(st.s.cfg.Recheck)
		}
		if !now.Before(comment) {
			st.out.WriteString(": still here\n")
			if st.toldID != st.reader.Pos() {
				st.writeID()
			} else {
				st.out.WriteString("\n")
			}
		}
		if st.out.Len() > 0 {
			if st.send() != nil {
				return
			}
			comment = now.Add(st.s.cfg.Comment)
		}
	}
}

// more takes what else is there, so that a burst is one write.
func (st *stream) more() {
	for range burst - 1 {
		item, ok, err := st.reader.Poll()
		if errors.Is(err, feed.ErrLagged) {
			st.resync("lagged")
			return
		}
		if !ok {
			return
		}
		st.event(item)
	}
}

// event writes item if it was asked for and the subject may see it.
func (st *stream) event(item feed.Item[Event]) {
	e := item.Value
	if st.names != nil && !slices.Contains(st.names, e.Name) {
		return
	}
	if !st.s.api.policy.Can(st.subject, e.Permission, account.Resource{Site: e.Site}) {
		return
	}
	fmt.Fprintf(&st.out, "event: %s\n", e.Name)
	for line := range bytes.SplitSeq(e.Data, []byte("\n")) {
		fmt.Fprintf(&st.out, "data: %s\n", bytes.TrimSuffix(line, []byte("\r")))
	}
	st.writeID()
}

// resync tells the client to read everything again; it goes on with what
// comes after the reader's position.
func (st *stream) resync(reason string) {
	fmt.Fprintf(&st.out, "event: %s\ndata: {\"reason\":%q}\n", ResyncEvent, reason)
	st.writeID()
}

func (st *stream) writeID() {
	st.toldID = st.reader.Pos()
	fmt.Fprintf(&st.out, "id: %s\n\n", st.s.id(st.toldID))
}

// send writes what has gathered. An error means that the client has gone or
// does not read.
func (st *stream) send() error {
	// Not every connection has deadlines (tests in memory): then there is none.
	_ = st.ctl.SetWriteDeadline(time.Now().Add(st.s.cfg.WriteTimeout))
	_, err := st.w.Write(st.out.Bytes())
	st.out.Reset()
	if err != nil {
		return err
	}
	return st.ctl.Flush()
}

// stillMay looks the subject's rights up again.
func (st *stream) stillMay(ctx context.Context) bool {
	s, err := st.s.api.cfg.Accounts.Recheck(ctx, st.subject)
	if err != nil {
		return false // signed out, or unknown for now: the client asks again
	}
	st.subject = s
	return st.s.api.policy.Can(s, account.EventsRead, account.Resource{})
}
