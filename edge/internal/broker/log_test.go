package broker

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"
)

// Row 12.
func TestLibraryLogger_LeavesPacketsOut(t *testing.T) {
	var b bytes.Buffer
	l := libraryLogger(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug})))
	pk := packets.Packet{Connect: packets.ConnectParams{Password: []byte("pw-secret")}, Payload: []byte("pw-payload"), TopicName: "pw-topic"}
	l.With("packet", pk).WithGroup("g").Error("failed", "pk", pk, "also", &pk, "error", errors.New("why"), "client", "btn-001")
	l.Warn("odd", "pk", pk)
	got := b.String()
	if strings.Contains(got, "pw-") || !strings.Contains(got, "why") || !strings.Contains(got, "btn-001") {
		t.Fatalf("log: %s", got)
	}
	if !strings.Contains(got, "level=WARN msg=\"mqtt library: failed\"") || !strings.Contains(got, "level=DEBUG msg=\"mqtt library: odd\"") {
		t.Fatalf("levels: %s", got)
	}
}
