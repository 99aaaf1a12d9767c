package audit_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/shared/audit"
	"github.com/obedio/obedio/shared/fleet"
)

var start = time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)

// history is an audit in memory.
type history map[fleet.Ref][]byte

func (h history) put(e fleet.Entity) {
	b, err := fleet.EncodeEntity(e)
	if err != nil {
		panic(err)
	}
	h[e.Ref()] = b
}

// grow appends n entries to a chain, which continues the entry with the hash
// prev when it is new. It returns the hash of the last.
func (h history) grow(chain fleet.Epoch, prev string, n int, at time.Time) string {
	var head fleet.AuditHead
	if b := h[fleet.AuditHeadRef(chain)]; b != nil {
		if err := json.Unmarshal(b, &head); err != nil {
			panic(err)
		}
		prev = head.Hash
	}
	for range n {
		e := fleet.AuditEntry{
			Chain: chain, N: head.N + 1, At: at, Actor: fleet.System("x"), Action: "device.moved",
			Target: fmt.Sprint("btn-", head.N+1), Prev: prev,
		}
		if e.N%2 == 0 {
			e.Action, e.Actor = "room.added", fleet.Actor{Kind: fleet.ActorUser, ID: "u-1", Name: "Mila"}
		}
		e.Hash = e.Sum()
		head, prev, at = fleet.AuditHead{Chain: chain, N: e.N, Hash: e.Hash}, e.Hash, at.Add(time.Second)
		h.put(e)
	}
	h.put(head)
	return prev
}

func (h history) change(t *testing.T, chain fleet.Epoch, n uint64, fn func(*fleet.AuditEntry)) {
	t.Helper()
	var e fleet.AuditEntry
	if err := json.Unmarshal(h[fleet.AuditEntryRef(chain, n)], &e); err != nil {
		t.Fatal(err)
	}
	ref := e.Ref()
	fn(&e)
	b, err := fleet.EncodeEntity(e)
	if err != nil {
		t.Fatal(err)
	}
	h[ref] = b
}

func places(all []fleet.AuditEntry) (out []string) {
	for _, e := range all {
		out = append(out, fmt.Sprintf("%s%d", e.Chain, e.N))
	}
	return out
}

// restored is a history of three chains: b continues a, c continues b, and the
// clock of b was far behind.
func restored() history {
	h := history{}
	last := h.grow("a", "", 5, start)
	last = h.grow("b", last, 3, start.AddDate(-10, 0, 0))
	h.grow("c", last, 4, start.Add(time.Hour))
	return h
}

func TestList_IsNewestFirstWhateverTheClockSaid(t *testing.T) {
	src := audit.Of(restored())
	want := []string{"c4", "c3", "c2", "c1", "b3", "b2", "b1", "a5", "a4", "a3", "a2", "a1"}
	for _, limit := range []int{1, 2, 5, 12, 100} {
		var got []string
		var at audit.Place
		for {
			page, next, err := audit.List(src, audit.Filter{}, at, limit, 1000)
			if err != nil || len(page) > limit {
				t.Fatalf("%d entries, %v", len(page), err)
			}
			got = append(got, places(page)...)
			if next == nil {
				break
			}
			at = *next
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("pages of %d: %s", limit, d)
		}
	}
	var up []string
	var at audit.Place
	for {
		page, next, err := audit.Export(src, audit.Filter{}, at, 5, 5)
		if err != nil {
			t.Fatal(err)
		}
		up = append(up, places(page)...)
		if next == nil {
			break
		}
		at = *next
	}
	slices.Reverse(want)
	if d := cmp.Diff(want, up); d != "" {
		t.Errorf("export: %s", d)
	}
}

func TestList_LooksAtABoundedNumberOfEntries(t *testing.T) {
	h := history{}
	h.grow("a", "", 100, start)
	page, next, err := audit.List(audit.Of(h), audit.Filter{Target: "btn-3"}, audit.Place{}, 10, 60)
	if err != nil || len(page) != 0 || next == nil || next.N != 41 {
		t.Fatalf("%v, %+v, %v", page, next, err)
	}
	page, next, err = audit.List(audit.Of(h), audit.Filter{Target: "btn-3"}, *next, 10, 60)
	if err != nil || fmt.Sprint(places(page)) != "[a3]" || next != nil {
		t.Fatalf("%v, %+v, %v", page, next, err)
	}
	if _, _, err := audit.List(audit.Of(h), audit.Filter{}, audit.Place{Chain: "z", N: 1}, 10, 60); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("a place of another audit: %v", err)
	}
}

func TestFilter_AsksForWhatItNames(t *testing.T) {
	src := audit.Of(restored())
	for _, c := range []struct {
		f    audit.Filter
		want string
	}{
		{audit.Filter{Action: "room."}, "[c4 c2 b2 a4 a2]"},
		{audit.Filter{Action: "device.movedd"}, "[]"},
		{audit.Filter{Target: "btn-3"}, "[c3 b3 a3]"},
		{audit.Filter{Actor: "Mila", Chain: "a"}, "[a4 a2]"},
		{audit.Filter{Actor: "u-1", Chain: "a"}, "[a4 a2]"},
		{audit.Filter{Chain: "b"}, "[b3 b2 b1]"},
		{audit.Filter{From: start.Add(2 * time.Second), To: start.Add(time.Minute)}, "[a5 a4 a3]"},
		{audit.Filter{To: start}, "[b3 b2 b1]"},
	} {
		got, _, err := audit.List(src, c.f, audit.Place{}, 100, 1000)
		if err != nil || fmt.Sprint(places(got)) != c.want {
			t.Errorf("%+v: %v, %v, want %s", c.f, places(got), err, c.want)
		}
	}
}

func TestVerify_ChainsThatContinueEachOtherAreGood(t *testing.T) {
	got, err := audit.Verify(audit.Of(restored()), true)
	if err != nil || len(audit.Wrong(got)) > 0 || len(got) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	if got[0].Continues != nil || *got[1].Continues != (audit.Place{Chain: "a", N: 5}) || *got[2].Continues != (audit.Place{Chain: "b", N: 3}) {
		t.Errorf("%+v", got)
	}
	if got[0].Entries != 5 || got[0].Head == "" {
		t.Errorf("%+v", got[0])
	}
}

func TestVerify_NamesTheFirstEntryThatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(history)
		chain fleet.Epoch
		bad   uint64
		says  string
	}{
		"another target": {func(h history) { h.change(t, "b", 2, func(e *fleet.AuditEntry) { e.Target = "x" }) }, "b", 2, "entry 2 is not what was written"},
		"sealed again": {func(h history) {
			h.change(t, "b", 2, func(e *fleet.AuditEntry) { e.Target = "x"; e.Hash = e.Sum() })
		}, "b", 3, "entry 3 does not continue entry 2"},
		"the last sealed again": {func(h history) {
			h.change(t, "c", 4, func(e *fleet.AuditEntry) { e.Target = "x"; e.Hash = e.Sum() })
		}, "c", 4, "entry 4 is not what the head says"},
		"taken out":     {func(h history) { delete(h, fleet.AuditEntryRef("a", 3)) }, "a", 3, "entry 4 follows entry 2"},
		"the first two": {func(h history) { delete(h, fleet.AuditEntryRef("a", 1)); delete(h, fleet.AuditEntryRef("a", 2)) }, "a", 1, "those before are missing"},
		"the end":       {func(h history) { delete(h, fleet.AuditEntryRef("c", 4)) }, "c", 4, "entry 4 is missing"},
		"all but head": {func(h history) {
			for n := range uint64(4) {
				delete(h, fleet.AuditEntryRef("c", n+1))
			}
		}, "c", 1, "entry 1 is missing"},
		"the head":     {func(h history) { delete(h, fleet.AuditHeadRef("b")) }, "b", 3, "no head"},
		"bytes":        {func(h history) { h[fleet.AuditEntryRef("b", 2)] = []byte("{") }, "b", 2, "entry 2: it cannot be read"},
		"head's bytes": {func(h history) { h[fleet.AuditHeadRef("b")] = []byte("{") }, "b", 3, "cannot be read"},
		"of another":   {func(h history) { h.change(t, "b", 1, func(e *fleet.AuditEntry) { e.Chain = "a"; e.Hash = e.Sum() }) }, "b", 1, "is one of chain a"},
		"a whole chain": {func(h history) {
			for ref := range h {
				if strings.HasPrefix(ref.ID, "b") {
					delete(h, ref)
				}
			}
		}, "c", 1, "continues an entry that is not here"},
	} {
		h := restored()
		c.spoil(h)
		got, err := audit.Verify(audit.Of(h), true)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, one := range got {
			if one.Chain == c.chain && (one.OK || one.FirstBad != c.bad || !strings.Contains(one.What, c.says)) {
				t.Errorf("%s: entry %d: %s", name, one.FirstBad, one.What)
			}
			if one.Chain == "a" && c.chain != "a" && !one.OK {
				t.Errorf("%s: the first chain is blamed: %s", name, one.What)
			}
		}
	}
}

func TestVerify_WhereOnlyPartsAreSentTheLinkMayBeMissing(t *testing.T) {
	h := history{}
	last := h.grow("a", "", 5, start)
	h.grow("a", "", 2, start.Add(time.Minute)) // told of after the backup from which b comes
	h.grow("b", last, 3, start.Add(time.Hour))
	h.grow("c", strings.Repeat("0", 64), 3, start.Add(2*time.Hour))
	got, err := audit.Verify(audit.Of(h), false)
	if err != nil || len(audit.Wrong(got)) > 0 || *got[1].Continues != (audit.Place{Chain: "a", N: 5}) || got[2].Continues != nil {
		t.Errorf("%+v, %v", got, err)
	}
}
