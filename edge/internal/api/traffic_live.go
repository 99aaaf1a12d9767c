package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gorilla/websocket"

	"github.com/obedio/obedio/edge/internal/traffic"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

const liveProtocol = "obedio.traffic.v1"

const (
	liveEvery    = 50 * time.Millisecond // between two batches
	liveBatch    = 500                   // messages in one
	liveWindow   = 8                     // batches on their way to a client
	liveRecheck  = 5 * time.Second       // of the subject's rights
	livePing     = 20 * time.Second
	liveSilence  = time.Minute // after which a client that answers no ping is gone
	liveWrite    = 10 * time.Second
	liveKept     = 256 << 10 // bytes of room for a batch
	liveMaxBytes = 4096      // of what a client sends
	liveSockets  = 64
	liveOwn      = 8 // of one subject
)

// liveOp is what a client sends.
type liveOp struct {
	Op     string `json:"op"`
	Filter struct {
		Topic     string `json:"topic"`
		DeviceID  string `json:"device_id"`
		Direction string `json:"direction"`
		Contains  string `json:"contains"`
	} `json:"filter"`
	MaxRate int `json:"max_rate"`
}

type liveError struct {
	Error string `json:"error"`
}

// trafficLive opens the WebSocket.
func (a *API) trafficLive(c *gin.Context) {
	if offered := websocket.Subprotocols(c.Request); len(offered) > 0 && !slices.Contains(offered, liveProtocol) {
		a.rest.Fail(c, fmt.Errorf("%w: subprotocol: want %s", fleet.ErrInvalid, liveProtocol))
		return
	}
	if !websocket.IsWebSocketUpgrade(c.Request) {
		a.rest.Fail(c, fmt.Errorf("%w: want a WebSocket with the subprotocol %s", fleet.ErrInvalid, liveProtocol))
		return
	}
	if !a.rest.CheckOrigin(c.Request) {
		a.rest.Fail(c, rest.NewProblem(rest.TypeCrossOrigin, "the page is of another origin"))
		return
	}
	ctx, leave, err := a.rest.EnterStream(c.Request.Context(), liveSockets, liveOwn)
	if err != nil {
		a.rest.Fail(c, err)
		return
	}
	defer leave()
	up := websocket.Upgrader{
		HandshakeTimeout: liveWrite, ReadBufferSize: 1024, WriteBufferSize: 4096,
		Subprotocols: []string{liveProtocol}, CheckOrigin: a.rest.CheckOrigin,
	}
	ws, err := up.Upgrade(c.Writer, c.Request, nil)
	if err != nil {
		return // it has answered
	}
	l := &liveSocket{a: a, ws: ws, subject: rest.SubjectOf(c.Request.Context()), ops: make(chan liveOp), bad: make(chan string), pong: make(chan struct{}, 1)}
	l.run(ctx)
}

// liveSocket is one WebSocket. The goroutine of its request writes, another
// one reads.
type liveSocket struct {
	a       *API
	ws      *websocket.Conn
	subject account.Subject
	reader  *traffic.Reader // nil until it has subscribed
	ops     chan liveOp
	bad     chan string
	out     []byte // room for the next batch

	// A ping follows each batch, with its number. A client that has not answered
	// liveWindow of them gets no more: the buffers of the two systems would hold
	// minutes of what passed, and a slow client would neither see what is new nor
	// learn what it missed.
	sent     uint64        // batches
	answered atomic.Uint64 // the number in the last pong
	pong     chan struct{}
}

// batch is what a reader of the record got.
type batch struct {
	messages []traffic.Message
	dropped  uint64
	err      error
}

func (l *liveSocket) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	readDone := make(chan struct{})
	go func() {
		defer close(readDone)
		defer cancel()
		l.read(ctx)
	}()
	defer func() {
		cancel()
		_ = l.ws.Close()
		<-readDone
		if l.reader != nil {
			l.reader.Close()
		}
	}()
	recheck, ping := time.NewTicker(liveRecheck), time.NewTicker(livePing)
	defer recheck.Stop()
	defer ping.Stop()
	batches, next := make(chan batch), make(chan *traffic.Reader, 1)
	go l.gather(ctx, next, batches)
	for {
		var err error
		open := batches
		if l.sent >= l.answered.Load()+liveWindow {
			open = nil
		}
		select {
		case <-l.pong:
		case <-ctx.Done():
			l.close(websocket.CloseGoingAway, "the connection or the hub ends")
			return
		case op := <-l.ops:
			err = l.do(op, next)
		case text := <-l.bad:
			err = l.write(liveError{text})
		case b := <-open:
			if b.err != nil {
				l.close(websocket.CloseGoingAway, "the hub ends")
				return
			}
			err = l.send(b)
		case <-ping.C:
			err = l.ping()
		case <-recheck.C:
			if !l.stillMay(ctx) {
				l.close(websocket.ClosePolicyViolation, "signed out, or no longer allowed")
				return
			}
		}
		if err != nil {
			return // the client has gone, or does not read
		}
	}
}

// gather takes from the reader at most once in liveEvery: what the writer does
// not take in time waits in the reader, which drops what is too much and
// counts it.
func (l *liveSocket) gather(ctx context.Context, from <-chan *traffic.Reader, to chan<- batch) {
	var r *traffic.Reader
	select {
	case r = <-from:
	case <-ctx.Done():
		return
	}
	pause := time.NewTimer(0)
	defer pause.Stop()
	// The writer has one batch while the next one gathers; when it takes that, it
	// is done with the first.
	var rooms [2][]traffic.Message
	for turn := 0; ; turn = 1 - turn {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		var b batch
		b.messages, b.dropped, b.err = r.Next(ctx, rooms[turn], liveBatch)
		rooms[turn] = b.messages
		select {
		case to <- b:
		case <-ctx.Done():
			return
		}
		pause.Reset(liveEvery)
	}
}

// read passes on what the client sends until it goes. A client is not read
// while what it sent before is not answered.
func (l *liveSocket) read(ctx context.Context) {
	l.ws.SetReadLimit(liveMaxBytes)
	alive := func(number string) error {
		if n, err := strconv.ParseUint(number, 10, 32); err == nil {
			l.answered.Store(n)
			select {
			case l.pong <- struct{}{}:
			default:
			}
		}
		return l.ws.SetReadDeadline(time.Now().Add(liveSilence))
	}
	l.ws.SetPongHandler(alive)
	_ = alive("")
	for {
		kind, text, err := l.ws.ReadMessage()
		if err != nil {
			return
		}
		var op liveOp
		if kind != websocket.TextMessage {
			err = errors.New("want text")
		} else {
			err = json.Unmarshal(text, &op)
		}
		if err != nil {
			select {
			case l.bad <- "that is no operation: " + err.Error():
			case <-ctx.Done():
				return
			}
			continue
		}
		select {
		case l.ops <- op:
		case <-ctx.Done():
			return
		}
	}
}

// do carries out an operation; the error is that of writing.
func (l *liveSocket) do(op liveOp, next chan<- *traffic.Reader) error {
	var err error
	switch op.Op {
	case "subscribe":
		err = l.subscribe(op, next)
	case "pause", "resume":
		if l.reader != nil {
			l.reader.Pause(op.Op == "pause")
		}
	default:
		err = fmt.Errorf("%w: op: want subscribe, pause or resume", fleet.ErrInvalid)
	}
	if err != nil {
		return l.write(liveError{err.Error()})
	}
	return nil
}

// subscribe begins, or changes what is wanted from now on.
func (l *liveSocket) subscribe(op liveOp, next chan<- *traffic.Reader) error {
	direction, err := traffic.ParseDirection(op.Filter.Direction)
	if err != nil {
		return err
	}
	f := traffic.LiveFilter{
		Device: op.Filter.DeviceID, Topic: op.Filter.Topic, Direction: direction, Contains: op.Filter.Contains,
		MaxRate: op.MaxRate, Payloads: l.a.mayRead(l.subject),
	}
	if f.Contains != "" && !f.Payloads {
		return fmt.Errorf("%w: role %s may not search in payloads", fleet.ErrForbidden, l.subject.Role)
	}
	if l.reader != nil {
		if err = l.reader.Filter(f); err == nil {
			l.reader.Pause(false)
		}
		return err
	}
	if l.reader, err = l.a.Traffic.Live(f); err == nil {
		next <- l.reader // once, into the room that it has
	}
	return err
}

func (l *liveSocket) send(b batch) error {
	l.out = appendLive(l.out[:0], b.messages, b.dropped, l.a.mayRead(l.subject))
	if err := l.ws.SetWriteDeadline(time.Now().Add(liveWrite)); err != nil {
		return err
	}
	if err := l.ws.WriteMessage(websocket.TextMessage, l.out); err != nil {
		return err
	}
	if cap(l.out) > liveKept {
		l.out = nil
	}
	l.sent++
	return l.ping()
}

// ping asks the client to say how far it has come.
func (l *liveSocket) ping() error {
	return l.ws.WriteControl(websocket.PingMessage, strconv.AppendUint(nil, l.sent, 10), time.Now().Add(liveWrite))
}

func (l *liveSocket) write(v any) error {
	if err := l.ws.SetWriteDeadline(time.Now().Add(liveWrite)); err != nil {
		return err
	}
	return l.ws.WriteJSON(v)
}

func (l *liveSocket) close(code int, why string) {
	_ = l.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, why), time.Now().Add(time.Second))
}

// stillMay looks the subject's rights up again.
func (l *liveSocket) stillMay(ctx context.Context) bool {
	s, err := l.a.Accounts.Recheck(ctx, l.subject)
	if err != nil {
		return false
	}
	could := l.a.mayRead(l.subject)
	l.subject = s
	// Whoever may see payloads no longer asks anew: the filter knew them.
	return l.a.Accounts.Policy().Can(s, account.TrafficRead, account.Resource{}) && (!could || l.a.mayRead(s))
}
