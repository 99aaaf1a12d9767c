package api

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/obedio/obedio/edge/internal/broker"
	"github.com/obedio/obedio/edge/internal/security"
	"github.com/obedio/obedio/edge/internal/traffic"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// trafficMessage is a message that passed the broker.
type trafficMessage struct {
	At              time.Time        `json:"at"`
	Direction       string           `json:"direction" enum:"inbound,outbound" doc:"As seen from the hub."`
	DeviceID        string           `json:"device_id" doc:"The MQTT client at the other end."`
	Topic           string           `json:"topic" doc:"~other stands for topics beyond the limit."`
	Type            fleet.DeviceType `json:"type,omitempty"`
	Room            fleet.RoomID     `json:"room,omitempty"`
	QoS             int              `json:"qos" minimum:"0" maximum:"2"`
	Retain          bool             `json:"retain"`
	Size            int              `json:"size" doc:"Bytes of the payload."`
	Payload         *string          `json:"payload,omitempty" doc:"Only for roles that may see it, and where it was recorded."`
	PayloadEncoding string           `json:"payload_encoding,omitempty" enum:"base64" doc:"base64 when the payload is no text."`
	Truncated       bool             `json:"truncated,omitempty" doc:"The payload is only the beginning."`
}

func trafficMessageOf(m *traffic.Message, payloads bool) trafficMessage {
	v := trafficMessage{
		At: m.At.UTC().Truncate(time.Millisecond), Direction: m.Direction.String(), DeviceID: m.Device, Topic: m.Topic,
		Type: m.Type, Room: m.Room, QoS: int(m.QoS), Retain: m.Retain, Size: m.Size,
	}
	if m.Payload == nil || !payloads {
		return v
	}
	v.Truncated = m.Truncated
	var s string
	if text, ok := textOf(m); ok {
		s = string(text)
	} else {
		s, v.PayloadEncoding = base64.StdEncoding.EncodeToString(m.Payload), "base64"
	}
	v.Payload = &s
	return v
}

// textOf is the payload of a message as text; false when it is none. What was
// cut does not end in the middle of a character.
func textOf(m *traffic.Message) ([]byte, bool) {
	text := m.Payload
	if m.Truncated {
		for i := 0; i < utf8.UTFMax && len(text) > 0 && !utf8.Valid(text); i++ {
			text = text[:len(text)-1]
		}
	}
	return text, utf8.Valid(text)
}

// trafficHistory is a page, with what is missing in it.
type trafficHistory struct {
	Items      []trafficMessage `json:"items" nullable:"false" doc:"Newest first."`
	NextCursor *string          `json:"next_cursor" doc:"For the next page; null on the last."`
	Gaps       []traffic.Gap    `json:"gaps" nullable:"false" doc:"Times of this page in which messages are, or may be, missing."`
}

// TrafficCounts are sums. It is exported because huma looks into exported
// embedded structs only.
type TrafficCounts struct {
	MessagesIn  uint64            `json:"messages_in"`
	MessagesOut uint64            `json:"messages_out"`
	BytesIn     uint64            `json:"bytes_in"`
	BytesOut    uint64            `json:"bytes_out"`
	Dropped     uint64            `json:"dropped"`
	Denied      uint64            `json:"denied"`
	Reconnects  uint64            `json:"reconnects"`
	Actions     map[string]uint64 `json:"actions" doc:"Messages of both directions by what they are: status, press, command …."`
}

func trafficCountsOf(c traffic.Counts) TrafficCounts {
	v := TrafficCounts{
		MessagesIn: c.MessagesIn, MessagesOut: c.MessagesOut, BytesIn: c.BytesIn, BytesOut: c.BytesOut,
		Dropped: c.Dropped, Denied: c.Denied, Reconnects: c.Reconnects, Actions: map[string]uint64{},
	}
	for a, n := range c.Actions {
		if n > 0 {
			v.Actions[traffic.Action(a).String()] = n
		}
	}
	return v
}

type trafficPoint struct {
	At time.Time `json:"at" doc:"The beginning of the bucket."`
	TrafficCounts
}

type trafficSeries struct {
	Key    string         `json:"key" doc:"The device, type, room or direction; empty for all; ~others for what is beyond top."`
	Totals TrafficCounts  `json:"totals"`
	Points []trafficPoint `json:"points" nullable:"false" doc:"Buckets in which something was counted."`
}

type trafficValue struct {
	Name  string  `json:"name"`
	Count uint64  `json:"count"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
	Last  float64 `json:"last"`
}

type trafficFieldPoint struct {
	At    time.Time `json:"at"`
	Count uint64    `json:"count"`
	Min   float64   `json:"min"`
	Max   float64   `json:"max"`
	Last  float64   `json:"last"`
}

type trafficField struct {
	Name   string              `json:"name"`
	Points []trafficFieldPoint `json:"points" nullable:"false"`
}

// trafficMetrics is a time in buckets.
type trafficMetrics struct {
	From    time.Time       `json:"from"`
	To      time.Time       `json:"to"`
	BucketS int64           `json:"bucket_s" doc:"Seconds; wider than asked for where only hours are kept."`
	Totals  TrafficCounts   `json:"totals"`
	Series  []trafficSeries `json:"series" nullable:"false" doc:"The largest first."`
	Fields  []trafficField  `json:"fields" nullable:"false" doc:"Numeric fields, when one device was asked for."`
	Gaps    []traffic.Gap   `json:"gaps" nullable:"false"`
}

type trafficTopic struct {
	Topic     string `json:"topic"`
	Direction string `json:"direction" enum:"inbound,outbound"`
}

type deviceTraffic struct {
	DeviceID    string           `json:"device_id"`
	Type        fleet.DeviceType `json:"type,omitempty"`
	Room        fleet.RoomID     `json:"room,omitempty"`
	LastMessage *trafficMessage  `json:"last_message,omitempty"`
	LastHour    TrafficCounts    `json:"last_hour"`
	LastDay     TrafficCounts    `json:"last_day"`
	Topics      []trafficTopic   `json:"topics" nullable:"false"`
	Fields      []trafficValue   `json:"fields" nullable:"false" doc:"Numeric fields of the last day."`
}

type deviceTrafficOutput struct {
	Body deviceTraffic
}

type publishedOutput struct {
	Body struct {
		Subscribers int `json:"subscribers" doc:"Clients that it was for, those included whose session waits for them."`
	} `nameHint:"Published"`
}

func (a *API) trafficRoutes() {
	tags := []string{"traffic"}
	filter := map[string]string{
		"device":    "device_id of the client at the other end.",
		"topic":     "An MQTT topic filter.",
		"direction": "inbound or outbound; both if absent.",
		"from":      "RFC 3339.", "to": "RFC 3339.",
		"format": "json, csv or ndjson; else by the header Accept. csv and ndjson give everything, the oldest first.",
	}
	history := map[string]string{"limit": "How many items at most.", "cursor": "next_cursor of the page before."}
	for k, v := range filter {
		history[k] = v
	}
	a.rest.Raw(rest.Route{
		OperationID: "traffic-history", Method: http.MethodGet, Path: "/api/v1/traffic/history", Permission: account.TrafficRead,
		Summary: "Messages that passed the broker", Tags: tags, Stream: true,
		Answer: trafficHistory{}, AlsoProduces: []string{rest.MediaCSV, rest.MediaNDJSON}, Params: history,
		Description: "Newest first. Payloads are there only when their recording is switched on, and for roles that may see them.",
	}, a.trafficHistory)
	a.rest.Raw(rest.Route{
		OperationID: "traffic-metrics", Method: http.MethodGet, Path: "/api/v1/traffic/metrics", Permission: account.TrafficRead,
		Summary: "Traffic in buckets of time", Tags: tags, Stream: true,
		Answer: trafficMetrics{}, AlsoProduces: []string{rest.MediaCSV, rest.MediaNDJSON},
		Params: map[string]string{
			"from": "RFC 3339; a day before to if absent.", "to": "RFC 3339; now if absent.",
			"bucket":   "Width of a bucket, such as 5m or 1h; about a hundred of them if absent.",
			"group_by": "device, type, room or direction; one series if absent.",
			"top":      "How many series, the largest first; 10 if absent.",
			"device":   "device_id: this one only, with its numeric fields.",
			"format":   filter["format"],
		},
	}, a.trafficMetrics)
	rest.Register(a.rest, rest.Route{
		OperationID: "traffic-device", Method: http.MethodGet, Path: "/api/v1/traffic/devices/{id}", Permission: account.TrafficRead,
		Summary: "Traffic of one device at a glance", Tags: tags,
	}, a.deviceTraffic)
	rest.Register(a.rest, rest.Route{
		OperationID: "publish-by-hand", Method: http.MethodPost, Path: "/api/v1/traffic/publish", Permission: account.TrafficPublish,
		Idempotent: true, Summary: "Publish a message by hand", Tags: tags,
		Description: "For who subscribes to the topic. The hub itself takes nothing from it: no press, no answer to a command and no sign of " +
			"life is made by hand. Only topics of devices of this site; each message is entered in the audit, without its payload.",
	}, a.publishByHand)
	a.rest.Raw(rest.Route{
		OperationID: "traffic-live", Method: http.MethodGet, Path: "/api/v1/traffic/live", Permission: account.TrafficRead,
		Summary: "Messages as they pass", Tags: tags, Stream: true, Status: http.StatusSwitchingProtocols,
		Errors: []int{http.StatusTooManyRequests},
		Description: "A WebSocket with the subprotocol " + liveProtocol + `. The client sends {"op":"subscribe","filter":{"topic","device_id",` +
			`"direction","contains"},"max_rate"}, {"op":"pause"} and {"op":"resume"}; it gets {"messages":[…],"dropped":n} ` +
			`at most 20 times a second, and {"error":"…"} for what it should not have sent.`,
	}, a.trafficLive)
}

// publishByHand is a person's message.
func (a *API) publishByHand(ctx context.Context, in *struct {
	Body struct {
		Topic           string `json:"topic" minLength:"1" maxLength:"256" doc:"A device's topic of this site, without wildcards."`
		Payload         string `json:"payload,omitempty" maxLength:"131072" doc:"Empty and retained: what is retained there is removed."`
		PayloadEncoding string `json:"payload_encoding,omitempty" enum:"base64" doc:"base64 for a payload that is no text."`
		QoS             int    `json:"qos,omitempty" minimum:"0" maximum:"2"`
		Retain          bool   `json:"retain,omitempty"`
	} `nameHint:"NewMessage"`
}) (*publishedOutput, error) {
	payload := []byte(in.Body.Payload)
	if in.Body.PayloadEncoding != "" {
		var err error
		if payload, err = base64.StdEncoding.DecodeString(in.Body.Payload); err != nil {
			return nil, fmt.Errorf("%w: payload is no base64: %w", fleet.ErrInvalid, err)
		}
	}
	m := broker.Message{Name: in.Body.Topic, Payload: payload, QoS: byte(in.Body.QoS), Retain: in.Body.Retain}
	n, err := a.Broker.ByHand(ctx, m)
	if err != nil {
		return nil, err
	}
	a.record(ctx, security.MessagePublished, in.Body.Topic, map[string]string{
		"qos": strconv.Itoa(in.Body.QoS), "retain": strconv.FormatBool(in.Body.Retain), "bytes": strconv.Itoa(len(payload)),
	})
	out := &publishedOutput{}
	out.Body.Subscribers = n
	return out, nil
}

func (a *API) deviceTraffic(ctx context.Context, in *DevicePath) (*deviceTrafficOutput, error) {
	d, err := a.Traffic.Device(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if d.Last == nil && len(d.Topics) == 0 {
		known, err := a.Registry.Device(fleet.DeviceID(in.ID))
		if err != nil {
			return nil, err
		}
		d.Type, d.Room = known.Type, known.Room
	}
	v := deviceTraffic{
		DeviceID: d.Device, Type: d.Type, Room: d.Room, LastHour: trafficCountsOf(d.Hour), LastDay: trafficCountsOf(d.Day),
		Topics: []trafficTopic{}, Fields: []trafficValue{},
	}
	if d.Last != nil {
		m := trafficMessageOf(d.Last, false)
		v.LastMessage = &m
	}
	for _, t := range d.Topics {
		v.Topics = append(v.Topics, trafficTopic{t.Topic, t.Direction.String()})
	}
	for _, f := range d.Fields {
		v.Fields = append(v.Fields, trafficValue{f.Name, f.Count, f.Min, f.Max, f.Last})
	}
	return &deviceTrafficOutput{v}, nil
}

// mayRead reports whether who asks may see what is in messages.
func (a *API) mayRead(s account.Subject) bool {
	return a.Accounts.Policy().Can(s, account.TrafficPayloads, account.Resource{})
}

func metricsView(m traffic.Metrics) trafficMetrics {
	v := trafficMetrics{
		From: m.From, To: fleet.Millis(m.To), BucketS: int64(m.Bucket / time.Second), Totals: trafficCountsOf(m.Totals),
		Series: []trafficSeries{}, Fields: []trafficField{}, Gaps: append([]traffic.Gap{}, m.Gaps...),
	}
	for _, s := range m.Series {
		one := trafficSeries{Key: s.Key, Totals: trafficCountsOf(s.Totals), Points: []trafficPoint{}}
		for _, p := range s.Points {
			one.Points = append(one.Points, trafficPoint{p.At, trafficCountsOf(p.Counts)})
		}
		v.Series = append(v.Series, one)
	}
	for _, f := range m.Fields {
		one := trafficField{Name: f.Name, Points: []trafficFieldPoint{}}
		for _, p := range f.Points {
			one.Points = append(one.Points, trafficFieldPoint{p.At, p.Count, p.Min, p.Max, p.Last})
		}
		v.Fields = append(v.Fields, one)
	}
	return v
}
