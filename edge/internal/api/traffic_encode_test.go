package api

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/obedio/obedio/edge/internal/traffic"
	"github.com/obedio/obedio/shared/fleet"
)

func TestLive_BatchIsWhatReflectionWouldWrite(t *testing.T) {
	text := rapid.OneOf(
		rapid.StringMatching(`[a-z0-9/_-]{0,20}`), rapid.String(), rapid.SampledFrom([]string{`{"a":"b\n"}`, "<&>", "\u2028", "\x7f", "\xff\xfe", "ü"}),
	)
	message := rapid.Custom(func(t *rapid.T) traffic.Message {
		m := traffic.Message{
			At: time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, "at")), Direction: rapid.SampledFrom([]traffic.Direction{traffic.Inbound, traffic.Outbound}).Draw(t, "direction"),
			Device: text.Draw(t, "device"), Topic: text.Draw(t, "topic"), Type: fleet.DeviceType(text.Draw(t, "type")), Room: fleet.RoomID(text.Draw(t, "room")),
			QoS: rapid.ByteRange(0, 2).Draw(t, "qos"), Retain: rapid.Bool().Draw(t, "retain"), Size: rapid.IntRange(0, 1<<20).Draw(t, "size"),
			Truncated: rapid.Bool().Draw(t, "truncated"),
		}
		if rapid.Bool().Draw(t, "has a payload") {
			m.Payload = []byte(text.Draw(t, "payload"))
		}
		return m
	})
	rapid.Check(t, func(t *rapid.T) {
		messages := rapid.SliceOfN(message, 0, 5).Draw(t, "messages")
		dropped, payloads := rapid.Uint64().Draw(t, "dropped"), rapid.Bool().Draw(t, "payloads")
		want := struct {
			Messages []trafficMessage `json:"messages"`
			Dropped  uint64           `json:"dropped"`
		}{[]trafficMessage{}, dropped}
		for i := range messages {
			want.Messages = append(want.Messages, trafficMessageOf(&messages[i], payloads))
		}
		reflected, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendLive(nil, messages, dropped, payloads); !bytes.Equal(got, reflected) {
			t.Fatalf("got\n%s\nwant\n%s", got, reflected)
		}
	})
}
