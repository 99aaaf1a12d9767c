package store

import (
	"fmt"
	"math"
	"slices"
	"strings"
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
	// Settings are what people say of it; Version counts their changes, and those
	// of the name, from 0.
	Settings SiteSettings `json:"settings,omitzero"`
	Version  uint64       `json:"version,omitempty"`
}

// SiteSettings are what people ashore say of a site.
type SiteSettings struct {
	// Tags by which sites are found and chosen.
	Tags []string `json:"tags,omitempty" maxItems:"32" nullable:"false"`
	// Zone is the IANA name of its time zone; UTC if empty.
	Zone string `json:"zone,omitempty" maxLength:"64" doc:"IANA name, such as Europe/Paris; UTC if absent."`
	// Link is how much its link is expected to carry; empty for nothing said. What
	// the hub keeps to is set on board.
	Link LinkProfile `json:"link_profile,omitempty" enum:"default,economy,crisis"`
	// BytesPerDay that its link may carry before that is an alert; 0 for those of
	// the profile.
	BytesPerDay uint64 `json:"bytes_per_day,omitempty" doc:"More on one day is an alert; 0 for those of the profile."`
	// Position is where it is, as somebody has said; nil when nobody has.
	Position *Position `json:"position,omitempty"`
	// Template is what it began with.
	Template string `json:"template,omitempty" maxLength:"64"`
	// AwayMinutes is how long the site may be away before that is an alert; 0 for
	// the console's own setting.
	AwayMinutes int `json:"away_minutes,omitempty" minimum:"0" maximum:"525600" doc:"How long the site may be away before that is an alert; 0 for the console's setting."`
	// Note is for people.
	Note string `json:"note,omitempty" maxLength:"1024"`
}

// LinkProfile says how much may pass a site's link.
type LinkProfile string

// The link profiles.
const (
	LinkDefault LinkProfile = "default"
	LinkEconomy LinkProfile = "economy"
	LinkCrisis  LinkProfile = "crisis"
)

// Budget is how many bytes the link may carry on a day before that is an alert;
// 0 for any number. Those of profiles are what a site of a thousand devices
// takes by them, and a third more.
func (s SiteSettings) Budget() uint64 {
	switch {
	case s.BytesPerDay > 0:
		return s.BytesPerDay
	case s.Link == LinkDefault:
		return 4_000_000
	case s.Link == LinkEconomy:
		return 2_400_000
	case s.Link == LinkCrisis:
		return 550_000
	}
	return 0
}

// Position is a place on earth, in degrees, with the time at which it was so.
type Position struct {
	Lat float64   `json:"lat" minimum:"-90" maximum:"90"`
	Lng float64   `json:"lng" minimum:"-180" maximum:"180"`
	At  time.Time `json:"at,omitzero" doc:"When it was so; now if absent."`
}

// Bounds of what people say of a site.
const (
	MaxSiteTags = 32
	maxSiteTag  = 64
	maxSiteNote = 1024
)

// Check reports as fleet.ErrInvalid what is wrong with settings.
func (s SiteSettings) Check() error {
	if len(s.Tags) > MaxSiteTags {
		return fmt.Errorf("%w: %d tags: want at most %d", fleet.ErrInvalid, len(s.Tags), MaxSiteTags)
	}
	for i, t := range s.Tags {
		if t == "" || len(t) > maxSiteTag || strings.TrimSpace(t) != t || slices.Contains(s.Tags[:i], t) {
			return fmt.Errorf("%w: tag %q: want 1 to %d bytes, no space around them, and each once", fleet.ErrInvalid, t, maxSiteTag)
		}
	}
	if _, err := s.Location(); err != nil {
		return err
	}
	switch s.Link {
	case "", LinkDefault, LinkEconomy, LinkCrisis:
	default:
		return fmt.Errorf("%w: link profile %q: want default, economy or crisis", fleet.ErrInvalid, s.Link)
	}
	if p := s.Position; p != nil && (math.Abs(p.Lat) > 90 || math.Abs(p.Lng) > 180 || p.At.IsZero()) {
		return fmt.Errorf("%w: position %g, %g: want degrees within 90 and 180, and a time", fleet.ErrInvalid, p.Lat, p.Lng)
	}
	if s.AwayMinutes < 0 {
		return fmt.Errorf("%w: away_minutes %d: want 0 or more", fleet.ErrInvalid, s.AwayMinutes)
	}
	if len(s.Note) > maxSiteNote {
		return fmt.Errorf("%w: the note has %d bytes: want at most %d", fleet.ErrInvalid, len(s.Note), maxSiteNote)
	}
	return nil
}

// Location is the site's time zone; UTC when none was said.
func (s SiteSettings) Location() (*time.Location, error) {
	if s.Zone == "Local" {
		return nil, fmt.Errorf("%w: zone %q: want a name such as Europe/Paris", fleet.ErrInvalid, s.Zone)
	}
	z, err := time.LoadLocation(s.Zone)
	if err != nil {
		return nil, fmt.Errorf("%w: zone %q: want a name such as Europe/Paris", fleet.ErrInvalid, s.Zone)
	}
	return z, nil
}

// Local is the site's time zone, or UTC for one that this machine does not know.
func (s SiteSettings) Local() *time.Location {
	if z, err := s.Location(); err == nil {
		return z
	}
	return time.UTC
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
	// first. UpAt is when the hub came back after the last long pause, AwaySince
	// the last call before that.
	At        time.Time `json:"at,omitzero"`
	UpAt      time.Time `json:"up_at,omitzero"`
	AwaySince time.Time `json:"away_since,omitzero"`
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
