package courier

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/courier"
)

// SMTP is the site's way to send mail.
type SMTP = courier.SMTP

// agent names the hub to receivers.
const agent = "obedio-hub"

// call makes a webhook call.
func (k *Courier) call(ctx context.Context, r Rule, d store.Delivery) error {
	if r.Webhook == nil {
		return courier.Never("the rule has no webhook any more")
	}
	secret, err := k.c.Store.NoticeSecret(d.Rule)
	if err != nil {
		return fmt.Errorf("read the key of rule %s: %w", d.Rule, err)
	}
	return k.http.Call(ctx, r.Webhook.URL, d.ID, secret, d.Body)
}

// mail writes a mail.
func (k *Courier) mail(ctx context.Context, r Rule, d store.Delivery) error {
	if r.Mail == nil {
		return courier.Never("the rule has no mail any more")
	}
	if k.c.SMTP.Host == "" {
		return courier.Never("the hub has no mail server any more")
	}
	var p Payload
	if err := json.Unmarshal(d.Body, &p); err != nil {
		return courier.Never(err.Error())
	}
	return k.c.SMTP.Send(ctx, agent, courier.Mail{
		ID: d.ID + "@" + string(p.Site) + ".obedio", To: r.Mail.To, At: d.CreatedAt,
		Subject: fmt.Sprintf("[%s] %s: %s", p.SiteName, p.Severity, p.Title), Text: p.words(),
	}, k.c.Timeout, k.c.Dial)
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
