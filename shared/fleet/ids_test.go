package fleet_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

func TestParseDeviceID_TakesOneTopicLevelAndNothingElse(t *testing.T) {
	for _, good := range []string{"btn-001", "a", "0", "A.b_c-9", strings.Repeat("x", 64)} {
		if _, err := fleet.ParseDeviceID(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "-a", ".a", "a/b", "a+", "#", "$a", "a b", "ä", "a\x00", strings.Repeat("x", 65)} {
		if _, err := fleet.ParseDeviceID(bad); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestUUID_GoesThroughTextAndBytesUnchanged(t *testing.T) {
	at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	first := fleet.NewUUID[fleet.RequestID](at)
	later := fleet.NewUUID[fleet.RequestID](at.Add(time.Millisecond))
	if first >= later {
		t.Errorf("ids do not sort by time: %s, %s", first, later)
	}
	b, err := fleet.UUIDBytes(first)
	if err != nil {
		t.Fatal(err)
	}
	if got := fleet.FormatUUID(b); got != string(first) {
		t.Errorf("got %s, want %s", got, first)
	}
	if v := first[14]; v != '7' {
		t.Errorf("version %c", v)
	}
	for _, bad := range []string{"", "x", strings.ToUpper(string(later[:35]) + "a"), string(first[:35]), "0190163d_8694-739b-aea5-966c26f8ad91"} {
		if _, err := fleet.ParseUUID[fleet.RequestID]("request_id", bad); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
