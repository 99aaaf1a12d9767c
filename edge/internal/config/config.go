// Package config is the hub's settings: flags, environment, YAML file and
// defaults, typed and checked. The names are those that people write.
package config

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/obedio/obedio/edge/internal/backup"
	"github.com/obedio/obedio/edge/internal/command"
	"github.com/obedio/obedio/edge/internal/denial"
	"github.com/obedio/obedio/edge/internal/hub"
	"github.com/obedio/obedio/edge/internal/notify"
	"github.com/obedio/obedio/edge/internal/pki"
	"github.com/obedio/obedio/edge/internal/presence"
	"github.com/obedio/obedio/edge/internal/provision"
	"github.com/obedio/obedio/edge/internal/request"
	"github.com/obedio/obedio/edge/internal/selftest"
	"github.com/obedio/obedio/edge/internal/support"
	"github.com/obedio/obedio/edge/internal/uplink"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/program"
)

// Data is where the hub keeps everything.
type Data struct {
	Data string `name:"data" required:"" placeholder:"DIR" help:"The hub's data directory."`
	Site string `name:"site" placeholder:"SITE" help:"The site's id, such as yacht-1; needed once, for a new data directory."`
}

// Socket is where the running hub listens for its own commands.
func (d Data) Socket() program.Socket { return program.Socket{Dir: d.Data, Name: "hub.sock"} }

// Serve is the settings of a running hub.
type Serve struct {
	Data
	SiteName  string `name:"site-name" help:"What people read as the site's name; the id if empty."`
	ReadyFile string `name:"ready-file" placeholder:"FILE" help:"Write a JSON file with the addresses when every listener takes work."`

	MQTT    string `name:"mqtt" default:":1883" help:"Address for MQTT with passwords; empty for none."`
	MQTTS   string `name:"mqtts" default:":8883" help:"Address for MQTT over TLS, with client certificates or passwords; empty for none."`
	MQTTWS  string `name:"mqtt-ws" default:":9001" help:"Address for MQTT over WebSocket; empty for none."`
	MQTTWSS string `name:"mqtt-wss" default:"" help:"Address for MQTT over WebSocket over TLS; empty for none."`
	HTTP    string `name:"http" default:":8080" help:"Address for the web UI and the API; empty for none."`
	HTTPS   string `name:"https" default:":8443" help:"Address for the web UI and the API over TLS, with a certificate of the site's authority; empty for none."`
	Metrics string `name:"metrics" default:"" help:"Address for Prometheus; empty for none."`

	Hosts          []string `name:"hosts" help:"Further host names under which the API may be called; * for all."`
	TrustedOrigins []string `name:"trusted-origins" help:"Other origins whose pages may use the API and MQTT over WebSocket."`

	Names             []string      `name:"names" help:"Further names and addresses under which clients reach the hub: they are in its certificate."`
	DeviceCertificate time.Duration `name:"device-certificate-life" default:"17520h" help:"How long a device's certificate is good; it is renewed when two thirds are over."`
	ServerCertificate time.Duration `name:"server-certificate-life" default:"9528h" help:"How long the hub's own certificate is good."`
	SiteAuthority     time.Duration `name:"site-authority-life" default:"43800h" help:"How long the site's authority is good; the next one begins a year before its end."`
	RenewLate         time.Duration `name:"certificate-quarantine" default:"2160h" help:"How long a device whose certificate has expired may connect to renew it, and for nothing else."`

	ProvisionLife time.Duration `name:"provision-life" default:"30m" help:"How long a provisioning token is good when nobody says otherwise; at most 7 days."`
	ProvisionOpen int           `name:"provision-open" default:"1000" help:"Provisioning tokens that may be open at a time."`
	ProvisionKeep time.Duration `name:"provision-keep" default:"720h" help:"How long it is remembered what became of a provisioning token."`

	MoveGrace time.Duration `name:"move-grace" default:"24h" help:"How long a device that was moved may use the topics of both places."`

	MaxDevices   int  `name:"max-devices" default:"2000" help:"Devices of the site."`
	MaxDocuments int  `name:"max-policy-documents" default:"4096" help:"Security profiles and ACL documents of the site."`
	MaxDenials   int  `name:"max-denials" default:"1000" help:"Groups of denials that are remembered; the quietest is dropped first."`
	LegacyTopics bool `name:"legacy-topics" help:"Let devices use the topics of old firmware, obedio/device/{id}/… and obedio/button/{id}/…."`
	MQTTLimits   MQTT `embed:""`
	AuditSettings

	CollapseAccepted time.Duration `name:"collapse-accepted" default:"1m" help:"A press within this time after its request was accepted joins it."`
	LateAfter        time.Duration `name:"late-after" default:"30s" help:"A press that was under way for longer says so."`
	OfferLife        time.Duration `name:"offer-life" default:"1m" help:"How long a request that is offered to somebody stays so."`
	EscalationHurry  float64       `name:"escalation-hurry" default:"1" help:"Makes the times of escalations and rings shorter by this factor, for demonstrations and tests."`
	SelfTestEvery    time.Duration `name:"self-test-every" default:"1h" help:"How often it is tried, zone by zone, whether a call would come through; negative for only when somebody asks."`
	SelfTestAfter    time.Duration `name:"self-test-after" default:"2m" help:"After the start of the hub the first self-test waits for so long."`

	CommandTTL    time.Duration `name:"command-ttl" default:"1h" help:"Time to live of a command for which nobody gave one."`
	CommandRepeat time.Duration `name:"command-repeat" default:"5s" help:"Wait for a device's answer before a command is sent again."`
	NotifyLog     time.Duration `name:"notify-log-age" default:"2160h" help:"How long it is kept who was told of a request."`
	NotifyRepeat  time.Duration `name:"notify-repeat" default:"5s" help:"Wait for a watch's or button's acknowledgement before it is told again."`

	StateEvery     time.Duration `name:"uplink-state-every" default:"1m" help:"How often the newest device states go to the console."`
	RetryFirst     time.Duration `name:"uplink-retry-first" default:"1m" help:"The longest first pause after a failure of the link."`
	RetryMost      time.Duration `name:"uplink-retry-most" default:"15m" help:"The longest pause after many failures of the link."`
	PullWait       time.Duration `name:"uplink-pull-wait" default:"4m" help:"How long the console may hold a question for orders."`
	ChunkBytes     int           `name:"uplink-chunk-bytes" default:"65536" help:"What goes up in one call."`
	SummariesEvery time.Duration `name:"uplink-summaries-every" default:"1h" help:"How often hours of traffic that are over go up, besides right after connecting."`
	SummariesAgain time.Duration `name:"uplink-summaries-again" default:"720h" help:"How far back they go up once more to another console, or to one that was restored."`
	LinkPerDay     uint64        `name:"uplink-bytes-per-day" default:"0" help:"What the link may carry in a day, in bytes; 0 for no bound. The console may set another."`
	LinkPerMonth   uint64        `name:"uplink-bytes-per-month" default:"0" help:"What the link may carry in a month."`
	LinkReserve    int           `name:"uplink-reserve-percent" default:"10" help:"Part of the link's budget that is kept for calls and commands."`
	ProbeEvery     time.Duration `name:"uplink-probe-every" default:"8s" help:"How often the hub looks whether the console can be reached again."`
	CallTimeout    time.Duration `name:"uplink-call-timeout" default:"1m" help:"For one call to the console."`

	MemoryLimit       int64         `name:"memory-limit" default:"0" help:"Bytes of memory to stay below; 0 for nine tenths of what the control group allows."`
	TrafficBudget     uint64        `name:"traffic-budget" default:"2147483648" help:"Bytes on disk of the record of messages and its summaries."`
	TrafficRawAge     time.Duration `name:"traffic-raw-age" default:"720h" help:"How long single messages are kept."`
	TrafficMinuteAge  time.Duration `name:"traffic-minute-age" default:"2160h" help:"How long summaries of minutes are kept."`
	TrafficHourAge    time.Duration `name:"traffic-hour-age" default:"17520h" help:"How long summaries of hours are kept."`
	TrafficPayloads   []string      `name:"traffic-payloads" help:"Types of devices whose payloads are recorded, or all; all is not watches, which people wear: name them."`
	TrafficPayload    int           `name:"traffic-payload-bytes" default:"1024" help:"What is recorded of one payload."`
	TrafficFlushEvery time.Duration `name:"traffic-flush-every" default:"5s" help:"How often messages are written to disk; what came since is lost in a crash."`
	DiskSettings
	AlertSettings
	NotificationSettings

	SessionIdle time.Duration `name:"session-idle" default:"336h" help:"A session that nobody uses for so long ends."`
	SessionMax  time.Duration `name:"session-max" default:"2160h" help:"Every session ends so long after its sign-in."`
	PINIdle     time.Duration `name:"pin-idle" default:"12h" help:"A session that was made with a PIN and that nobody uses for so long ends."`

	BackupRecipients []string `name:"backup-recipient" placeholder:"age1…" help:"Age public key for which backups are encrypted when nobody says otherwise; may be repeated."`
	BackupsKeep      int      `name:"backups-keep" default:"7" help:"Backups that stay in the data directory."`
	LogKept          int      `name:"log-kept" default:"2000" help:"Newest log lines that are kept in memory for the support bundle."`

	PresenceSweep time.Duration `name:"presence-sweep" default:"5s" help:"How often silence is looked for."`
	PresenceTypes []string      `name:"presence-type" placeholder:"TYPE=INTERVAL/SLEEP" help:"How often a type of device reports while it is awake, and how long one that said goodbye may be silent, such as button=5m/24h; may be repeated."`
	BatteryWindow time.Duration `name:"battery-window" default:"336h" help:"The time that forecasts of batteries are made from."`
	BatteryEvery  time.Duration `name:"battery-every" default:"1h" help:"How often forecasts of batteries are made."`
	StopWithin    time.Duration `name:"stop-within" default:"5s" help:"For a clean stop."`
}

// Check says what is wrong with the settings.
func (s Serve) Check() error {
	if s.Site != "" {
		if _, err := fleet.ParseSiteID(s.Site); err != nil {
			return fmt.Errorf("--site: %w", err)
		}
	}
	if err := positive(map[string]int{
		"max-devices": s.MaxDevices, "max-policy-documents": s.MaxDocuments, "max-denials": s.MaxDenials,
		"provision-open": s.ProvisionOpen, "uplink-chunk-bytes": s.ChunkBytes, "traffic-payload-bytes": s.TrafficPayload,
		"backups-keep": s.BackupsKeep, "log-kept": s.LogKept,
	}); err != nil {
		return err
	}
	if err := positive(map[string]time.Duration{
		"device-certificate-life": s.DeviceCertificate, "server-certificate-life": s.ServerCertificate,
		"provision-life": s.ProvisionLife, "provision-keep": s.ProvisionKeep, "site-authority-life": s.SiteAuthority, "certificate-quarantine": s.RenewLate,
		"uplink-summaries-every": s.SummariesEvery, "uplink-summaries-again": s.SummariesAgain, "uplink-probe-every": s.ProbeEvery,
		"offer-life": s.OfferLife, "self-test-after": s.SelfTestAfter, "notify-log-age": s.NotifyLog,
		"session-idle": s.SessionIdle, "session-max": s.SessionMax, "pin-idle": s.PINIdle,
	}); err != nil {
		return err
	}
	if err := positive(map[string]float64{"escalation-hurry": s.EscalationHurry}); err != nil {
		return err
	}
	if s.LinkReserve < 1 || s.LinkReserve > 90 {
		return fmt.Errorf("%w: --uplink-reserve-percent %d: want 1 to 90", fleet.ErrInvalid, s.LinkReserve)
	}
	if s.SelfTestEvery == 0 {
		return fmt.Errorf("%w: --self-test-every 0: want a time, or a negative one for never", fleet.ErrInvalid)
	}
	if _, err := presence.SetPolicies(presence.DefaultPolicies(), s.PresenceTypes); err != nil {
		return fmt.Errorf("--presence-type: %w", err)
	}
	if s.BatteryWindow < 24*time.Hour || s.BatteryEvery <= 0 {
		return fmt.Errorf("%w: --battery-window %s: want at least 24h; --battery-every %s: more than 0", fleet.ErrInvalid, s.BatteryWindow, s.BatteryEvery)
	}
	if err := s.checkTraffic(); err != nil {
		return err
	}
	if s.LegacyTopics && (s.Site == "device" || s.Site == "button") {
		return fmt.Errorf("%w: --legacy-topics: the topics of a site called %s are not to be told from the old ones", fleet.ErrInvalid, s.Site)
	}
	if _, err := backup.ParseRecipients(s.BackupRecipients); err != nil {
		return fmt.Errorf("--backup-recipient: %w", err)
	}
	if err := s.DiskSettings.check(); err != nil {
		return err
	}
	if err := s.AlertSettings.check(); err != nil {
		return err
	}
	if err := s.NotificationSettings.check(); err != nil {
		return err
	}
	if err := s.AuditSettings.check(); err != nil {
		return err
	}
	return s.MQTTLimits.check()
}

// positive reports as fleet.ErrInvalid a setting that is not more than 0.
func positive[T int | float64 | time.Duration](settings map[string]T) error {
	for name, v := range settings {
		if !(v > 0) { // NaN neither
			return fmt.Errorf("%w: --%s %v: want more than 0", fleet.ErrInvalid, name, v)
		}
	}
	return nil
}

// Hub is the settings as the hub takes them, without listeners.
func (s Serve) Hub() hub.Config {
	// Check has read them.
	policies, _ := presence.SetPolicies(presence.DefaultPolicies(), s.PresenceTypes)
	recipients, _ := backup.ParseRecipients(s.BackupRecipients)
	return hub.Config{
		Settings: support.Settings(s), LogKept: s.LogKept, Backups: hub.Backups{Keep: s.BackupsKeep, Recipients: recipients},
		Data: s.Data.Data, Site: fleet.SiteID(s.Site), SiteName: s.SiteName, MaxDevices: s.MaxDevices, MoveGrace: s.MoveGrace,
		MaxDocuments: s.MaxDocuments, Denials: denial.Config{MaxGroups: s.MaxDenials}, Security: s.AuditSettings.security(), LegacyTopics: s.LegacyTopics,
		Hosts: s.Hosts, TrustedOrigins: s.TrustedOrigins, StopWithin: s.StopWithin,
		Names: s.Names,
		PKI: pki.Config{
			DeviceLife: s.DeviceCertificate, ServerLife: s.ServerCertificate, AuthorityLife: s.SiteAuthority, Quarantine: s.RenewLate,
		},
		Provision: provision.Config{Life: s.ProvisionLife, MaxOpen: s.ProvisionOpen, Keep: s.ProvisionKeep},
		Broker:    s.MQTTLimits.limits(),
		Presence:  presence.Config{SweepEvery: s.PresenceSweep, Policies: policies},
		Forecasts: presence.ForecastConfig{Window: s.BatteryWindow, Every: s.BatteryEvery},
		Requests: request.Config{
			CollapseAccepted: s.CollapseAccepted, LateAfter: s.LateAfter, OfferLife: s.OfferLife, Hurry: s.EscalationHurry,
		},
		SelfTest: selftest.Config{Every: s.SelfTestEvery, After: s.SelfTestAfter},
		Commands: command.Config{DefaultTTL: s.CommandTTL, RepeatFirst: s.CommandRepeat},
		Disk:     s.DiskSettings.guard(),
		Alerts:   s.AlertSettings.alerts(),
		Courier:  s.NotificationSettings.courier(),
		Notify:   notify.Config{RepeatEvery: s.NotifyRepeat, LogFor: s.NotifyLog},
		Uplink: uplink.Config{
			StateEvery: s.StateEvery, RetryFirst: s.RetryFirst, RetryMost: s.RetryMost, PullWait: s.PullWait,
			ChunkBytes: s.ChunkBytes, CallTimeout: s.CallTimeout, SummariesEvery: s.SummariesEvery, SummariesAgain: s.SummariesAgain,
			Budget: uplink.Budget{PerDay: s.LinkPerDay, PerMonth: s.LinkPerMonth, Reserve: s.LinkReserve}, ProbeEvery: s.ProbeEvery,
		},
		Traffic: s.traffic(),
	}
}

// Sessions are the limits of people's sessions.
func (s Serve) Sessions() account.SessionLimits {
	return account.SessionLimits{Idle: s.SessionIdle, Max: s.SessionMax, PINIdle: s.PINIdle}
}

// At makes the addresses those at which the listeners were bound before.
func (s *Serve) At(addresses map[string]string) {
	for name, to := range map[string]*string{
		"mqtt": &s.MQTT, "mqtts": &s.MQTTS, "mqtt_ws": &s.MQTTWS, "mqtt_wss": &s.MQTTWSS,
		"http": &s.HTTP, "https": &s.HTTPS, "metrics": &s.Metrics,
	} {
		if a, ok := addresses[name]; ok {
			*to = a
		}
	}
}

// Listen binds every listener that is on; a failure names the setting.
func (s Serve) Listen(ctx context.Context) (l hub.Listeners, err error) {
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	for _, v := range []struct {
		name, addr string
		to         *net.Listener
	}{
		{"mqtt", s.MQTT, &l.MQTT}, {"mqtts", s.MQTTS, &l.MQTTS}, {"mqtt-ws", s.MQTTWS, &l.MQTTWS}, {"mqtt-wss", s.MQTTWSS, &l.MQTTWSS},
		{"http", s.HTTP, &l.HTTP}, {"https", s.HTTPS, &l.HTTPS}, {"metrics", s.Metrics, &l.Metrics},
	} {
		if v.addr == "" {
			continue
		}
		if *v.to, err = (&net.ListenConfig{}).Listen(ctx, "tcp", v.addr); err != nil {
			return l, fmt.Errorf("--%s %s: %w", v.name, v.addr, err)
		}
	}
	l.Local, err = s.Socket().Listen(ctx)
	return l, err
}
