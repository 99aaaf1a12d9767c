package traffic_test

import (
	"errors"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/edge/internal/traffic"
	"github.com/obedio/obedio/shared/fleet"
)

// twoHours is a little traffic of two hours, the second of which is not over.
func twoHours(b *bench) {
	for i := range 90 {
		b.record(1, "status")
		if i%3 == 0 {
			m := b.message(2, "press")
			m.Room, m.Topic = "cabin-2", "obedio/yacht-1/cabin-2/button/btn-002/press"
			b.r.Record(m)
			o := b.message(2, "cmd/receipt")
			o.Room, o.Direction, o.Size = "cabin-2", traffic.Outbound, 50
			b.r.Record(o)
		}
		b.r.Observe("btn-001", b.now, []traffic.Number{{Name: "battery", Value: float64(100 - i)}})
		if i == 10 {
			b.r.Denied("btn-002", b.now)
			b.r.Dropped("btn-002", b.now)
			b.r.Reconnected("btn-001", b.now)
		}
		b.must(b.r.Flush())
		b.now = b.now.Add(time.Minute)
	}
}

func TestMetrics_SumUpByWhatWasAsked(t *testing.T) {
	b := newBench(t, nil)
	defer func() { b.must(b.r.Close()) }()
	twoHours(b)
	b.restart() // in the middle of an hour
	keys := func(q traffic.MetricsQuery) map[string]uint64 {
		t.Helper()
		q.From, q.To = start, b.now
		m, err := b.r.Metrics(t.Context(), q)
		b.must(err)
		out := map[string]uint64{}
		for _, s := range m.Series {
			out[s.Key] = s.Totals.Messages()
		}
		return out
	}
	for name, c := range map[string]struct {
		q    traffic.MetricsQuery
		want map[string]uint64
	}{
		"all":       {traffic.MetricsQuery{}, map[string]uint64{"": 150}},
		"by hours":  {traffic.MetricsQuery{Bucket: time.Hour}, map[string]uint64{"": 150}},
		"device":    {traffic.MetricsQuery{Group: traffic.GroupDevice}, map[string]uint64{"btn-001": 90, "btn-002": 60}},
		"room":      {traffic.MetricsQuery{Group: traffic.GroupRoom, Bucket: time.Hour}, map[string]uint64{"cabin-1": 90, "cabin-2": 60}},
		"type":      {traffic.MetricsQuery{Group: traffic.GroupType}, map[string]uint64{"button": 150}},
		"direction": {traffic.MetricsQuery{Group: traffic.GroupDirection}, map[string]uint64{"inbound": 120, "outbound": 30}},
		"top":       {traffic.MetricsQuery{Group: traffic.GroupDevice, Top: 1}, map[string]uint64{"btn-001": 90, traffic.Others: 60}},
		"one":       {traffic.MetricsQuery{Device: "btn-002"}, map[string]uint64{"": 60}},
	} {
		if d := gocmp.Diff(c.want, keys(c.q)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	m, err := b.r.Metrics(t.Context(), traffic.MetricsQuery{From: start, To: b.now, Bucket: time.Hour, Device: "btn-001"})
	b.must(err)
	want := []traffic.FieldSeries{{Name: "battery", Points: []traffic.FieldPoint{
		{At: start, TrafficField: fleet.TrafficField{Name: "battery", Count: 60, Min: 41, Max: 100, Last: 41}},
		{At: start.Add(time.Hour), TrafficField: fleet.TrafficField{Name: "battery", Count: 30, Min: 11, Max: 40, Last: 11}},
	}}}
	if d := gocmp.Diff(want, m.Fields); d != "" || m.Totals.Reconnects != 1 {
		t.Errorf("%d reconnects, want 1; fields (-want +got):\n%s", m.Totals.Reconnects, d)
	}
	for name, q := range map[string]traffic.MetricsQuery{
		"range":   {From: b.now, To: start},
		"bucket":  {From: start, To: b.now, Bucket: 90 * time.Minute},
		"seconds": {From: start, To: b.now, Bucket: 90 * time.Second},
		"points":  {From: start, To: start.AddDate(1, 0, 0), Bucket: time.Minute},
		"group":   {From: start, To: b.now, Group: "colour"},
	} {
		if _, err := b.r.Metrics(t.Context(), q); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
}

func TestMetrics_FollowADeviceThatUsesOtherTopicsThanItsOwn(t *testing.T) {
	var kind fleet.DeviceType
	var room fleet.RoomID
	b := newBench(t, func(c *traffic.Config) {
		c.Place = func(string) (fleet.DeviceType, fleet.RoomID) { return kind, room }
	})
	defer func() { b.must(b.r.Close()) }()
	hear := func() {
		m := b.message(1, "press")
		m.Device, m.Direction, m.Type, m.Room = "watch-1", traffic.Outbound, "", ""
		b.r.Record(m)
		b.must(b.r.Flush())
	}
	hear() // before anybody knows it
	kind, room = fleet.Watch, "cabin-1"
	hear() // still taken for unknown
	hear()
	b.restart()
	room = "cabin-2"
	hear() // still taken to be in the room before
	hear()
	hear()
	b.now = b.now.Add(time.Minute)
	m, err := b.r.Metrics(t.Context(), traffic.MetricsQuery{From: start, To: b.now, Group: traffic.GroupRoom})
	b.must(err)
	got := map[string]uint64{}
	for _, s := range m.Series {
		got[s.Key] = s.Totals.Messages()
	}
	if d := gocmp.Diff(map[string]uint64{"": 2, "cabin-1": 2, "cabin-2": 2}, got); d != "" {
		t.Errorf("messages by room (-want +got):\n%s", d)
	}
	d, err := b.r.Device(t.Context(), "watch-1")
	b.must(err)
	if d.Type != fleet.Watch || d.Room != "cabin-2" || len(d.Topics) != 1 || d.Day.Messages() != 6 {
		t.Errorf("device: %+v", d)
	}
}

func TestDevice_IsAtAGlance(t *testing.T) {
	b := newBench(t, nil)
	defer func() { b.must(b.r.Close()) }()
	twoHours(b)
	d, err := b.r.Device(t.Context(), "btn-002")
	b.must(err)
	if d.Room != "cabin-1" && d.Room != "cabin-2" || d.Last == nil || d.Day.Messages() != 60 || d.Hour.Messages() != 40 || d.Day.Denied != 1 || d.Day.Dropped != 1 {
		t.Errorf("device: %+v", d)
	}
	if len(d.Topics) != 2 || d.Topics[1].Direction != traffic.Inbound && d.Topics[0].Direction != traffic.Inbound {
		t.Errorf("topics: %v", d.Topics)
	}
	d, err = b.r.Device(t.Context(), "btn-001")
	b.must(err)
	if want := []fleet.TrafficField{{Name: "battery", Count: 90, Min: 11, Max: 100, Last: 11}}; gocmp.Diff(want, d.Fields) != "" {
		t.Errorf("fields: %v, want %v", d.Fields, want)
	}
	d, err = b.r.Device(t.Context(), "nobody")
	b.must(err)
	if d.Last != nil || len(d.Topics) > 0 {
		t.Errorf("a device that never spoke: %+v", d)
	}
}

func TestHours_GoUpAgainToAConsoleThatLacksThem(t *testing.T) {
	b := newBench(t, nil)
	defer func() { b.must(b.r.Close()) }()
	count := func() int {
		n, err := b.r.PendingCount(t.Context())
		b.must(err)
		return n
	}
	twoHours(b)
	if n := count(); n != 1 { // the second hour is not over
		t.Errorf("%d hours are pending, want 1", n)
	}
	b.now = start.Add(3*time.Hour + time.Minute)
	b.must(b.r.Flush())
	pending, err := b.r.PendingHours(t.Context(), 10)
	b.must(err)
	b.must(b.r.AckHours(t.Context(), pending))
	if n := count(); n != 0 {
		t.Errorf("%d hours are pending after all were acknowledged", n)
	}
	b.must(b.r.ResendHours(t.Context(), start.Add(time.Hour)))
	b.crash() // durable at once
	again, err := b.r.PendingHours(t.Context(), 10)
	b.must(err)
	if len(again) != 1 || again[0] != pending[0] {
		t.Errorf("pending: %v, want %v", again, pending[:1])
	}
	b.must(b.r.ResendHours(t.Context(), time.Time{}))
	if n := count(); n != 2 {
		t.Errorf("%d hours are pending, want all", n)
	}
}

func TestHours_StayPendingUntilTheConsoleHoldsThem(t *testing.T) {
	b := newBench(t, nil)
	defer func() { b.must(b.r.Close()) }()
	twoHours(b)
	b.now = start.Add(3*time.Hour + time.Minute)
	b.must(b.r.Flush())
	pending, err := b.r.PendingHours(t.Context(), 10)
	b.must(err)
	if len(pending) != 2 || !pending[0].Start.Equal(start.Add(time.Hour)) || !pending[1].Start.Equal(start) {
		t.Fatalf("pending: %v, want the two hours, the newest first", pending)
	}
	h, err := b.r.HourSummaries(t.Context(), pending[1].Start)
	b.must(err)
	if len(h.Rows) != 2 || h.Rows[0].Device != "btn-001" || h.Rows[0].Counts.MessagesIn != 60 || h.Rows[1].Counts.Denied != 1 || h.HourRef != pending[1] {
		t.Errorf("hour: %+v", h)
	}
	// The clock comes back to the first hour while the console is being told.
	b.now = start.Add(30 * time.Minute)
	b.record(3, "status")
	b.must(b.r.Flush())
	b.now = start.Add(3*time.Hour + 2*time.Minute)
	b.must(b.r.Flush())
	b.must(b.r.AckHours(t.Context(), pending))
	b.crash() // an acknowledgement is durable at once
	left, err := b.r.PendingHours(t.Context(), 10)
	b.must(err)
	if len(left) != 1 || !left[0].Start.Equal(start) || left[0].Version == pending[1].Version {
		t.Fatalf("pending: %v, want the hour that has changed meanwhile, anew", left)
	}
	h, err = b.r.HourSummaries(t.Context(), start)
	b.must(err)
	if len(h.Rows) != 3 {
		t.Errorf("%d devices in the hour, want 3", len(h.Rows))
	}
	if _, err := b.r.HourSummaries(t.Context(), start.Add(3*time.Hour)); !errors.Is(err, fleet.ErrNotFound) {
		t.Errorf("an hour that is not over: %v, want ErrNotFound", err)
	}
}

func TestHourlyField_IsOfAllDevicesInTheOrderOfTime(t *testing.T) {
	b := newBench(t, nil)
	defer func() { b.must(b.r.Close()) }()
	twoHours(b)
	got, err := b.r.HourlyField(t.Context(), "battery", start)
	b.must(err)
	var last []float64
	for _, p := range got["btn-001"] {
		last = append(last, p.Last)
	}
	if d := gocmp.Diff([]float64{41, 11}, last); d != "" || len(got) != 1 {
		t.Errorf("%d devices: %s", len(got), d)
	}
	if got, err := b.r.HourlyField(t.Context(), "voltage", start); err != nil || len(got) != 0 {
		t.Errorf("%v %v", got, err)
	}
}
