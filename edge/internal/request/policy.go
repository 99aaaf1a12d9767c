package request

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"github.com/obedio/obedio/edge/internal/document"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/shared/fleet"
)

// Service is something that guests can call for. The name of its document is
// the kind of the requests.
type Service struct {
	Label string `json:"label"`
	// Team that gives it; empty for everybody.
	Team string `json:"team,omitempty"`
	// Priority that such a request has at least.
	Priority fleet.Priority `json:"priority,omitempty"`
}

func (s Service) check() error {
	if s.Label == "" || len(s.Label) > 128 {
		return fmt.Errorf("%w: label has %d bytes: want 1 to 128", fleet.ErrInvalid, len(s.Label))
	}
	if s.Priority == "" {
		return nil
	}
	_, err := fleet.ParsePriority(string(s.Priority))
	return err
}

// Meaning is what a way of pressing a button stands for.
type Meaning struct {
	// Service is the kind of the request; empty for a plain call.
	Service  string         `json:"service,omitempty"`
	Priority fleet.Priority `json:"priority"`
}

// PressProfile says what presses of a button mean. The payload of a press may
// raise the priority, never lower it.
type PressProfile struct {
	Types map[fleet.PressType]Meaning `json:"types"`
	// BurstPresses of one open request make it BurstPriority: whoever presses
	// again and again is in need. 0: never.
	BurstPresses  uint64         `json:"burst_presses,omitempty"`
	BurstPriority fleet.Priority `json:"burst_priority,omitempty"`
}

// DefaultPressProfile is the name of the profile that buttons have which name
// none.
const DefaultPressProfile = "default"

// builtInProfile stands until one is stored under DefaultPressProfile.
func builtInProfile() PressProfile {
	return PressProfile{
		Types: map[fleet.PressType]Meaning{
			fleet.PressSingle: {Priority: fleet.Normal}, fleet.PressDouble: {Priority: fleet.Urgent},
			fleet.PressLong: {Priority: fleet.Emergency}, fleet.PressShake: {Priority: fleet.Normal},
		},
		BurstPresses: 5, BurstPriority: fleet.Urgent,
	}
}

func (p PressProfile) check() error {
	for t, m := range p.Types {
		if _, err := fleet.ParsePressType(string(t)); err != nil {
			return err
		}
		if _, err := fleet.ParsePriority(string(m.Priority)); err != nil {
			return err
		}
	}
	if p.BurstPresses == 1 || p.BurstPresses > 1000 {
		return fmt.Errorf("%w: burst_presses %d: want 2 to 1000, or 0 for never", fleet.ErrInvalid, p.BurstPresses)
	}
	if p.BurstPresses > 0 {
		_, err := fleet.ParsePriority(string(p.BurstPriority))
		return err
	}
	return nil
}

// Level is one step of an escalation.
type Level struct {
	// To is who is told; those of the levels before are told too.
	To fleet.Recipients `json:"to"`
	// AfterS is how long after the level before, in seconds, or after the opening
	// for the first one.
	AfterS int64 `json:"after_s"`
}

// Escalation says who is told when of requests of one priority.
type Escalation struct {
	Levels []Level `json:"levels"`
	// RingEveryS: a watch that was told is told again after so many seconds.
	RingEveryS int64 `json:"ring_every_s"`
	// MissedAfterS: so many seconds after the last level an open request is
	// missed. 0: never.
	MissedAfterS int64 `json:"missed_after_s"`
	// LateMaxS: a press that was under way for longer rings nobody: its request
	// is missed at once, and shown with its age. 0: all ring.
	LateMaxS int64 `json:"late_max_s"`
}

// builtInEscalation stands until one is stored for the priority.
func builtInEscalation(p fleet.Priority) Escalation {
	if p == fleet.Emergency {
		return Escalation{Levels: []Level{{To: fleet.ToAll}}, RingEveryS: 10}
	}
	wait, ring := int64(120), int64(60)
	if p == fleet.Urgent {
		wait, ring = 60, 30
	}
	return Escalation{
		Levels:     []Level{{To: fleet.ToDuty}, {fleet.ToBackup, wait}, {fleet.ToLead, wait}, {fleet.ToAll, wait}},
		RingEveryS: ring, MissedAfterS: 3600, LateMaxS: 1800,
	}
}

func (e Escalation) check() error {
	if len(e.Levels) == 0 || len(e.Levels) > 8 {
		return fmt.Errorf("%w: %d levels: want 1 to 8", fleet.ErrInvalid, len(e.Levels))
	}
	for i, l := range e.Levels {
		if _, err := fleet.ParseRecipients(string(l.To)); err != nil {
			return err
		}
		if l.AfterS < 0 || l.AfterS > 86400 || i == 0 && l.AfterS != 0 {
			return fmt.Errorf("%w: level %d: after_s %d: want 0 for the first and at most 86400", fleet.ErrInvalid, i, l.AfterS)
		}
		if i > 0 && l.To.Rank() < e.Levels[i-1].To.Rank() {
			return fmt.Errorf("%w: level %d tells %s, fewer than the level before", fleet.ErrInvalid, i, l.To)
		}
	}
	if e.RingEveryS < 1 || e.RingEveryS > 3600 {
		return fmt.Errorf("%w: ring_every_s %d: want 1 to 3600", fleet.ErrInvalid, e.RingEveryS)
	}
	if e.MissedAfterS < 0 || e.MissedAfterS > 7*86400 || e.LateMaxS < 0 || e.LateMaxS > 7*86400 {
		return fmt.Errorf("%w: missed_after_s and late_max_s: want 0 to 604800", fleet.ErrInvalid)
	}
	return nil
}

// level is the level of a request by a policy: where it is, and never beyond
// the last.
func (e Escalation) level(r fleet.Request) int { return min(int(r.Level), len(e.Levels)-1) }

// recipients of a request: those of its level, and never fewer than it had.
func (e Escalation) recipients(r fleet.Request) fleet.Recipients {
	to := e.Levels[e.level(r)].To
	if r.To.Rank() > to.Rank() {
		to = r.To
	}
	return to
}

// Policies are the documents that say what presses mean and who is told.
type Policies struct {
	Services *document.Set[Service]
	// Profiles and Escalations hold what is stored; see Profile and Escalation.
	Profiles    *document.Set[PressProfile]
	Escalations *document.Set[Escalation]
}

// CheckDocument reports as fleet.ErrInvalid what is wrong with the body of a
// document that says what presses mean or who is told; known says whether it is
// of such a kind.
func CheckDocument(d fleet.PolicyDocument) (known bool, err error) {
	switch {
	case d.Kind == fleet.DocumentService:
		return true, checkBody(d, Service.check)
	case d.Kind == fleet.DocumentPressProfile:
		return true, checkBody(d, PressProfile.check)
	case d.Kind == fleet.DocumentEscalation:
		return true, checkBody(d, func(e Escalation) error { return checkEscalation(d.Name, e) })
	}
	return false, nil
}

func checkBody[T any](d fleet.PolicyDocument, check func(T) error) error {
	var v T
	if err := json.Unmarshal(d.Body, &v); err != nil {
		return fmt.Errorf("%w: %s %s: %w", fleet.ErrInvalid, d.Kind, d.Name, err)
	}
	if err := check(v); err != nil {
		return fmt.Errorf("%s %s: %w", d.Kind, d.Name, err)
	}
	return nil
}

func newPolicies(c Config) (p Policies, err error) {
	p.Services, err = document.NewSet(document.Config[Service]{
		Kind: fleet.DocumentService, Store: c.Store, Journal: c.Journal, Max: c.MaxDocuments, Check: Service.check,
	})
	if err != nil {
		return p, err
	}
	p.Profiles, err = document.NewSet(document.Config[PressProfile]{
		Kind: fleet.DocumentPressProfile, Store: c.Store, Journal: c.Journal, Max: c.MaxDocuments, Check: PressProfile.check,
	})
	if err != nil {
		return p, err
	}
	p.Escalations, err = document.NewSet(document.Config[Escalation]{
		Kind: fleet.DocumentEscalation, Store: c.Store, Journal: c.Journal, Max: c.MaxDocuments,
		CheckIn: func(_ *journal.Tx, priority string, e Escalation) error { return checkEscalation(priority, e) },
	})
	return p, err
}

// Profile is the press profile of that name, or the default one.
func (p Policies) Profile(name string) PressProfile {
	for _, n := range []string{cmp.Or(name, DefaultPressProfile), DefaultPressProfile} {
		if v, err := p.Profiles.Get(n); err == nil {
			return v.Value
		}
	}
	return builtInProfile()
}

// Escalation is that of a priority.
func (p Policies) Escalation(priority fleet.Priority) Escalation {
	if v, err := p.Escalations.Get(string(priority)); err == nil {
		return v.Value
	}
	return builtInEscalation(priority)
}

// checkEscalation reports as fleet.ErrInvalid an escalation that a priority
// cannot have: an emergency reaches everybody in the end, and is never given up
// by itself.
func checkEscalation(priority string, e Escalation) error {
	p, err := fleet.ParsePriority(priority)
	if err != nil {
		return err
	}
	if err := e.check(); err != nil || p != fleet.Emergency {
		return err
	}
	if last := e.Levels[len(e.Levels)-1]; last.To != fleet.ToAll || e.MissedAfterS != 0 || e.LateMaxS != 0 {
		return fmt.Errorf("%w: an emergency ends at all, and its missed_after_s and late_max_s are 0", fleet.ErrInvalid)
	}
	return nil
}

// meaning of a press: what the profile says of its type, the service's own
// priority, what the payload says, and what the button's impatience adds. The
// highest priority counts.
func (p Policies) meaning(profile string, t fleet.PressType, said fleet.Priority, presses uint64) (Meaning, string) {
	pp := p.Profile(profile)
	m := pp.Types[t]
	m.Priority = fleet.Priority(cmp.Or(string(m.Priority), string(fleet.Normal))).Max(said)
	team := ""
	if s, err := p.Services.Get(m.Service); err == nil {
		team = s.Value.Team
		if s.Value.Priority != "" {
			m.Priority = m.Priority.Max(s.Value.Priority)
		}
	}
	if pp.BurstPresses > 0 && presses >= pp.BurstPresses {
		m.Priority = m.Priority.Max(pp.BurstPriority)
	}
	return m, team
}

// Labels are what people read as the kinds of requests.
func (p Policies) Labels() map[string]string {
	out := map[string]string{}
	for _, s := range p.Services.All() {
		out[s.Name] = s.Value.Label
	}
	return out
}

// Recipients says who is told of a request now.
func (r *Requests) Recipients(req fleet.Request) fleet.Recipients {
	return r.Escalation(req.Priority).recipients(req)
}

// RingEvery is how often those who were told of an open request are told again.
func (r *Requests) RingEvery(req fleet.Request) time.Duration {
	return r.hurried(time.Duration(r.Escalation(req.Priority).RingEveryS) * time.Second)
}
