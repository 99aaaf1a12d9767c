package api

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"github.com/obedio/obedio/edge/internal/traffic"
)

// The live view writes ten thousand messages a second: reflection would cost
// the hub more than anything else that it does for a message but system calls.

// appendLive appends a batch as JSON: messages, and dropped, how many the reader
// missed before them.
func appendLive(b []byte, messages []traffic.Message, dropped uint64, payloads bool) []byte {
	b = append(b, `{"messages":[`...)
	for i := range messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTrafficMessage(b, &messages[i], payloads)
	}
	b = append(b, `],"dropped":`...)
	b = strconv.AppendUint(b, dropped, 10)
	return append(b, '}')
}

// appendTrafficMessage appends trafficMessageOf(m, payloads) as JSON.
func appendTrafficMessage(b []byte, m *traffic.Message, payloads bool) []byte {
	b = append(b, `{"at":"`...)
	b = m.At.UTC().Truncate(time.Millisecond).AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","direction":"`...)
	b = append(b, m.Direction.String()...)
	b = appendText(append(b, `","device_id":`...), m.Device)
	b = appendText(append(b, `,"topic":`...), m.Topic)
	if m.Type != "" {
		b = appendText(append(b, `,"type":`...), m.Type)
	}
	if m.Room != "" {
		b = appendText(append(b, `,"room":`...), m.Room)
	}
	b = strconv.AppendUint(append(b, `,"qos":`...), uint64(m.QoS), 10)
	b = strconv.AppendBool(append(b, `,"retain":`...), m.Retain)
	b = strconv.AppendInt(append(b, `,"size":`...), int64(m.Size), 10)
	if m.Payload == nil || !payloads {
		return append(b, '}')
	}
	b = append(b, `,"payload":`...)
	if text, ok := textOf(m); ok {
		b = appendText(b, text)
	} else {
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, m.Payload)
		b = append(b, `","payload_encoding":"base64"`...)
	}
	if m.Truncated {
		b = append(b, `,"truncated":true`...)
	}
	return append(b, '}')
}

// appendText appends s as a JSON string, as encoding/json writes it.
func appendText[T ~string | ~[]byte](b []byte, s T) []byte {
	begun := len(b)
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= ' ' && c < 0x7f && c != '<' && c != '>' && c != '&':
			b = append(b, c)
		default: // rare
			slow, _ := json.Marshal(string(s)) // of a string, which can always be written
			return append(b[:begun], slow...)
		}
	}
	return append(b, '"')
}
