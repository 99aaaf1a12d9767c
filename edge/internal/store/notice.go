package store

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// DeliveryState says what has become of a delivery.
type DeliveryState string

// The states. Only a waiting one is tried.
const (
	DeliveryWaiting   DeliveryState = "waiting"
	DeliveryDelivered DeliveryState = "delivered"
	// DeliveryFailed: the other side will never take it.
	DeliveryFailed DeliveryState = "failed"
	// DeliveryExpired: it could not be delivered in time.
	DeliveryExpired DeliveryState = "expired"
	// DeliveryDropped: there were too many, or nobody needs it any more.
	DeliveryDropped DeliveryState = "dropped"
)

// Delivery is one notification to one receiver outside the site.
type Delivery struct {
	// ID sorts by time.
	ID string `json:"id"`
	// Rule that wants it, Channel (webhook, mail) and To, the receiver for people.
	Rule    string `json:"rule"`
	Channel string `json:"channel"`
	To      string `json:"to"`
	// Event is what it is of, Severity how much it matters, Alert or Request which
	// one; empty for none.
	Event    string              `json:"event"`
	Severity fleet.AlertSeverity `json:"severity"`
	Alert    fleet.AlertID       `json:"alert_id,omitempty"`
	Request  fleet.RequestID     `json:"request_id,omitempty"`
	// Deferred: it waited for the end of quiet hours.
	Deferred bool `json:"deferred,omitempty"`
	// Body is what is sent, JSON.
	Body      json.RawMessage `json:"body"`
	CreatedAt time.Time       `json:"created_at"`
	// ExpiresAt is zero when the clock could not be trusted then.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Next      time.Time `json:"next_try"`
	Tries     int       `json:"tries"`
	// Unreached: the last try got no answer.
	Unreached bool          `json:"unreached,omitempty"`
	State     DeliveryState `json:"state"`
	Error     string        `json:"error,omitempty"`
	DoneAt    time.Time     `json:"done_at,omitzero"`
}

const (
	noticeDelivery = "delivery"
	noticeSecret   = "secret"
)

// PutDelivery stores d.
func (t *Tx) PutDelivery(d Delivery) error {
	return t.setJSON(key(tableNotice, noticeDelivery, d.ID), d)
}

// DeleteDelivery forgets a delivery.
func (t *Tx) DeleteDelivery(id string) { t.set(key(tableNotice, noticeDelivery, id), nil) }

// Deliveries returns all deliveries in the order of their ids.
func (s *Store) Deliveries() ([]Delivery, error) {
	var all []Delivery
	err := s.each(prefix(tableNotice, noticeDelivery), nil, func(_, v []byte) (bool, error) {
		var d Delivery
		err := json.Unmarshal(v, &d)
		all = append(all, d)
		return err == nil, err
	})
	return all, err
}

// PutNoticeSecret stores the key that signs a rule's calls.
func (t *Tx) PutNoticeSecret(rule string, secret []byte) error {
	return t.setJSON(key(tableNotice, noticeSecret, rule), secret)
}

// DeleteNoticeSecret forgets it.
func (t *Tx) DeleteNoticeSecret(rule string) { t.set(key(tableNotice, noticeSecret, rule), nil) }

// NoticeSecret returns the key that signs a rule's calls; nil when there is none.
func (s *Store) NoticeSecret(rule string) ([]byte, error) {
	b, _, err := getJSON[[]byte](s.get, key(tableNotice, noticeSecret, rule))
	return b, err
}

// notice checks a key of the table.
func notice(k, val []byte) string {
	if bytes.HasPrefix(k, prefix(tableNotice, noticeDelivery)) {
		return decodesTo(val, func(d Delivery) []byte { return key(tableNotice, noticeDelivery, d.ID) }, k)
	}
	if !bytes.HasPrefix(k, prefix(tableNotice, noticeSecret)) {
		return "a key that this program does not know"
	}
	return decodesTo(val, func([]byte) []byte { return k }, k)
}
