package security

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/obedio/obedio/shared/fleet"
)

// The actions that this package notes, or that others record through it.
const (
	// Denied: rights said no to a client.
	Denied = "mqtt.denied"
	// CredentialsRefused: somebody came with a wrong name or password.
	CredentialsRefused = "mqtt.credentials_refused"
	// ConnectionRefused: who had shown who he is may not be here all the same.
	ConnectionRefused = "mqtt.connection_refused"
	// SignInRefused: somebody came to the API with a wrong name or password.
	SignInRefused = "session.refused"
	// CertificateRefused: see CertificateRefusal.
	CertificateRefused = "certificate.refused"
	AddressBanned      = "address.banned"
	AddressUnbanned    = "address.unbanned"
	DiskStopped        = "disk.stopped"
	DiskRecovered      = "disk.recovered"
	BackupMade         = "backup.made"
	BackupStreamed     = "backup.streamed"
	BackupDownloaded   = "backup.downloaded"
	BackupRemoved      = "backup.removed"
	SupportMade        = "support.made"
	FilesExported      = "mosquitto.exported"
	// MessagePublished: a person published a message by hand.
	MessagePublished = "traffic.published"
	// Unwritten closes an hour of which not all was written.
	Unwritten = "security.unwritten"
)

// alerts are the actions that somebody should hear of at once. Denials and
// refused credentials are not among them: the log of denials tells of those
// while they go on.
var alerts = []string{
	SignInRefused, CertificateRefused, AddressBanned, AddressUnbanned, DiskStopped, DiskRecovered, BackupMade, BackupStreamed, BackupDownloaded,
	BackupRemoved, FilesExported, Unwritten, "certificate.revoked", "hub.restored", "hub.enrolled", "mosquitto.imported",
}

// IsAlert reports whether an entry with that action is told at once to who
// watches the security of the site.
func IsAlert(action string) bool { return slices.Contains(alerts, action) }

var broker = fleet.System("broker")

// Denial is what rights said no to.
type Denial struct {
	At     time.Time
	Client string
	// Action on Topic, and the rule that decided.
	Action, Topic, Rule string
	Remote              netip.Addr
}

// Denied notes a denial: by client, with the newest topic.
func (l *Log) Denied(d Denial) {
	l.note(d.At, broker, Denied, d.Client, "action", d.Action, "topic", d.Topic, "rule", d.Rule, "remote", address(d.Remote))
}

// CredentialsRefused notes a failed sign-in of an address. username is that of a
// device that there is, or empty: what else is typed there may be a password.
func (l *Log) CredentialsRefused(at time.Time, from netip.Addr, username string) {
	l.note(at, broker, CredentialsRefused, network(from), "username", username)
}

// SignInRefused is CredentialsRefused for people and programs at the API.
// username is that of a person that there is, or empty.
func (l *Log) SignInRefused(at time.Time, from netip.Addr, username string) {
	l.note(at, fleet.System("api"), SignInRefused, network(from), "username", username)
}

// ConnectionRefused notes that a connection got no session, for a reason of the
// broker other than wrong credentials. username is as in CredentialsRefused.
func (l *Log) ConnectionRefused(at time.Time, from netip.Addr, reason, username string) {
	l.note(at, broker, ConnectionRefused, network(from), "reason", reason, "username", username)
}

// Banned notes that an address, or a network, is not let in for a while.
func (l *Log) Banned(at time.Time, who netip.Prefix, until time.Time, failures uint64) {
	name := who.String()
	if who.IsSingleIP() {
		name = who.Addr().String()
	}
	l.note(at, broker, AddressBanned, name, "until", until.UTC().Format(time.RFC3339), "failures", strconv.FormatUint(failures, 10))
}

// CertificateReason is why a certificate was refused.
type CertificateReason string

// The reasons.
const (
	CertificateExpired  CertificateReason = "expired"
	CertificateNotYet   CertificateReason = "not_yet_valid"
	CertificateIssuer   CertificateReason = "unknown_issuer"
	CertificateRevoked  CertificateReason = "revoked"
	CertificateIdentity CertificateReason = "wrong_identity"  // not exactly one name of a device of this site
	CertificateUnknown  CertificateReason = "not_issued_here" // signed by this site, and not known to the hub
	CertificateUse      CertificateReason = "wrong_use"       // not made for clients
)

// CertificateRefusal is a client certificate that was not accepted.
type CertificateRefusal struct {
	At     time.Time
	Reason CertificateReason
	Remote netip.Addr
	// Device and Serial as the certificate says; empty when they are not known.
	Device fleet.DeviceID
	Serial string
	// Listener is the way in; Detail says more for people, and may be empty.
	Listener, Detail string
}

// CertificateRefused notes it: by reason and device, or address.
func (l *Log) CertificateRefused(r CertificateRefusal) {
	who := string(r.Device)
	if who == "" {
		who = network(r.Remote)
	}
	l.note(r.At, broker, CertificateRefused, who,
		"reason", string(r.Reason), "serial", r.Serial, "remote", address(r.Remote), "listener", r.Listener, "detail", r.Detail)
}

// DiskLevel notes that the disk has stopped something, or that everything goes
// on again.
func (l *Log) DiskLevel(at time.Time, level string, stopped bool, free uint64) {
	action := DiskRecovered
	if stopped {
		action = DiskStopped
	}
	l.note(at, fleet.System("disk"), action, level, "at", at.UTC().Format(time.RFC3339), "free_bytes", strconv.FormatUint(free, 10))
}

func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().String()
}

// network is who counts as one: an address, or the 64 bits of an IPv6 address
// from elsewhere, of which one machine has any number.
func network(a netip.Addr) string {
	a = a.Unmap()
	if !a.Is6() || a.IsLinkLocalUnicast() || a.IsPrivate() || a.IsLoopback() {
		return address(a)
	}
	p, _ := a.WithZone("").Prefix(64) // never fails
	return p.String()
}

// maxText is the most that is kept of a text that a client has chosen.
const maxText = 256

// clean cuts a text and takes out what is not to be read.
func clean(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
