package denial

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/obedio/obedio/shared/feed"
)

var start = time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)

func denied(client, topic string, at time.Duration) Event {
	return Event{At: start.Add(at), Kind: Denied, Client: client, Action: "publish_send", Topic: topic, Reason: "default: deny"}
}

func TestNote_TheSameAgainCountsUp(t *testing.T) {
	l := New(Config{})
	for i := range 5 {
		l.Note(denied("btn-1", "a", time.Duration(i)*time.Second))
	}
	l.Note(denied("btn-1", "b", time.Minute))
	got := l.List(Query{})
	if len(got) != 2 || got[0].Last.Topic != "b" || got[1].Count != 5 || !got[1].FirstAt.Equal(start) || !got[1].Last.At.Equal(start.Add(4*time.Second)) {
		t.Fatalf("%+v", got)
	}
}

func TestAlerts_OneGroupIsToldAtMostOnceIn10Seconds(t *testing.T) {
	l := New(Config{})
	r := l.Alerts().Subscribe(0)
	for i := range 250 { // 25 s of ten a second
		l.Note(denied("btn-1", "a", time.Duration(i)*100*time.Millisecond))
	}
	l.Note(denied("btn-1", "a", -time.Hour)) // the clock was set back
	var counts []uint64
	for {
		item, ok, err := r.Poll()
		if err != nil && !errors.Is(err, feed.ErrLagged) {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		counts = append(counts, item.Value.Count)
	}
	if fmt.Sprint(counts) != "[1 101 201 251]" {
		t.Errorf("told at counts %v", counts)
	}
}

func TestNote_OneClientCannotPushOutTheOthers(t *testing.T) {
	l := New(Config{MaxGroups: 100, PerClient: 10})
	l.Note(denied("victim", "a", 0))
	for i := range 5000 {
		l.Note(denied("noisy", fmt.Sprintf("t/%d", i), time.Second))
		l.Note(Event{At: start, Kind: Refused, Client: fmt.Sprintf("x%d", i), Reason: "credentials"})
	}
	if len(l.List(Query{Client: "victim"})) != 1 {
		t.Error("the victim's group is gone")
	}
	noisy := l.List(Query{Client: "noisy"})
	if len(noisy) != 10 || noisy[0].Last.Topic != others || noisy[0].Count != 5000-9 {
		t.Errorf("%d groups of the noisy one: %+v", len(noisy), noisy[0])
	}
	if refused := l.List(Query{Kind: Refused}); len(refused) != 25 || refused[0].Last.Client != others {
		t.Errorf("%d groups of refused ones", len(refused))
	}
}

func TestNote_QuietestGroupIsDroppedAndCounted(t *testing.T) {
	l := New(Config{MaxGroups: 3})
	for i, client := range []string{"a", "b", "c", "a", "d"} {
		l.Note(denied(client, "t", time.Duration(i)*time.Second))
	}
	groups, dropped := l.Counts()
	if groups != 3 || dropped != 1 || len(l.List(Query{Client: "b"})) != 0 || len(l.List(Query{Client: "a"})) != 1 {
		t.Errorf("%d groups, %d dropped: %+v", groups, dropped, l.List(Query{}))
	}
}

func TestList_PagesAndFilters(t *testing.T) {
	l := New(Config{})
	for i := range 25 {
		l.Note(denied(fmt.Sprintf("c%d", i%5), fmt.Sprintf("t%d", i), time.Duration(i)*time.Second))
	}
	var seen []uint64
	for before := uint64(0); ; {
		page := l.List(Query{Before: before, Limit: 10})
		for _, g := range page {
			seen = append(seen, g.ID)
		}
		if len(page) < 10 {
			break
		}
		before = page[9].ID
	}
	if len(seen) != 25 || seen[0] != 25 || seen[24] != 1 {
		t.Errorf("%v", seen)
	}
	if n := len(l.List(Query{Client: "c1", Since: start.Add(10 * time.Second)})); n != 3 {
		t.Errorf("%d of c1 since then", n)
	}
	if len(l.List(Query{Action: "subscribe"}))+len(l.List(Query{Kind: Limited})) != 0 {
		t.Error("filters let through")
	}
}

func TestNote_NeverHoldsMoreThanItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Config{MaxGroups: rapid.IntRange(1, 12).Draw(t, "max"), PerClient: rapid.IntRange(1, 6).Draw(t, "per client")}
		l := New(c)
		noted := uint64(0)
		for range rapid.IntRange(0, 200).Draw(t, "events") {
			l.Note(Event{
				At: start, Kind: rapid.SampledFrom([]Kind{Denied, Refused, Limited}).Draw(t, "kind"),
				Client: rapid.StringMatching(`[a-c]`).Draw(t, "client"), Topic: rapid.StringMatching(`[a-h]`).Draw(t, "topic"),
				Reason: rapid.StringMatching(`[xy]`).Draw(t, "reason"),
			})
			noted++
			perClient := map[string]int{}
			var counted uint64
			all := l.List(Query{})
			for _, g := range all {
				counted += g.Count
				if g.Last.Kind != Refused {
					perClient[g.Last.Client]++
				}
			}
			if len(all) > c.MaxGroups || l.byUse.Len() != len(l.groups) || counted > noted {
				t.Fatalf("%d groups, %d in order, %d of %d events", len(all), l.byUse.Len(), counted, noted)
			}
			for client, n := range perClient {
				if n > min(c.PerClient, c.MaxGroups) {
					t.Fatalf("%d groups of %s", n, client)
				}
			}
		}
	})
}

func TestNote_FloodOfOneGroupDoesNotAllocate(t *testing.T) {
	l := New(Config{})
	e := denied("btn-1", "obedio/yacht-1/cabin-101/button/btn-2/press", 0)
	l.Note(e)
	if n := testing.AllocsPerRun(100, func() { l.Note(e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkNote(b *testing.B) {
	l := New(Config{})
	e := denied("btn-1", "obedio/yacht-1/cabin-101/button/btn-2/press", 0)
	for b.Loop() {
		l.Note(e)
	}
}

func TestNote_KeepsLittleOfALongTopic(t *testing.T) {
	l := New(Config{})
	l.Note(denied("btn-1", strings.Repeat("x", 60_000), 0))
	if got := l.List(Query{})[0].Last.Topic; len(got) > maxText+len("…") {
		t.Errorf("%d bytes kept", len(got))
	}
}
