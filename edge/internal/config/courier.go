package config

import (
	"fmt"
	"net/mail"
	"time"

	"github.com/obedio/obedio/edge/internal/courier"
	"github.com/obedio/obedio/shared/fleet"
)

// NotificationSettings are about what leaves the hub: webhooks and mail.
type NotificationSettings struct {
	SMTPHost         string        `name:"smtp-host" help:"Mail server for notifications; empty for none."`
	SMTPPort         int           `name:"smtp-port" default:"587" help:"Its port."`
	SMTPTLS          string        `name:"smtp-tls" default:"starttls" enum:"starttls,tls,none" help:"How the connection to it is secured: starttls, tls from the start, or none."`
	SMTPUser         string        `name:"smtp-user" help:"Who the hub is there; empty for nobody."`
	SMTPPasswordFile string        `name:"smtp-password-file" placeholder:"FILE" help:"File with the password, which only the hub may read."`
	SMTPFrom         string        `name:"smtp-from" help:"Sender of the hub's mail."`
	NotificationLife time.Duration `name:"notification-life" default:"72h" help:"How long a notification waits for the network."`
	NotificationMost int           `name:"notification-waiting" default:"1000" help:"Notifications that may wait; of more, the oldest that matter least are dropped."`
	NotificationKeep int           `name:"notification-kept" default:"500" help:"Notifications that have ended and are still shown."`
	NotificationRest time.Duration `name:"notification-retry-most" default:"15m" help:"The longest pause between two tries."`
}

func (s NotificationSettings) check() error {
	if err := positive(map[string]time.Duration{"notification-life": s.NotificationLife, "notification-retry-most": s.NotificationRest}); err != nil {
		return err
	}
	if err := positive(map[string]int{"notification-waiting": s.NotificationMost, "notification-kept": s.NotificationKeep}); err != nil {
		return err
	}
	if s.SMTPHost == "" {
		return nil
	}
	if s.SMTPPort < 1 || s.SMTPPort > 65535 {
		return fmt.Errorf("%w: --smtp-port %d: want 1 to 65535", fleet.ErrInvalid, s.SMTPPort)
	}
	if _, err := mail.ParseAddress(s.SMTPFrom); err != nil {
		return fmt.Errorf("%w: --smtp-from %q: want an address: %w", fleet.ErrInvalid, s.SMTPFrom, err)
	}
	if (s.SMTPUser == "") != (s.SMTPPasswordFile == "") {
		return fmt.Errorf("%w: --smtp-user and --smtp-password-file go together", fleet.ErrInvalid)
	}
	return nil
}

func (s NotificationSettings) courier() courier.Config {
	return courier.Config{
		SMTP: courier.SMTP{
			Host: s.SMTPHost, Port: s.SMTPPort, User: s.SMTPUser, PasswordFile: s.SMTPPasswordFile, From: s.SMTPFrom, TLS: s.SMTPTLS,
		},
		Life: s.NotificationLife, MaxWaiting: s.NotificationMost, Keep: s.NotificationKeep, RetryMost: s.NotificationRest,
	}
}
