package hub_test

import "testing"

// The hub announces its stop while the broker stops too: neither may wait for the
// other.
func TestStop_EndsHoweverTheBrokerAndTheLastWordMeet(t *testing.T) {
	for range 40 {
		t.Run("", func(t *testing.T) {
			r := start(t)
			r.device("btn-001")
			r.dial("btn-001")
		})
	}
}
