package config

import (
	"fmt"
	"net/mail"
	"time"

	"github.com/obedio/obedio/console/internal/alert"
	"github.com/obedio/obedio/console/internal/notify"
	"github.com/obedio/obedio/shared/courier"
	"github.com/obedio/obedio/shared/fleet"
)

// Notify are the settings of alerts and of notifications.
type Notify struct {
	SMTPHost         string `name:"smtp-host" help:"Mail server for notifications; empty for none."`
	SMTPPort         int    `name:"smtp-port" default:"587" help:"Its port."`
	SMTPTLS          string `name:"smtp-tls" default:"starttls" enum:"starttls,tls,none" help:"How the connection to it is secured: starttls, tls from the start, or none."`
	SMTPUser         string `name:"smtp-user" help:"Who the console is there; empty for nobody."`
	SMTPPasswordFile string `name:"smtp-password-file" placeholder:"FILE" help:"File with the password, which only the console may read."`
	SMTPFrom         string `name:"smtp-from" help:"Sender of the console's mail."`

	NotifyLife    time.Duration `name:"notify-life" default:"72h" help:"How long a notification is tried."`
	NotifyWaiting int           `name:"notify-waiting" default:"5000" help:"Notifications that wait; of more, the least severe are dropped."`
	NotifyKeep    int           `name:"notify-keep" default:"1000" help:"Notifications that have ended and can be seen."`

	AlertAway        time.Duration `name:"alert-away" default:"1h" help:"A site that is away for longer is an alert, unless its own setting says otherwise."`
	AlertBacklog     uint64        `name:"alert-backlog" default:"50000" help:"More records that wait on a hub are an alert."`
	AlertCertificate time.Duration `name:"alert-certificate" default:"336h" help:"How long before its end a hub's certificate is an alert."`
	AlertDigest      time.Duration `name:"alert-digest" default:"1h" help:"What happened while a site was away for longer is told as one digest."`
	AlertCatchUp     time.Duration `name:"alert-catch-up" default:"15m" help:"How long a site that is back may take to tell what it has before that is told on."`
}

func (s Notify) check() error {
	if s.SMTPHost != "" {
		if s.SMTPPort < 1 || s.SMTPPort > 65535 {
			return fmt.Errorf("%w: --smtp-port %d: want 1 to 65535", fleet.ErrInvalid, s.SMTPPort)
		}
		if _, err := mail.ParseAddress(s.SMTPFrom); err != nil {
			return fmt.Errorf("%w: --smtp-from %q: want an address: %w", fleet.ErrInvalid, s.SMTPFrom, err)
		}
	}
	if (s.SMTPUser == "") != (s.SMTPPasswordFile == "") {
		return fmt.Errorf("%w: --smtp-user and --smtp-password-file go together", fleet.ErrInvalid)
	}
	for name, v := range map[string]int64{
		"notify-life": int64(s.NotifyLife), "notify-waiting": int64(s.NotifyWaiting), "notify-keep": int64(s.NotifyKeep),
		"alert-away": int64(s.AlertAway), "alert-certificate": int64(s.AlertCertificate), "alert-digest": int64(s.AlertDigest),
		"alert-catch-up": int64(s.AlertCatchUp), "alert-backlog": int64(min(s.AlertBacklog, 1<<62)),
	} {
		if v <= 0 {
			return fmt.Errorf("%w: --%s: want more than 0", fleet.ErrInvalid, name)
		}
	}
	return nil
}

func (s Notify) notify() notify.Config {
	return notify.Config{
		SMTP: courier.SMTP{
			Host: s.SMTPHost, Port: s.SMTPPort, User: s.SMTPUser, PasswordFile: s.SMTPPasswordFile, From: s.SMTPFrom, TLS: s.SMTPTLS,
		},
		Life: s.NotifyLife, MaxWaiting: s.NotifyWaiting, Keep: s.NotifyKeep,
	}
}

func (s Notify) limits() alert.Limits {
	return alert.Limits{Away: s.AlertAway, Backlog: s.AlertBacklog, Certificate: s.AlertCertificate, Digest: s.AlertDigest, CatchUp: s.AlertCatchUp}
}
