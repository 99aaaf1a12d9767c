package alert

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// The conditions that the hub knows.
const (
	DeviceLost           fleet.AlertKind = "device_lost"
	DevicesMissing       fleet.AlertKind = "devices_missing"
	RepeaterDown         fleet.AlertKind = "repeater_down"
	BatteryLow           fleet.AlertKind = "battery_low"
	BatteriesLow         fleet.AlertKind = "batteries_low"
	WatchDeaf            fleet.AlertKind = "watch_deaf"
	WatchesDeaf          fleet.AlertKind = "watches_deaf"
	NobodyReachable      fleet.AlertKind = "nobody_reachable"
	DiskLow              fleet.AlertKind = "disk_low"
	ClockUntrusted       fleet.AlertKind = "clock_untrusted"
	SyncStalled          fleet.AlertKind = "sync_stalled"
	BackupOld            fleet.AlertKind = "backup_old"
	CertificateExpiring  fleet.AlertKind = "certificate_expiring"
	CertificatesExpiring fleet.AlertKind = "certificates_expiring"
	StorageFailing       fleet.AlertKind = "storage_failing"
	ButtonStuck          fleet.AlertKind = "button_stuck"
	ButtonsStuck         fleet.AlertKind = "buttons_stuck"
	BadPayloads          fleet.AlertKind = "bad_payloads"
	BadPayloadsMany      fleet.AlertKind = "bad_payloads_many"
	AuditBroken          fleet.AlertKind = "audit_broken"
	SelfTestFailed       fleet.AlertKind = "self_test_failed"
)

// Condition is one row of the table: what is an alert, and when.
type Condition struct {
	Kind     fleet.AlertKind
	Severity fleet.AlertSeverity
	Subject  fleet.AlertSubject
	// On is how long the condition must hold before it is an alert, Off how long
	// it must be gone before the alert is over.
	On, Off time.Duration
	// Limit is for conditions that are a number; nil for the others.
	Limit *Limit
	// Many is the alert that takes the place of many of this kind.
	Many fleet.AlertKind
	// Told: no evidence is gathered; somebody says it with Raise and Clear.
	Told bool
	// Disabled switches the condition off.
	Disabled bool
	// Title and Action are for people who read neither page nor manual.
	Title, Action string
}

// Limit says which number is too much, or too little, and which is good again:
// between the two nothing changes.
type Limit struct {
	Raise, Clear float64
	// Below: numbers below Raise are an alert; else those above.
	Below bool
	// Unit is for people.
	Unit string
}

// wrong reports whether v is an alert, when it was one until now.
func (l Limit) wrong(v float64, until bool) bool {
	line := l.Raise
	if until {
		line = l.Clear
	}
	if l.Below {
		return v < line
	}
	return v > line
}

// Conditions is the table, with the defaults.
func Conditions() []Condition {
	day := 24 * time.Hour
	return []Condition{
		{
			Kind: DeviceLost, Severity: fleet.AlertWarning, Subject: fleet.AlertOfDevice, On: time.Minute, Off: 2 * time.Minute, Many: DevicesMissing,
			Title: "A device is lost", Action: "Look at its battery and its place; replace it if it stays silent.",
		},
		{
			Kind: DevicesMissing, Severity: fleet.AlertWarning, Subject: fleet.AlertOfSite,
			Title: "Many devices are missing", Action: "Look for what they share: power, access point, repeater.",
		},
		{
			Kind: RepeaterDown, Severity: fleet.AlertWarning, Subject: fleet.AlertOfDevice, On: time.Minute, Off: time.Minute, Many: DevicesMissing,
			Title: "A repeater is down", Action: "Restore its power: devices behind it cannot be heard.",
		},
		{
			Kind: BatteryLow, Severity: fleet.AlertWarning, Subject: fleet.AlertOfDevice, On: 10 * time.Minute, Off: 10 * time.Minute, Many: BatteriesLow,
			Limit: &Limit{Raise: 15, Clear: 25, Below: true, Unit: "%"},
			Title: "A battery is low", Action: "Change or charge it.",
		},
		{
			Kind: BatteriesLow, Severity: fleet.AlertWarning, Subject: fleet.AlertOfSite,
			Title: "Many batteries are low", Action: "Plan a round: Devices, filter battery:<20.",
		},
		{
			Kind: WatchDeaf, Severity: fleet.AlertWarning, Subject: fleet.AlertOfDevice, On: 2 * time.Minute, Off: time.Minute, Many: WatchesDeaf,
			Title: "A watch is connected and cannot be told", Action: "Restart the watch; its wearer hears no calls.",
		},
		{
			Kind: WatchesDeaf, Severity: fleet.AlertCritical, Subject: fleet.AlertOfSite,
			Title: "Many watches are connected and cannot be told", Action: "Restart the watches; their wearers hear no calls.",
		},
		{
			Kind: NobodyReachable, Severity: fleet.AlertCritical, Subject: fleet.AlertOfSite, On: time.Minute, Off: 10 * time.Second,
			Title: "No watch can be reached", Action: "Put on a watch, or stay at a screen: calls ring there only.",
		},
		{
			Kind: DiskLow, Severity: fleet.AlertWarning, Subject: fleet.AlertOfHub, On: 10 * time.Second, Off: time.Minute,
			Title: "The disk fills", Action: "Lower the traffic budget, or remove old backups.",
		},
		{
			Kind: ClockUntrusted, Severity: fleet.AlertWarning, Subject: fleet.AlertOfHub, On: 10 * time.Minute, Off: 10 * time.Second,
			Title: "The hub does not trust its clock", Action: "Set the time on the Trust page.",
		},
		{
			Kind: SyncStalled, Severity: fleet.AlertWarning, Subject: fleet.AlertOfHub,
			Limit: &Limit{Raise: 24, Clear: 1, Unit: "h"},
			Title: "The console has not been reached for long", Action: "Look at the link on the Uplink page; the site works without it.",
		},
		{
			Kind: BackupOld, Severity: fleet.AlertWarning, Subject: fleet.AlertOfHub,
			Limit: &Limit{Raise: 7, Clear: 7, Unit: "d"},
			Title: "There is no recent backup", Action: "Make a backup and keep it elsewhere.",
		},
		{
			Kind: CertificateExpiring, Severity: fleet.AlertWarning, Subject: fleet.AlertOfCertificate, Many: CertificatesExpiring,
			Limit: &Limit{Raise: 30, Clear: 31, Below: true, Unit: "d"},
			Title: "A certificate expires soon", Action: "Let its device connect, so that it renews it, or issue another.",
		},
		{
			Kind: CertificatesExpiring, Severity: fleet.AlertWarning, Subject: fleet.AlertOfSite,
			Title: "Many certificates expire soon", Action: "Look at Security, Certificates: devices that do not connect cannot renew.",
		},
		{
			Kind: StorageFailing, Severity: fleet.AlertCritical, Subject: fleet.AlertOfHub, Off: day,
			Title: "The store fails", Action: "Make a backup now and replace the disk.",
		},
		{
			Kind: ButtonStuck, Severity: fleet.AlertWarning, Subject: fleet.AlertOfDevice, On: time.Minute, Off: 10 * time.Minute, Many: ButtonsStuck,
			Limit: &Limit{Raise: 20, Clear: 5, Unit: "/min"},
			Title: "A button is stuck", Action: "Free or replace the button; real presses of it may be missed.",
		},
		{
			Kind: ButtonsStuck, Severity: fleet.AlertWarning, Subject: fleet.AlertOfSite,
			Title: "Many buttons are stuck", Action: "Look for what they share, such as firmware or water.",
		},
		{
			Kind: BadPayloads, Severity: fleet.AlertInfo, Subject: fleet.AlertOfDevice, Off: time.Hour, Many: BadPayloadsMany,
			Limit: &Limit{Raise: 20, Clear: 5, Unit: "/10min"},
			Title: "A device sends what cannot be read", Action: "Update its firmware; Live traffic shows what it sends.",
		},
		{
			Kind: BadPayloadsMany, Severity: fleet.AlertInfo, Subject: fleet.AlertOfSite,
			Title: "Many devices send what cannot be read", Action: "Update their firmware; Live traffic shows what they send.",
		},
		{
			Kind: AuditBroken, Severity: fleet.AlertCritical, Subject: fleet.AlertOfHub,
			Title: "The audit is not what was written", Action: "Keep the disk as it is, make a backup, and find out who had access.",
		},
		{
			Kind: SelfTestFailed, Severity: fleet.AlertCritical, Subject: fleet.AlertOfRoom, Told: true,
			Title: "A test call was not answered", Action: "Press a button of that place and see whether it rings.",
		},
	}
}

// Set changes the table as settings of the form KIND.FIELD=VALUE say: field is
// on or off (durations), severity, raise or clear (numbers), or enabled (true,
// false). fleet.ErrInvalid names the one that is wrong.
func Set(table []Condition, settings []string) ([]Condition, error) {
	table = slices.Clone(table)
	for _, s := range settings {
		name, value, ok := strings.Cut(s, "=")
		kind, field, dotted := strings.Cut(name, ".")
		if !ok || !dotted {
			return nil, fmt.Errorf("%w: %q: want KIND.FIELD=VALUE, such as battery_low.raise=10", fleet.ErrInvalid, s)
		}
		i := slices.IndexFunc(table, func(c Condition) bool { return string(c.Kind) == kind })
		if i < 0 {
			return nil, fmt.Errorf("%w: %q: no condition is called %s", fleet.ErrInvalid, s, kind)
		}
		if err := table[i].set(field, value); err != nil {
			return nil, fmt.Errorf("%q: %w", s, err)
		}
	}
	return table, nil
}

func (c *Condition) set(field, value string) error {
	switch field {
	case "on", "off":
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return fmt.Errorf("%w: want a duration, such as 10m", fleet.ErrInvalid)
		}
		if field == "on" {
			c.On = d
		} else {
			c.Off = d
		}
	case "severity":
		v, err := fleet.ParseAlertSeverity(value)
		if err != nil {
			return err
		}
		c.Severity = v
	case "enabled":
		v, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("%w: want true or false", fleet.ErrInvalid)
		}
		c.Disabled = !v
	case "raise", "clear":
		v, err := strconv.ParseFloat(value, 64)
		if err != nil || c.Limit == nil {
			return fmt.Errorf("%w: want a number, for a condition that is one", fleet.ErrInvalid)
		}
		l := *c.Limit
		if field == "raise" {
			l.Raise = v
		} else {
			l.Clear = v
		}
		c.Limit = &l
	default:
		return fmt.Errorf("%w: want on, off, severity, enabled, raise or clear", fleet.ErrInvalid)
	}
	return nil
}

// CheckTable reports as fleet.ErrInvalid limits that would let an alert flap.
func CheckTable(table []Condition) error {
	for _, c := range table {
		if l := c.Limit; l != nil && (l.Below && l.Clear < l.Raise || !l.Below && l.Clear > l.Raise) {
			return fmt.Errorf("%w: %s: raise %v and clear %v are the wrong way round", fleet.ErrInvalid, c.Kind, l.Raise, l.Clear)
		}
	}
	return nil
}
