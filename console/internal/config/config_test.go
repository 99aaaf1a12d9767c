package config

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

func good(t *testing.T) Serve {
	return Serve{
		Data: Data{Data: t.TempDir(), Store: Store{Store: "badger", Connections: 1}}, HTTP: "127.0.0.1:0", HubLink: "127.0.0.1:0", MaxSites: 1, ClaimTTL: time.Hour, OrderTTL: time.Hour,
		MaxTTL: 24 * time.Hour, MaxPending: 1, PullWait: time.Minute, ContactEvery: time.Minute, OfflineAfter: time.Hour,
		StalledAfter: time.Minute, CacheBytes: 8 << 20, MemTableBytes: 2 << 20, StopWithin: time.Second,
		EnrolEvery: time.Second, EnrolBurst: 1, EnrolAll: 1, EnrolAllBurst: 1, TrafficAge: time.Hour,
		SessionIdle: time.Hour, SessionMax: time.Hour, OIDC: OIDC{ExternalMax: time.Hour}, MaxTargets: 1,
		Notify: Notify{
			NotifyLife: 1, NotifyWaiting: 1, NotifyKeep: 1, AlertAway: 1, AlertBacklog: 1, AlertCertificate: 1, AlertDigest: 1, AlertCatchUp: 1,
		},
	}
}

func TestCheck_NamesTheSetting(t *testing.T) {
	if err := good(t).Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Serve){
		"--hublink-url":      func(s *Serve) { s.HubLinkURL = "http://x" },
		"--tls-cert":         func(s *Serve) { s.TLSCert = "x" },
		"--max-sites":        func(s *Serve) { s.MaxSites = 0 },
		"--order-ttl":        func(s *Serve) { s.OrderTTL = 25 * time.Hour },
		"--offline":          func(s *Serve) { s.OfflineAfter = time.Second },
		"--pull-wait":        func(s *Serve) { s.PullWait = 11 * time.Minute },
		"--cache-bytes":      func(s *Serve) { s.CacheBytes = 1 },
		"--claim-ttl":        func(s *Serve) { s.ClaimTTL = -1 },
		"--stop-within":      func(s *Serve) { s.StopWithin = 0 },
		"--enrol-all:":       func(s *Serve) { s.EnrolAll = 0 },
		"--enrol-burst":      func(s *Serve) { s.EnrolBurst = 0 },
		"--traffic-age":      func(s *Serve) { s.TrafficAge = 0 },
		"--session-idle":     func(s *Serve) { s.SessionIdle = 0 },
		"--session-max":      func(s *Serve) { s.SessionMax = -1 },
		"--oidc-session-max": func(s *Serve) { s.ExternalMax = 0 },
		"--max-job-targets":  func(s *Serve) { s.MaxTargets = 0 },
		"--smtp-port":        func(s *Serve) { s.SMTPHost = "mail" },
		"--smtp-from":        func(s *Serve) { s.SMTPHost, s.SMTPPort = "mail", 25 },
		"--smtp-user":        func(s *Serve) { s.SMTPUser = "x" },
		"--notify-life":      func(s *Serve) { s.NotifyLife = 0 },
		"--alert-away":       func(s *Serve) { s.AlertAway = 0 },
		"--max-pending-":     func(s *Serve) { s.MaxPending = 0 },
	} {
		s := good(t)
		spoil(&s)
		if err := s.Check(); !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestListen_NamesWhatIsTaken(t *testing.T) {
	s := good(t)
	l, err := s.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a := l.Addresses(); len(a) != 2 || a["http"] == "" || a["hublink"] == "" {
		t.Errorf("addresses are %v", a)
	}
	other := good(t)
	other.HubLink = l.HubLink.Addr().String()
	if _, err := other.Listen(t.Context()); err == nil || !strings.Contains(err.Error(), "--hublink") {
		t.Errorf("a taken address: %v", err)
	}
	if _, err := s.Listen(t.Context()); !errors.Is(err, fleet.ErrExists) {
		t.Errorf("a second console on the same data: %v", err)
	}
	long := good(t)
	long.Data.Data = filepath.Join(t.TempDir(), strings.Repeat("x", 120))
	far, err := long.Listen(t.Context())
	if err != nil {
		t.Errorf("a path that is too long for a socket: %v", err)
	}
	far.Close()
}
