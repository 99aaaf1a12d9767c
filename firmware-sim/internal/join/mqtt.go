package join

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/obedio/obedio/shared/topic"
)

// joining is the user name of a device that has nothing but a token.
const joining = "provision"

// ByMQTT joins with what a QR code says, over MQTT: by the user name provision,
// with the token as password. The topic of the answer ends with the token's id,
// which the device does not know; nobody else's answers reach it.
func (h *Hardware) ByMQTT(ctx context.Context, p Payload) (Joined, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var secure *tls.Config
	if strings.HasPrefix(p.MQTTBrokerURL, "mqtts:") || strings.HasPrefix(p.MQTTBrokerURL, "wss:") {
		pool, err := trust(ctx, p.AnchorsURL, p.CAFingerprint)
		if err != nil {
			return Joined{}, err
		}
		secure = trusting(pool)
	}
	answers := make(chan []byte, 1)
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(p.MQTTBrokerURL).SetTLSConfig(secure).
		SetUsername(joining).SetPassword(p.Token).SetProtocolVersion(4).SetAutoReconnect(false).SetConnectRetry(false).
		SetConnectTimeout(timeout).SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
		select {
		case answers <- m.Payload():
		default: // it came again
		}
	}))
	defer c.Disconnect(100)
	body, err := json.Marshal(claim{Token: p.Token, Hardware: h.id, CSR: h.csr})
	if err != nil {
		return Joined{}, err
	}
	for _, step := range []func() mqtt.Token{
		c.Connect,
		func() mqtt.Token {
			return c.Subscribe(topic.System(p.Site, topic.SystemClaimed+"/+"), 1, nil)
		},
		func() mqtt.Token { return c.Publish(topic.System(p.Site, topic.SystemClaim), 1, false, body) },
	} {
		token := step()
		select {
		case <-token.Done():
			err = token.Error()
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			return Joined{}, fmt.Errorf("claim over MQTT: %w", err)
		}
	}
	select {
	case answer := <-answers:
		var no Refusal
		if json.Unmarshal(answer, &no) == nil && no.Status >= http.StatusBadRequest {
			return Joined{}, fmt.Errorf("claim over MQTT: %w", &no)
		}
		return h.joined(answer)
	case <-ctx.Done():
		return Joined{}, fmt.Errorf("claim over MQTT: no answer: %w", ctx.Err())
	}
}
