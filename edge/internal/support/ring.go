package support

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
)

// Ring is a slog.Handler that passes records on and remembers the newest,
// without what nobody else may see. What is remembered is bounded.
type Ring struct {
	next   slog.Handler
	memory slog.Handler // writes lines
	lines  *lines
}

// maxLine is the most that is remembered of one record, in bytes.
const maxLine = 2 << 10

// NewRing returns a Ring that remembers the newest kept records of level info
// and above.
func NewRing(next slog.Handler, kept int) *Ring {
	l := &lines{ring: make([][]byte, kept)}
	return &Ring{next: next, lines: l, memory: slog.NewTextHandler(l, &slog.HandlerOptions{
		Level: slog.LevelInfo, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr { return hide(a) },
	})}
}

// Enabled implements slog.Handler.
func (r *Ring) Enabled(ctx context.Context, l slog.Level) bool {
	return r.memory.Enabled(ctx, l) || r.next.Enabled(ctx, l)
}

// Handle implements slog.Handler.
func (r *Ring) Handle(ctx context.Context, rec slog.Record) error {
	if r.memory.Enabled(ctx, rec.Level) {
		_ = r.memory.Handle(ctx, rec.Clone()) // it writes to memory
	}
	if r.next.Enabled(ctx, rec.Level) {
		return r.next.Handle(ctx, rec)
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (r *Ring) WithAttrs(a []slog.Attr) slog.Handler {
	return &Ring{next: r.next.WithAttrs(a), memory: r.memory.WithAttrs(a), lines: r.lines}
}

// WithGroup implements slog.Handler.
func (r *Ring) WithGroup(name string) slog.Handler {
	return &Ring{next: r.next.WithGroup(name), memory: r.memory.WithGroup(name), lines: r.lines}
}

// WriteTo implements io.WriterTo: the remembered lines, the oldest first.
func (r *Ring) WriteTo(w io.Writer) (int64, error) {
	var out bytes.Buffer
	r.lines.mu.Lock()
	for i := range r.lines.ring {
		out.Write(r.lines.ring[(r.lines.next+i)%len(r.lines.ring)])
	}
	r.lines.mu.Unlock()
	return out.WriteTo(w)
}

// lines is a writer that keeps the newest writes, each a line.
type lines struct {
	mu   sync.Mutex // guards all below
	ring [][]byte
	next int
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	line := scrub(p)
	if len(line) > maxLine {
		line = append(line[:maxLine:maxLine], '\n')
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ring) > 0 {
		l.ring[l.next] = line
		l.next = (l.next + 1) % len(l.ring)
	}
	return len(p), nil
}
