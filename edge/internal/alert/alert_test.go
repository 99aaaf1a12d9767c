package alert_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/obedio/obedio/edge/internal/alert"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

var mila = fleet.Actor{Kind: fleet.ActorUser, ID: "u", Name: "Mila"}

type clock struct{}

func (clock) Now() (time.Time, bool) { return time.Now(), true }

// site is alerts over a store, with devices as the test says.
type site struct {
	*testing.T
	store   *store.Store
	journal *journal.Journal
	*alert.Alerts
	devices []fleet.Device
	states  map[fleet.DeviceID]fleet.DeviceState
	via     map[fleet.DeviceID]fleet.DeviceID
	deaf    map[fleet.DeviceID]string
	sources alert.Sources
}

func newSite(t *testing.T) *site {
	t.Helper()
	s, err := store.Open(store.Config{Dir: "hub", FS: store.InMemory()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	out := &site{
		T: t, store: s, states: map[fleet.DeviceID]fleet.DeviceState{}, via: map[fleet.DeviceID]fleet.DeviceID{},
		deaf: map[fleet.DeviceID]string{},
	}
	out.sources = alert.Sources{
		Devices: func() ([]fleet.Device, error) { return out.devices, nil },
		State: func(id fleet.DeviceID) (fleet.DeviceState, bool) {
			v, ok := out.states[id]
			return v, ok
		},
		Via:   func(d fleet.Device) fleet.DeviceID { return out.via[d.ID] },
		Reach: out,
	}
	out.reopen()
	return out
}

// Unreachable implements alert.Reachability.
func (s *site) Unreachable(d fleet.Device) (string, bool) {
	why := s.deaf[d.ID]
	return why, why != "not connected"
}

// reopen begins anew over the same store, as a restart does.
func (s *site) reopen() {
	s.Helper()
	s.journal = journal.New(journal.Config{Store: s.store, Clock: clock{}})
	var err error
	if s.Alerts, err = alert.New(alert.Config{Store: s.store, Journal: s.journal, Now: time.Now, Sources: s.sources}); err != nil {
		s.Fatal(err)
	}
}

func (s *site) add(id fleet.DeviceID, kind fleet.DeviceType, p fleet.Presence) {
	s.devices = append(s.devices, fleet.Device{ID: id, Type: kind, Room: "deck-1"})
	s.states[id] = fleet.DeviceState{ID: id, Presence: p, LastSeen: time.Now()}
}

func (s *site) after(d time.Duration) {
	s.Helper()
	time.Sleep(d)
	if err := s.Look(s.Context()); err != nil {
		s.Fatal(err)
	}
}

// want compares the alerts that have not ended, as kind subject=state.
func (s *site) want(want ...string) {
	s.Helper()
	var got []string
	for _, a := range s.Open() {
		got = append(got, fmt.Sprintf("%s %s=%s", a.Kind, a.Subject, a.State))
	}
	slices.Sort(got) // what came at once is in no order
	slices.Sort(want)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.Errorf("open alerts are %q, want %q", got, want)
	}
}

func TestAlerts_StepsOfPeopleAreRecordsAndSurviveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		if err := s.Raise(alert.BatteryLow, "btn-1", nil); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("raised what the hub sees itself: %v", err)
		}
		if err := s.Raise(alert.SelfTestFailed, "cabin-1", map[string]string{"why": "no answer"}); err != nil {
			t.Fatal(err)
		}
		s.after(0)
		s.want("self_test_failed cabin-1=active")
		id := s.Open()[0].ID
		s.reopen()
		s.after(time.Hour)
		s.want("self_test_failed cabin-1=active")
		if _, err := s.Silence(t.Context(), mila, id, func(now time.Time) time.Time { return now.Add(8 * 24 * time.Hour) }); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("silenced for longer than may be: %v", err)
		}
		if _, err := s.Silence(t.Context(), mila, id, func(now time.Time) time.Time { return now.Add(time.Hour) }); err != nil {
			t.Fatal(err)
		}
		s.after(59 * time.Minute)
		s.want("self_test_failed cabin-1=silenced")
		s.after(time.Minute)
		s.want("self_test_failed cabin-1=active")
		for range 2 {
			if a, err := s.Acknowledge(t.Context(), mila, id); err != nil || a.AcknowledgedBy.Name != "Mila" {
				t.Fatalf("%+v %v", a, err)
			}
		}
		if err := s.Clear(alert.SelfTestFailed, "cabin-1"); err != nil {
			t.Fatal(err)
		}
		s.after(0)
		s.want()
		if a, err := s.Alert(id); err != nil || a.State != fleet.AlertCleared || a.Room != "cabin-1" {
			t.Errorf("%+v %v", a, err)
		}
		if _, err := s.Acknowledge(t.Context(), mila, id); !errors.Is(err, fleet.ErrState) {
			t.Errorf("acknowledged after its end: %v", err)
		}
		if r, err := s.store.Verify(); err != nil || len(r.Findings) > 0 {
			t.Errorf("%+v %v", r.Findings, err)
		}
	})
}

func TestAlerts_DevicesBehindADeadRepeaterAreInItsAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.add("rep-1", fleet.Repeater, fleet.Ready)
		for i := range 4 {
			id := fleet.DeviceID(fmt.Sprintf("btn-%d", i))
			s.add(id, fleet.Button, fleet.Ready)
			s.via[id] = "rep-1"
		}
		s.add("btn-9", fleet.Button, fleet.Ready)
		s.after(0)
		for i := range s.devices {
			v := s.states[s.devices[i].ID]
			v.Presence = fleet.Lost
			s.states[v.ID] = v
		}
		s.after(0)
		s.after(time.Minute)
		s.want("device_lost btn-9=active", "repeater_down rep-1=active")
		for _, a := range s.Open() {
			if a.Kind == alert.RepeaterDown && a.Count != 4 {
				t.Errorf("%+v", a)
			}
		}
		// It is back; one of its children is not.
		for _, id := range []fleet.DeviceID{"rep-1", "btn-0", "btn-1", "btn-2", "btn-9"} {
			s.states[id] = fleet.DeviceState{ID: id, Presence: fleet.Ready}
		}
		s.after(0)
		s.after(2 * time.Minute)
		s.want("device_lost btn-3=active", "device_lost btn-9=rectified", "repeater_down rep-1=rectified")
	})
}

// TestDefect6: nobody on duty, so nobody is told. 0 reachable watches is an
// alert, also when watches are connected and deaf (defect 7).
func TestDefect6_NobodyReachableIsACriticalAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.after(0)
		s.after(time.Hour)
		s.want() // a site without watches has nobody to reach
		s.add("watch-1", fleet.Watch, fleet.Ready)
		s.add("watch-2", fleet.Watch, fleet.Disconnected)
		s.deaf["watch-2"] = "not connected"
		s.after(0)
		s.after(2 * time.Minute)
		s.want()
		s.deaf["watch-1"] = "not subscribed"
		s.after(0)
		s.after(2 * time.Minute)
		s.want("nobody_reachable =active", "watch_deaf watch-1=active")
		if a := s.Open()[0]; a.Kind != alert.NobodyReachable || a.Severity != fleet.AlertCritical || a.Count != 2 {
			t.Errorf("the worst is not the first: %+v", a)
		}
		delete(s.deaf, "watch-1")
		s.after(0)
		s.after(time.Minute)
		s.want("nobody_reachable =rectified", "watch_deaf watch-1=rectified")
	})
}

func TestAlerts_AStuckButtonIsFoundByItsPresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.add("btn-1", fleet.Button, fleet.Ready)
		seq := uint64(0)
		press := func() {
			seq++
			at := time.Now()
			err := s.journal.Do(t.Context(), func(tx *journal.Tx) error {
				return tx.Append(fleet.ByDevice("btn-1"), fleet.Pressed{Room: "deck-1", Opens: true, Press: fleet.Press{
					PressKey: fleet.PressKey{Device: "btn-1", BootID: "b", SequenceID: seq}, Type: fleet.PressSingle, Priority: fleet.Normal,
					Request: fleet.NewUUID[fleet.RequestID](at),
				}})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for range 10 { // an impatient guest
			press()
		}
		s.after(time.Minute)
		s.after(time.Minute)
		s.want()
		for range 90 {
			press()
			s.after(2 * time.Second)
		}
		s.want("button_stuck btn-1=active")
		for range 15 {
			s.after(time.Minute)
		}
		s.want("button_stuck btn-1=rectified")
	})
}

func TestSet_SettingsChangeTheTableOrSayWhatIsWrong(t *testing.T) {
	table, err := alert.Set(alert.Conditions(), []string{"battery_low.raise=10", "battery_low.on=1m", "clock_untrusted.enabled=false", "backup_old.severity=info"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range table {
		switch {
		case c.Kind == alert.BatteryLow && (c.Limit.Raise != 10 || c.On != time.Minute),
			c.Kind == alert.ClockUntrusted && !c.Disabled, c.Kind == alert.BackupOld && c.Severity != fleet.AlertInfo:
			t.Errorf("%+v", c)
		}
	}
	if c := alert.Conditions()[3]; c.Limit.Raise != 15 {
		t.Errorf("the default has changed: %+v", c)
	}
	for _, s := range []string{"battery_low", "battery_low.raise", "nothing.on=1m", "battery_low.on=-1m", "battery_low.raise=x", "disk_low.raise=1", "disk_low.severity=bad", "disk_low.colour=red"} {
		if _, err := alert.Set(alert.Conditions(), []string{s}); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%q: %v", s, err)
		}
	}
	if table, err := alert.Set(alert.Conditions(), []string{"battery_low.raise=50"}); err != nil || !errors.Is(alert.CheckTable(table), fleet.ErrInvalid) {
		t.Errorf("an alert that would flap: %v", err)
	}
}
