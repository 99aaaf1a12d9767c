package wire_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
	"github.com/obedio/obedio/shared/wire"
)

func TestRecord_GoesThroughTheWireUnchanged(t *testing.T) {
	for seed := range uint64(30) {
		story := fleettest.NewStory(seed)
		for range 100 {
			want := story.Next()
			b, err := wire.EncodeRecord(want)
			if err != nil {
				t.Fatal(err)
			}
			again, err := wire.EncodeRecord(want)
			if err != nil || !bytes.Equal(b, again) {
				t.Fatalf("two encodings of one record differ: %v", err)
			}
			got, err := wire.DecodeRecord(want.Body.Lane(), b)
			if err != nil {
				t.Fatal(err)
			}
			if p, ok := want.Body.(fleet.Pressed); ok {
				p.ReceivedAt = want.At // the record's time is the press's
				want.Body = p
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("seed %d (-want +got):\n%s", seed, d)
			}
		}
	}
}

func TestRecord_OnTheWrongLaneIsRefused(t *testing.T) {
	b, err := wire.EncodeRecord(fleet.Record{
		Actor: fleet.System("x"), Body: fleet.EpochOpened{Device: "d", BootID: "b", Cause: "first"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wire.DecodeRecord(fleet.LaneCommands, b); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestOrder_GoesThroughTheWireUnchanged(t *testing.T) {
	at := fleet.Millis(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC))
	device := fleet.Device{
		ID: "btn-1", Type: fleet.Button, Room: "cabin-1", Profile: "button", Version: 7, CreatedAt: at, UpdatedAt: at,
	}
	for _, body := range []fleet.OrderBody{
		fleet.SendCommand{Command: fleet.NewUUID[fleet.CommandID](at), Device: "w-1", Name: "locate", Args: []byte(`{"a":1}`), Job: fleet.NewUUID[fleet.JobID](at)},
		fleet.SendCommand{Command: fleet.NewUUID[fleet.CommandID](at), Device: "w-1", Name: "locate"},
		fleet.CancelCommand{Command: fleet.NewUUID[fleet.CommandID](at)},
		fleet.PutDevice{Device: device, IfVersion: 6},
		fleet.RemoveDevice{Device: "btn-1", IfVersion: 6},
	} {
		want := fleet.Order{
			Number: 3, ID: fleet.NewUUID[fleet.OrderID](at), CreatedAt: at, ExpiresAt: at.Add(time.Hour),
			Actor: fleet.Actor{Kind: fleet.ActorUser, ID: "u", Name: "Owner"}, Body: body,
		}
		m, err := wire.EncodeOrder(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := wire.DecodeOrder(m)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

func TestState_ZeroBatteryIsAValueAndNoBatteryIsNone(t *testing.T) {
	zero, dbm, up := 0, -71, int64(12)
	for _, want := range []fleet.DeviceState{
		{ID: "a", Presence: fleet.Ready, Battery: &zero, Signal: &dbm, UptimeS: &up, Version: 9, Since: time.UnixMilli(5).UTC()},
		{ID: "b", Presence: fleet.NeverSeen, Version: 1},
	} {
		got, err := wire.DecodeState(wire.EncodeState(want))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

func FuzzDecodeRecord_NeverPanicsAndWhatItTakesFolds(f *testing.F) {
	story := fleettest.NewStory(1)
	for range 50 {
		r := story.Next()
		b, err := wire.EncodeRecord(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(r.Body.Lane()), b)
	}
	f.Fuzz(func(t *testing.T, l uint8, b []byte) {
		r, err := wire.DecodeRecord(fleet.Lane(l), b)
		if err != nil {
			if !errors.Is(err, fleet.ErrInvalid) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		if _, err := fleet.Apply(fleettest.NewMemory(), r); err != nil && !errors.Is(err, fleet.ErrState) && !errors.Is(err, fleet.ErrInvalid) {
			t.Fatalf("fold: %v", err)
		}
	})
}

// What was stored and hashed by an earlier build must be read by every later
// one: these bytes never change.
func TestRecord_PolicyKeepsItsBytes(t *testing.T) {
	at := time.UnixMilli(1_780_000_000_123).UTC()
	want := fleet.Record{
		At: at, ClockTrusted: true, Actor: fleet.Actor{Kind: fleet.ActorUser, ID: "u-1", Name: "Mila"},
		Body: fleet.PolicyChanged{Document: fleet.Document{
			Kind: fleet.DocumentProfile, Name: "quiet", UpdatedAt: at, Version: 3, Body: []byte(`{"max_qos":0}`),
		}},
	}
	const golden = "08fb909282e733" + "1001" + "1a0d" + "0801" + "1203752d31" + "22044d696c61" +
		"8a022a" + "0a28" + "0a0770726f66696c65" + "12057175696574" + "18fb909282e733" + "2003" + "320d7b226d61785f716f73223a307d"
	b, err := wire.EncodeRecord(want)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(b); got != golden {
		t.Errorf("got  %s\nwant %s", got, golden)
	}
	b, err = hex.DecodeString(golden)
	if err != nil {
		t.Fatal(err)
	}
	got, err := wire.DecodeRecord(fleet.LaneRegistry, b)
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

func TestRecord_AlertKeepsItsBytes(t *testing.T) {
	at := time.UnixMilli(1_780_000_000_123).UTC()
	by := fleet.Actor{Kind: fleet.ActorUser, ID: "u-1", Name: "Mila"}
	want := fleet.Record{
		At: at, ClockTrusted: true, Actor: by,
		Body: fleet.AlertChanged{Alert: fleet.Alert{
			ID: "019e6f2f-607b-7000-8000-000000000001", Kind: "devices_missing", Severity: fleet.AlertCritical, SubjectKind: fleet.AlertOfSite,
			Room: "deck-1", State: fleet.AlertAcknowledged, Since: at, RaisedAt: at, Occurrences: 2, Count: 700, Members: []string{"btn-1"},
			AcknowledgedAt: at, AcknowledgedBy: &by, AcknowledgedCount: 700, UpdatedAt: at, Detail: map[string]string{"rooms": "deck-1 700"}, Version: 3,
		}},
	}
	const golden = "08fb909282e73310011a0d08011203752d3122044d696c61a2028c010a89010a10019e6f2f607b70008000000000000001120f646576696365735f6d697373696e67180322047369746532066465636b2d31380240fb909282e73348fb909282e733500258bc05620562746e2d3168fb909282e733720d08011203752d3122044d696c6178bc059801fb909282e733a201130a05726f6f6d73120a6465636b2d3120373030a80103"
	b, err := wire.EncodeRecord(want)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(b); got != golden {
		t.Errorf("got  %s\nwant %s", got, golden)
	}
	b, err = hex.DecodeString(golden)
	if err != nil {
		t.Fatal(err)
	}
	got, err := wire.DecodeRecord(fleet.LaneRegistry, b)
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

// The bytes of a release must be read by every later one.
func TestTrafficRow_GoldenBytes(t *testing.T) {
	want := fleet.TrafficRow{
		Device: "btn-1", Type: fleet.Button, Room: "cabin-1",
		Counts: fleet.TrafficCounts{MessagesIn: 300, MessagesOut: 2, BytesIn: 60_000, BytesOut: 4, Dropped: 5, Denied: 6, Reconnects: 7},
		Fields: []fleet.TrafficField{{Name: "battery", Count: 300, Min: 1, Max: 99.5, Last: 50}},
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(wire.EncodeTrafficRow(want))
	if err != nil {
		t.Fatal(err)
	}
	const golden = "0a0562746e2d311206627574746f6e1a07636162696e2d3120ac02280230e0d40338044005480650075a270a076261747465727910ac0219000000000000f03f210000000000e05840290000000000004940"
	if got := hex.EncodeToString(b); got != golden {
		t.Errorf("got  %s\nwant %s", got, golden)
	}
	if b, err = hex.DecodeString(golden); err != nil {
		t.Fatal(err)
	}
	var m pb.SummaryRow
	if err := proto.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	got, err := wire.DecodeTrafficRow(&m)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
