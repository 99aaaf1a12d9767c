package alert

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Truth is what evidence says of a condition.
type Truth uint8

// What is not known leaves everything as it is.
const (
	Unknown Truth = iota
	No
	Yes
)

// truth is Yes or No.
func truth(b bool) Truth {
	if b {
		return Yes
	}
	return No
}

// Reading is the evidence of one condition at one subject.
type Reading struct {
	Subject string
	Truth   Truth
	// Value is that of a condition with a limit, in place of Truth.
	Value *float64
	// Covered: an alert about something else tells of it. One that stands stays,
	// another is not raised.
	Covered bool
	// Severity in place of the condition's.
	Severity fleet.AlertSeverity
	Room     fleet.RoomID
	// Count and some Members of what it is about, for more than one thing.
	Count   int
	Members []string
	// Detail is for people. What changes all the time does not belong in it.
	Detail map[string]string
}

// Evidence is all readings of each kind. Subjects that are not among a kind's
// readings are without the condition; of a kind that is not there nothing is
// known.
type Evidence map[fleet.AlertKind][]Reading

// key names what there is one alert of at a time.
type key struct {
	kind    fleet.AlertKind
	subject string
}

// track is what is remembered of one condition at one subject.
type track struct {
	raw   bool          // the condition is there now
	since time.Duration // when that began
	holds bool          // it has been there, or was not gone, for long enough
	// member: it is counted in the alert for many.
	member bool
	// restarted: an alert for many of before a restart, whose members have not
	// been looked for yet.
	restarted bool
	// again counts how often it came back before it had been gone for long enough.
	again uint64
	last  Reading
}

// State is what Evaluate remembers besides the alerts.
type State map[key]track

// moment is a time by the clock, which may step, and on the scale of delays,
// which never does.
type moment struct {
	at time.Time
	up time.Duration
}

// before is the clock's time of a past place on the scale of delays.
func (m moment) before(up time.Duration) time.Time {
	return fleet.Millis(m.at.Add(up - m.up))
}

// rules are what Evaluate needs to know.
type rules struct {
	table []Condition
	// group: when more than so many are there of a kind that has an alert for
	// many, new ones are counted in that.
	group int
	// updateEvery is how often an alert that stands tells new details.
	updateEvery time.Duration
	// flapHold is the longest that a condition that comes and goes must be gone.
	flapHold time.Duration
	newID    func(time.Time) fleet.AlertID
}

// Evaluate says which alerts change by the evidence. standing are the alerts
// that have not ended, by what they are about. Nothing that is given is changed.
func (r rules) evaluate(before State, standing map[key]fleet.Alert, e Evidence, now moment) (State, []fleet.Alert) {
	s := maps.Clone(before)
	if s == nil {
		s = State{}
	}
	w := &work{rules: r, state: s, standing: standing, evidence: e, now: now, groups: map[fleet.AlertKind][]Condition{}}
	for _, c := range r.table {
		if c.Many != "" && !c.Disabled {
			w.groups[c.Many] = append(w.groups[c.Many], c)
		}
	}
	w.remember()
	for _, c := range r.table {
		w.condition(c)
	}
	for _, c := range r.table {
		if of, ok := w.groups[c.Kind]; ok {
			w.many(c, of)
		}
	}
	return s, w.changes()
}

// work is one evaluation.
type work struct {
	rules
	state    State
	standing map[key]fleet.Alert
	evidence Evidence
	now      moment
	groups   map[fleet.AlertKind][]Condition
}

// remember makes the tracks that a restart has lost: what an alert says holds
// does so until evidence says otherwise.
func (w *work) remember() {
	for k, a := range w.standing {
		t, known := w.state[k]
		if known && !t.restarted || !a.State.Holds() {
			continue
		}
		_, many := w.groups[k.kind]
		w.state[k] = track{raw: true, holds: true, restarted: many, since: w.now.up, last: Reading{
			Subject: k.subject, Severity: a.Severity, Room: a.Room, Count: a.Count, Members: a.Members, Detail: a.Detail,
		}}
		for _, c := range w.groups[k.kind] {
			for _, m := range a.Members {
				member := key{c.Kind, m}
				if _, known := w.state[member]; !known && w.known(c, m) {
					w.state[member] = track{raw: true, holds: true, member: true, since: w.now.up, last: Reading{Subject: m}}
				}
			}
		}
	}
}

// known reports whether there is a reading of that condition at m.
func (w *work) known(c Condition, m string) bool {
	return slices.ContainsFunc(w.evidence[c.Kind], func(r Reading) bool { return r.Subject == m })
}

// condition takes the evidence of one kind and applies its delays.
func (w *work) condition(c Condition) {
	readings, told := w.evidence[c.Kind]
	if c.Disabled {
		readings, told = nil, true
	}
	seen := map[string]bool{}
	for _, r := range readings {
		seen[r.Subject] = true
		k := key{c.Kind, r.Subject}
		t, known := w.state[k]
		is := c.judge(r, t.raw)
		switch {
		case !known && is != Yes:
		case r.Covered && !t.holds:
			delete(w.state, k)
		case is == Unknown:
			w.settle(c, k, t, t.raw) // nothing new is known; time goes on
		default:
			t.last = r
			w.settle(c, k, t, is == Yes)
		}
	}
	if _, group := w.groups[c.Kind]; group {
		return
	}
	for k, t := range w.state {
		switch {
		case k.kind != c.Kind || seen[k.subject]:
		case told && !c.Told:
			w.settle(c, k, t, false) // it is not there any more
		default:
			w.settle(c, k, t, t.raw)
		}
	}
}

func (c Condition) judge(r Reading, until bool) Truth {
	if c.Limit == nil {
		return r.Truth
	}
	if r.Value == nil {
		return r.Truth // whoever has no number may know all the same
	}
	return truth(c.Limit.wrong(*r.Value, until))
}

// settle notes whether a condition is there now, and applies the delays.
func (w *work) settle(c Condition, k key, t track, raw bool) {
	if raw != t.raw {
		if raw && t.holds {
			t.again++
		}
		t.raw, t.since = raw, w.now.up
	}
	lasts := w.now.up - t.since
	switch {
	case t.raw && !t.holds && lasts >= c.On:
		t.holds = true
	case !t.raw && t.holds && lasts >= w.off(c, k, t):
		t = track{raw: false, since: t.since}
	}
	if !t.raw && !t.holds {
		delete(w.state, k)
		return
	}
	w.state[k] = t
}

// off is how long a condition must be gone: the longer, the oftener it has come
// back.
func (w *work) off(c Condition, k key, t track) time.Duration {
	times := max(1, w.standing[k].Occurrences+t.again)
	if c.Off <= 0 || times == 1 {
		return c.Off
	}
	return max(c.Off, min(w.flapHold, c.Off*time.Duration(min(times, 1000))))
}

// many decides which of the kinds that share an alert for many are counted in
// it, and makes its track.
func (w *work) many(c Condition, of []Condition) {
	total := 0
	var unsettled []key
	members := map[string]track{}
	for k, t := range w.state {
		if !slices.ContainsFunc(of, func(o Condition) bool { return o.Kind == k.kind }) {
			continue
		}
		total++
		switch alone := w.standing[k]; {
		case !t.holds:
		case t.member:
			members[k.subject] = t
		case alone.ID == "" || !alone.State.Holds():
			unsettled = append(unsettled, k)
		}
	}
	if total > w.group {
		for _, k := range unsettled {
			t := w.state[k]
			t.member = true
			w.state[k] = t
			members[k.subject] = t
		}
	}
	k := key{kind: c.Kind}
	if w.state[k].restarted && !slices.ContainsFunc(of, func(o Condition) bool { _, told := w.evidence[o.Kind]; return told }) {
		return // nothing is known yet of its members
	}
	if len(members) == 0 || c.Disabled {
		delete(w.state, k)
		return
	}
	names := slices.Sorted(maps.Keys(members))
	since, rooms := w.now.up, map[string]int{}
	for _, t := range members {
		since = min(since, t.since)
		if t.last.Room != "" {
			rooms[string(t.last.Room)]++
		}
	}
	r := Reading{Truth: Yes, Count: len(names), Members: names[:min(len(names), fleet.MaxAlertMembers)], Detail: map[string]string{}}
	if text := most(rooms); text != "" {
		r.Detail["rooms"] = text
	}
	w.state[k] = track{raw: true, holds: true, since: since, last: r}
}

// most names the rooms with the most of what is counted.
func most(counts map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b)) })
	text := ""
	for i, n := range names[:min(len(names), 3)] {
		if i > 0 {
			text += ", "
		}
		text += n + " " + strconv.Itoa(counts[n])
	}
	if more := len(names) - 3; more > 0 {
		text += fmt.Sprintf(", %d more", more)
	}
	return text
}

// changes compares what holds with the alerts that stand.
func (w *work) changes() []fleet.Alert {
	var out []fleet.Alert
	for k, a := range w.standing {
		if a.State.Holds() && !slices.ContainsFunc(w.table, func(c Condition) bool { return c.Kind == k.kind }) {
			out = append(out, a.Rectify(fleet.Millis(w.now.at))) // of another version of the program
		}
	}
	for _, c := range w.table {
		var keys []key
		for k := range w.state {
			if k.kind == c.Kind {
				keys = append(keys, k)
			}
		}
		for k := range w.standing {
			if _, tracked := w.state[k]; k.kind == c.Kind && !tracked {
				keys = append(keys, k)
			}
		}
		slices.SortFunc(keys, func(a, b key) int { return cmp.Compare(a.subject, b.subject) })
		for _, k := range keys {
			if a, changed := w.step(c, k); changed {
				out = append(out, a)
			}
		}
	}
	return out
}

// step is the one next step of an alert, if there is one.
func (w *work) step(c Condition, k key) (fleet.Alert, bool) {
	t := w.state[k]
	a, stands := w.standing[k]
	at := fleet.Millis(w.now.at)
	switch holds := t.holds && !t.member; {
	case !stands && !holds:
		return a, false
	case !stands:
		a = fleet.Alert{
			ID: w.newID(w.now.at), Kind: c.Kind, SubjectKind: c.Subject, Subject: k.subject, State: fleet.AlertActive,
			Since: w.now.before(t.since), RaisedAt: at, UpdatedAt: at, Occurrences: 1, Version: 1,
		}
		w.describe(&a, c, t)
		return a, true
	case !holds:
		if !a.State.Holds() {
			return a, false
		}
		return a.Rectify(at), true
	case a.State == fleet.AlertRectified:
		w.describe(&a, c, t)
		return a.Recur(w.now.before(t.since), at), true
	case a.State == fleet.AlertSilenced && !w.now.at.Before(a.SilencedUntil):
		w.describe(&a, c, t)
		return a.Expire(at), true
	}
	return w.update(c, k, t, a)
}

// update tells what is new about an alert that stands.
func (w *work) update(c Condition, k key, t track, a fleet.Alert) (fleet.Alert, bool) {
	next, at := a, fleet.Millis(w.now.at)
	w.describe(&next, c, t)
	seen := a.State == fleet.AlertAcknowledged
	switch {
	case seen && next.Severity.Rank() > a.Severity.Rank(), seen && a.AcknowledgedCount > 0 && next.Count >= 2*a.AcknowledgedCount:
		return next.Worsen(at), true
	case next.Severity != a.Severity:
	case w.now.at.Sub(a.UpdatedAt).Abs() < w.updateEvery:
		return a, false
	case t.again == 0 && next.Room == a.Room && next.Count == a.Count && slices.Equal(next.Members, a.Members) && maps.Equal(next.Detail, a.Detail):
		return a, false
	}
	next.Occurrences += t.again
	t.again = 0
	w.state[k] = t
	next.UpdatedAt = at
	next.Version++
	return next, true
}

// describe writes what the newest reading says.
func (w *work) describe(a *fleet.Alert, c Condition, t track) {
	r := t.last
	a.Severity = cmp.Or(r.Severity, c.Severity)
	a.Room, a.Count, a.Members = cmp.Or(r.Room, a.Room), r.Count, r.Members
	if len(r.Detail) > 0 {
		a.Detail = maps.Clone(r.Detail)
	}
	if c.Limit != nil && r.Value != nil {
		if a.Detail == nil || len(r.Detail) == 0 {
			a.Detail = map[string]string{}
		}
		a.Detail["value"] = number(*r.Value) + " " + c.Limit.Unit
		a.Detail["limit"] = number(c.Limit.Raise) + " " + c.Limit.Unit
	}
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
