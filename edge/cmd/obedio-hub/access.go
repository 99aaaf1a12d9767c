package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/obedio/obedio/edge/internal/config"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/program"
)

type acls struct {
	Test aclTest `cmd:"" help:"Ask whether a device may do something, and which rule says so."`
	List aclList `cmd:"" help:"List ACL documents."`
}

type aclTest struct {
	config.Data
	program.Output
	Client string `name:"client" required:"" help:"The device's id."`
	Action string `name:"action" required:"" help:"publish, receive, subscribe or unsubscribe."`
	Topic  string `name:"topic" required:"" help:"A topic name, or a filter to subscribe to."`
	QoS    int    `name:"qos" help:"Of a message that it publishes."`
	Retain bool   `name:"retain" help:"The message is to be retained."`
}

// decision is the hub's answer to a test.
type decision struct {
	Allowed   bool               `json:"allowed"`
	Rule      string             `json:"rule"`
	Role      string             `json:"role"`
	Profile   string             `json:"profile"`
	MaxQoS    int                `json:"max_qos"`
	Retain    string             `json:"retain"`
	Effective []access.Effective `json:"effective"`
}

// Run prints the decision and the rules that were asked, in their order.
func (c *aclTest) Run(ctx context.Context, env *program.Env) error {
	in := map[string]any{"client": c.Client, "action": c.Action, "topic": c.Topic, "qos": c.QoS, "retain": c.Retain}
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		var d decision
		if err := l.Call(ctx, http.MethodPost, "/api/v1/security/acl/test", nil, in, &d); err != nil {
			return err
		}
		return c.Print(env, d, func(w io.Writer) error {
			if _, err := fmt.Fprintf(w, "%s: %s\n", word(d.Allowed), d.Rule); err != nil {
				return err
			}
			rows := [][]string{{"", "role", "type", "topic"}}
			for _, r := range d.Effective {
				rows = append(rows, []string{word(r.Allow), r.Role, string(r.Kind), r.Topic})
			}
			return program.Table(w, rows)
		})
	})
}

func word(allowed bool) string {
	if allowed {
		return "allowed"
	}
	return "denied"
}

type aclList struct {
	config.Data
	program.Output
}

// aclRow is what the command line shows of an ACL document.
type aclRow struct {
	ID    string `json:"id"`
	Roles []struct {
		Name     string `json:"rolename"`
		Priority int    `json:"priority,omitempty"`
		ACLs     []any  `json:"acls"`
	} `json:"roles"`
	AppliesTo struct {
		Profiles []string `json:"profiles,omitempty"`
		Devices  []string `json:"devices,omitempty"`
		Types    []string `json:"types,omitempty"`
	} `json:"applies_to,omitzero"`
	ReplacesProfile bool   `json:"replaces_profile,omitempty"`
	Version         uint64 `json:"version"`
	ETag            string `json:"etag"`
}

// Run lists ACL documents.
func (c *aclList) Run(ctx context.Context, env *program.Env) error {
	return listAll(ctx, c.Data, c.Output, env, "/api/v1/security/acl", []string{"id", "roles", "rules", "for", "replaces profile"}, func(a aclRow) []string {
		rules := 0
		for _, r := range a.Roles {
			rules += len(r.ACLs)
		}
		to := strings.Join(slices.Concat(a.AppliesTo.Profiles, a.AppliesTo.Types, a.AppliesTo.Devices), " ")
		return []string{a.ID, fmt.Sprint(len(a.Roles)), fmt.Sprint(rules), to, fmt.Sprint(a.ReplacesProfile)}
	})
}

type profiles struct {
	List profileList `cmd:"" help:"List security profiles."`
}

type profileList struct {
	config.Data
	program.Output
}

// profileRow is what the command line shows of a profile.
type profileRow struct {
	Name           string   `json:"profile_name"`
	Roles          []string `json:"roles,omitempty"`
	ACLs           []any    `json:"acl_pattern"`
	MaxQoS         int      `json:"max_qos"`
	MaxConnections int      `json:"max_connections"`
	Certificate    bool     `json:"client_cert_required"`
	Retain         string   `json:"retain,omitempty"`
	BuiltIn        bool     `json:"built_in"`
	Devices        int      `json:"devices"`
	Version        uint64   `json:"version"`
	ETag           string   `json:"etag"`
}

// Run lists profiles.
func (c *profileList) Run(ctx context.Context, env *program.Env) error {
	head := []string{"profile", "rules", "acls", "max qos", "retain", "certificate", "built in", "devices"}
	return listAll(ctx, c.Data, c.Output, env, "/api/v1/security/profiles", head, func(p profileRow) []string {
		return []string{
			p.Name, fmt.Sprint(len(p.ACLs)), strings.Join(p.Roles, " "), fmt.Sprint(p.MaxQoS), p.Retain, fmt.Sprint(p.Certificate),
			fmt.Sprint(p.BuiltIn), fmt.Sprint(p.Devices),
		}
	})
}

// listAll reads every page of a list and prints it.
func listAll[T any](ctx context.Context, d config.Data, out program.Output, env *program.Env, path string, head []string, row func(T) []string) error {
	return withHub(ctx, d, env, func(l *program.Local) error {
		all, err := pages[T](ctx, l, path, url.Values{})
		if err != nil {
			return err
		}
		return out.Print(env, all, func(w io.Writer) error {
			rows := [][]string{head}
			for _, v := range all {
				rows = append(rows, row(v))
			}
			return program.Table(w, rows)
		})
	})
}

// pages reads every page of a list.
func pages[T any](ctx context.Context, l *program.Local, path string, q url.Values) ([]T, error) {
	q.Set("limit", "500")
	for all := []T{}; ; {
		var page struct {
			Items []T     `json:"items"`
			Next  *string `json:"next_cursor"`
		}
		if err := l.Call(ctx, http.MethodGet, path+"?"+q.Encode(), nil, nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == nil {
			return all, nil
		}
		q.Set("cursor", *page.Next)
	}
}
