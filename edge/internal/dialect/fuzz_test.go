package dialect_test

import (
	"errors"
	"testing"

	"github.com/obedio/obedio/edge/internal/dialect"
	"github.com/obedio/obedio/shared/fleet"
)

// FuzzDecode feeds everything that devices send to every reader.
func FuzzDecode_NeverPanicsAndWhatIsReadIsUsable(f *testing.F) {
	for _, seed := range []string{
		`{"device_id":"btn-1","battery":0,"rssi":-45,"timestamp":"2025-08-16T12:00:00Z"}`, `[{"t":1},{"t":2.5e3}]`, `{"deviceId":7}`,
		`{"press_type":"long","sequence_id":18446744073709551615,"boot_id":"b"}`, `{"a":{"a":[[[]]]}}`, `{"":null,"":1}`, `[`, `"\u0000"`,
		`{"action":"accept","version":2}`, `[{"t":1e400}]`, "\x1f\x8b\x08", "\x28\xb5\x2f\xfd", `{"command_id":"018f3f5e-7b1a-7c3d-8e9f-0123456789ab","status":"failed","result":{"x":1}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		batch, err := dialect.DecodeBatch(payload, limit)
		if err != nil {
			if !errors.Is(err, fleet.ErrInvalid) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		for _, v := range batch {
			if m, err := dialect.ReadTelemetry(v, "btn-1"); err == nil && m.Battery != nil && (*m.Battery < 0 || *m.Battery > 100) {
				t.Fatalf("battery %d", *m.Battery)
			}
			if p, err := dialect.ReadPress(v, "btn-1"); err == nil && (p.Type == "" || p.Priority == "") {
				t.Fatalf("half a press: %+v", p)
			}
			_, _ = dialect.ReadAnswer(v)
			_, _ = dialect.ReadWatchAction(v)
			dialect.Numbers(v)
		}
	})
}
