package support

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestRing_KeepsTheNewestLinesAndPassesAllOn(t *testing.T) {
	var passed bytes.Buffer
	r := NewRing(slog.NewTextHandler(&passed, &slog.HandlerOptions{Level: slog.LevelDebug}), 3)
	log := slog.New(r).With("part", "a")
	log.Debug("zero")
	for _, m := range []string{"one", "two", "three", "four"} {
		log.Info(m, "long", strings.Repeat("x", 3*maxLine))
	}
	var kept bytes.Buffer
	if _, err := r.WriteTo(&kept); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(passed.String(), "msg="); n != 5 {
		t.Errorf("%d lines were passed on", n)
	}
	lines := strings.Split(strings.TrimSpace(kept.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], "msg=two part=a") || !strings.Contains(lines[2], "msg=four") {
		t.Errorf("kept %d lines: %.80s…", len(lines), lines)
	}
	if kept.Len() > 3*(maxLine+1) {
		t.Errorf("%d bytes are kept", kept.Len())
	}
}
