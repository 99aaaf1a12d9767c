package broker

import (
	"context"
	"log/slog"
)

// libraryLogger makes the library's log part of ours: its packets are left out,
// for they hold payloads, and what it calls a warning is an ordinary day of a
// broker.
func libraryLogger(l *slog.Logger) *slog.Logger {
	return slog.New(libraryHandler{l.Handler()})
}

type libraryHandler struct{ next slog.Handler }

func calmer(level slog.Level) slog.Level {
	if level >= slog.LevelError {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

func (h libraryHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, calmer(level))
}

func (h libraryHandler) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, calmer(r.Level), "mqtt library: "+r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if harmless(a) {
			out.AddAttrs(a)
		}
		return true
	})
	return h.next.Handle(ctx, out)
}

func (h libraryHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var kept []slog.Attr
	for _, a := range attrs {
		if harmless(a) {
			kept = append(kept, a)
		}
	}
	return libraryHandler{h.next.WithAttrs(kept)}
}

func (h libraryHandler) WithGroup(name string) slog.Handler {
	return libraryHandler{h.next.WithGroup(name)}
}

// harmless reports whether an attribute of the library may be logged: plain
// values and errors, not the structures that carry packets and wills.
func harmless(a slog.Attr) bool {
	if a.Value.Kind() != slog.KindAny {
		return true
	}
	_, isError := a.Value.Any().(error)
	return isError
}
