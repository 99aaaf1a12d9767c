package device

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/topic"
)

// hubClock is what the device knows of the hub's time, by which certificates
// end.
type hubClock struct {
	ahead time.Duration // of this machine's clock
	known bool
}

func (h hubClock) now() time.Time { return time.Now().Add(h.ahead) }

func (h *hubClock) set(t time.Time) { h.ahead, h.known = time.Until(t), true }

// renewal is the next look at the certificate's age.
type renewal struct {
	timer *time.Timer
	// late is the share of a certificate's time by which this device is later
	// than it might be, so that devices that joined together do not all come at
	// once; of the certificate that of names.
	late float64
	of   string
	// asking: a request is on its way; asked is how often it was sent on this
	// connection.
	asking bool
	asked  int
}

func (r *renewal) stop() {
	if r.timer != nil {
		r.timer.Stop()
	}
}

// toldTime takes what the hub says that the time is. What it has retained may be
// a while old.
func (d *Device) toldTime(payload []byte, retained bool) {
	var m struct {
		Time time.Time `json:"time"`
	}
	if json.Unmarshal(payload, &m) != nil || m.Time.IsZero() {
		d.unreadable()
		return
	}
	if !retained || !d.hub.known || m.Time.After(d.hub.now()) {
		d.hub.set(m.Time)
	}
	if d.muted {
		d.unmute(d.link)
		return
	}
	d.planRenewal()
}

// unmute begins to use a connection, for whatever it is good for.
func (d *Device) unmute(l link) {
	leaf := d.credentials.leaf()
	if d.link != l || !d.muted || leaf == nil {
		return
	}
	if d.hub.known && d.hub.now().After(leaf.NotAfter) {
		d.renew()
		return
	}
	d.muted = false
	d.birth()
	d.planRenewal()
}

// lookAgain is the longest time between two looks at the certificate's age.
const lookAgain = 12 * time.Hour

// planRenewal renews the certificate when two thirds of its time are over.
func (d *Device) planRenewal() {
	leaf := d.credentials.leaf()
	if leaf == nil || !d.hub.known || d.link == nil {
		return
	}
	if d.renewal.of != d.credentials.Certificate {
		d.renewal.of, d.renewal.late = d.credentials.Certificate, 0.01*(1+d.chances.renew.Float64())
	}
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	due := leaf.NotBefore.Add(life*2/3 + time.Duration(float64(life)*d.renewal.late))
	wait := due.Sub(d.hub.now())
	if wait <= 0 {
		d.renew()
		return
	}
	d.renewal.stop()
	d.renewal.timer = time.AfterFunc(min(wait, lookAgain), func() { d.post(d.planRenewal) })
}

// renew asks for a certificate of a new key. The key is kept first: the hub gives
// the same certificate again for the same key, if its answer gets lost.
func (d *Device) renew() {
	if d.renewal.asking {
		return
	}
	if d.credentials.NextKey == "" {
		key, err := newKey()
		if err != nil {
			d.log.Error("device has no key for its next certificate", "device_id", d.c.ID, "error", err)
			return
		}
		d.credentials.NextKey = key
	}
	d.renewal.asking = true
	d.keep(d.request)
}

// keep has what the device keeps written down, and calls fn then.
func (d *Device) keep(fn func()) {
	d.waiting.Go(func() {
		if err := d.c.Keep(); err != nil {
			d.log.Error("device cannot keep its credentials", "device_id", d.c.ID, "error", err)
		}
		d.post(fn)
	})
}

// longestWait is the longest between two requests on one connection.
const longestWait = time.Hour

// request sends the certificate request, and again after a while, which doubles.
func (d *Device) request() {
	d.renewal.asking = false
	l, next := d.link, d.credentials.NextKey
	if l == nil || next == "" {
		return // the next connection does it
	}
	csr, err := requestFor(next, string(d.c.ID))
	if err != nil {
		d.log.Error("device cannot ask for its next certificate", "device_id", d.c.ID, "error", err)
		return
	}
	d.handAnyway(outgoing{
		message:  message{topic: topic.Action(d.c.BaseTopic, topic.Renew), payload: csr, qos: 1},
		answered: func(error) {},
	})
	wait := min(d.c.Timeout<<min(d.renewal.asked, 12), longestWait)
	d.renewal.asked++
	d.later(0, wait, func() {
		if d.link == l && d.credentials.NextKey == next {
			d.renew()
		}
	})
}

// certified takes the certificate that the device has asked for, and connects
// with it.
func (d *Device) certified(payload []byte) {
	if d.credentials.NextKey == "" {
		return // it came again
	}
	next := d.credentials
	next.Key, next.NextKey = next.NextKey, ""
	var err error
	if next.Certificate, next.Anchors, err = bundle(payload); err == nil {
		err = next.Check()
	}
	if err != nil {
		d.unreadable()
		return
	}
	d.credentials = next
	d.ledger.note(func(f *Facts) { f.Renewed++ })
	l := d.link
	d.keep(func() { d.reconnect(l) })
}

// reconnect ends a connection by the device's wish, and connects again.
func (d *Device) reconnect(l link) {
	if d.link != l || l == nil {
		return
	}
	s := d.sender
	d.link, d.sender, d.muted = nil, nil, false
	d.ledger.note(func(f *Facts) { f.Online = false })
	s.stop()
	d.waiting.Go(func() {
		<-s.stopped
		l.goodbye()
		d.post(func() { d.connect(0) })
	})
}

// newKey makes a key as Credentials have it.
func newKey() (string, error) {
	k, err := identity.NewKey()
	if err != nil {
		return "", err
	}
	return EncodeKey(k)
}

// EncodeKey is a key as Credentials have it: PKCS #8 in PEM.
func EncodeKey(k *ecdsa.PrivateKey) (string, error) {
	der, err := identity.EncodeKey(k)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// requestFor is a certificate request, PEM, for a key of Credentials.
func requestFor(key, name string) ([]byte, error) {
	block, _ := pem.Decode([]byte(key))
	if block == nil {
		return nil, errors.New("the key is not PEM")
	}
	k, err := identity.DecodeKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	return Request(k, name)
}

// Request is a certificate request, PEM.
func Request(k *ecdsa.PrivateKey, name string) ([]byte, error) {
	der, err := identity.Request(k, name)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

// bundle takes a renewed certificate apart: the certificate first, and whom to
// trust behind it.
func bundle(b []byte) (certificate, anchors string, err error) {
	var trusted strings.Builder
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			break
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil || block.Type != "CERTIFICATE" {
			return "", "", fmt.Errorf("%w: a bundle with something else in it than certificates", fleet.ErrInvalid)
		}
		text := string(pem.EncodeToMemory(block))
		if certificate == "" {
			certificate = text
			continue
		}
		trusted.WriteString(text)
	}
	if certificate == "" || trusted.Len() == 0 {
		return "", "", fmt.Errorf("%w: a bundle without certificates", fleet.ErrInvalid)
	}
	return certificate, trusted.String(), nil
}
