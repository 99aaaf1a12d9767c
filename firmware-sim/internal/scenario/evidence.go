package scenario

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/device"
	"github.com/obedio/obedio/firmware-sim/internal/hubapi"
	"github.com/obedio/obedio/shared/fleet"
)

// Evidence is what expectations are judged over: the ledgers of the devices,
// and what the hub says.
type Evidence struct {
	Devices []DeviceEvidence
	// Requests are those of the run's devices since its start.
	Requests []hubapi.Request
	// Commands are those that the run has sent, as they ended.
	Commands []hubapi.Command
	Races    []Race
	History  *History
	// Since and Until are the run's begin and end by the hub's clock.
	Since, Until time.Time
	// TakenAt is when the ledgers were read, by this machine's clock.
	TakenAt time.Time
}

// DeviceEvidence is what is known of one device.
type DeviceEvidence struct {
	Group   string
	ID      fleet.DeviceID
	Type    fleet.DeviceType
	Name    string
	BootIDs bool
	// Facts are the device's own.
	Facts device.Facts
	// Presses and Presence are the hub's.
	Presses  []hubapi.Press
	Presence fleet.Presence
	Battery  *int
	// Via is the repeater that it speaks through.
	Via fleet.DeviceID
}

// evidence takes down what there is. The ledgers come first: no press is made
// any more, so whatever the hub has must be in them, and what they say was
// acknowledged must be on the hub.
func (r *run) evidence(ctx context.Context) (*Evidence, error) {
	e := &Evidence{Since: r.since, History: r.history, TakenAt: time.Now()}
	for _, m := range r.members {
		d := m.device
		e.Devices = append(e.Devices, DeviceEvidence{
			Group: m.group, Via: m.via, ID: d.ID(), Type: d.Type(), Name: d.Name(), BootIDs: d.BootIDs(), Facts: d.Ledger().Facts(),
		})
	}
	r.mu.Lock()
	e.Races = slices.Clone(r.races)
	r.mu.Unlock()
	var err error
	if e.Requests, err = r.requests(ctx); err != nil {
		return nil, err
	}
	if e.Commands, err = r.commandsNow(ctx); err != nil {
		return nil, err
	}
	list, err := r.devices(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := r.alerts(ctx); err != nil {
		return nil, err
	}
	hub, err := r.api.System(ctx)
	if err != nil {
		return nil, err
	}
	e.Until = hub.Now
	shown := map[fleet.DeviceID]hubapi.Device{}
	for _, d := range list {
		shown[d.DeviceID] = d
	}
	var mu sync.Mutex // guards e
	buttons := []int{}
	for i := range e.Devices {
		e.Devices[i].Presence, e.Devices[i].Battery = shown[e.Devices[i].ID].Presence.State, shown[e.Devices[i].ID].Battery
		if e.Devices[i].Type == fleet.Button {
			buttons = append(buttons, i)
		}
	}
	err = parallel(ctx, 8, buttons, func(ctx context.Context, i int) error {
		presses, err := r.api.Presses(ctx, e.Devices[i].ID, r.since)
		mu.Lock()
		e.Devices[i].Presses = presses
		mu.Unlock()
		return err
	})
	return e, err
}

// matched is one press of a ledger with what the hub has of it.
type matched struct {
	fact device.PressFact
	hub  []hubapi.Press
}

// match finds each press of the ledger on the hub; phantoms are presses of the
// hub that nobody made. Firmware with boot_id names its presses. Without, a
// press is known by its number and the time that its payload gave; where that
// is no time either, presses of one number are taken in the order in which
// they came.
func (d DeviceEvidence) match() (all []matched, phantoms []hubapi.Press) {
	left := slices.Clone(d.Presses)
	slices.SortStableFunc(left, func(a, b hubapi.Press) int { return a.ReceivedAt.Compare(b.ReceivedAt) })
	facts := slices.Clone(d.Facts.Presses)
	slices.SortStableFunc(facts, func(a, b device.PressFact) int { return cmp.Compare(a.Boot, b.Boot) })
	take := func(m *matched, most int, is func(hubapi.Press) bool) {
		left = slices.DeleteFunc(left, func(p hubapi.Press) bool {
			if len(m.hub) >= most || !is(p) {
				return false
			}
			m.hub = append(m.hub, p)
			return true
		})
	}
	for _, f := range facts {
		m := matched{fact: f}
		switch {
		case f.Sent == 0 && !f.Earlier:
		case d.BootIDs:
			take(&m, len(left), func(p hubapi.Press) bool { return p.BootID == f.BootID && p.SequenceID == f.Sequence })
		case !f.DeviceTime.IsZero():
			take(&m, len(left), func(p hubapi.Press) bool { return p.SequenceID == f.Sequence && p.DeviceTime.Equal(f.DeviceTime) })
		default:
			take(&m, 1, func(p hubapi.Press) bool { return p.SequenceID == f.Sequence && p.DeviceTime.IsZero() })
		}
		all = append(all, m)
	}
	// Without names, what is left over of a number that was pressed is one of
	// its presses stored twice.
	for i := range all {
		if f := all[i].fact; !d.BootIDs && f.DeviceTime.IsZero() && len(all[i].hub) > 0 {
			take(&all[i], len(d.Presses), func(p hubapi.Press) bool { return p.SequenceID == f.Sequence && p.DeviceTime.IsZero() })
		}
	}
	return all, left
}
