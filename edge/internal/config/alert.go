package config

import (
	"fmt"
	"time"

	"github.com/obedio/obedio/edge/internal/alert"
	"github.com/obedio/obedio/shared/fleet"
)

// AlertSettings are about which conditions are alerts, and when.
type AlertSettings struct {
	AlertSet         []string      `name:"alert-set" placeholder:"KIND.FIELD=VALUE" help:"Changes the table of conditions, such as battery_low.raise=10: on and off are delays, raise and clear limits, severity is info, warning or critical, enabled is true or false; may be repeated."`
	AlertGroup       int           `name:"alert-group" default:"5" help:"More than so many devices with one condition are one alert."`
	AlertEvery       time.Duration `name:"alert-every" default:"5s" help:"How often conditions are looked for."`
	AlertUpdateEvery time.Duration `name:"alert-update-every" default:"15m" help:"How often an alert that stands tells new details."`
	AlertFlapHold    time.Duration `name:"alert-flap-hold" default:"1h" help:"The longest that a condition that comes and goes must be gone before its alert is over."`
	AlertSilenceMost time.Duration `name:"alert-silence-most" default:"168h" help:"The longest that an alert may be silenced for."`
	AlertAuditEvery  time.Duration `name:"alert-audit-every" default:"24h" help:"How often the audit is read through."`
}

func (s AlertSettings) check() error {
	if err := positive(map[string]time.Duration{
		"alert-every": s.AlertEvery, "alert-update-every": s.AlertUpdateEvery, "alert-flap-hold": s.AlertFlapHold,
		"alert-silence-most": s.AlertSilenceMost, "alert-audit-every": s.AlertAuditEvery,
	}); err != nil {
		return err
	}
	if s.AlertGroup < 1 || s.AlertGroup > fleet.MaxAlertMembers {
		return fmt.Errorf("%w: --alert-group %d: want 1 to %d", fleet.ErrInvalid, s.AlertGroup, fleet.MaxAlertMembers)
	}
	table, err := alert.Set(alert.Conditions(), s.AlertSet)
	if err == nil {
		err = alert.CheckTable(table)
	}
	if err != nil {
		return fmt.Errorf("--alert-set: %w", err)
	}
	return nil
}

func (s AlertSettings) alerts() alert.Config {
	// check has read them.
	table, _ := alert.Set(alert.Conditions(), s.AlertSet)
	return alert.Config{
		Table: table, Group: s.AlertGroup, Every: s.AlertEvery, UpdateEvery: s.AlertUpdateEvery, FlapHold: s.AlertFlapHold,
		SilenceMost: s.AlertSilenceMost, AuditEvery: s.AlertAuditEvery,
	}
}
