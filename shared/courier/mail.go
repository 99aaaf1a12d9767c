package courier

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/secretfile"
)

// SMTP is a program's way to send mail.
type SMTP struct {
	Host string
	Port int
	User string
	// PasswordFile is read for each mail.
	PasswordFile string
	From         string
	// TLS is starttls (required), tls (from the start) or none.
	TLS string
}

// Mail is one mail.
type Mail struct {
	// ID is the same in each try.
	ID      string
	To      []string
	Subject string
	Text    string
	At      time.Time
}

// CheckAddresses reports as fleet.ErrInvalid what is no list of addresses.
func CheckAddresses(to []string) error {
	if len(to) == 0 {
		return fmt.Errorf("%w: mail.to: name somebody", fleet.ErrInvalid)
	}
	for _, s := range to {
		if _, err := mail.ParseAddress(s); err != nil {
			return fmt.Errorf("%w: mail.to %q: %w", fleet.ErrInvalid, s, err)
		}
	}
	return nil
}

// Send hands one mail to the server; hello names the program to it. The error is
// a Refusal when the server has answered.
func (s SMTP) Send(ctx context.Context, hello string, m Mail, timeout time.Duration, dial func(ctx context.Context, network, addr string) (net.Conn, error)) error {
	msg := gomail.NewMsg()
	if err := errors.Join(msg.From(s.From), msg.To(m.To...)); err != nil {
		return Never(err.Error())
	}
	msg.Subject(m.Subject)
	msg.SetDateWithValue(m.At)
	msg.SetMessageIDWithValue(m.ID)
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	options := []gomail.Option{gomail.WithPort(s.Port), gomail.WithTimeout(timeout), gomail.WithHELO(hello)}
	if dial != nil {
		options = append(options, gomail.WithDialContextFunc(gomail.DialContextFunc(dial)))
	}
	switch s.TLS {
	case "none":
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	case "tls":
		options = append(options, gomail.WithSSL())
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if s.User != "" {
		password, err := secretfile.Read(s.PasswordFile)
		if err != nil {
			return fmt.Errorf("read --smtp-password-file: %w", err)
		}
		auth := gomail.SMTPAuthAutoDiscover
		if s.TLS == "none" {
			auth = gomail.SMTPAuthPlainNoEnc
		}
		options = append(options, gomail.WithSMTPAuth(auth), gomail.WithUsername(s.User), gomail.WithPassword(strings.TrimSpace(string(password))))
	}
	client, err := gomail.NewClient(s.Host, options...)
	if err != nil {
		return Never(err.Error())
	}
	err = client.DialAndSendWithContext(ctx, msg)
	var refused *gomail.SendError
	if errors.As(err, &refused) && refused.ErrorCode() != 0 {
		return &Refusal{Reason: err.Error(), Final: refused.ErrorCode() >= 500}
	}
	return err
}
