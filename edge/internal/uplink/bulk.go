package uplink

import (
	"context"
	"fmt"
	"time"

	"connectrpc.com/connect"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"

	"github.com/obedio/obedio/shared/lane"
)

// What is sent in one call of what can wait: at first a chunk, and then as much
// as the link has shown to carry in about a second.
const (
	bulkFast = time.Second
	bulkSlow = 4 * time.Second
	bulkMost = 8 // chunks
)

// pace is how much of what can wait goes up at once.
type pace struct {
	chunks  int
	goodput float64 // bytes a second of the last calls, smoothed; 0 before
}

// took learns from a call of so many bytes on the wire.
func (p *pace) took(bytes int, d time.Duration) {
	rate := float64(bytes) / max(d.Seconds(), 0.001)
	if p.goodput == 0 {
		p.goodput = rate
	}
	p.goodput += (rate - p.goodput) / 4
	switch {
	case d < bulkFast+bulkFast/2:
		p.chunks = min(max(p.chunks, 1)*2, bulkMost)
	case d > bulkSlow:
		p.chunks = max(p.chunks/2, 1)
	}
}

// uploaded is the answer of a call of what can wait.
type uploaded struct {
	answer *pb.PushResponse
	bytes  int
	took   time.Duration
	err    error
}

// upload sends parts of hours on a connection of their own.
func (u *Uplink) upload(ctx context.Context, parts []lane.TrafficPart, out chan<- uploaded) {
	m := lane.EncodePush(u.sender.Carry(parts, u.cursor))
	link := u.link
	go func() {
		begun := time.Now()
		call, cancel := context.WithTimeout(ctx, u.c.CallTimeout)
		defer cancel()
		answer, err := link.bulk.client.Push(call, connect.NewRequest(m))
		if err != nil {
			out <- uploaded{err: fmt.Errorf("push traffic: %w", err)}
			return
		}
		bytes := 0
		for _, p := range m.Summaries {
			bytes += len(p.Columns)
		}
		out <- uploaded{answer: answer.Msg, bytes: bytes, took: time.Since(begun)}
	}()
}
