package load

import "testing"

// Without acknowledgements only a hub's own count tells what is lost; another
// broker has none.
func TestReport_CountsAsLostOnlyWhatSomebodyCouldTell(t *testing.T) {
	for _, c := range []struct {
		name string
		Config
		want int64
	}{
		{"hub, QoS 0", Config{}, 10 - 8},
		{"hub, QoS 1", Config{QoS: 1}, 10 - 7},
		{"peer, QoS 0", Config{Peer: true}, 0},
		{"peer, QoS 1", Config{Peer: true, QoS: 1}, 10 - 7},
	} {
		l := &load{c: c.Config, connects: newHistogram(), pubacks: newHistogram(), receipts: newHistogram()}
		l.sent.Store(10)
		l.acked.Store(7)
		var r Report
		l.fill(&r, 1, 8)
		if r.Lost != c.want {
			t.Errorf("%s: %d lost, want %d", c.name, r.Lost, c.want)
		}
	}
}
