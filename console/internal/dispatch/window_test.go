package dispatch

import (
	"testing"
	"time"

	"github.com/obedio/obedio/console/internal/store"
)

func TestOpening_IsInTheZoneOfTheSite(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	night, over := &store.JobWindow{From: "02:00", To: "04:00"}, &store.JobWindow{From: "23:00", To: "05:00"}
	for _, c := range []struct {
		w            *store.JobWindow
		from         string
		zone         *time.Location
		open, closes string
	}{
		{night, "2026-03-01T01:00:00Z", time.UTC, "2026-03-01T02:00:00Z", "2026-03-01T04:00:00Z"},
		{night, "2026-03-01T03:00:00Z", time.UTC, "2026-03-01T03:00:00Z", "2026-03-01T04:00:00Z"},
		{night, "2026-03-01T04:00:00Z", time.UTC, "2026-03-02T02:00:00Z", "2026-03-02T04:00:00Z"},
		{night, "2026-03-01T02:00:00Z", paris, "2026-03-01T02:00:00Z", "2026-03-01T03:00:00Z"},
		{over, "2026-03-01T02:00:00Z", time.UTC, "2026-03-01T02:00:00Z", "2026-03-01T05:00:00Z"},
		{over, "2026-03-01T12:00:00Z", time.UTC, "2026-03-01T23:00:00Z", "2026-03-02T05:00:00Z"},
		// The night in which the clocks go from two to three.
		{night, "2026-03-28T12:00:00Z", paris, "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"},
	} {
		open, closes := opening(c.w, at(c.from), c.zone)
		if !open.Equal(at(c.open)) || !closes.Equal(at(c.closes)) {
			t.Errorf("%s-%s from %s: %s to %s, want %s to %s", c.w.From, c.w.To, c.from, open, closes, c.open, c.closes)
		}
	}
	if open, closes := opening(nil, at("2026-03-01T01:00:00Z"), paris); !open.Equal(at("2026-03-01T01:00:00Z")) || !closes.IsZero() {
		t.Errorf("without a window: %s, %s", open, closes)
	}
}
