package link

import (
	"sync/atomic"
	"time"
)

// Bytes are those of one direction.
type Bytes struct {
	// Bytes that the sending end has given to the link: all of the socket, TLS
	// included.
	Bytes int64 `json:"bytes"`
	// Segments that they were sent in, of at most SegmentBytes.
	Segments int64 `json:"segments"`
	// Lost segments, and the bytes that were sent again for them.
	Lost      int64 `json:"lost_segments"`
	SentAgain int64 `json:"bytes_sent_again"`
}

// SegmentBytes is what one segment carries at most: an Ethernet frame's worth
// with TCP's time stamps.
const SegmentBytes = 1448

// What IP and TCP add. A segment has the headers of IPv4 (20), TCP (20) and its
// time stamps (12).
const (
	headerBytes = 52
	// A connection is begun and ended with three and four bare segments.
	connectionSegments = 7
)

// Counters are what has passed since the start.
type Counters struct {
	Up   Bytes `json:"up"`
	Down Bytes `json:"down"`
	// Connections that were taken; Refused ones had a reset at once, Answered ones
	// got a page instead of the target, Failed ones did not reach it.
	Connections int64 `json:"connections"`
	Open        int64 `json:"open_connections"`
	Refused     int64 `json:"refused_connections"`
	Answered    int64 `json:"answered_connections"`
	Failed      int64 `json:"failed_connections"`
	// HeaderBytes are estimated, as the link does not see them: IPv4 and TCP headers
	// of each segment, of an acknowledgement for every second one, and of the
	// beginning and end of each connection.
	HeaderBytes int64 `json:"estimated_header_bytes"`
}

// Total is the bytes of both directions, without headers.
func (c Counters) Total() int64 { return c.Up.Bytes + c.Down.Bytes + c.Up.SentAgain + c.Down.SentAgain }

// Connection is what has passed on one.
type Connection struct {
	Number  int64     `json:"number"`
	From    string    `json:"from"`
	Since   time.Time `json:"since"`
	EndedAt time.Time `json:"ended_at,omitzero"`
	Up      Bytes     `json:"up"`
	Down    Bytes     `json:"down"`
}

// meter counts one direction.
type meter struct{ bytes, segments, lost, again atomic.Int64 }

func (m *meter) sent(n, segments int) {
	m.bytes.Add(int64(n))
	m.segments.Add(int64(segments))
}

func (m *meter) repeated(n int) {
	m.lost.Add(1)
	m.again.Add(int64(n))
}

func (m *meter) read() Bytes {
	return Bytes{Bytes: m.bytes.Load(), Segments: m.segments.Load(), Lost: m.lost.Load(), SentAgain: m.again.Load()}
}

func headers(segments, connections int64) int64 {
	return headerBytes * (segments + (segments+1)/2 + connectionSegments*connections)
}
