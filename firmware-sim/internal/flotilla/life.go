package flotilla

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// life is what happens on a site: calls, alerts, and commands on their way. It
// appends records, and says when it wants to be asked again. It is pure: time and
// chance come in.
type life struct {
	site  *site
	calls float64 // an hour
	emit  func(fleet.Record)

	next    time.Time // the next call
	pressed uint64    // counts the presses
	open    []call
	alerts  []fleet.Alert // that stand
	pending []command
}

// call is a request that is not over. It can be stored.
type call struct {
	Press   fleet.Pressed
	Version uint64
	State   fleet.RequestState
	Next    time.Time // its next step
}

// command is one that has not ended. It can be stored.
type command struct {
	ID      fleet.CommandID
	Define  *fleet.CommandDefinition
	Device  int
	State   fleet.CommandState
	Next    time.Time // its next step
	Expires time.Time
}

// The crew.
var crew = []fleet.Actor{
	{Kind: fleet.ActorUser, ID: "crew-1", Name: "Anna Berg"},
	{Kind: fleet.ActorUser, ID: "crew-2", Name: "Marco Conti"},
	{Kind: fleet.ActorUser, ID: "crew-3", Name: "Sofia Dias"},
	{Kind: fleet.ActorUser, ID: "crew-4", Name: "Tom Ellis"},
}

// begin draws the first call, and raises the alerts of the devices that are
// lost or nearly empty.
func (l *life) begin(now time.Time) {
	l.drawCall(now)
	const most = 5 // a site with more has one person looking already
	for i := range l.site.devices {
		if len(l.alerts) == most {
			return
		}
		switch c := l.site.devices[i]; {
		case c.presence == lost:
			l.raise("device_lost", fleet.AlertWarning, i, now)
		case c.battery >= 0 && c.battery < 8 && l.site.kind(i) != fleet.Repeater:
			l.raise("battery_low", fleet.AlertInfo, i, now)
		}
	}
}

func (l *life) uuid(now time.Time) string {
	var b [16]byte
	ms := uint64(now.UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (8 * (5 - i)))
	}
	for i, v := 6, l.site.chance.Uint64(); i < 16; i++ {
		if i == 11 {
			v = l.site.chance.Uint64()
		}
		b[i] = byte(v >> (8 * (i % 5)))
	}
	b[6] = b[6]&0x0f | 0x70 // version 7 (RFC 9562)
	b[8] = b[8]&0x3f | 0x80
	return fleet.FormatUUID(b)
}

func (l *life) append(now time.Time, by fleet.Actor, body fleet.Body) {
	l.emit(fleet.Record{At: fleet.Millis(now), ClockTrusted: true, Actor: by, Body: body})
}

// within draws a time from least to most.
func (l *life) within(least, most time.Duration) time.Duration {
	return least + time.Duration(l.site.chance.Int64N(int64(most-least)+1))
}

func (l *life) drawCall(now time.Time) {
	l.next = time.Time{}
	if l.calls > 0 && len(l.site.devices) > 0 {
		l.next = now.Add(time.Duration(l.site.chance.ExpFloat64() / l.calls * float64(time.Hour)))
	}
}

// due is when advance has something to do next; zero for never.
func (l *life) due() time.Time {
	at := l.next
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for _, c := range l.open {
		sooner(c.Next)
	}
	for _, c := range l.pending {
		sooner(c.Next)
	}
	return at
}

// advance lets everything happen that is due.
func (l *life) advance(now time.Time) {
	for !l.next.IsZero() && !now.Before(l.next) {
		l.press(l.next)
		l.drawCall(l.next)
		if now.Sub(l.next) > time.Hour { // the process stood still: nobody catches up with guests
			l.drawCall(now)
		}
	}
	open := l.open[:0]
	for _, c := range l.open {
		if !now.Before(c.Next) {
			l.step(&c, now)
		}
		if !c.State.Ended() {
			open = append(open, c)
		}
	}
	l.open = open
	pending := l.pending[:0]
	for _, c := range l.pending {
		for !c.State.Ended() && !now.Before(c.Next) {
			l.carry(&c, now)
		}
		if !c.State.Ended() {
			pending = append(pending, c)
		}
	}
	l.pending = pending
}

// press opens a request at some button.
func (l *life) press(at time.Time) {
	i := l.site.chance.IntN(len(l.site.devices))
	for try := 0; try < 10 && (l.site.kind(i) != fleet.Button || !l.site.responsive(i)); try++ {
		i = l.site.chance.IntN(len(l.site.devices))
	}
	d := l.site.device(i)
	if d.Type != fleet.Button || !l.site.responsive(i) {
		return
	}
	l.pressed++
	p := fleet.Press{
		PressKey: fleet.PressKey{Device: d.ID, BootID: "b" + strconv.Itoa(i%7), SequenceID: l.pressed},
		Type:     fleet.PressSingle, Priority: fleet.Normal, ReceivedAt: fleet.Millis(at), Request: fleet.RequestID(l.uuid(at)),
	}
	switch n := l.site.chance.IntN(100); {
	case n == 0:
		p.Type, p.Priority = fleet.PressLong, fleet.Emergency
	case n < 8:
		p.Type, p.Priority = fleet.PressDouble, fleet.Urgent
	}
	body := fleet.Pressed{Press: p, Room: d.Room, Opens: true}
	l.append(at, fleet.ByDevice(d.ID), body)
	l.open = append(l.open, call{Press: body, Version: 1, State: fleet.RequestOpen, Next: at.Add(l.within(5*time.Second, 3*time.Minute))})
}

// step takes a request to its next state.
func (l *life) step(c *call, now time.Time) {
	by := crew[l.site.chance.IntN(len(crew))]
	body := fleet.RequestStepped{Request: c.Press.Press.Request, Version: c.Version + 1, State: fleet.RequestCompleted}
	if c.State == fleet.RequestOpen {
		switch n := l.site.chance.IntN(20); n {
		case 0:
			body.State, by = fleet.RequestMissed, fleet.System("request")
		case 1:
			body.State, body.Reason = fleet.RequestCancelled, fleet.CancelFalsePress
		default:
			body.State = fleet.RequestAccepted
		}
	}
	l.append(now, by, body)
	c.State, c.Version, c.Next = body.State, body.Version, now.Add(l.within(time.Minute, 10*time.Minute))
}

// again tells anew of everything that is not over, and of what is not as it was
// at the beginning: who is told must not know anything.
func (l *life) again(now time.Time) {
	for i := range l.site.devices {
		if d, ok := l.site.changed[i]; ok {
			l.append(now, fleet.System("registry"), fleet.DeviceChanged{Device: d})
		}
	}
	for _, a := range l.alerts {
		l.append(now, fleet.System("alert"), fleet.AlertChanged{Alert: a})
	}
	for _, c := range l.open {
		l.append(c.Press.ReceivedAt, fleet.ByDevice(c.Press.Device), c.Press)
		if c.State == fleet.RequestAccepted {
			l.append(now, crew[0], fleet.RequestStepped{Request: c.Press.Press.Request, Version: c.Version, State: c.State})
		}
	}
	for _, c := range l.pending {
		l.append(now, fleet.System("command"), fleet.CommandStepped{Command: c.ID, State: fleet.CommandAtHub, Define: c.Define})
		if c.State != fleet.CommandAtHub {
			l.append(now, fleet.System("command"), fleet.CommandStepped{Command: c.ID, State: fleet.CommandSent})
		}
		if c.State == fleet.CommandAcknowledged {
			l.append(now, fleet.ByDevice(c.Define.Device), fleet.CommandStepped{Command: c.ID, State: fleet.CommandAcknowledged})
		}
	}
}

// raise raises an alert about device i.
func (l *life) raise(kind fleet.AlertKind, severity fleet.AlertSeverity, i int, now time.Time) {
	d := l.site.device(i)
	at := fleet.Millis(now)
	a := fleet.Alert{
		ID: fleet.AlertID(l.uuid(now)), Kind: kind, Severity: severity, SubjectKind: fleet.AlertOfDevice, Subject: string(d.ID), Room: d.Room,
		State: fleet.AlertActive, Since: time.Unix(int64(l.site.devices[i].since), 0).UTC(), RaisedAt: at, UpdatedAt: at, Occurrences: 1, Version: 1,
	}
	if kind == "battery_low" {
		a.Detail = map[string]string{"battery": strconv.Itoa(int(l.site.devices[i].battery))}
	}
	l.alerts = append(l.alerts, a)
	l.append(now, fleet.System("alert"), fleet.AlertChanged{Alert: a})
}

// obey acts on an order. left is what is left of its time to live.
func (l *life) obey(o fleet.Order, left time.Duration, now time.Time) {
	by := fleet.System("uplink")
	answer := fleet.OrderAnswered{Number: o.Number, Order: o.ID, Outcome: fleet.OrderApplied}
	switch body := o.Body.(type) {
	case fleet.SendCommand:
		l.accept(o, body, left, now)
		return
	case fleet.CancelCommand:
		if !l.cancel(body.Command, o.Actor, now) {
			answer.Outcome, answer.Detail = fleet.OrderRefused, fmt.Sprintf("command %s is not waiting any more", body.Command)
		}
	case fleet.PutDevice:
		answer.Outcome, answer.Detail = l.change(o.Actor, body.Device, body.IfVersion, left, now)
	case fleet.RemoveDevice:
		i, known := l.site.find(body.Device)
		if !known || l.site.device(i).Removed {
			answer.Outcome, answer.Detail = fleet.OrderRefused, fmt.Sprintf("device %s is not registered", body.Device)
			break
		}
		d := l.site.device(i)
		d.Removed = true
		answer.Outcome, answer.Detail = l.change(o.Actor, d, body.IfVersion, left, now)
	default:
		answer.Outcome, answer.Detail = fleet.OrderRefused, "this hub does not know that kind of order"
	}
	if answer.Order == "" {
		answer.Order = fleet.OrderID(l.uuid(now)) // the console sent none that can be read
	}
	l.append(now, by, answer)
}

// change puts a device as it is wanted, if the version is still the one that
// was seen.
func (l *life) change(by fleet.Actor, d fleet.Device, version uint64, left time.Duration, now time.Time) (fleet.OrderOutcome, string) {
	if left <= 0 {
		return fleet.OrderExpired, "it came too late"
	}
	if err := d.Check(); err != nil {
		return fleet.OrderRefused, err.Error()
	}
	var have uint64
	d.CreatedAt = fleet.Millis(now)
	if i, known := l.site.find(d.ID); known {
		old := l.site.device(i)
		if !old.Removed {
			have, d.CreatedAt = old.Version, old.CreatedAt
		}
		d.Version = old.Version
	}
	if version != have {
		return fleet.OrderConflict, fmt.Sprintf("device %s has version %d here, the order is for %d", d.ID, have, version)
	}
	d.Version++
	d.UpdatedAt = fleet.Millis(now)
	l.site.put(d, now)
	l.append(now, by, fleet.DeviceChanged{Device: d})
	return fleet.OrderApplied, ""
}

// accept stores a command; what came too late, or is for no device, ends at
// once.
func (l *life) accept(o fleet.Order, b fleet.SendCommand, left time.Duration, now time.Time) {
	define := &fleet.CommandDefinition{
		Device: b.Device, Name: b.Name, Args: b.Args, IssuedBy: o.Actor, IssuedAt: o.CreatedAt, ExpiresAt: fleet.Millis(now.Add(left)), Job: b.Job,
		Order: o.Number,
	}
	by := fleet.System("command")
	if left <= 0 {
		l.append(now, by, fleet.CommandStepped{Command: b.Command, State: fleet.CommandExpired, Define: define, Error: "it came too late"})
		return
	}
	l.append(now, by, fleet.CommandStepped{Command: b.Command, State: fleet.CommandAtHub, Define: define})
	i, known := l.site.find(b.Device)
	if !known || l.site.device(i).Removed {
		l.append(now, by, fleet.CommandStepped{
			Command: b.Command, State: fleet.CommandFailed, Error: fmt.Sprintf("device %s is not registered", b.Device),
		})
		return
	}
	c := command{ID: b.Command, Define: define, Device: i, State: fleet.CommandAtHub, Expires: now.Add(left)}
	l.plan(&c, now)
	l.pending = append(l.pending, c)
}

// plan says when the next step of a command is.
func (l *life) plan(c *command, now time.Time) {
	switch {
	case c.State != fleet.CommandAtHub:
		c.Next = now.Add(l.within(50*time.Millisecond, 800*time.Millisecond))
	case !l.site.responsive(c.Device): // it waits for the device, which does not come
		c.Next = c.Expires
	case l.site.devices[c.Device].presence == sleeping:
		c.Next = now.Add(l.within(2*time.Second, 30*time.Second))
	default:
		c.Next = now.Add(l.within(20*time.Millisecond, 200*time.Millisecond))
	}
	if c.Next.After(c.Expires) {
		c.Next = c.Expires
	}
}

// carry takes a command to its next state.
func (l *life) carry(c *command, now time.Time) {
	by := fleet.ByDevice(l.site.deviceID(c.Device))
	step := fleet.CommandStepped{Command: c.ID}
	switch {
	case !now.Before(c.Expires):
		step.State, step.Error, by = fleet.CommandExpired, "the device did not come", fleet.System("command")
	case c.State == fleet.CommandAtHub:
		step.State, by = fleet.CommandSent, fleet.System("command")
	case c.State == fleet.CommandSent:
		step.State, by = fleet.CommandDelivered, fleet.System("command")
	case c.State == fleet.CommandDelivered:
		step.State = fleet.CommandAcknowledged
	case l.site.chance.IntN(50) == 0:
		step.State, step.Error = fleet.CommandFailed, "the device could not do it"
	default:
		step.State, step.Result = fleet.CommandSucceeded, json.RawMessage(`{"done":true}`)
	}
	l.append(now, by, step)
	c.State = step.State
	l.plan(c, now)
}

// cancel ends a command that was not delivered yet.
func (l *life) cancel(id fleet.CommandID, by fleet.Actor, now time.Time) bool {
	for i, c := range l.pending {
		if c.ID == id && c.State.Leads(fleet.CommandCancelled) {
			l.append(now, by, fleet.CommandStepped{Command: id, State: fleet.CommandCancelled})
			l.pending = append(l.pending[:i], l.pending[i+1:]...)
			return true
		}
	}
	return false
}

// traffic is what the devices of the site did in an hour.
func (s *site) traffic(seed uint64, start time.Time) fleet.TrafficHour {
	chance := chanceOf(seed, string(s.id), strconv.FormatInt(start.Unix(), 10))
	h := fleet.TrafficHour{TrafficRef: fleet.TrafficRef{Start: start, Version: uint32(chance.Uint64()>>33) | 1}}
	for i := range s.devices {
		if !s.responsive(i) {
			continue
		}
		messages := uint64(60 + chance.IntN(60))
		row := fleet.TrafficRow{
			Device: string(s.deviceID(i)), Type: s.kind(i), Room: s.device(i).Room,
			Counts: fleet.TrafficCounts{MessagesIn: messages, MessagesOut: messages / 20, BytesIn: messages * 207, BytesOut: messages / 20 * 120},
		}
		if level := float64(s.devices[i].battery); level >= 0 {
			row.Fields = []fleet.TrafficField{{Name: "battery", Count: messages, Min: level, Max: min(level+1, 100), Last: level}}
		}
		h.Rows = append(h.Rows, row)
	}
	return h
}
