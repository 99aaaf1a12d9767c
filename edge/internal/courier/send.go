package courier

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	gomail "github.com/wneessen/go-mail"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/secretfile"
)

// Refusal is an answer that is no acceptance.
type Refusal struct {
	Reason string
	// Final: it will be no other next time.
	Final bool
}

// Error implements error.
func (r *Refusal) Error() string { return r.Reason }

func never(reason string) error { return &Refusal{reason, true} }

// Headers of a webhook call.
const (
	// HeaderSignature is t=SECONDS,v1=HEX: the HMAC-SHA256, under the rule's key, of
	// the seconds, a full stop, and the body.
	HeaderSignature = "Obedio-Signature"
	// HeaderDelivery is the same in each try.
	HeaderDelivery = "Obedio-Delivery"
)

// Sign is the value of HeaderSignature.
func Sign(secret []byte, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(t + "."))
	h.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(h.Sum(nil))
}

// caller calls webhooks.
type caller struct{ client *retryablehttp.Client }

func newCaller(c Config) *caller {
	r := retryablehttp.NewClient()
	r.HTTPClient = &http.Client{
		Transport: &http.Transport{
			DialContext: c.Dial, TLSHandshakeTimeout: c.Timeout, ResponseHeaderTimeout: c.Timeout, MaxResponseHeaderBytes: 64 << 10,
			ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 1,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a captive portal's redirect is no delivery
		},
	}
	r.Logger = nil
	// One more at once, for a connection that was closed meanwhile; all other
	// patience is the queue's, which survives a restart.
	r.RetryMax = 1
	r.RetryWaitMin, r.RetryWaitMax = 100*time.Millisecond, time.Second
	r.CheckRetry = func(ctx context.Context, _ *http.Response, err error) (bool, error) {
		var dial *net.OpError
		return err != nil && ctx.Err() == nil && !(errors.As(err, &dial) && dial.Op == "dial"), ctx.Err()
	}
	r.ErrorHandler = retryablehttp.PassthroughErrorHandler
	return &caller{r}
}

// call makes a webhook call.
func (k *Courier) call(ctx context.Context, r Rule, d store.Delivery) error {
	if r.Webhook == nil {
		return never("the rule has no webhook any more")
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, r.Webhook.URL, bytes.NewReader(d.Body))
	if err != nil {
		return never(err.Error())
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "obedio-hub")
	req.Header.Set(HeaderDelivery, d.ID)
	secret, err := k.c.Store.NoticeSecret(d.Rule)
	if err != nil {
		return fmt.Errorf("read the key of rule %s: %w", d.Rule, err)
	}
	if len(secret) > 0 {
		req.Header.Set(HeaderSignature, Sign(secret, k.c.Now(), d.Body))
	}
	resp, err := k.http.client.Do(req)
	if err != nil {
		return plain(err, r.Webhook.URL)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		return nil
	case resp.StatusCode >= 400 && resp.StatusCode < 500 && resp.StatusCode != http.StatusRequestTimeout &&
		resp.StatusCode != http.StatusTooEarly && resp.StatusCode != http.StatusTooManyRequests:
		return never("answered " + resp.Status)
	}
	return &Refusal{Reason: "answered " + resp.Status}
}

// plain is an error without the URL, whose path may be a secret.
func plain(err error, url string) error {
	return errors.New(strings.ReplaceAll(err.Error(), url, "the webhook"))
}

// SMTP is the site's way to send mail.
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

// mail writes a mail.
func (k *Courier) mail(ctx context.Context, r Rule, d store.Delivery) error {
	if r.Mail == nil {
		return never("the rule has no mail any more")
	}
	s := k.c.SMTP
	if s.Host == "" {
		return never("the hub has no mail server any more")
	}
	var p Payload
	if err := json.Unmarshal(d.Body, &p); err != nil {
		return never(err.Error())
	}
	m := gomail.NewMsg()
	if err := errors.Join(m.From(s.From), m.To(r.Mail.To...)); err != nil {
		return never(err.Error())
	}
	m.Subject(fmt.Sprintf("[%s] %s: %s", p.SiteName, p.Severity, p.Title))
	m.SetDateWithValue(d.CreatedAt)
	m.SetMessageIDWithValue(d.ID + "@" + string(p.Site) + ".obedio")
	m.SetBodyString(gomail.TypeTextPlain, p.words())
	options := []gomail.Option{
		gomail.WithPort(s.Port), gomail.WithTimeout(k.c.Timeout), gomail.WithHELO("obedio-hub"), gomail.WithDialContextFunc(gomail.DialContextFunc(k.c.Dial)),
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
		return never(err.Error())
	}
	err = client.DialAndSendWithContext(ctx, m)
	var refused *gomail.SendError
	if errors.As(err, &refused) && refused.ErrorCode() != 0 {
		return &Refusal{Reason: err.Error(), Final: refused.ErrorCode() >= 500}
	}
	return err
}

// words are the text of a mail.
func (p Payload) words() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line("%s", p.Title)
	if p.Text != "" {
		line("%s", p.Text)
	}
	line("")
	line("Site: %s (%s)", p.SiteName, p.Site)
	line("At: %s", p.At.Format(time.RFC3339))
	if p.Room != "" {
		line("Room: %s", p.Room)
	}
	if a := p.Alert; a != nil {
		if a.Subject != "" {
			line("%s: %s", a.SubjectKind, a.Subject)
		}
		if a.Count > 0 {
			line("Count: %d (%s)", a.Count, strings.Join(a.Members, ", "))
		}
		for _, name := range sortedKeys(a.Detail) {
			line("%s: %s", name, a.Detail[name])
		}
	}
	line("Rule: %s", p.Rule)
	return b.String()
}
