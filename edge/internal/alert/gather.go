package alert

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Sources is where evidence comes from. One that is nil knows nothing, and its
// conditions are left as they are.
type Sources struct {
	// Devices are the registered devices.
	Devices func() ([]fleet.Device, error)
	// State is a device's newest state.
	State func(fleet.DeviceID) (fleet.DeviceState, bool)
	// Via is the repeater through which a device is heard; empty for none.
	Via func(fleet.Device) fleet.DeviceID
	// Reach says who can be told.
	Reach Reachability
	// Disk is the room on the disk.
	Disk func() Disk
	// ClockTrusted says whether the hub believes its clock.
	ClockTrusted func() bool
	// Link is the link to the console.
	Link func() (Link, error)
	// Backup is when the newest backup was made, or since when there is none.
	Backup func() (at time.Time, some bool, err error)
	// Certificates that count, of the hub, its authority and its devices.
	Certificates func() ([]fleet.Certificate, error)
	// Storage is what is wrong with the store, or nil.
	Storage func() error
	// BadPayloads counts, since the start and by device, what could not be read.
	BadPayloads func() map[string]uint64
	// Audit reads the audit through, and says what is wrong with it; empty for
	// nothing.
	Audit func(context.Context) (wrong string, err error)
}

// Reachability says which watches can be told of a call.
type Reachability interface {
	// Unreachable says why a watch cannot be told; empty when it can be.
	// connected: it has a connection, and so seems to be there.
	Unreachable(watch fleet.Device) (why string, connected bool)
}

// Disk is the room on a disk.
type Disk struct {
	// Severity that the room amounts to; empty when there is enough.
	Severity fleet.AlertSeverity
	Level    string
	// Known: it could be measured.
	Known bool
}

// Link is how the link to the console is.
type Link struct {
	Enrolled bool
	// LastContact is zero when there was none since the hub's start.
	LastContact time.Time
	Started     time.Time
	LastError   string
}

func (a *Alerts) gather() Evidence {
	e, s, now := Evidence{}, a.c.Sources, a.c.Now()
	if s.Disk != nil {
		if d := s.Disk(); d.Known {
			e[DiskLow] = []Reading{{Truth: truth(d.Severity != ""), Severity: d.Severity, Detail: map[string]string{"level": d.Level}}}
		}
	}
	if s.ClockTrusted != nil {
		e[ClockUntrusted] = []Reading{{Truth: truth(!s.ClockTrusted())}}
	}
	if s.Link != nil {
		if l, err := s.Link(); err == nil {
			e[SyncStalled] = a.stalled(l, now)
		}
	}
	if s.Backup != nil {
		if at, some, err := s.Backup(); err == nil {
			days := max(0, now.Sub(at).Hours()/24)
			r := Reading{Value: &days, Detail: map[string]string{"newest": at.UTC().Format(time.RFC3339)}}
			if !some {
				r.Detail = map[string]string{"newest": "none"}
			}
			days = math.Floor(days)
			e[BackupOld] = []Reading{r}
		}
	}
	if s.Certificates != nil {
		if all, err := s.Certificates(); err == nil {
			e[CertificateExpiring] = expiring(all, now)
		}
	}
	if s.Storage != nil {
		r := Reading{Truth: No}
		if err := s.Storage(); err != nil {
			r = Reading{Truth: Yes, Detail: map[string]string{"error": short(err.Error())}}
		}
		e[StorageFailing] = []Reading{r}
	}
	if s.BadPayloads != nil {
		e[BadPayloads] = a.rates.bad(s.BadPayloads(), a.up())
	}
	e[ButtonStuck] = a.rates.presses(a.up())
	a.gatherDevices(e)
	if wrong, known := a.audited.result(); known {
		e[AuditBroken] = []Reading{{Truth: truth(wrong != ""), Detail: map[string]string{"what": short(wrong)}}}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for k, r := range a.told {
		e[k.kind] = append(e[k.kind], r)
	}
	return e
}

// heard forgets what was told to be gone, once that has been taken up.
func (a *Alerts) heard(e Evidence) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for kind, readings := range e {
		for _, r := range readings {
			if k := (key{kind, r.Subject}); r.Truth == No && a.told[k].Truth == No {
				delete(a.told, k)
			}
		}
	}
}

// stalled judges the link. A hub that has just started does not know yet when
// the console was last there.
func (a *Alerts) stalled(l Link, now time.Time) []Reading {
	if !l.Enrolled {
		return nil
	}
	from, detail := l.LastContact, map[string]string{"last_error": short(l.LastError)}
	if from.IsZero() {
		from = l.Started
	} else {
		detail["last_contact"] = from.UTC().Format(time.RFC3339)
	}
	hours := math.Floor(now.Sub(from).Hours())
	r := Reading{Value: &hours, Detail: detail}
	if c, ok := a.Condition(SyncStalled); l.LastContact.IsZero() && (!ok || c.Limit == nil || hours <= c.Limit.Raise) {
		r.Value = nil // unknown
	}
	return []Reading{r}
}

func expiring(all []fleet.Certificate, now time.Time) []Reading {
	out := []Reading{}
	newest := map[string]fleet.Certificate{}
	for _, c := range all {
		name := string(c.Kind) + "/" + string(c.Device)
		if c.Revoked() || c.NotBefore.After(now) || newest[name].NotAfter.After(c.NotAfter) {
			continue
		}
		newest[name] = c
	}
	for _, c := range newest {
		days := math.Floor(c.NotAfter.Sub(now).Hours() / 24)
		d := map[string]string{"kind": string(c.Kind), "not_after": c.NotAfter.Format(time.RFC3339)}
		if c.Device != "" {
			d["device_id"] = string(c.Device)
		}
		r := Reading{Subject: c.Serial, Value: &days, Detail: d}
		if c.Kind != fleet.CertificateDevice {
			r.Severity = fleet.AlertCritical // all devices hang on it
		}
		out = append(out, r)
	}
	return out
}

func (a *Alerts) gatherDevices(e Evidence) {
	s := a.c.Sources
	if s.Devices == nil {
		return
	}
	devices, err := s.Devices()
	if err != nil {
		return
	}
	rooms := make(map[string]fleet.RoomID, len(devices))
	for _, d := range devices {
		rooms[string(d.ID)] = d.Room
	}
	for _, kind := range []fleet.AlertKind{ButtonStuck, BadPayloads} {
		for i, r := range e[kind] {
			e[kind][i].Room = rooms[r.Subject]
		}
	}
	if s.State != nil {
		e[DeviceLost], e[RepeaterDown] = lost(devices, s.State, s.Via)
		for _, d := range devices {
			r := Reading{Subject: string(d.ID), Room: d.Room}
			if v, ok := s.State(d.ID); ok && v.Battery != nil {
				percent := float64(*v.Battery)
				r.Value = &percent
			}
			e[BatteryLow] = append(e[BatteryLow], r)
		}
	}
	if s.Reach != nil {
		e[WatchDeaf], e[NobodyReachable] = reach(devices, s.Reach)
	}
}

// lost finds devices that are not there. Those that are heard through a
// repeater that is down are told of by its alert.
func lost(devices []fleet.Device, state func(fleet.DeviceID) (fleet.DeviceState, bool), via func(fleet.Device) fleet.DeviceID) (single, repeaters []Reading) {
	single, repeaters = []Reading{}, []Reading{}
	down, behind := map[fleet.DeviceID]bool{}, map[fleet.DeviceID][]string{}
	for _, d := range devices {
		if v, ok := state(d.ID); ok && d.Type == fleet.Repeater {
			down[d.ID] = v.Presence == fleet.Lost || v.Presence == fleet.Disconnected
		}
	}
	for _, d := range devices {
		v, ok := state(d.ID)
		if d.Type == fleet.Repeater {
			continue
		}
		r := Reading{Subject: string(d.ID), Room: d.Room, Truth: truth(ok && v.Presence == fleet.Lost)}
		if r.Truth == Yes && !v.LastSeen.IsZero() {
			r.Detail = map[string]string{"last_seen": v.LastSeen.Format(time.RFC3339)}
		}
		if via != nil {
			if through := via(d); through != "" && through != d.ID {
				if r.Detail != nil {
					r.Detail["via"] = string(through)
				}
				r.Covered = down[through]
				if r.Covered && r.Truth == Yes {
					behind[through] = append(behind[through], string(d.ID))
				}
			}
		}
		single = append(single, r)
	}
	for _, d := range devices {
		if d.Type != fleet.Repeater {
			continue
		}
		children := behind[d.ID]
		slices.Sort(children)
		r := Reading{
			Subject: string(d.ID), Room: d.Room, Truth: truth(down[d.ID]), Count: len(children),
			Members: children[:min(len(children), fleet.MaxAlertMembers)],
		}
		if v, ok := state(d.ID); ok && down[d.ID] && !v.LastSeen.IsZero() {
			r.Detail = map[string]string{"last_seen": v.LastSeen.Format(time.RFC3339)}
		}
		repeaters = append(repeaters, r)
	}
	return single, repeaters
}

// reach finds watches that seem to be there and cannot be told, and whether any
// can. A site without watches has nobody to reach.
func reach(devices []fleet.Device, r Reachability) (deaf, nobody []Reading) {
	deaf = []Reading{}
	watches, reachable := 0, 0
	var silent []string
	for _, d := range devices {
		if d.Type != fleet.Watch {
			continue
		}
		watches++
		why, connected := r.Unreachable(d)
		if why == "" {
			reachable++
		} else {
			silent = append(silent, string(d.ID))
		}
		one := Reading{Subject: string(d.ID), Room: d.Room, Truth: truth(why != "" && connected)}
		if one.Truth == Yes {
			one.Detail = map[string]string{"why": short(why)}
		}
		deaf = append(deaf, one)
	}
	slices.Sort(silent)
	return deaf, []Reading{{
		Truth: truth(watches > 0 && reachable == 0), Count: len(silent), Members: silent[:min(len(silent), fleet.MaxAlertMembers)],
	}}
}

// short cuts a text to what an alert may say.
func short(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	n := most
	for n > 0 && s[n]&0xc0 == 0x80 { // not within a character
		n--
	}
	return s[:n] + "…"
}

// audited is what the last reading of the audit came to.
type audited struct {
	mu    sync.Mutex // guards all
	known bool
	wrong string
	at    time.Time
}

func (a *audited) result() (wrong string, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.wrong, a.known
}

// Audited says when the audit was read through last, zero for never, and what was
// wrong with it; empty for nothing.
func (a *Alerts) Audited() (at time.Time, wrong string) {
	a.audited.mu.Lock()
	defer a.audited.mu.Unlock()
	return a.audited.at, a.audited.wrong
}

// readAudit reads the audit through now and then, until ctx ends.
func (a *Alerts) readAudit(ctx context.Context) {
	if a.c.Sources.Audit == nil {
		return
	}
	tick := time.NewTicker(a.c.AuditEvery)
	defer tick.Stop()
	for {
		wrong, err := a.c.Sources.Audit(ctx)
		if err == nil {
			a.audited.mu.Lock()
			a.audited.wrong, a.audited.known, a.audited.at = wrong, true, fleet.Millis(a.c.Now())
			a.audited.mu.Unlock()
		} else if ctx.Err() == nil {
			a.c.Logger.Warn("audit not read through", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
