package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/obedio/obedio/edge/internal/alert"
	"github.com/obedio/obedio/edge/internal/disk"
	"github.com/obedio/obedio/edge/internal/uplink"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// TrustState says whether something can be relied on. What is not known is never
// ok.
type TrustState string

// The states, the best first.
const (
	TrustOK      TrustState = "ok"
	TrustUnknown TrustState = "unknown"
	TrustWarn    TrustState = "warn"
	TrustBad     TrustState = "bad"
)

func (s TrustState) rank() int {
	switch s {
	case TrustOK:
		return 0
	case TrustWarn:
		return 2
	case TrustBad:
		return 3
	case TrustUnknown:
	}
	return 1
}

// TrustEvidence is what a part of the hub knows of itself, for the Trust page.
type TrustEvidence struct {
	State TrustState
	// Since the state began, AsOf the newest evidence; zero when not known.
	Since, AsOf time.Time
	Text        string
	Detail      map[string]string
}

// trustItem is one line of the page "can I trust this thing?".
type trustItem struct {
	ID     string            `json:"id" enum:"broker,storage,clock,uplink,backups,devices,watches,self_test,audit,notifications,alerts,updates"`
	State  TrustState        `json:"state" enum:"ok,unknown,warn,bad"`
	Counts bool              `json:"counts" doc:"Whether it is part of the state of all."`
	Since  *time.Time        `json:"since,omitempty" doc:"When the state began; absent when that is not known."`
	AsOf   *time.Time        `json:"as_of,omitempty" doc:"The newest evidence; absent when there is none."`
	Text   string            `json:"text" doc:"What is known, in English."`
	Action string            `json:"action,omitempty" doc:"What to do, in English."`
	Detail map[string]string `json:"detail"`
	Alerts []fleet.AlertID   `json:"alerts" nullable:"false" doc:"Those that stand about it."`
}

type trustView struct {
	State TrustState  `json:"state" enum:"ok,unknown,warn,bad" doc:"The worst of those that count."`
	AsOf  time.Time   `json:"as_of"`
	Items []trustItem `json:"items" nullable:"false"`
}

func (a *API) trustRoute() {
	rest.Register(a.rest, rest.Route{
		OperationID: "get-trust", Method: http.MethodGet, Path: "/api/v1/trust", Permission: account.SystemRead,
		Summary: "Whether the hub can be relied on, and what to do", Tags: []string{"system"},
	}, func(context.Context, *struct{}) (*struct{ Body trustView }, error) {
		v, err := a.trust()
		return &struct{ Body trustView }{v}, err
	})
}

// trust judges what is known. What a part does not know is unknown, not fine.
func (a *API) trust() (trustView, error) {
	s, err := a.system()
	if err != nil {
		return trustView{}, err
	}
	j := &judge{a: a, system: s, open: a.Alerts.Open(), now: s.Now}
	j.broker()
	j.storage()
	j.clock()
	if err := j.uplink(); err != nil {
		return trustView{}, err
	}
	j.backups()
	j.devices()
	j.watches()
	j.selfTest()
	j.audit()
	j.notifications()
	j.alerts()
	j.item("updates", false, TrustEvidence{
		State: TrustUnknown, Text: "Version " + a.Version + "; whether there is a newer one is not known here.", Detail: map[string]string{"version": a.Version},
	}, "")
	v := trustView{State: TrustOK, AsOf: s.Now, Items: j.items}
	for _, i := range v.Items {
		if i.Counts && i.State.rank() > v.State.rank() {
			v.State = i.State
		}
	}
	return v, nil
}

// judge makes the items of one answer.
type judge struct {
	a      *API
	system systemView
	open   []fleet.Alert
	now    time.Time
	items  []trustItem
}

// item adds an item. Alerts of its kinds that hold make it no better than they
// are, and say since when and what to do.
func (j *judge) item(id string, counts bool, e TrustEvidence, action string, kinds ...fleet.AlertKind) {
	i := trustItem{ID: id, State: e.State, Counts: counts, Text: e.Text, Action: action, Detail: e.Detail, Alerts: []fleet.AlertID{}}
	if i.Detail == nil {
		i.Detail = map[string]string{}
	}
	if !e.Since.IsZero() {
		i.Since = &e.Since
	}
	if !e.AsOf.IsZero() {
		i.AsOf = &e.AsOf
	}
	for _, v := range j.open {
		if !slices.Contains(kinds, v.Kind) {
			continue
		}
		i.Alerts = append(i.Alerts, v.ID)
		if !v.State.Holds() {
			continue
		}
		state := TrustWarn
		if v.Severity == fleet.AlertCritical {
			state = TrustBad
		}
		switch worse := state.rank() - i.State.rank(); {
		case worse > 0:
			i.State, i.Since, i.Action = state, &v.Since, ""
		case worse == 0 && i.Since == nil:
			i.Since = &v.Since
		}
		if c, ok := j.a.Alerts.Condition(v.Kind); ok && i.Action == "" {
			i.Action = c.Action
		}
	}
	if i.State == TrustOK {
		i.Action = ""
	}
	j.items = append(j.items, i)
}

func (j *judge) broker() {
	n, total := j.system.Messages.Connected, j.devicesTotal()
	e := TrustEvidence{
		State: TrustOK, Since: j.a.StartedAt, AsOf: j.now, Text: strconv.Itoa(n) + " clients are connected.",
		Detail: map[string]string{
			"connected": strconv.Itoa(n), "messages_in": strconv.FormatUint(j.system.Messages.In, 10), "messages_out": strconv.FormatUint(j.system.Messages.Out, 10),
		},
	}
	action := ""
	switch err := j.a.Ready(); {
	case err != nil:
		e.State, e.Text, action = TrustBad, "It does not take connections: "+err.Error()+".", "Wait a moment; else restart the hub."
	case total == 0:
		e.State, e.Text, action = TrustUnknown, "No device is registered: nothing shows that it works.", "Add a device."
	case n == 0:
		e.State, e.Text, action = TrustWarn, "No device is connected.", "Look at the Wi-Fi and its access points."
	}
	j.item("broker", true, e, action)
}

func (j *judge) devicesTotal() int {
	n := j.system.Counts.Devices
	return n.Ready + n.Sleeping + n.Late + n.Lost + n.Disconnected + n.NeverSeen
}

func (j *judge) storage() {
	s := j.system.Storage
	e := TrustEvidence{State: TrustOK, Since: s.Since, AsOf: j.now, Text: "Everything is stored.", Detail: map[string]string{
		"level": s.Level, "free_bytes": strconv.FormatUint(s.FreeBytes, 10), "total_bytes": strconv.FormatUint(s.TotalBytes, 10),
	}}
	action := ""
	switch level := j.a.Disk.Level(); {
	case s.Error != "":
		e.State, e.Text, action = TrustBad, s.Error, "Make a backup now and replace the disk."
	case level >= disk.EssentialOnly:
		e.State, e.Text, action = TrustBad, "The disk is nearly full: only calls and commands are stored.", "Remove old backups, or lower the traffic budget."
	case level > disk.Ample:
		e.State, e.Text, action = TrustWarn, "The disk fills.", "Remove old backups, or lower the traffic budget."
	}
	j.item("storage", true, e, action, alert.StorageFailing, alert.DiskLow)
}

func (j *judge) clock() {
	r := j.a.Time.Read()
	e := TrustEvidence{State: TrustOK, AsOf: j.now, Text: "The time is from " + string(r.Source) + ".", Detail: map[string]string{"source": string(r.Source)}}
	action := ""
	if !r.Trusted {
		e.State, e.Text, action = TrustWarn, "The hub is not sure what time it is.", "Set the time, or connect the hub to a time server."
	}
	j.item("clock", true, e, action, alert.ClockUntrusted)
}

func (j *judge) uplink() error {
	s, err := j.a.Uplink.Status()
	if err != nil {
		return err
	}
	e := TrustEvidence{Since: s.Since, AsOf: s.LastContact, Detail: map[string]string{"state": string(s.State)}}
	if s.LastError != "" {
		e.Detail["last_error"] = s.LastError
	}
	var backlog uint64
	for _, l := range s.Lanes {
		if l.Lane != fleet.LaneState { // states coalesce: their versions are no backlog
			backlog += l.Backlog()
		}
	}
	e.Detail["backlog"] = strconv.FormatUint(backlog, 10)
	action := "The site works without it; look at the Uplink page."
	switch s.State {
	case uplink.None:
		e.State, e.Text, e.AsOf = TrustOK, "The hub is at no console, and needs none.", j.now
	case uplink.Online:
		e.State, e.Text, e.AsOf = TrustOK, "The console is there.", j.now
	case uplink.Connecting:
		e.State, e.Text = TrustUnknown, "The console was not reached yet."
	case uplink.Offline:
		e.State, e.Text = TrustWarn, "The console cannot be reached."
	case uplink.Refused:
		e.State, e.Text, action = TrustBad, "The console does not take this hub.", "Enrol the hub again; ask the fleet manager."
	}
	j.item("uplink", true, e, action, alert.SyncStalled)
	return nil
}

func (j *judge) backups() {
	const action = "Make a backup and keep it elsewhere."
	if j.a.NewestBackup == nil {
		j.item("backups", true, TrustEvidence{State: TrustUnknown, Text: "A hub in memory makes no backups."}, action)
		return
	}
	at, some, err := j.a.NewestBackup()
	switch {
	case err != nil:
		j.item("backups", true, TrustEvidence{State: TrustUnknown, Text: err.Error()}, action)
	case !some:
		j.item("backups", true, TrustEvidence{State: TrustWarn, Since: at, AsOf: j.now, Text: "There is none."}, action, alert.BackupOld)
	default:
		j.item("backups", true, TrustEvidence{
			State: TrustOK, Since: at, AsOf: j.now, Text: "The newest is of " + at.Format(time.RFC3339) + ".", Detail: map[string]string{"newest": at.Format(time.RFC3339)},
		}, action, alert.BackupOld)
	}
}

func (j *judge) devices() {
	n, total := j.system.Counts.Devices, j.devicesTotal()
	e := TrustEvidence{State: TrustOK, AsOf: j.now, Text: fmt.Sprintf("All %d are there.", total), Detail: map[string]string{
		"total": strconv.Itoa(total), "lost": strconv.Itoa(n.Lost), "late": strconv.Itoa(n.Late), "disconnected": strconv.Itoa(n.Disconnected),
		"never_seen": strconv.Itoa(n.NeverSeen),
	}}
	away := n.Lost + n.Late + n.Disconnected
	switch {
	case total == 0:
		e.State, e.Text = TrustUnknown, "No device is registered."
	case n.NeverSeen == total:
		e.State, e.Text = TrustUnknown, "No device was ever heard."
	case away+n.NeverSeen > 0:
		e.State, e.Text = TrustWarn, fmt.Sprintf("%d of %d are not there, %d were never heard.", away, total, n.NeverSeen)
	}
	j.item("devices", true, e, "See Devices, filter state:lost.", alert.DeviceLost, alert.DevicesMissing, alert.RepeaterDown, alert.BatteryLow, alert.BatteriesLow)
}

func (j *judge) watches() {
	total, reachable := 0, 0
	for _, d := range j.a.Registry.Watches() {
		total++
		if j.a.Why(d) == "" {
			reachable++
		}
	}
	e := TrustEvidence{State: TrustOK, AsOf: j.now, Text: fmt.Sprintf("%d of %d can be told of a call.", reachable, total), Detail: map[string]string{
		"reachable": strconv.Itoa(reachable), "total": strconv.Itoa(total),
	}}
	switch {
	case total == 0:
		e.State, e.Text = TrustUnknown, "No watch is registered: calls ring on screens only."
	case reachable == 0:
		e.State = TrustBad
	}
	j.item("watches", true, e, "Put on a watch, or stay at a screen.", alert.NobodyReachable, alert.WatchDeaf, alert.WatchesDeaf)
}

func (j *judge) selfTest() {
	e := TrustEvidence{State: TrustUnknown, Text: "No test call was made yet.", Detail: map[string]string{}}
	zones := j.a.SelfTest.Results()
	failed, stale := 0, false
	for _, z := range zones {
		if e.AsOf.IsZero() || z.At.Before(e.AsOf) {
			e.AsOf = z.At
		}
		if !z.OK {
			failed++
		}
		stale = stale || j.a.SelfTest.Every() > 0 && j.now.Sub(z.At) > 2*j.a.SelfTest.Every()
	}
	e.Detail["zones"], e.Detail["failed"] = strconv.Itoa(len(zones)), strconv.Itoa(failed)
	switch {
	case len(zones) == 0:
	case failed > 0:
		e.State, e.Text = TrustBad, fmt.Sprintf("In %d of %d zones a test call did not reach a watch.", failed, len(zones))
	case stale:
		e.Text = "The last test call was made too long ago."
	default:
		e.State, e.Text = TrustOK, "A test call reached a watch in each zone."
	}
	j.item("self_test", true, e, "Press a button and see whether it rings.", alert.SelfTestFailed)
}

func (j *judge) audit() {
	at, wrong := j.a.Alerts.Audited()
	e := TrustEvidence{State: TrustOK, AsOf: at, Text: "It is what was written."}
	switch {
	case at.IsZero():
		e.State, e.Text = TrustUnknown, "It was not read through yet."
	case wrong != "":
		e.State, e.Text = TrustBad, wrong
	}
	j.item("audit", true, e, "Keep the disk as it is, and find out who had access.", alert.AuditBroken)
}

func (j *judge) notifications() {
	waiting, failed := j.a.Courier.Troubles(j.now.Add(-24 * time.Hour))
	e := TrustEvidence{State: TrustOK, AsOf: j.now, Text: "None was lost in the last day.", Detail: map[string]string{
		"waiting": strconv.Itoa(waiting), "failed": strconv.Itoa(failed), "rules": strconv.Itoa(len(j.a.Courier.Rules())),
	}}
	switch {
	case failed > 0:
		e.State, e.Text = TrustWarn, fmt.Sprintf("%d could not be delivered in the last day.", failed)
	case waiting > 0:
		e.State, e.Text = TrustWarn, fmt.Sprintf("%d wait for the network.", waiting)
	case len(j.a.Courier.Rules()) == 0:
		e.Text = "There are no rules: nobody outside is told."
	}
	j.item("notifications", false, e, "See Settings, Notifications.")
}

func (j *judge) alerts() {
	e := TrustEvidence{State: TrustOK, AsOf: j.now, Text: "None stands.", Detail: map[string]string{}}
	for c, n := range j.a.Alerts.Counts() {
		e.Detail[string(c.Severity)+"_"+string(c.State)] = strconv.Itoa(n)
		state := TrustWarn
		if c.Severity == fleet.AlertCritical && c.State.Holds() {
			state = TrustBad
		}
		if state.rank() > e.State.rank() {
			e.State = state
		}
	}
	if n := len(j.open); n > 0 {
		e.Text = fmt.Sprintf("%d stand.", n)
		e.Since = j.open[0].Since
		for _, v := range j.open {
			if v.Since.Before(e.Since) {
				e.Since = v.Since
			}
		}
	}
	j.item("alerts", true, e, "Look at each and acknowledge it.")
}
