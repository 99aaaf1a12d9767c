// Package fleettest makes histories of a site and holds the conformance suite
// that every store must pass. It is for tests only.
package fleettest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Story makes records as a hub would: devices come and go, buttons are
// pressed, requests and commands step to their ends. The same seed makes the
// same story. Each record is folded into the story's own state at once.
type Story struct {
	rng   *rand.Rand
	now   time.Time
	state *Memory
	seqs  map[fleet.DeviceID]uint64

	devices      []fleet.DeviceID
	requests     []fleet.RequestID // not ended
	commands     []fleet.CommandID // not ended
	certificates []string          // not revoked
	job          fleet.JobID       // the newest
	alerts       []fleet.AlertID   // not cleared
	order        uint64
	document     uint64 // numbers bodies
	chain        fleet.Epoch
}

// NewStory begins a story.
func NewStory(seed uint64) *Story {
	return &Story{
		rng:   rand.New(rand.NewPCG(seed, 0)),
		now:   time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC),
		state: NewMemory(),
		seqs:  map[fleet.DeviceID]uint64{},
		chain: "story",
	}
}

// GoOn continues the story from another state of the same site, such as an
// older copy of its own: what happens from then on is new. Devices count their
// presses on, as they know nothing of it. chain is that of the audit.
func (s *Story) GoOn(from *Memory, chain fleet.Epoch) {
	s.state, s.chain = from, chain
	s.devices, s.requests, s.commands, s.certificates, s.alerts, s.job = nil, nil, nil, nil, nil, ""
	for ref, b := range from.All() {
		e, err := fleet.DecodeEntity(ref.Kind, b)
		if err != nil {
			panic(err)
		}
		switch e := e.(type) {
		case fleet.Device:
			s.devices = append(s.devices, e.ID)
		case fleet.Request:
			if !e.State.Ended() {
				s.requests = append(s.requests, e.ID)
			}
		case fleet.Command:
			if !e.State.Ended() {
				s.commands = append(s.commands, e.ID)
			}
		case fleet.Certificate:
			if !e.Revoked() {
				s.certificates = append(s.certificates, e.Serial)
			}
		case fleet.Alert:
			if !e.State.Ended() {
				s.alerts = append(s.alerts, e.ID)
			}
		}
	}
}

// State is the fold of all records so far.
func (s *Story) State() *Memory { return s.state }

// Next makes the next record.
func (s *Story) Next() fleet.Record {
	s.now = s.now.Add(time.Duration(1+s.rng.IntN(5000)) * time.Millisecond)
	r := fleet.Record{At: s.now, ClockTrusted: true, Actor: fleet.System("story")}
	switch n := s.rng.IntN(10); {
	case len(s.devices) < 3 || n == 0 && len(s.devices) < 40:
		r.Body = s.newDevice()
	case n <= 4:
		r.Body = s.press()
	case n <= 6 && len(s.requests) > 0:
		r.Actor = fleet.Actor{Kind: fleet.ActorUser, ID: s.uuid(), PersonID: "mila", Name: "Mila"}
		r.Body = s.workOnRequest()
	case n == 7 && s.rng.IntN(3) == 0:
		r.Body = s.openRequest()
	case n == 7 && len(s.commands) > 0:
		r.Body = s.stepCommand()
	case n == 8 && s.rng.IntN(4) == 0:
		r.Body = s.changePolicy()
	case n == 9 && s.rng.IntN(3) == 0:
		r.Body = s.changeCertificate()
	case n == 9 && s.rng.IntN(2) == 0:
		r.Body = s.audit()
	case n == 8 && s.rng.IntN(4) == 0:
		r.Body = s.changeJob()
	case n == 9 && s.rng.IntN(2) == 0:
		r.Body = s.changeAlert()
	case n == 8:
		r.Body = s.newCommand()
	case s.rng.IntN(4) == 0:
		r.Body = s.changeRoom()
	default:
		r.Body = s.changeDevice()
	}
	changes, err := fleet.Apply(s.state, r)
	if err != nil || len(changes) == 0 {
		panic(fmt.Sprintf("story made a record that does nothing: %#v: %v", r, err))
	}
	for _, c := range changes {
		if err := s.state.PutEntity(c.After); err != nil {
			panic(err)
		}
	}
	return r
}

func (s *Story) uuid() string {
	var b [16]byte
	for i := range b {
		b[i] = byte(s.rng.Uint32())
	}
	return fleet.FormatUUID(b)
}

func pick[T any](s *Story, from []T) (int, T) {
	i := s.rng.IntN(len(from))
	return i, from[i]
}

func (s *Story) newDevice() fleet.Body {
	_, typ := pick(s, fleet.DeviceTypes())
	n := len(s.devices) + 1
	id := fleet.DeviceID(fmt.Sprintf("%s-%03d", typ, n))
	for slices.Contains(s.devices, id) {
		n++
		id = fleet.DeviceID(fmt.Sprintf("%s-%03d", typ, n))
	}
	s.devices = append(s.devices, id)
	return fleet.DeviceChanged{Device: fleet.Device{
		ID: id, Type: typ, Room: s.room(), Profile: string(typ), Version: 1, CreatedAt: s.now, UpdatedAt: s.now,
		Tags: []string{"deck-1"}, Metadata: map[string]string{"serial": s.uuid(), "batch": "7"},
	}}
}

// changePolicy makes, changes or removes one of a few documents.
func (s *Story) changePolicy() fleet.Body {
	_, kind := pick(s, []fleet.DocumentKind{fleet.DocumentProfile, fleet.DocumentACL})
	name := fmt.Sprintf("%s-%d", kind, 1+s.rng.IntN(3))
	d, _, err := fleet.Get[fleet.Document](s.state, fleet.DocumentRef(kind, name))
	if err != nil {
		panic(err)
	}
	s.document++
	d = fleet.Document{Kind: kind, Name: name, UpdatedAt: s.now, Version: d.Version + 1, Removed: s.rng.IntN(4) == 0}
	if !d.Removed {
		d.Body = fmt.Appendf(nil, `{"max_qos":1,"note":"change %d"}`, s.document)
	}
	return fleet.PolicyChanged{Document: d}
}

// changeCertificate issues a certificate or revokes one.
func (s *Story) changeCertificate() fleet.Body {
	if len(s.certificates) > 0 && s.rng.IntN(3) == 0 {
		i, serial := pick(s, s.certificates)
		s.certificates = slices.Delete(s.certificates, i, i+1)
		c, _, err := fleet.Get[fleet.Certificate](s.state, fleet.CertificateRef(serial))
		if err != nil {
			panic(err)
		}
		c.RevokedAt, c.Reason, c.Version = s.now, fleet.RevokedSuperseded, 2
		return fleet.CertificateChanged{Certificate: c}
	}
	_, id := pick(s, s.devices)
	hash := func() string { return strings.ReplaceAll(s.uuid()+s.uuid(), "-", "") }
	c := fleet.Certificate{
		Serial: strings.ReplaceAll(s.uuid(), "-", ""), Kind: fleet.CertificateDevice, Device: id, Fingerprint: hash(), Key: hash(), Authority: hash(),
		IssuedAt: s.now, NotBefore: s.now.Add(-7 * 24 * time.Hour), NotAfter: s.now.Add(700 * 24 * time.Hour), Version: 1,
	}
	s.certificates = append(s.certificates, c.Serial)
	return fleet.CertificateChanged{Certificate: c}
}

// audit adds an entry to the audit.
func (s *Story) audit() fleet.Body {
	head, _, err := fleet.Get[fleet.AuditHead](s.state, fleet.AuditHeadRef(s.chain))
	if err != nil {
		panic(err)
	}
	return fleet.Audited{
		Chain: s.chain, N: head.N + 1, Prev: head.Hash, Action: "device.moved", Target: string(s.devices[0]),
		Detail: map[string]string{"room": string(s.room()), "from": "bridge"},
	}
}

func (s *Story) room() fleet.RoomID {
	return fleet.RoomID(fmt.Sprintf("cabin-%d", 101+s.rng.IntN(8)))
}

// changeRoom makes a room or changes it.
func (s *Story) changeRoom() fleet.Body {
	id := s.room()
	r, _, err := fleet.Get[fleet.Room](s.state, fleet.RoomRef(id))
	if err != nil {
		panic(err)
	}
	r = fleet.Room{
		ID: id, Name: "Cabin", Deck: "Main deck", Zone: "aft", Position: uint32(1 + s.rng.IntN(9)), UpdatedAt: s.now, Version: r.Version + 1,
	}
	if r.Quiet = s.rng.IntN(2) == 0; r.Quiet {
		r.QuietUntil = s.now.Add(time.Hour)
	}
	return fleet.RoomChanged{Room: r}
}

func (s *Story) changeDevice() fleet.Body {
	_, id := pick(s, s.devices)
	d, _, err := fleet.Get[fleet.Device](s.state, fleet.DeviceRef(id))
	if err != nil {
		panic(err)
	}
	d.Room, d.UpdatedAt = s.room(), s.now
	d.Version++
	d.Removed = s.rng.IntN(4) == 0
	return fleet.DeviceChanged{Device: d}
}

func (s *Story) press() fleet.Body {
	_, id := pick(s, s.devices)
	s.seqs[id]++
	_, prio := pick(s, fleet.Priorities())
	p := fleet.Pressed{
		Press: fleet.Press{
			PressKey: fleet.PressKey{Device: id, BootID: "boot-1", SequenceID: s.seqs[id]},
			Type:     fleet.PressSingle, Priority: prio, ReceivedAt: s.now, DeviceTime: s.now.Add(-time.Second),
		},
		Room: s.room(),
	}
	cursor, found, err := fleet.Get[fleet.PressCursor](s.state, fleet.PressCursorRef(id))
	if err != nil {
		panic(err)
	}
	if found {
		req, known, err := fleet.Get[fleet.Request](s.state, fleet.RequestRef(cursor.Request))
		if err != nil {
			panic(err)
		}
		if known && req.State == fleet.RequestOpen {
			p.Press.Request = req.ID
			return p
		}
	}
	p.Press.Request, p.Opens, p.Service, p.Team = fleet.RequestID(s.uuid()), true, "cleaning", "housekeeping"
	s.requests = append(s.requests, p.Press.Request)
	return p
}

// openRequest opens a request without a press.
func (s *Story) openRequest() fleet.Body {
	o := fleet.RequestOpened{
		Request: fleet.RequestID(s.uuid()), Room: s.room(), Priority: fleet.Urgent, Service: "call", Note: "by telephone",
	}
	if s.rng.IntN(3) == 0 {
		o.Reopens = fleet.RequestID(s.uuid())
	}
	if s.rng.IntN(4) == 0 {
		o.Purpose = fleet.PurposeDrill
	}
	s.requests = append(s.requests, o.Request)
	return o
}

// workOnRequest is a step of a request, or what is said about it on the way.
func (s *Story) workOnRequest() fleet.Body {
	i, id := pick(s, s.requests)
	req, _, err := fleet.Get[fleet.Request](s.state, fleet.RequestRef(id))
	if err != nil {
		panic(err)
	}
	switch n := s.rng.IntN(8); {
	case n == 0 && req.State == fleet.RequestOpen:
		_, cause := pick(s, []fleet.EscalationCause{fleet.CauseTime, fleet.CauseNobody, fleet.CauseDeclined})
		return fleet.RequestEscalated{Request: id, Number: req.Entries + 1, Level: req.Level + 1, To: fleet.ToBackup, Cause: cause}
	case n == 1:
		return fleet.RequestOffered{Request: id, Number: req.Entries + 1, Person: "ante", Name: "Ante", ExpiresAt: s.now.Add(time.Minute)}
	case n == 2 && req.Offer != nil:
		_, end := pick(s, []fleet.OfferEnd{fleet.OfferDeclined, fleet.OfferExpired, fleet.OfferWithdrawn})
		return fleet.RequestDeclined{Request: id, Number: req.Entries + 1, Offer: end}
	case n == 3 && req.State == fleet.RequestOpen && len(req.Declined) < 10:
		return fleet.RequestDeclined{Request: id, Number: req.Entries + 1} // each time by somebody else
	}
	return s.stepRequest(i, req)
}

func (s *Story) stepRequest(i int, req fleet.Request) fleet.Body {
	next, reason := fleet.RequestAccepted, fleet.CancelReason("")
	if req.State == fleet.RequestAccepted {
		next = fleet.RequestCompleted
		if req.Offer != nil && s.rng.IntN(2) == 0 {
			next = fleet.RequestAccepted // it is handed over
		}
	}
	if s.rng.IntN(5) == 0 {
		next, reason = fleet.RequestCancelled, fleet.CancelFalsePress
	}
	step, err := req.Step(req.Version, next, reason, "")
	if err != nil {
		panic(err)
	}
	if next.Ended() {
		s.requests = append(s.requests[:i], s.requests[i+1:]...)
	}
	return step
}

// changeJob begins a job, or cancels the last one.
func (s *Story) changeJob() fleet.Body {
	if j, found, err := fleet.Get[fleet.Job](s.state, fleet.JobRef(s.job)); err == nil && found && j.CancelledAt.IsZero() {
		j.CancelledAt = s.now
		j.Version++
		return fleet.JobChanged{Job: j}
	}
	s.job = fleet.JobID(s.uuid())
	return fleet.JobChanged{Job: fleet.Job{
		ID: s.job, Name: "locate", Args: []byte(`{"seconds":5}`), Filter: "type:watch", Targets: 12, IssuedBy: fleet.System("story"),
		IssuedAt: s.now, ExpiresAt: s.now.Add(time.Hour), Version: 1,
	}}
}

func (s *Story) newCommand() fleet.Body {
	_, id := pick(s, s.devices)
	s.order++
	c := fleet.CommandID(s.uuid())
	s.commands = append(s.commands, c)
	return fleet.CommandStepped{Command: c, State: fleet.CommandAtHub, Define: &fleet.CommandDefinition{
		Device: id, Name: "locate", Args: []byte(`{"seconds":5}`), IssuedBy: fleet.System("story"),
		IssuedAt: s.now, ExpiresAt: s.now.Add(time.Minute), Order: s.order,
	}}
}

func (s *Story) stepCommand() fleet.Body {
	i, id := pick(s, s.commands)
	c, _, err := fleet.Get[fleet.Command](s.state, fleet.CommandRef(id))
	if err != nil {
		panic(err)
	}
	var can []fleet.CommandState
	for _, next := range fleet.CommandStates() {
		if c.State.Leads(next) {
			can = append(can, next)
		}
	}
	_, next := pick(s, can)
	if next.Ended() {
		s.commands = append(s.commands[:i], s.commands[i+1:]...)
	}
	return fleet.CommandStepped{Command: id, State: next}
}
