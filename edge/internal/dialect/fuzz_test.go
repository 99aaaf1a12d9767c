package dialect_test

import (
	"testing"

	"github.com/obedio/obedio/edge/internal/dialect"
)

// FuzzDecode feeds everything that devices send to every reader: none may
// panic, and what is read must be usable.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"device_id":"btn-1","battery":0,"rssi":-45,"timestamp":"2025-08-16T12:00:00Z"}`, `[{"t":1},{"t":2.5e3}]`, `{"deviceId":7}`,
		`{"press_type":"long","sequence_id":18446744073709551615,"boot_id":"b"}`, `{"a":{"a":[[[]]]}}`, `{"":null,"":1}`, `[`, `"\u0000"`,
		"\x1f\x8b\x08", "\x28\xb5\x2f\xfd", `{"command_id":"018f3f5e-7b1a-7c3d-8e9f-0123456789ab","status":"failed","result":{"x":1}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		batch, err := dialect.DecodeBatch(payload, limit)
		if err != nil {
			return
		}
		for _, v := range batch {
			if m, err := dialect.ReadTelemetry(v, "btn-1"); err == nil && m.Battery != nil && (*m.Battery < 0 || *m.Battery > 100) {
				t.Fatalf("battery %d", *m.Battery)
			}
			_, _ = dialect.ReadPress(v, "btn-1")
			_, _ = dialect.ReadAnswer(v)
			_, _ = dialect.ReadWatchAction(v)
			dialect.Numbers(v)
		}
	})
}
