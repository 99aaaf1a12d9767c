package fleetview

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

var now = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

func TestLink_SaysWhatTheEvidenceSays(t *testing.T) {
	made := store.Site{ID: "a", CreatedAt: ago(24 * time.Hour)}
	contact := func(silent time.Duration) store.Contact {
		return store.Contact{At: ago(silent), UpAt: ago(time.Hour), MovedAt: ago(silent), Verdict: "ok", VerdictAt: ago(time.Hour)}
	}
	for _, test := range []struct {
		name    string
		site    store.Site
		contact store.Contact
		backlog uint64
		session bool
		want    LinkState
		since   time.Time
	}{
		{"new", made, store.Contact{}, 0, false, NeverConnected, made.CreatedAt},
		{"in session", made, contact(time.Second), 0, true, Online, ago(time.Hour)},
		{"at the end of the interval", made, contact(90*time.Second - time.Millisecond), 0, true, Online, ago(time.Hour)},
		{"silent for the interval", made, contact(90 * time.Second), 0, true, Late, now},
		{"known from before the restart", made, contact(time.Second), 0, false, Late, ago(time.Second)},
		{"silent for long", made, contact(10 * time.Minute), 0, true, Offline, now},
		{"silent for days with a backlog", made, contact(48 * time.Hour), 7, false, Offline, ago(48*time.Hour - 10*time.Minute)},
		{"data that has begun to wait", made, func() store.Contact {
			c := contact(time.Second)
			c.MovedAt = ago(4 * time.Minute)
			return c
		}(), 7, true, Online, ago(time.Hour)},
		{"data that waits", made, func() store.Contact {
			c := contact(time.Second)
			c.MovedAt = ago(6 * time.Minute)
			return c
		}(), 7, true, Stalled, ago(time.Minute)},
		{"nothing waits", made, func() store.Contact {
			c := contact(time.Second)
			c.MovedAt = ago(6 * time.Hour)
			return c
		}(), 0, true, Online, ago(time.Hour)},
		{"just back after a week with a backlog", made, func() store.Contact {
			c := contact(time.Second)
			c.UpAt, c.MovedAt = ago(time.Second), ago(7*24*time.Hour)
			return c
		}(), 7, true, Online, ago(time.Second)},
		{"diverged, and tries again each 15 minutes", made, func() store.Contact {
			c := contact(16 * time.Minute)
			c.Verdict = "diverged"
			return c
		}(), 0, false, Stalled, ago(time.Hour)},
		{"behind, and gone", made, func() store.Contact {
			c := contact(time.Hour)
			c.Verdict = "behind"
			return c
		}(), 0, false, Offline, ago(50 * time.Minute)},
		{"revoked", store.Site{RevokedAt: ago(time.Minute)}, contact(time.Second), 0, true, Revoked, ago(time.Minute)},
		{"retired", store.Site{RevokedAt: ago(time.Minute), RetiredAt: ago(time.Hour)}, contact(time.Second), 0, true, Retired, ago(time.Hour)},
	} {
		got, since := Link(test.site, test.contact, test.backlog, test.session, now, Intervals{Contact: 90 * time.Second, Offline: 10 * time.Minute})
		if got != test.want || !since.Equal(test.since) {
			t.Errorf("%s: %s since %s, want %s since %s", test.name, got, since, test.want, test.since)
		}
		if !slices.Contains(LinkStates(), got) {
			t.Errorf("%s is not listed", got)
		}
	}
}

func TestBacklog_IsWhatTheHubHoldsMore(t *testing.T) {
	c := store.Contact{Heads: map[fleet.Lane]uint64{fleet.LaneRequests: 9, fleet.LaneState: 3, fleet.LaneCommands: 1}}
	got := Backlog(c, map[fleet.Lane]uint64{fleet.LaneRequests: 4, fleet.LaneState: 3, fleet.LaneCommands: 2})
	if d := cmp.Diff(map[fleet.Lane]uint64{fleet.LaneRequests: 5}, got); d != "" {
		t.Error(d)
	}
}

func TestAttention_AddsUpItsReasons(t *testing.T) {
	for _, test := range []struct {
		name    string
		row     Row
		score   int
		reasons []string
	}{
		{"nothing", Row{Link: Online, Counts: store.Counts{Accepted: 3, Devices: map[fleet.Presence]int{fleet.Ready: 5}}}, 0, nil},
		{"an emergency is not counted twice", Row{Link: Online, Counts: store.Counts{Open: 1, Emergency: 1}}, 200, []string{"1 emergency waiting"}},
		{"requests", Row{Link: Late, Counts: store.Counts{Open: 3, Emergency: 1}}, 235, []string{"1 emergency waiting", "contact is late", "2 requests waiting"}},
		{"few lost", Row{Link: Online, Counts: store.Counts{Devices: map[fleet.Presence]int{fleet.Lost: 1, fleet.Ready: 9}}}, 10, []string{"1 device lost"}},
		{"many lost", Row{Link: Offline, Counts: store.Counts{DeadLetters: 1, Devices: map[fleet.Presence]int{fleet.Lost: 2, fleet.Ready: 9}}}, 130, []string{"no contact", "1 record could not be applied", "2 devices lost"}},
		{"a second history", Row{Link: Online, Counts: store.Counts{DeadLetters: 3, AuditForks: 2}}, 140, []string{"audit was forked", "1 record could not be applied"}},
		{"stalled", Row{Link: Stalled}, 100, []string{"data does not move"}},
		{"diverged", Row{Link: Stalled, Contact: store.Contact{Verdict: "diverged"}}, 100, []string{"hub is diverged"}},
		{"never connected", Row{Link: NeverConnected}, 5, []string{"never connected"}},
		{"revoked", Row{Link: Revoked, Counts: store.Counts{Emergency: 1, Open: 1}}, 0, nil},
	} {
		score, reasons := Attention(test.row)
		if score != test.score || !slices.Equal(reasons, test.reasons) {
			t.Errorf("%s: %d %q, want %d %q", test.name, score, reasons, test.score, test.reasons)
		}
	}
}
