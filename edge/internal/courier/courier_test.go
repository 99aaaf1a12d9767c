package courier

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/obedio/obedio/edge/internal/document"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/courier"
	"github.com/obedio/obedio/shared/fleet"
)

var mila = fleet.Actor{Kind: fleet.ActorUser, ID: "u", Name: "Mila"}

const secret = "a-secret-of-the-receiver"

// site is a courier whose time and network the test sets.
type site struct {
	*testing.T
	store   *store.Store
	journal *journal.Journal
	*Courier
	mu      sync.Mutex // guards all below
	now     time.Time
	offline bool
	open    []fleet.Alert
	buzzed  []Buzzer
	smtp    SMTP
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
	out := &site{T: t, store: s, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	out.reopen()
	return out
}

// Now implements journal.Clock.
func (s *site) Now() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now, true
}

func (s *site) reopen() {
	s.Helper()
	s.journal = journal.New(journal.Config{Store: s.store, Clock: s})
	var err error
	s.Courier, err = New(Config{
		Site: "yacht-1", Store: s.store, Journal: s.journal, SMTP: s.smtp, MaxWaiting: 50, Keep: 20, Timeout: 10 * time.Second,
		Now: func() time.Time {
			now, _ := s.Now()
			return now
		},
		About:  func() (string, *time.Location) { return "Yacht One", time.UTC },
		Alerts: func() []fleet.Alert { return s.open },
		Words:  func(k fleet.AlertKind) (string, string) { return "About " + string(k), "Do something." },
		Buzz: func(_ context.Context, b Buzzer) error {
			s.buzzed = append(s.buzzed, b)
			return nil
		},
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			s.mu.Lock()
			offline := s.offline
			s.mu.Unlock()
			if offline {
				return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("network is unreachable")}
			}
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		},
	})
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) online(yes bool) {
	s.mu.Lock()
	s.offline = !yes
	s.mu.Unlock()
}

// after lets time pass, a quarter of an hour at a time, and does what is due.
func (s *site) after(d time.Duration) {
	s.Helper()
	for {
		step := min(d, 15*time.Minute)
		s.mu.Lock()
		s.now = s.now.Add(step)
		s.mu.Unlock()
		if _, err := s.round(s.Context()); err != nil {
			s.Fatal(err)
		}
		if d -= step; d <= 0 {
			return
		}
	}
}

func (s *site) rule(name string, r Rule) {
	s.Helper()
	key := secret
	if err := s.Put(s.Context(), mila, name, r, document.Fresh, &key); err != nil {
		s.Fatal(err)
	}
}

// raise raises an alert as the alert package does.
func (s *site) raise(kind fleet.AlertKind, severity fleet.AlertSeverity) fleet.Alert {
	s.Helper()
	s.mu.Lock()
	s.now = s.now.Add(time.Millisecond) // ids sort by it
	s.mu.Unlock()
	now, _ := s.Now()
	return s.alert(fleet.Alert{}, fleet.Alert{
		ID: fleet.NewUUID[fleet.AlertID](now), Kind: kind, Severity: severity, SubjectKind: fleet.AlertOfDevice, Subject: "btn-1",
		State: fleet.AlertActive, Since: now, RaisedAt: now, UpdatedAt: now, Occurrences: 1, Version: 1, Detail: map[string]string{"value": "5 %"},
	})
}

func (s *site) alert(before, after fleet.Alert) fleet.Alert {
	s.Helper()
	err := s.journal.Do(s.Context(), func(tx *journal.Tx) error {
		if err := tx.Append(fleet.System("alert"), fleet.AlertChanged{Alert: after}); err != nil {
			return err
		}
		return s.AlertIn(tx, before, after)
	})
	if err != nil {
		s.Fatal(err)
	}
	return after
}

func (s *site) states() string {
	var all []string
	for _, d := range s.Deliveries("", 1000) {
		all = append(all, fmt.Sprintf("%s %s", d.Channel, d.State))
	}
	return strings.Join(all, ", ")
}

func (s *site) want(want string) {
	s.Helper()
	if got := s.states(); got != want {
		s.Errorf("deliveries are %q, want %q", got, want)
	}
}

// receiver is a real HTTP server that takes webhook calls.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex // guards all below
	answer int
	got    []Payload
	keys   []string
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{answer: http.StatusNoContent}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		stamp, _, _ := strings.Cut(strings.TrimPrefix(req.Header.Get(courier.HeaderSignature), "t="), ",")
		var seconds int64
		if _, err := fmt.Sscan(stamp, &seconds); err != nil || req.Header.Get(courier.HeaderSignature) != courier.Sign([]byte(secret), time.Unix(seconds, 0), body) {
			t.Errorf("signature %q: %v", req.Header.Get(courier.HeaderSignature), err)
		}
		var p Payload
		if err := json.Unmarshal(body, &p); err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got, r.keys = append(r.got, p), append(r.keys, req.Header.Get(courier.HeaderDelivery))
		w.WriteHeader(r.answer)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answers(code int) {
	r.mu.Lock()
	r.answer = code
	r.mu.Unlock()
}

func TestWebhook_OfflineForHoursWithARestartIsDeliveredOnce(t *testing.T) {
	s, r := newSite(t), newReceiver(t)
	s.rule("shore", Rule{On: []string{OnAlert}, WhenGone: true, Webhook: &Webhook{URL: r.URL + "/hook"}})
	s.online(false)
	a := s.raise("battery_low", fleet.AlertWarning)
	s.raise("device_lost", fleet.AlertInfo) // matters too little
	s.after(time.Minute)
	s.want("webhook waiting")
	s.after(5 * time.Hour)
	s.reopen()
	s.after(5 * time.Hour)
	s.want("webhook waiting")
	if d := s.Deliveries("", 1)[0]; d.Tries < 10 || d.Error == "" || strings.Contains(d.Error, "/hook") {
		t.Errorf("%+v", d)
	}
	s.online(true)
	s.NetworkBack()
	s.after(0)
	s.after(time.Hour)
	s.want("webhook delivered")
	s.reopen()
	s.after(time.Hour)
	if len(r.got) != 1 || r.got[0].Alert.ID != a.ID || r.got[0].Title != "About battery_low" || r.keys[0] != s.Deliveries("", 1)[0].ID {
		t.Fatalf("%+v %q", r.got, r.keys)
	}
	s.alert(a, a.Rectify(a.Since))
	s.after(0)
	if len(r.got) != 2 || r.got[1].Event != EventGone {
		t.Errorf("%+v", r.got)
	}
	if report, err := s.store.Verify(); err != nil || len(report.Findings) > 0 {
		t.Errorf("%+v %v", report.Findings, err)
	}
}

func TestWebhook_5xxIsTriedAgainAnd4xxIsGivenUp(t *testing.T) {
	s, r := newSite(t), newReceiver(t)
	s.rule("shore", Rule{On: []string{OnAlert}, Webhook: &Webhook{URL: r.URL}})
	s.raise("disk_low", fleet.AlertCritical)
	r.answers(http.StatusServiceUnavailable)
	s.after(0)
	s.want("webhook waiting")
	s.after(0) // not before its pause is over
	if len(r.got) != 1 {
		t.Errorf("%d calls", len(r.got))
	}
	s.after(30 * time.Second)
	if len(r.got) != 2 || r.keys[0] != r.keys[1] {
		t.Errorf("%d calls, %q", len(r.got), r.keys)
	}
	r.answers(http.StatusGone)
	s.after(time.Hour)
	s.want("webhook failed")
	if len(r.got) != 3 {
		t.Errorf("%d calls", len(r.got))
	}
	r.answers(http.StatusFound) // a captive portal
	s.raise("disk_low", fleet.AlertCritical)
	s.after(0)
	s.want("webhook waiting, webhook failed")
	s.after(72*time.Hour + 16*time.Minute)
	s.want("webhook expired, webhook failed")
}

func TestQueue_IsBoundedAndDropsWhatMattersLeast(t *testing.T) {
	s, r := newSite(t), newReceiver(t)
	s.rule("shore", Rule{On: []string{OnAlert}, MinSeverity: fleet.AlertInfo, Webhook: &Webhook{URL: r.URL}})
	s.online(false)
	for range 40 {
		s.raise("a", fleet.AlertInfo)
	}
	for range 40 {
		s.raise("b", fleet.AlertCritical)
	}
	s.after(0)
	s.online(true)
	s.NetworkBack()
	s.after(0)
	s.after(time.Minute)
	critical := 0
	for _, p := range r.got {
		if p.Severity == fleet.AlertCritical {
			critical++
		}
	}
	if len(r.got) != 50 || critical != 40 {
		t.Errorf("%d were delivered, %d of them critical", len(r.got), critical)
	}
	if n := len(s.Deliveries("", 1000)); n != 20 {
		t.Errorf("%d are kept", n)
	}
}

func TestQuiet_WhatIsNotCriticalWaitsAndWhatWasSeenMeanwhileIsNotSent(t *testing.T) {
	s, r := newSite(t), newReceiver(t)
	s.rule("shore", Rule{On: []string{OnAlert}, Quiet: &Quiet{From: "22:00", To: "07:30"}, Webhook: &Webhook{URL: r.URL}, Buzzer: true})
	s.after(12 * time.Hour) // midnight
	seen := s.raise("a", fleet.AlertWarning)
	s.raise("b", fleet.AlertWarning)
	s.raise("c", fleet.AlertCritical)
	s.after(0)
	s.want("webhook delivered, webhook waiting, webhook waiting")
	after, err := seen.Acknowledge(mila, seen.Since)
	if err != nil {
		t.Fatal(err)
	}
	s.alert(seen, after)
	s.after(7 * time.Hour)
	s.want("webhook delivered, webhook waiting, webhook waiting")
	s.after(30 * time.Minute)
	s.want("webhook delivered, webhook delivered, webhook dropped")
}

func TestRequests_AnEmergencyAndAMissedCallAreToldOnceOverAKill(t *testing.T) {
	s, r := newSite(t), newReceiver(t)
	s.rule("bridge", Rule{On: []string{OnEmergency, OnMissed}, Webhook: &Webhook{URL: r.URL}, Buzzer: true})
	s.after(0)
	press := func(device fleet.DeviceID, p fleet.Priority) fleet.RequestID {
		t.Helper()
		now, _ := s.Now()
		id := fleet.NewUUID[fleet.RequestID](now)
		err := s.journal.Do(t.Context(), func(tx *journal.Tx) error {
			return tx.Append(fleet.ByDevice(device), fleet.Pressed{Room: "cabin-1", Opens: true, Press: fleet.Press{
				PressKey: fleet.PressKey{Device: device, BootID: "b", SequenceID: 1}, Type: fleet.PressLong, Priority: p, Request: id,
			}})
		})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	missed := press("btn-1", fleet.Normal)
	emergency := press("btn-2", fleet.Emergency)
	join := func(seq uint64) {
		t.Helper()
		err := s.journal.Do(t.Context(), func(tx *journal.Tx) error {
			return tx.Append(fleet.ByDevice("btn-2"), fleet.Pressed{Room: "cabin-1", Press: fleet.Press{
				PressKey: fleet.PressKey{Device: "btn-2", BootID: "b", SequenceID: seq}, Type: fleet.PressLong, Priority: fleet.Emergency, Request: emergency,
			}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	join(2)    // an impatient guest
	s.reopen() // killed before the courier has seen it
	s.after(0)
	join(3)
	s.after(time.Minute)
	if b := s.buzzed[len(s.buzzed)-1]; !b.On || b.Reason != "emergency cabin-1" {
		t.Errorf("%+v", b)
	}
	step := func(id fleet.RequestID, to fleet.RequestState) {
		t.Helper()
		err := s.journal.Do(t.Context(), func(tx *journal.Tx) error {
			return tx.Append(fleet.System("request"), fleet.RequestStepped{Request: id, Version: 2, State: to})
		})
		if err != nil {
			t.Fatal(err)
		}
		s.after(0)
	}
	step(missed, fleet.RequestMissed)
	step(emergency, fleet.RequestAccepted)
	if b := s.buzzed[len(s.buzzed)-1]; b.On {
		t.Errorf("%+v", b)
	}
	s.reopen()
	s.after(time.Hour)
	if len(r.got) != 2 || r.got[0].Request != emergency || r.got[0].Event != EventEmergency || r.got[1].Request != missed || r.got[1].Room != "cabin-1" {
		t.Errorf("%+v", r.got)
	}
}

func TestRequests_DrillsAndTheHubsOwnTestsAreToldToNobody(t *testing.T) {
	s, r := newSite(t), newReceiver(t)
	s.rule("shore", Rule{On: []string{OnEmergency, OnMissed}, Webhook: &Webhook{URL: r.URL}})
	now, _ := s.Now()
	for _, purpose := range []fleet.Purpose{fleet.PurposeDrill, fleet.PurposeSelfTest, fleet.PurposeCall} {
		id := fleet.NewUUID[fleet.RequestID](now)
		err := s.journal.Do(t.Context(), func(tx *journal.Tx) error {
			opened := fleet.RequestOpened{Request: id, Room: "cabin-1", Priority: fleet.Emergency, Purpose: purpose}
			if err := tx.Append(fleet.System("test"), opened); err != nil {
				return err
			}
			return tx.Append(fleet.System("test"), fleet.RequestStepped{Request: id, Version: 2, State: fleet.RequestMissed})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	s.after(time.Minute)
	if len(r.got) != 2 { // of the call: that it was an emergency, and that it was missed
		t.Errorf("%+v", r.got)
	}
}

func TestBuzzer_SoundsUntilTheAlertIsSeenOrSilenced(t *testing.T) {
	s := newSite(t)
	s.rule("engine", Rule{On: []string{OnAlert}, Buzzer: true, Kinds: []fleet.AlertKind{"disk_low"}})
	s.open = []fleet.Alert{{Kind: "device_lost", Severity: fleet.AlertCritical, State: fleet.AlertActive}}
	s.after(0)
	s.open = append(s.open, fleet.Alert{Kind: "disk_low", Severity: fleet.AlertWarning, State: fleet.AlertActive})
	s.after(time.Minute)
	s.after(time.Minute)
	s.open[1].State = fleet.AlertSilenced
	s.after(time.Minute)
	var got []string
	for _, b := range s.buzzed {
		got = append(got, fmt.Sprintf("%t %s", b.On, b.Reason))
	}
	if strings.Join(got, ", ") != "false , true alert disk_low, false " {
		t.Errorf("%q", got)
	}
}

func TestPut_SaysWhatIsWrongAndKeepsTheKey(t *testing.T) {
	s, r := newSite(t), newReceiver(t)
	for _, bad := range []Rule{
		{}, {On: []string{"x"}}, {On: []string{OnAlert}, MinSeverity: "bad"}, {On: []string{OnAlert}, Sound: "song"},
		{On: []string{OnAlert}, Quiet: &Quiet{From: "25:00", To: "07:00"}}, {On: []string{OnAlert}, Quiet: &Quiet{From: "07:00", To: "07:00"}},
		{On: []string{OnAlert}, Webhook: &Webhook{URL: "ftp://x"}}, {On: []string{OnAlert}, Webhook: &Webhook{URL: "https://me:pass@x"}},
		{On: []string{OnAlert}, Mail: &Mail{To: []string{"nobody"}}}, {On: []string{OnAlert}, Mail: &Mail{To: []string{"crew@example.org"}}},
	} {
		if err := s.Put(t.Context(), mila, "r", bad, document.Fresh, nil); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if m := (Rule{Webhook: &Webhook{URL: "https://hooks.example:8443/T0/secret?x=1"}, Mail: &Mail{To: []string{"a@b.example"}}}).Masked(); m.Webhook.URL != "https://hooks.example:8443/" || len(m.Mail.To) != 0 {
		t.Errorf("%+v %+v", m.Webhook, m.Mail)
	}
	short := "short"
	good := Rule{On: []string{OnAlert}, Webhook: &Webhook{URL: r.URL}}
	if err := s.Put(t.Context(), mila, "r", good, document.Fresh, &short); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("a short key: %v", err)
	}
	s.rule("r", good)
	if err := s.Put(t.Context(), mila, "r", good, 7, nil); !errors.Is(err, fleet.ErrVersion) {
		t.Errorf("%v", err)
	}
	if err := s.Put(t.Context(), mila, "r", good, 1, nil); err != nil {
		t.Fatal(err)
	}
	if has, err := s.HasSecret("r"); !has || err != nil {
		t.Errorf("the key is gone: %v", err)
	}
	if ds, err := s.Test(t.Context(), "r"); err != nil || len(ds) != 1 {
		t.Errorf("%+v %v", ds, err)
	}
	s.after(0)
	s.want("webhook delivered") // the receiver has checked the signature
	if err := s.Remove(t.Context(), mila, "r", 2); err != nil {
		t.Fatal(err)
	}
	if has, err := s.HasSecret("r"); has || err != nil {
		t.Errorf("the key is still there: %v", err)
	}
}

// mailServer is a small SMTP server that answers RCPT with what it is told.
type mailServer struct {
	net.Listener
	mu    sync.Mutex // guards all below
	rcpt  string
	mails []string
}

func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mailServer{Listener: l, rcpt: "250 ok"}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { m.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		open.Wait()
	})
	return m
}

func (m *mailServer) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	say := func(s string) { _, _ = io.WriteString(c, s+"\r\n") }
	in := bufio.NewScanner(c)
	say("220 test")
	for in.Scan() {
		switch verb, _, _ := strings.Cut(strings.ToUpper(in.Text()), " "); verb {
		case "EHLO":
			say("250 test")
		case "RCPT":
			m.mu.Lock()
			say(m.rcpt)
			m.mu.Unlock()
		case "DATA":
			say("354 go on")
			var b strings.Builder
			for in.Scan() && in.Text() != "." {
				b.WriteString(in.Text() + "\n")
			}
			m.mu.Lock()
			m.mails = append(m.mails, b.String())
			m.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (m *mailServer) answers(s string) {
	m.mu.Lock()
	m.rcpt = s
	m.mu.Unlock()
}

func TestMail_IsSentOnceTheServerTakesItAndGivenUpWhenItNeverWill(t *testing.T) {
	s, m := newSite(t), newMailServer(t)
	addr, ok := m.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal(m.Addr())
	}
	s.smtp = SMTP{Host: "127.0.0.1", Port: addr.Port, From: "hub@example.org", TLS: "none"}
	s.reopen()
	s.rule("office", Rule{On: []string{OnAlert}, Mail: &Mail{To: []string{"office@example.org", "chief@example.org"}}})
	s.online(false)
	s.raise("battery_low", fleet.AlertWarning)
	s.after(6 * time.Hour)
	s.want("mail waiting")
	s.online(true)
	m.answers("451 try later")
	s.after(15 * time.Minute)
	s.want("mail waiting")
	m.answers("250 ok")
	s.reopen()
	s.after(15 * time.Minute)
	s.want("mail delivered")
	s.after(time.Hour)
	if len(m.mails) != 1 {
		t.Fatalf("%d mails", len(m.mails))
	}
	for _, want := range []string{"Subject: [Yacht One] warning: About battery_low", "To: <office@example.org>, <chief@example.org>", "Do something.", "device: btn-1", "value: 5 %", s.Deliveries("", 1)[0].ID} {
		if !strings.Contains(m.mails[0], want) {
			t.Errorf("%q is missing in %s", want, m.mails[0])
		}
	}
	m.answers("550 no such user")
	s.raise("battery_low", fleet.AlertWarning)
	s.after(0)
	s.want("mail failed, mail delivered")
}
