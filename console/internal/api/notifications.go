package api

import (
	"context"
	"net/http"
	"time"

	"github.com/obedio/obedio/console/internal/notify"
	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// NotificationRuleBody is what people may say of a rule. Exported, as DeviceBody
// is.
type NotificationRuleBody struct {
	notify.Rule
	WebhookSecret *string `json:"webhook_secret,omitempty" maxLength:"256" writeOnly:"true" doc:"Signs the webhook's calls; it is never shown. Absent leaves it as it is, empty takes it away."`
}

// NamedNotificationRule is a NotificationRuleBody with its name.
type NamedNotificationRule struct {
	Name string `json:"name" maxLength:"64"`
	NotificationRuleBody
}

type ruleView struct {
	Name string `json:"name"`
	notify.Rule
	Signed    bool      `json:"signed" doc:"The webhook's calls are signed."`
	UpdatedAt time.Time `json:"updated_at"`
	Version   uint64    `json:"version"`
	ETag      string    `json:"etag"`
}

type ruleOutput struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     ruleView
}

type rulesOutput struct {
	Body rest.Page[ruleView]
}

// RulePath is the path of one rule.
type RulePath struct {
	Name string `path:"name" maxLength:"64"`
}

// deliveryView is a notification on its way, or what became of it.
type deliveryView struct {
	ID        string              `json:"delivery_id"`
	Rule      string              `json:"rule"`
	Channel   string              `json:"channel" enum:"webhook,mail"`
	SiteID    fleet.SiteID        `json:"site_id,omitempty"`
	To        string              `json:"to" doc:"The host of a webhook, or addresses."`
	Event     string              `json:"event" enum:"alert.raised,alert.gone,site.returned,test"`
	Severity  fleet.AlertSeverity `json:"severity" enum:"info,warning,critical"`
	State     store.DeliveryState `json:"state" enum:"waiting,delivered,failed,expired,dropped"`
	CreatedAt time.Time           `json:"created_at"`
	ExpiresAt *time.Time          `json:"expires_at,omitempty"`
	NextTry   *time.Time          `json:"next_try,omitempty"`
	Tries     int                 `json:"tries"`
	Error     string              `json:"error,omitempty"`
	DoneAt    *time.Time          `json:"done_at,omitempty"`
}

func deliveryViewOf(d store.Delivery) deliveryView {
	v := deliveryView{
		ID: d.ID, Rule: d.Rule, Channel: d.Channel, To: d.To, Event: d.Event, SiteID: d.Site, Severity: d.Severity, State: d.State,
		CreatedAt: d.CreatedAt, Tries: d.Tries, Error: d.Error,
	}
	if !d.ExpiresAt.IsZero() {
		v.ExpiresAt = &d.ExpiresAt
	}
	if d.State == store.DeliveryWaiting {
		v.NextTry = &d.Next
	} else {
		v.DoneAt = &d.DoneAt
	}
	return v
}

type deliveriesOutput struct {
	Body rest.Page[deliveryView]
}

func (a *API) notificationRoutes() {
	tags := []string{"notifications"}
	rest.Register(a.rest, rest.Route{
		OperationID: "list-notification-rules", Method: http.MethodGet, Path: "/api/v1/notifications/rules", Permission: account.AlertsRead,
		Summary: "Rules that say who is notified of what, by name", Tags: tags,
		Description: "Who may not change them sees of a webhook the host only, and no mail addresses.",
	}, a.listRules)
	rest.Register(a.rest, rest.Route{
		OperationID: "add-notification-rule", Method: http.MethodPost, Path: "/api/v1/notifications/rules", Permission: account.SystemWrite,
		Status: http.StatusCreated, Summary: "Make a notification rule", Tags: tags,
	}, func(ctx context.Context, in *struct{ Body NamedNotificationRule }) (*ruleOutput, error) {
		b := in.Body
		if err := a.Notify.Put(ctx, actor(ctx), b.Name, b.Rule, 0, b.WebhookSecret); err != nil {
			return nil, err
		}
		return a.oneRule(ctx, b.Name)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "get-notification-rule", Method: http.MethodGet, Path: "/api/v1/notifications/rules/{name}", Permission: account.AlertsRead,
		Summary: "One notification rule", Tags: tags,
	}, func(ctx context.Context, in *RulePath) (*ruleOutput, error) { return a.oneRule(ctx, in.Name) })
	rest.Register(a.rest, rest.Route{
		OperationID: "change-notification-rule", Method: http.MethodPut, Path: "/api/v1/notifications/rules/{name}", Permission: account.SystemWrite,
		IfMatch: true, Summary: "Replace a notification rule", Tags: tags,
	}, func(ctx context.Context, in *struct {
		RulePath
		Body NotificationRuleBody
	}) (*ruleOutput, error) {
		now, err := a.Notify.Rule(in.Name)
		if err == nil {
			err = rest.CheckMatch(ctx, now.Version)
		}
		if err == nil {
			err = a.Notify.Put(ctx, actor(ctx), in.Name, in.Body.Rule, now.Version, in.Body.WebhookSecret)
		}
		if err != nil {
			return nil, err
		}
		return a.oneRule(ctx, in.Name)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "remove-notification-rule", Method: http.MethodDelete, Path: "/api/v1/notifications/rules/{name}", Permission: account.SystemWrite,
		IfMatch: true, Summary: "Remove a notification rule", Tags: tags,
	}, func(ctx context.Context, in *RulePath) (*struct{}, error) {
		now, err := a.Notify.Rule(in.Name)
		if err == nil {
			err = rest.CheckMatch(ctx, now.Version)
		}
		if err != nil {
			return nil, err
		}
		return nil, a.Notify.Remove(ctx, actor(ctx), in.Name, now.Version)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "test-notification-rule", Method: http.MethodPost, Path: "/api/v1/notifications/rules/{name}/test", Permission: account.SystemWrite,
		Status: http.StatusAccepted, Summary: "Send a test through every channel of a rule", Tags: tags,
		Description: "The answer names the deliveries; GET /notifications/deliveries says what became of them.",
	}, func(ctx context.Context, in *RulePath) (*deliveriesOutput, error) {
		made, err := a.Notify.Test(ctx, in.Name)
		if err != nil {
			return nil, err
		}
		return &deliveriesOutput{deliveryPage(made, len(made))}, nil
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "list-notification-deliveries", Method: http.MethodGet, Path: "/api/v1/notifications/deliveries", Permission: account.AlertsRead,
		Summary: "Notifications, the newest first, and what became of them", Tags: tags,
	}, func(_ context.Context, in *rest.PageInput) (*deliveriesOutput, error) {
		before, err := rest.DecodeCursor[string](in.Cursor)
		if err != nil {
			return nil, err
		}
		return &deliveriesOutput{deliveryPage(a.Notify.Deliveries(before, in.Limit+1), in.Limit)}, nil
	})
}

func deliveryPage(all []store.Delivery, limit int) rest.Page[deliveryView] {
	rows := make([]deliveryView, len(all))
	for i, d := range all {
		rows[i] = deliveryViewOf(d)
	}
	return rest.PageOf(rows, limit, func(v deliveryView) any { return v.ID })
}

func (a *API) oneRule(ctx context.Context, name string) (*ruleOutput, error) {
	d, err := a.Notify.Rule(name)
	if err != nil {
		return nil, err
	}
	v, err := a.ruleViewOf(ctx, d)
	return &ruleOutput{ETag: v.ETag, Location: "/api/v1/notifications/rules/" + name, Body: v}, err
}

// ruleViewOf shows a rule. Whoever may not change it sees neither the whole
// webhook, whose path may be a secret, nor people's addresses.
func (a *API) ruleViewOf(ctx context.Context, d notify.NamedRule) (ruleView, error) {
	if !a.Accounts.Policy().Can(rest.SubjectOf(ctx), account.SystemWrite, account.Resource{}) {
		d.Rule = d.Rule.Masked()
	}
	signed, err := a.Notify.HasSecret(ctx, d.Name)
	return ruleView{
		Name: d.Name, Rule: d.Rule, Signed: signed, UpdatedAt: d.UpdatedAt, Version: d.Version, ETag: rest.ETag(d.Version),
	}, err
}

func (a *API) listRules(ctx context.Context, in *rest.PageInput) (*rulesOutput, error) {
	after, err := rest.DecodeCursor[string](in.Cursor)
	if err != nil {
		return nil, err
	}
	var rows []ruleView
	for _, d := range a.Notify.Rules() {
		if d.Name > after && len(rows) <= in.Limit {
			v, err := a.ruleViewOf(ctx, d)
			if err != nil {
				return nil, err
			}
			rows = append(rows, v)
		}
	}
	return &rulesOutput{Body: rest.PageOf(rows, in.Limit, func(v ruleView) any { return v.Name })}, nil
}
