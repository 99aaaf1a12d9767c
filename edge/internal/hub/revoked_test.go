package hub_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/obedio/obedio/edge/internal/hub"
	"github.com/obedio/obedio/shared/identity"
)

// secure is a hub with MQTT over TLS.
func secure(t *testing.T) (*rig, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := startWith(t, func(c *hub.Config) { c.Listeners.MQTTS = l })
	return r, "ssl://" + l.Addr().String()
}

// certified joins a button and returns what it connects with.
func (r *rig) certified(id string) (serial string, settings *tls.Config) {
	r.Helper()
	r.device(id)
	made := r.want(201, "POST", "/security/certificates", map[string]any{"device_id": id}).body
	cert, err := tls.X509KeyPair([]byte(made["certificate"].(string)), []byte(made["private_key"].(string)))
	if err != nil {
		r.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(made["chain"].(string))) {
		r.Fatal("no chain")
	}
	return made["serial"].(string), &tls.Config{
		RootCAs: roots, ServerName: identity.SiteServerName, Certificates: []tls.Certificate{cert},
		ClientSessionCache: tls.NewLRUClientSessionCache(4), MinVersion: tls.VersionTLS12,
	}
}

func (r *rig) dialTLS(at, id string, settings *tls.Config) (*client, error) {
	c := &client{got: make(chan mqtt.Message, 64), lost: make(chan struct{})}
	o := mqtt.NewClientOptions().AddBroker(at).SetClientID(id).SetTLSConfig(settings).SetCleanSession(false).
		SetAutoReconnect(false).SetConnectTimeout(5*time.Second).SetProtocolVersion(4).
		SetWill(base+id+"/status", `{"online":false}`, 1, true).
		SetConnectionLostHandler(func(mqtt.Client, error) { close(c.lost) }).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { c.got <- m })
	c.Client = mqtt.NewClient(o)
	t := c.Connect()
	t.Wait()
	return c, t.Error()
}

func TestRevoke_EndsTheConnectionWithoutItsWillAndWhatTheDeviceLeft(t *testing.T) {
	r, at := secure(t)
	serial, settings := r.certified("btn-001")
	// It has a password too: without that nothing brings it back.
	d := r.want(200, "GET", "/devices/btn-001", nil)
	r.want(201, "POST", "/security/profiles", map[string]any{"profile_name": "strict", "client_cert_required": true})
	r.want(200, "PUT", "/devices/btn-001", map[string]any{"room": "deck-3", "security_profile": "strict"}, "If-Match", d.etag)
	r.want(201, "POST", "/security/profiles", map[string]any{"profile_name": "all", "acl_pattern": []any{
		map[string]any{"acltype": "subscribePattern", "topic": "#", "allow": true},
		map[string]any{"acltype": "publishClientReceive", "topic": "#", "allow": true},
	}})
	r.want(201, "POST", "/devices", map[string]any{"device_id": "sen-1", "type": "sensor", "room": "bridge", "security_profile": "all", "password": "pass-sen-1"})
	watcher := r.dial("sen-1")
	if r.subscribe(watcher, "obedio/yacht-1/deck-3/#") != 1 {
		t.Fatal("not subscribed")
	}
	if _, err := r.connect("btn-001"); err == nil {
		t.Error("came in with a password although its profile requires a certificate")
	}
	c, err := r.dialTLS(at, "btn-001", settings)
	if err != nil {
		t.Fatal(err)
	}
	c.Publish(base+"btn-001/status", 1, true, `{"battery":50}`).Wait()
	if m := <-watcher.got; string(m.Payload()) != `{"battery":50}` {
		t.Fatalf("%s %s", m.Topic(), m.Payload())
	}
	r.want(204, "DELETE", "/security/certificates/"+serial+"?reason=key_compromise", nil)
	<-c.lost
	for range 2 { // the second time by the session that TLS would resume
		if _, err := r.dialTLS(at, "btn-001", settings); err == nil {
			t.Fatal("came back")
		}
	}
	other, settings2 := r.certified("btn-002")
	c2, err := r.dialTLS(at, "btn-002", settings2)
	if err != nil {
		t.Fatal(err)
	}
	c2.Publish(base+"btn-002/status", 1, false, `{"battery":51}`).Wait()
	if m := <-watcher.got; string(m.Payload()) != `{"battery":51}` {
		t.Errorf("a will was published: %s %s", m.Topic(), m.Payload())
	}
	late := r.dial("sen-1")
	r.subscribe(late, "obedio/yacht-1/deck-3/button/btn-001/#")
	c2.Publish(base+"btn-002/press", 1, false, press1).Wait()
	r.subscribe(late, "obedio/yacht-1/deck-3/button/btn-002/#")
	c2.Publish(base+"btn-002/status", 1, false, `{"battery":52}`).Wait()
	if m := <-late.got; strings.Contains(m.Topic(), "btn-001") {
		t.Errorf("what it left is there: %s", m.Topic())
	}
	refused := false
	for _, g := range r.want(200, "GET", "/security/denials", nil).body["items"].([]any) {
		d := g.(map[string]any)
		refused = refused || strings.HasPrefix(d["reason"].(string), "certificate") && strings.Contains(d["detail"].(string), "revoked (device btn-001")
	}
	if !refused {
		t.Errorf("the refusal is not named: %v", r.want(200, "GET", "/security/denials", nil).body)
	}
	_ = other
}

const press1 = `{"press_type":"single","sequence_id":1}`

func TestRenew_OverMQTTTheOldCertificateIsTakenBackWhenTheNewOneHasCome(t *testing.T) {
	now := time.Now()
	b := &board{system: now}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := startWith(t, func(c *hub.Config) { c.Listeners.MQTTS, c.Clock = l, b.config() })
	at := "ssl://" + l.Addr().String()
	serial, settings := r.certified("btn-001")
	settings.Time = func() time.Time { return b.config().System() }
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	csr, err := identity.Request(key, "btn-001")
	if err != nil {
		t.Fatal(err)
	}
	request := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})
	c, err := r.dialTLS(at, "btn-001", settings)
	if err != nil {
		t.Fatal(err)
	}
	c.Publish(base+"btn-001/renew", 1, false, request)
	<-c.lost // it is not time yet, which MQTT 3.1.1 can say in no other way
	b.set(now.AddDate(1, 6, 0))
	r.want(200, "PUT", "/system/clock", map[string]any{"confirm": true})
	if c, err = r.dialTLS(at, "btn-001", settings); err != nil {
		t.Fatal(err)
	}
	if r.subscribe(c, base+"btn-001/cmd/#") != 1 {
		t.Fatal("not subscribed")
	}
	c.Publish(base+"btn-001/renew", 1, false, request).Wait()
	m := <-c.got
	block, rest := pem.Decode(m.Payload())
	if m.Topic() != base+"btn-001/cmd/certificate" || block == nil || len(rest) == 0 {
		t.Fatalf("%s: %s", m.Topic(), m.Payload())
	}
	c.Disconnect(0)
	settings.Certificates = []tls.Certificate{{Certificate: [][]byte{block.Bytes}, PrivateKey: key}}
	settings.ClientSessionCache = nil
	if c, err = r.dialTLS(at, "btn-001", settings); err != nil {
		t.Fatal(err)
	}
	defer c.Disconnect(0)
	r.until("the old certificate is revoked", func() bool {
		return r.want(200, "GET", "/security/certificates/"+serial, nil).body["reason"] == "superseded"
	})
	if !c.IsConnectionOpen() {
		t.Error("the new connection has ended with it")
	}
}

func TestRevoke_OfADeviceThatIsAwayTakesItsSession(t *testing.T) {
	r, at := secure(t)
	serial, settings := r.certified("btn-001")
	c, err := r.dialTLS(at, "btn-001", settings)
	if err != nil {
		t.Fatal(err)
	}
	if r.subscribe(c, base+"btn-001/cmd/#") != 1 {
		t.Fatal("not subscribed")
	}
	c.Disconnect(0)
	r.until("away", func() bool {
		listens, _ := r.want(200, "GET", "/devices/btn-001", nil).body["mqtt_subscriptions"].([]any)
		return len(listens) == 0
	})
	// Whoever could still come with a password would keep it.
	d := r.want(200, "GET", "/devices/btn-001", nil)
	r.want(201, "POST", "/security/profiles", map[string]any{"profile_name": "strict", "client_cert_required": true})
	r.want(200, "PUT", "/devices/btn-001", map[string]any{"room": "deck-3", "security_profile": "strict"}, "If-Match", d.etag)
	r.want(204, "DELETE", "/security/certificates/"+serial, nil)
	r.until("its session is gone", func() bool { return r.hub.Sessions() == 0 })

	again := r.want(201, "POST", "/security/certificates", map[string]any{"device_id": "btn-001"}).body
	cert, err := tls.X509KeyPair([]byte(again["certificate"].(string)), []byte(again["private_key"].(string)))
	if err != nil {
		t.Fatal(err)
	}
	settings.Certificates, settings.ClientSessionCache = []tls.Certificate{cert}, nil
	o := mqtt.NewClientOptions().AddBroker(at).SetClientID("btn-001").SetTLSConfig(settings).SetCleanSession(false).SetProtocolVersion(4)
	token := mqtt.NewClient(o).Connect().(*mqtt.ConnectToken)
	token.Wait()
	if token.Error() != nil || token.SessionPresent() {
		t.Errorf("its session is there: %t, %v", token.SessionPresent(), token.Error())
	}
}

func TestRevoke_BetweenTheHandshakeAndTheConnect(t *testing.T) {
	r, at := secure(t)
	serial, settings := r.certified("btn-001")
	conn, err := tls.Dial("tcp", strings.TrimPrefix(at, "ssl://"), settings)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	r.want(204, "DELETE", "/security/certificates/"+serial, nil)
	// CONNECT of MQTT 3.1.1, clean, keepalive 60 s.
	if _, err := conn.Write([]byte("\x10\x13\x00\x04MQTT\x04\x02\x00\x3c\x00\x07btn-001")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4)
	if n, err := io.ReadFull(conn, answer); err == nil && answer[3] == 0 {
		t.Errorf("let in: %x", answer[:n])
	}
}
