package store

import (
	"time"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// SecretHash is how the secret of a claim is stored and looked up.
type SecretHash = account.SecretHash

// Site is an installation as it is registered ashore.
type Site struct {
	ID        fleet.SiteID `json:"site_id"`
	Name      string       `json:"name"`
	CreatedAt time.Time    `json:"created_at"`
	// Hub is the hub that may speak for the site; empty before the first.
	Hub       fleet.HubID `json:"hub_id,omitempty"`
	RevokedAt time.Time   `json:"revoked_at,omitzero"`
	// RetiredAt: the site was taken out of service.
	RetiredAt time.Time `json:"retired_at,omitzero"`
}

// Hub is a hub that was enrolled.
type Hub struct {
	ID   fleet.HubID  `json:"hub_id"`
	Site fleet.SiteID `json:"site_id"`
	// Key is the SHA-256 of its public key (SubjectPublicKeyInfo), in hexadecimal.
	Key        string    `json:"key_sha256"`
	Install    string    `json:"install_id,omitempty"`
	Version    string    `json:"hub_version,omitempty"`
	EnrolledAt time.Time `json:"enrolled_at"`
	// NotAfter is when its certificate ends.
	NotAfter  time.Time `json:"not_after"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

// Claim is the right to enrol one hub for a site. Its secret is not stored.
type Claim struct {
	Hash      SecretHash   `json:"hash"`
	Site      fleet.SiteID `json:"site_id"`
	By        fleet.Actor  `json:"by"`
	CreatedAt time.Time    `json:"created_at"`
	ExpiresAt time.Time    `json:"expires_at"`
	// UsedAt, Key, Hub and Chain are zero until a hub has used it: a second call
	// with the same key gets the same answer.
	UsedAt time.Time   `json:"used_at,omitzero"`
	Key    string      `json:"key_sha256,omitempty"`
	Hub    fleet.HubID `json:"hub_id,omitempty"`
	Chain  [][]byte    `json:"chain,omitempty"`
}

// Contact is what is known of the link to a site's hub.
type Contact struct {
	Hub     fleet.HubID `json:"hub_id,omitempty"`
	Version string      `json:"hub_version,omitempty"`
	BootID  string      `json:"boot_id,omitempty"`
	// At is the last call of the hub, by the console's clock; zero before the
	// first. UpAt is when the hub came back after the last long pause.
	At   time.Time `json:"at,omitzero"`
	UpAt time.Time `json:"up_at,omitzero"`
	// HubTime and ClockTrusted are of the last Hello; Offset is what the
	// console's clock was ahead of the hub's then.
	HubTime      time.Time     `json:"hub_time,omitzero"`
	ClockTrusted bool          `json:"clock_trusted"`
	Offset       time.Duration `json:"offset_ns"`
	// Verdict is that on the last Hello, since VerdictAt.
	Verdict   string    `json:"verdict,omitempty"`
	VerdictAt time.Time `json:"verdict_at,omitzero"`
	// Heads are the highest numbers that the hub is known to hold.
	Heads map[fleet.Lane]uint64 `json:"heads,omitempty"`
	// MovedAt is when data last came, or there was none to come.
	MovedAt time.Time `json:"moved_at,omitzero"`
	// DataAsOf is how new the newest data is, by the console's clock; zero when
	// there is none.
	DataAsOf time.Time `json:"data_as_of,omitzero"`
	// TrafficAt is when an hour of traffic last came; TrafficLeftOut counts the
	// rows that broke a rule or lay outside of what is kept.
	TrafficAt      time.Time `json:"traffic_at,omitzero"`
	TrafficLeftOut uint64    `json:"traffic_left_out,omitempty"`
}

// Session is what a hub's newest Hello has opened. It is kept in the store, so
// that every console that shares it can tell a ticket, and of two that a hub
// greets the later one counts.
type Session struct {
	Hub fleet.HubID `json:"hub_id,omitempty"`
	// Ticket is the hash of the ticket; the ticket itself is with the hub only.
	Ticket SecretHash `json:"ticket,omitzero"`
	// Epoch and BootID are the hub's, Console is the epoch of the console.
	Epoch   fleet.Epoch `json:"epoch,omitempty"`
	BootID  string      `json:"boot_id,omitempty"`
	Console string      `json:"console_epoch,omitempty"`
	At      time.Time   `json:"at,omitzero"`
}

// Counts are the counts of one site.
type Counts struct {
	// Devices that are registered, by presence.
	Devices map[fleet.Presence]int `json:"devices"`
	// Open and Accepted are requests in these states; Emergency are the open
	// ones of that priority.
	Open      int `json:"open"`
	Accepted  int `json:"accepted"`
	Emergency int `json:"emergency"`
	// OrdersPending are orders of which no end is known.
	OrdersPending int `json:"orders_pending"`
	DeadLetters   int `json:"dead_letters"`
	// AuditForks are those of them that told of a second history of the audit.
	AuditForks int `json:"audit_forks,omitempty"`
	// Gaps are runs of records that will never come.
	Gaps int `json:"gaps,omitempty"`
	// TrafficHours are the hours of traffic that are held.
	TrafficHours int `json:"traffic_hours,omitempty"`
}

// AllDevices is the sum of Devices.
func (c Counts) AllDevices() int {
	n := 0
	for _, v := range c.Devices {
		n += v
	}
	return n
}

// DeadLetter is a record that could not be applied.
type DeadLetter struct {
	Epoch fleet.Epoch `json:"epoch"`
	lane.Rejected
}
