package frame_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/obedio/obedio/edge/internal/broker/frame"
)

func TestParseHeader_TakesWhatIsWhole(t *testing.T) {
	for _, c := range []struct {
		in   []byte
		want frame.Header
	}{
		{[]byte{0xc0, 0}, frame.Header{Type: frame.PINGREQ, Size: 2}},
		{[]byte{0x3d, 0x7f, 1, 2}, frame.Header{Type: frame.PUBLISH, Flags: 0xd, Size: 2, Remaining: 127}},
		{[]byte{0x30, 0x80, 0x01}, frame.Header{Type: frame.PUBLISH, Size: 3, Remaining: 128}},
		{[]byte{0x30, 0xff, 0xff, 0xff, 0x7f}, frame.Header{Type: frame.PUBLISH, Size: 5, Remaining: 268_435_455}},
		{[]byte{0x62, 2}, frame.Header{Type: frame.PUBREL, Flags: 2, Size: 2, Remaining: 2}},
	} {
		h, more, err := frame.ParseHeader(c.in)
		if diff := cmp.Diff(c.want, h); diff != "" || more || err != nil {
			t.Errorf("%x: %v %v %s", c.in, more, err, diff)
		}
		for i := range c.want.Size {
			if _, more, err := frame.ParseHeader(c.in[:i]); !more || err != nil {
				t.Errorf("%x: %v %v", c.in[:i], more, err)
			}
		}
	}
	for _, in := range [][]byte{
		{0x00, 0}, {0x36, 0}, {0x38, 0}, {0x60, 0}, {0x80, 0}, {0x11, 0}, {0xc1, 0}, {0xe1}, {0x30, 0x80, 0x80, 0x80, 0x80, 0}, {0x30, 0xff, 0xff, 0xff, 0xff},
	} {
		if _, _, err := frame.ParseHeader(in); err == nil {
			t.Errorf("%x passes", in)
		}
	}
}

// connect5 is a CONNECT of MQTT 5 with everything in it.
var connect5 = cat(
	text("MQTT"), []byte{5, 0xee, 0, 60}, // user name, password, retained will of QoS 1, clean
	[]byte{18, 17, 0, 0, 0, 9, 33, 0, 20, 39, 0, 0, 16, 0, 23, 0, 34, 0, 5},
	text("btn-001"),
	[]byte{5, 24, 0, 0, 0, 7}, text("a/b"), text("gone"),
	text("user"), text("pass"))

func text(s string) []byte { return append([]byte{byte(len(s) >> 8), byte(len(s))}, s...) }
func cat(parts ...[]byte) []byte {
	return bytes.Join(parts, nil)
}

func TestParseConnect_ReadsAllFields(t *testing.T) {
	got, err := frame.ParseConnect(connect5)
	if err != nil {
		t.Fatal(err)
	}
	want := frame.Connect{
		Version: 5, Clean: true, Keepalive: 60, ClientID: "btn-001", Username: "user", Password: []byte("pass"),
		Will:          &frame.Will{Name: "a/b", Payload: []byte("gone"), QoS: 1, Retain: true, Delay: 7, Properties: []byte{5, 24, 0, 0, 0, 7}},
		SessionExpiry: 9, ReceiveMaximum: 20, MaxPacketSize: 4096, NoProblemInfo: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	for i := range connect5 {
		if _, err := frame.ParseConnect(connect5[:i]); err == nil {
			t.Fatalf("the first %d bytes pass", i)
		}
	}
	if _, err := frame.ParseConnect(append(bytes.Clone(connect5), 0)); err == nil {
		t.Fatal("a byte too much passes")
	}
}

func TestParseConnect_RefusesContradictions(t *testing.T) {
	for name, c := range map[string]struct {
		body   []byte
		reason byte
	}{
		"reserved flag":        {cat(text("MQTT"), []byte{4, 3, 0, 0}, text("x")), frame.Malformed},
		"will qos, no will":    {cat(text("MQTT"), []byte{4, 0x0a, 0, 0}, text("x")), frame.Malformed},
		"will retain, no will": {cat(text("MQTT"), []byte{4, 0x22, 0, 0}, text("x")), frame.Malformed},
		"will qos 3":           {cat(text("MQTT"), []byte{4, 0x1e, 0, 0}, text("x"), text("a"), text("b")), frame.Malformed},
		"password alone, v4":   {cat(text("MQTT"), []byte{4, 0x42, 0, 0}, text("x"), text("p")), frame.Malformed},
		"version 6":            {cat(text("MQTT"), []byte{6, 2, 0, 0}, text("x")), frame.UnsupportedVersion},
		"old name, version 4":  {cat(text("MQIsdp"), []byte{4, 2, 0, 0}, text("x")), frame.UnsupportedVersion},
		"other name":           {cat(text("HTTP"), []byte{4, 2, 0, 0}, text("x")), frame.ProtocolError},
		"nul in client id":     {cat(text("MQTT"), []byte{4, 2, 0, 0}, text("x\x00")), frame.Malformed},
		"receive maximum 0":    {cat(text("MQTT"), []byte{5, 2, 0, 0, 3, 33, 0, 0}, text("x")), frame.ProtocolError},
		"packet size 0":        {cat(text("MQTT"), []byte{5, 2, 0, 0, 5, 39, 0, 0, 0, 0}, text("x")), frame.ProtocolError},
		"property twice":       {cat(text("MQTT"), []byte{5, 2, 0, 0, 6, 33, 0, 1, 33, 0, 1}, text("x")), frame.ProtocolError},
		"foreign property":     {cat(text("MQTT"), []byte{5, 2, 0, 0, 3, 35, 0, 1}, text("x")), frame.ProtocolError},
		"property of nobody":   {cat(text("MQTT"), []byte{5, 2, 0, 0, 2, 99, 0}, text("x")), frame.ProtocolError},
		"short properties":     {cat(text("MQTT"), []byte{5, 2, 0, 0, 2, 33, 0}, text("x")), frame.Malformed},
	} {
		_, err := frame.ParseConnect(c.body)
		var e *frame.Error
		if !errors.As(err, &e) || e.Reason != c.reason {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := frame.ParseConnect(cat(text("MQTT"), []byte{5, 0x42, 0, 0, 0}, text("x"), text("p"))); err != nil {
		t.Errorf("password alone in MQTT 5: %v", err)
	}
}

func TestForLibrary_IsWhatTheLibraryDecodes(t *testing.T) {
	for _, v := range []byte{3, 4, 5} {
		p := frame.Connect{Version: v, Clean: true, Keepalive: 60, SessionExpiry: 9, ReceiveMaximum: 20, MaxPacketSize: 4096, NoProblemInfo: true,
			Password: []byte("secret"), Username: "u", Will: &frame.Will{Name: "a"}}
		pk := decode(t, 0, p.ForLibrary("btn-001"))
		if pk.ConnectValidate() != packets.CodeSuccess {
			t.Fatalf("v%d: %v", v, pk.ConnectValidate())
		}
		if pk.Connect.ClientIdentifier != "btn-001" || pk.Connect.WillFlag || pk.Connect.UsernameFlag || pk.Connect.PasswordFlag ||
			pk.Connect.Keepalive != 60 || pk.ProtocolVersion != v || !pk.Connect.Clean || pk.Properties.ReceiveMaximum != 0 {
			t.Fatalf("v%d: %+v", v, pk.Connect)
		}
		if v == 5 && (pk.Properties.SessionExpiryInterval != 9 || pk.Properties.MaximumPacketSize != 4096) {
			t.Fatalf("v%d: %+v", v, pk.Properties)
		}
	}
}

func TestBuild_AnswersAreWhatTheLibraryWouldRead(t *testing.T) {
	long := strings.Repeat("ü", 100)
	for _, v := range []byte{3, 4, 5} {
		for _, typ := range []frame.Type{frame.PUBACK, frame.PUBREC, frame.PUBREL, frame.PUBCOMP} {
			pk := decode(t, v, frame.BuildAck(v, typ, 0x1234, frame.NotAuthorized, long))
			if pk.PacketID != 0x1234 || v == 5 && (pk.ReasonCode != frame.NotAuthorized || pk.Properties.ReasonString != long[:120]) {
				t.Fatalf("v%d type %d: %+v", v, typ, pk)
			}
		}
		decode(t, v, frame.BuildGoodbye())
	}
	if pk := decode(t, 5, frame.BuildDisconnect(frame.SessionTakenOver, "again")); pk.ReasonCode != frame.SessionTakenOver || pk.Properties.ReasonString != "again" {
		t.Fatalf("%+v", pk)
	}
	if pk := decode(t, 5, frame.Refuse(5, frame.BadCredentials, "no")); pk.ReasonCode != frame.BadCredentials || pk.Properties.ReasonString != "no" {
		t.Fatalf("%+v", pk)
	}
	if got := frame.Refuse(4, frame.ClientIDNotValid, "no"); !bytes.Equal(got, []byte{0x20, 2, 0, 2}) {
		t.Fatalf("%x", got)
	}
	if !bytes.Equal(frame.Pingresp(), []byte{0xd0, 0}) {
		t.Fatal("pingresp")
	}
}

// decode has the library decode a packet.
func decode(t testing.TB, version byte, packet []byte) packets.Packet {
	t.Helper()
	h, more, err := frame.ParseHeader(packet)
	if err != nil || more || h.Total() != len(packet) {
		t.Fatalf("%x: %+v %v %v", packet, h, more, err)
	}
	pk, err := library(version, h, packet[h.Size:])
	if err != nil {
		t.Fatalf("%x: %v", packet, err)
	}
	return pk
}

func library(version byte, h frame.Header, body []byte) (pk packets.Packet, err error) {
	pk = packets.Packet{ProtocolVersion: version, FixedHeader: packets.FixedHeader{Type: byte(h.Type), Qos: h.QoS(), Remaining: h.Remaining}}
	body = bytes.Clone(body)
	switch h.Type {
	case frame.CONNECT:
		err = pk.ConnectDecode(body)
	case frame.CONNACK:
		err = pk.ConnackDecode(body)
	case frame.PUBLISH:
		err = pk.PublishDecode(body)
	case frame.PUBACK:
		err = pk.PubackDecode(body)
	case frame.PUBREC:
		err = pk.PubrecDecode(body)
	case frame.PUBREL:
		err = pk.PubrelDecode(body)
	case frame.PUBCOMP:
		err = pk.PubcompDecode(body)
	case frame.SUBSCRIBE:
		err = pk.SubscribeDecode(body)
	case frame.UNSUBSCRIBE:
		err = pk.UnsubscribeDecode(body)
	case frame.DISCONNECT:
		err = pk.DisconnectDecode(body)
	}
	return pk, err
}

// FuzzInbound: what the gate lets pass, the library decodes, and both read the
// same.
func FuzzInbound(f *testing.F) {
	f.Add(byte(5), cat([]byte{0x10, byte(len(connect5))}, connect5))
	f.Add(byte(4), []byte{0x10, 13, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 1, 'x'})
	f.Add(byte(5), []byte{0x82, 6, 0, 1, 0, 0, 1, 'a'})
	f.Add(byte(5), []byte{0x82, 9, 0, 1, 2, 11, 5, 0, 1, 'a', 1})
	f.Add(byte(4), []byte{0x82, 6, 0, 1, 0, 1, 'a', 1})
	f.Add(byte(5), []byte{0xa2, 6, 0, 1, 0, 0, 1, 'a'})
	f.Add(byte(5), []byte{0x32, 9, 0, 1, 'a', 0, 7, 2, 1, 1, 'x'})
	f.Add(byte(4), []byte{0x3b, 6, 0, 1, 'a', 0, 7, 'x'})
	f.Add(byte(5), []byte{0x40, 4, 0, 7, 0, 0})
	f.Add(byte(5), []byte{0x62, 3, 0, 7, 0x92})
	f.Add(byte(5), []byte{0xe0, 7, 0, 5, 17, 0, 0, 0, 9})
	f.Fuzz(func(t *testing.T, version byte, in []byte) {
		h, more, err := frame.ParseHeader(in)
		if err != nil || more || h.Total() > len(in) {
			return
		}
		if version = 3 + version%3; h.Size < 2 || h.Size > 5 || h.Remaining < 0 {
			t.Fatalf("header %+v", h)
		}
		body := in[h.Size:h.Total()]
		switch h.Type {
		case frame.CONNECT:
			p, err := frame.ParseConnect(body)
			if err != nil {
				return
			}
			pk, err := library(version, h, body)
			if err != nil || pk.Connect.ClientIdentifier != p.ClientID || string(pk.Connect.Username) != p.Username || !bytes.Equal(pk.Connect.Password, p.Password) {
				t.Fatalf("library: %+v %v, gate: %+v", pk.Connect, err, p)
			}
			decode(t, 0, p.ForLibrary("x"))
		case frame.PUBLISH:
			p, err := frame.ParsePublish(version, h, body)
			if err != nil {
				return
			}
			pk, err := library(version, h, body)
			if err != nil || pk.TopicName != string(p.Name) || pk.PacketID != p.PacketID || !bytes.Equal(pk.Payload, p.Payload) {
				t.Fatalf("library: %+v %v, gate: %+v", pk, err, p)
			}
			if id := frame.OutgoingID(h, body); id != p.PacketID {
				t.Fatalf("outgoing: %d", id)
			}
		case frame.PUBACK, frame.PUBREC, frame.PUBREL, frame.PUBCOMP:
			a, err := frame.ParseAck(version, h.Type, body)
			if err != nil {
				return
			}
			if pk, err := library(version, h, body); err != nil || pk.PacketID != a.PacketID || pk.ReasonCode != a.Reason {
				t.Fatalf("library: %+v %v, gate: %+v", pk, err, a)
			}
		case frame.SUBSCRIBE, frame.UNSUBSCRIBE:
			if frame.CheckSubscribe(version, h.Type, body) != nil {
				return
			}
			if pk, err := library(version, h, body); err != nil || len(pk.Filters) == 0 {
				t.Fatalf("library: %+v %v", pk, err)
			}
		case frame.DISCONNECT:
			g, err := frame.ParseDisconnect(version, body)
			if err != nil {
				return
			}
			if pk, err := library(version, h, body); err != nil || pk.ReasonCode != g.Reason && h.Remaining != 1 {
				t.Fatalf("library: %+v %v, gate: %+v", pk, err, g)
			}
		default:
			_ = frame.OutgoingID(h, body)
		}
	})
}
