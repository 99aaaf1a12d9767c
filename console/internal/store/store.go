package store

import (
	"context"
	"errors"
	"time"

	"github.com/obedio/obedio/shared/account/accountkv"
	"github.com/obedio/obedio/shared/audit"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// What a caller may decide on, beside the sentinels of package fleet.
var (
	// ErrTooLarge: the transaction is more than the engine takes at once. Do less
	// of it.
	ErrTooLarge = errors.New("transaction is too large")
	// ErrFailed: a write failed before; nothing is written until the next start.
	ErrFailed = errors.New("store has failed")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store is closed")
)

// Store is the console's durable state. Errors are those that a method names,
// or wrap others; every method that changes something may return ErrFailed and
// ErrClosed.
type Store interface {
	// Identity says which console's store this is; false in a new one.
	Identity(ctx context.Context) (Identity, bool, error)
	// SetIdentity stores i.
	SetIdentity(ctx context.Context, i Identity) error
	// FirstIdentity stores i if there is none, and returns which there is: of
	// several consoles that begin at once one wins.
	FirstIdentity(ctx context.Context, i Identity) (Identity, error)
	// Setting returns what was stored under a name; "" when nothing was.
	Setting(ctx context.Context, name string) (string, error)
	// SetSetting stores a value under a name.
	SetSetting(ctx context.Context, name, value string) error
	// FirstSetting stores a value under a name if there is none, and returns which
	// there is.
	FirstSetting(ctx context.Context, name, value string) (string, error)
	// People is the part in which accountkv keeps users, sessions and tokens. Its
	// writers have a method Audit, as SiteTx has.
	People() accountkv.DB

	// Audit adds an entry to the console's own audit, for what is no change of the
	// store. What is one has its entry from the method that makes it, or from
	// SiteTx.Audit, in the same transaction. fleet.ErrInvalid.
	Audit(ctx context.Context, by fleet.Actor, action, target string, detail map[string]string) error
	// ViewAudit runs fn on one moment of that audit.
	ViewAudit(ctx context.Context, fn func(audit.Source) error) error

	// AddSite registers a site; fleet.ErrExists, and fleet.ErrLimit when there
	// are most sites already. This and the four below write their entries of the
	// audit.
	AddSite(ctx context.Context, by fleet.Actor, s Site, most int) error
	// Site returns a site; fleet.ErrNotFound.
	Site(ctx context.Context, id fleet.SiteID) (Site, error)
	// Sites lists sites by id after the given one, at most limit.
	Sites(ctx context.Context, after fleet.SiteID, limit int) ([]Site, error)
	// PutSite changes what people say of a site: its name and its settings, if its
	// version still is ifVersion. fleet.ErrNotFound, fleet.ErrVersion.
	PutSite(ctx context.Context, by fleet.Actor, id fleet.SiteID, name string, s SiteSettings, ifVersion uint64) (Site, error)
	// RevokeSite shuts a site out: its hub, and claims that are not used yet.
	// fleet.ErrNotFound. One that is revoked already stays as it is.
	RevokeSite(ctx context.Context, by fleet.Actor, id fleet.SiteID, at time.Time) (Site, error)

	// AddClaim stores a claim for a site. fleet.ErrNotFound, and fleet.ErrState
	// for a site that was revoked.
	AddClaim(ctx context.Context, c Claim) error
	// Claim returns the claim with that hash; fleet.ErrNotFound.
	Claim(ctx context.Context, hash SecretHash) (Claim, error)
	// UseClaim gives a claim to a hub, by compare-and-set: of several at once
	// one wins. The hub becomes the site's; the one before it is revoked. The
	// claim is returned as it is afterwards: it may have been used by the same
	// key before, and then has that hub. fleet.ErrNotFound; fleet.ErrExists for
	// one that another key has used; fleet.ErrExpired; fleet.ErrForbidden for
	// one whose site or hub was revoked.
	UseClaim(ctx context.Context, hash SecretHash, h Hub, chain [][]byte) (Claim, error)
	// RenewHub notes that a hub's certificate ends later than before.
	// fleet.ErrNotFound; fleet.ErrForbidden when it was revoked.
	RenewHub(ctx context.Context, id fleet.HubID, notAfter time.Time) error
	// Hub returns a hub; fleet.ErrNotFound.
	Hub(ctx context.Context, id fleet.HubID) (Hub, error)

	// ViewSite runs fn on one consistent state of a site; fleet.ErrNotFound.
	ViewSite(ctx context.Context, id fleet.SiteID, fn func(SiteView) error) error
	// ViewSites runs fn on the sites behind an id, at most limit, in the order of
	// their ids, all in one consistent state. It returns how many there were.
	ViewSites(ctx context.Context, after fleet.SiteID, limit int, fn func(SiteView) error) (int, error)
	// UpdateSite runs fn in a transaction over a site. fn may run again when
	// something else came between; an error of fn is returned as it is, and then
	// nothing is written. fleet.ErrNotFound, ErrTooLarge.
	UpdateSite(ctx context.Context, id fleet.SiteID, fn func(SiteTx) error) error
	// SearchDevices finds devices of all sites; a page goes on behind a place, the
	// zero value for the first. fleet.ErrInvalid for a place of another query.
	SearchDevices(ctx context.Context, q DeviceQuery, behind DevicePlace) (DevicePage, error)
	// DueOrders calls fn with the orders whose time to live was over before the
	// given time and that no hub was offered, until fn says false.
	DueOrders(ctx context.Context, before time.Time, fn func(fleet.SiteID, uint64) bool) error

	// Lead reports whether the console that calls itself self is to do a piece of
	// background work until ttl is over; asked again before, it stays the one. It
	// saves work and is no lock: what is done must be harmless when done twice.
	Lead(ctx context.Context, work, self string, ttl time.Duration) (bool, error)

	Documents
	Jobs
	Alerts
	Deliveries

	// Bytes is the size on disk.
	Bytes() uint64
	// Failed is closed when a write has failed; Err says why.
	Failed() <-chan struct{}
	Err() error
	// Run does the engine's housekeeping until ctx ends.
	Run(ctx context.Context) error
	// Close ends the store. It may be called more than once.
	Close() error
}

// Identity says whose store this is.
type Identity struct {
	ConsoleID string `json:"console_id"`
	// Epoch changes whenever the store is new or restored.
	Epoch     string    `json:"epoch"`
	CreatedAt time.Time `json:"created_at"`
}

// StateRow is the newest state of a device as the hub has told it.
type StateRow struct {
	fleet.DeviceState
	// AsOf is when the hub read it, by its clock.
	AsOf time.Time `json:"as_of,omitzero"`
}

// SiteView reads one site. Functions that are called with rows say false to
// end.
type SiteView interface {
	fleet.View
	// Site is the site's own row.
	Site() Site
	// Hub is the hub that may speak for the site; false before the first.
	Hub() (Hub, bool, error)
	Contact() (Contact, error)
	Counts() (Counts, error)
	// Session is the one that is open; the zero value when none is.
	Session() (Session, error)

	Epoch() (fleet.Epoch, error)
	Position(fleet.Lane) (lane.Position, error)
	StateVersion() (uint64, error)
	// Life is where the lanes of an epoch stand; false for one never heard of.
	Life(fleet.Epoch) (lane.Life, bool, error)
	// Seen is what is known of who speaks for the site.
	Seen() (lane.Seen, error)
	// Policy is what was wanted last of the site's policy; false for nothing.
	Policy() (fleet.Policy, bool, error)
	// State returns the newest state of a device; false when there is none.
	State(fleet.DeviceID) (StateRow, bool, error)

	// Devices are those that are registered and not removed, by id after the
	// given one.
	Devices(after fleet.DeviceID, fn func(fleet.Device) bool) error
	Rooms(fn func(fleet.Room) bool) error
	// Requests are all requests, the newest id first, before the given id ("" for
	// all). OpenRequests are those that have not ended.
	Requests(before fleet.RequestID, fn func(fleet.Request) bool) error
	OpenRequests(fn func(fleet.Request) bool) error
	// Commands are those that the hub has told of, the newest id first.
	Commands(before fleet.CommandID, fn func(fleet.Command) bool) error

	Marks() (OrderMarks, error)
	// Order returns the order with that number; false when there is none.
	Order(number uint64) (Order, bool, error)
	// OrdersAfter lists orders upwards, OrdersBefore downwards (0 for all).
	OrdersAfter(number uint64, fn func(Order) bool) error
	OrdersBefore(number uint64, fn func(Order) bool) error
	// Wanted are the commands that were ordered and of which the hub has not told
	// yet, the newest id first, with the order's number.
	Wanted(before fleet.CommandID, fn func(fleet.CommandID, uint64) bool) error
	// WantedBy returns the number of the order for a command of Wanted.
	WantedBy(fleet.CommandID) (uint64, bool, error)
	// CancelOf returns the number of the order to cancel a command that has not
	// been answered.
	CancelOf(fleet.CommandID) (uint64, bool, error)

	// Traffic are the hours of traffic that are held whole and begin in
	// [from, to), the earliest first; with their rows, or with the sums only.
	Traffic(from, to time.Time, rows bool, fn func(TrafficHour) bool) error
	// TrafficSpan is the beginning of the first and of the last hour that is
	// held; false when there is none.
	TrafficSpan() (first, last time.Time, found bool, err error)

	// JobTarget returns the target of a job that a device of the site is; false when
	// it is none.
	JobTarget(fleet.JobID, fleet.DeviceID) (JobTarget, bool, error)
	// Alert returns an alert of the site; false when there is none. Alerts are all,
	// the newest id first, before the given id ("" for all).
	Alert(fleet.AlertID) (Alert, bool, error)
	Alerts(before fleet.AlertID, fn func(Alert) bool) error
	// Usage are the days in [from, to) on which anything has passed, the first
	// first.
	Usage(from, to time.Time, fn func(Usage) bool) error
	// Certificates and Policies are the certificates and the policy documents that
	// the hub has told of, by serial number and by kind and name.
	Certificates(fn func(fleet.Certificate) bool) error
	Policies(fn func(fleet.Document) bool) error

	// HubAudit is what the hub has told of its audit.
	HubAudit() audit.Source

	// DeadLetters are the records that could not be applied, of all epochs.
	DeadLetters(fn func(DeadLetter) bool) error
	// Records are the stored records of a lane of the current epoch.
	Records(l fleet.Lane, from fleet.Seq, fn func(fleet.Seq, []byte) bool) error
	// RecordsOf are those of any epoch.
	RecordsOf(e fleet.Epoch, l fleet.Lane, from fleet.Seq, fn func(fleet.Seq, []byte) bool) error
	// Gaps are the runs of records that will never come, of all epochs.
	Gaps(fn func(lane.Gap) bool) error
	// Digest sums up the entities; see fleet.SyncDigest.
	Digest() (string, error)
	// Recount counts everything anew; it equals Counts.
	Recount() (Counts, error)
}

// SiteTx reads and writes one site. Single entities, orders and rows are seen
// as they will be; lists show what was there when the transaction began.
type SiteTx interface {
	SiteView
	lane.Holder
	// Audit adds an entry to the console's own audit: see Store. Transactions that
	// do so run one after the other, whatever their sites; fn is run again for it.
	Audit(by fleet.Actor, action, target string, detail map[string]string) error
	PutContact(Contact) error
	// PutSession opens a session; the one before ends. The zero value ends it.
	PutSession(Session) error
	// PutPolicy stores what is wanted of the site's policy; fleet.ErrInvalid.
	PutPolicy(fleet.Policy) error
	// AddOrder stores a new order under the next number, which it returns.
	AddOrder(Order) (Order, error)
	// EndOrder says what became of an order. One that has ended stays as it is.
	EndOrder(number uint64, end OrderState, detail string, at time.Time) error
	// Renumber follows a restore of this store: a hub holds orders up to a number
	// that this store knows nothing of. Orders that were made since the given time
	// get the numbers behind it, in their order, with their ids; the others stay as
	// they are. The marks then begin at that number at least.
	Renumber(cursor uint64, since time.Time) error
	// Offered says that orders up to a number are on their way to the hub, and
	// Taken that the hub holds them. Neither goes back.
	Offered(upto uint64) error
	Taken(upto uint64) error
	// PutJobTarget stores a target of a job, PutAlert an alert of the site.
	PutJobTarget(JobTarget) error
	PutAlert(Alert) error
	// AddUsage adds to a day.
	AddUsage(Usage) error
	// DropTraffic removes the hours of the days, in UTC, that were over before
	// the given time: the oldest days first, at most so many. It returns how many
	// days went, which is less than most when none is left.
	DropTraffic(before time.Time, most int) (days int, err error)
}
