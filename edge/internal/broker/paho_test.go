package broker

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	packets5 "github.com/eclipse/paho.golang/packets"
	paho5 "github.com/eclipse/paho.golang/paho"
	paho3 "github.com/eclipse/paho.mqtt.golang"
)

// TestPaho3_CallIsAnswered runs the way of a press and its receipt with the
// client that many gateways use, over TCP and over WebSocket.
func TestPaho3_CallIsAnswered(t *testing.T) {
	for _, version := range []uint{3, 4} {
		for _, kind := range []string{"tcp", "ws"} {
			t.Run(fmt.Sprintf("v%d/%s", version, kind), func(t *testing.T) {
				r := start(t, nil)
				d := button("btn-001")
				r.people.device(t, d)
				url := "tcp://" + r.tcp
				if kind == "ws" {
					url = "ws://" + r.ws + "/mqtt"
				}
				base := d.BaseTopic(site)
				r.ledger.answer(func(ctx context.Context, s Session, m Message) error {
					return r.Send(ctx, Message{Name: base + "/cmd/receipt", Payload: m.Payload, QoS: 1, Ref: string(m.Payload)})
				})
				lost := make(chan error, 1)
				c := paho3.NewClient(paho3.NewClientOptions().AddBroker(url).SetClientID("btn-001").
					SetUsername("btn-001").SetPassword("pw-btn-001").SetProtocolVersion(version).
					SetAutoReconnect(false).SetConnectTimeout(patience).SetOrderMatters(false).
					SetConnectionLostHandler(func(_ paho3.Client, err error) { lost <- err }).
					SetWill(statusTopic(d), "gone", 1, true))
				done := func(tok paho3.Token) {
					t.Helper()
					if !tok.WaitTimeout(patience) || tok.Error() != nil {
						t.Fatalf("token: %v", tok.Error())
					}
				}
				done(c.Connect())
				receipts := make(chan string, 100)
				done(c.Subscribe(base+"/cmd/#", 1, func(_ paho3.Client, m paho3.Message) { receipts <- string(m.Payload()) }))
				tokens := make([]paho3.Token, 50)
				for i := range tokens {
					tokens[i] = c.Publish(pressTopic(d), byte(i%2)+1, false, fmt.Sprint(i))
				}
				for _, tok := range tokens {
					done(tok)
				}
				seen := make(map[string]bool)
				for range tokens {
					seen[<-receipts] = true
				}
				if len(seen) != len(tokens) {
					t.Fatalf("%d receipts", len(seen))
				}
				r.ledger.wait(t, "delivered", len(tokens))
				c.Disconnect(100)
				if e := r.ledger.wait(t, "disconnected", 1)[0]; e.cause != CauseGoodbye {
					t.Fatalf("cause %s", e.cause)
				}
			})
		}
	}
}

// TestPaho5_CallIsAnswered does the same with MQTT 5.
func TestPaho5_CallIsAnswered(t *testing.T) {
	for _, kind := range []string{"tcp", "ws"} {
		t.Run(kind, func(t *testing.T) {
			r := start(t, nil)
			d := button("btn-001")
			r.people.device(t, d)
			base := d.BaseTopic(site)
			r.ledger.answer(func(ctx context.Context, _ Session, m Message) error {
				return r.Send(ctx, Message{
					Name: base + "/cmd/receipt", Payload: m.Payload, QoS: 1, Ref: string(m.Payload), Expires: time.Now().Add(time.Hour),
				})
			})
			var raw net.Conn
			if kind == "ws" {
				raw = packets5.NewThreadSafeConn(r.dialWS(t, 5).c) // the client writes from several goroutines
			} else {
				var err error
				if raw, err = net.Dial("tcp", r.tcp); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			receipts := make(chan string, 100)
			c := paho5.NewClient(paho5.ClientConfig{
				ClientID: "btn-001", Conn: raw,
				OnPublishReceived: []func(paho5.PublishReceived) (bool, error){func(p paho5.PublishReceived) (bool, error) {
					receipts <- string(p.Packet.Payload)
					return true, nil
				}},
			})
			receive := uint16(5)
			ack, err := c.Connect(ctx, &paho5.Connect{
				ClientID: "btn-001", KeepAlive: 60, CleanStart: true,
				Username: "btn-001", UsernameFlag: true, Password: []byte("pw-btn-001"), PasswordFlag: true,
				Properties: &paho5.ConnectProperties{ReceiveMaximum: &receive},
			})
			if err != nil {
				t.Fatalf("connect: %v %+v", err, ack)
			}
			if _, err := c.Subscribe(ctx, &paho5.Subscribe{Subscriptions: []paho5.SubscribeOptions{{Topic: base + "/cmd/#", QoS: 1}}}); err != nil {
				t.Fatal(err)
			}
			const n = 50
			failed := make(chan error, n)
			for i := range n {
				go func() {
					_, err := c.Publish(ctx, &paho5.Publish{Topic: pressTopic(d), QoS: byte(i%2) + 1, Payload: []byte(fmt.Sprint(i))})
					failed <- err
				}()
			}
			for range n {
				if err := <-failed; err != nil {
					t.Fatal(err)
				}
			}
			seen := make(map[string]bool)
			for range n {
				seen[<-receipts] = true
			}
			if len(seen) != n {
				t.Fatalf("%d receipts", len(seen))
			}
			r.ledger.wait(t, "delivered", n)
			// A refusal has its reason code.
			resp, err := c.Publish(ctx, &paho5.Publish{Topic: base + "/cmd/reset", QoS: 1, Payload: []byte("x")})
			if err == nil || resp == nil || resp.ReasonCode != 0x87 {
				t.Fatalf("own command: %v %+v", err, resp)
			}
			if err := c.Disconnect(&paho5.Disconnect{}); err != nil {
				t.Fatal(err)
			}
			if e := r.ledger.wait(t, "disconnected", 1)[0]; e.cause != CauseGoodbye {
				t.Fatalf("cause %s", e.cause)
			}
		})
	}
}
