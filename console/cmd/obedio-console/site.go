package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/obedio/obedio/console/internal/config"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/program"
)

type site struct {
	Add    siteAdd    `cmd:"" help:"Register a site."`
	List   siteList   `cmd:"" help:"List sites, those that need somebody first."`
	Show   siteShow   `cmd:"" help:"Show a site."`
	Claim  siteClaim  `cmd:"" help:"Print a claim file: with it one hub can enrol for the site, once."`
	Revoke siteRevoke `cmd:"" help:"Shut a site out: its hub and its claims."`
}

// siteView is what the command line shows of a site; JSON is passed on whole.
type siteView struct {
	SiteID      string     `json:"site_id"`
	Name        string     `json:"name"`
	LinkState   string     `json:"link_state"`
	LinkSince   time.Time  `json:"link_since"`
	LastContact *time.Time `json:"last_contact"`
	DataAsOf    *time.Time `json:"data_as_of"`
	HubID       string     `json:"hub_id"`
	Counts      struct {
		Devices int `json:"devices"`
		Lost    int `json:"lost"`
	} `json:"counts"`
	Requests struct {
		Open int `json:"open"`
	} `json:"requests"`
	OrdersPending int      `json:"orders_pending"`
	Reasons       []string `json:"attention_reasons"`
}

func sitePath(id string) string { return "/api/v1/sites/" + url.PathEscape(id) }

type siteAdd struct {
	config.Data
	program.Output
	ID   string `arg:"" name:"site" help:"The site's id, such as yacht-1."`
	Name string `name:"name" help:"What people read; the id if empty."`
}

// Run registers a site.
func (c *siteAdd) Run(ctx context.Context, env *program.Env) error {
	return withConsole(ctx, c.Data, env, func(l *program.Local) error {
		var made json.RawMessage
		in := map[string]string{"site_id": c.ID, "name": c.Name}
		if err := l.Call(ctx, http.MethodPost, "/api/v1/sites", nil, in, &made); err != nil {
			return err
		}
		return c.Print(env, made, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%s is registered; print a claim for its hub with: site claim %s\n", c.ID, c.ID)
			return err
		})
	})
}

type siteList struct {
	config.Data
	program.Output
	Filter string `name:"filter" help:"Only those that match, such as state:offline."`
}

// Run lists sites; with --json one object a line.
func (c *siteList) Run(ctx context.Context, env *program.Env) error {
	return withConsole(ctx, c.Data, env, func(l *program.Local) error {
		rows := [][]string{{"SITE", "LINK", "SINCE", "DATA AS OF", "DEVICES", "OPEN", "PENDING", "WHY"}}
		for cursor := ""; ; {
			var page struct {
				Items []json.RawMessage `json:"items"`
				Next  *string           `json:"next_cursor"`
			}
			q := url.Values{"limit": {"500"}, "filter": {c.Filter}, "cursor": {cursor}}
			if err := l.Call(ctx, http.MethodGet, "/api/v1/sites?"+q.Encode(), nil, nil, &page); err != nil {
				return err
			}
			for _, item := range page.Items {
				if c.JSON {
					if err := c.Print(env, item, nil); err != nil {
						return err
					}
					continue
				}
				var v siteView
				if err := json.Unmarshal(item, &v); err != nil {
					return fmt.Errorf("read the console's answer: %w", err)
				}
				why := ""
				if len(v.Reasons) > 0 {
					why = v.Reasons[0]
				}
				rows = append(rows, []string{
					v.SiteID, v.LinkState, when(&v.LinkSince), when(v.DataAsOf), strconv.Itoa(v.Counts.Devices),
					strconv.Itoa(v.Requests.Open), strconv.Itoa(v.OrdersPending), why,
				})
			}
			if page.Next == nil {
				break
			}
			cursor = *page.Next
		}
		if c.JSON {
			return nil
		}
		return c.Print(env, nil, func(w io.Writer) error { return program.Table(w, rows) })
	})
}

// when is a time as people read it.
func when(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "never"
	}
	return t.Format(time.RFC3339)
}

type siteShow struct {
	config.Data
	program.Output
	ID string `arg:"" name:"site" help:"The site's id."`
}

// Run shows a site.
func (c *siteShow) Run(ctx context.Context, env *program.Env) error {
	return withConsole(ctx, c.Data, env, func(l *program.Local) error {
		var raw json.RawMessage
		if err := l.Call(ctx, http.MethodGet, sitePath(c.ID), nil, nil, &raw); err != nil {
			return err
		}
		return c.Print(env, raw, func(w io.Writer) error {
			var v siteView
			if err := json.Unmarshal(raw, &v); err != nil {
				return fmt.Errorf("read the console's answer: %w", err)
			}
			rows := [][]string{
				{"site", v.SiteID}, {"name", v.Name}, {"hub", v.HubID},
				{"link", v.LinkState + " since " + when(&v.LinkSince)}, {"last contact", when(v.LastContact)},
				{"data as of", when(v.DataAsOf)}, {"devices", fmt.Sprintf("%d, %d lost", v.Counts.Devices, v.Counts.Lost)},
				{"open requests", strconv.Itoa(v.Requests.Open)}, {"pending orders", strconv.Itoa(v.OrdersPending)},
			}
			for _, why := range v.Reasons {
				rows = append(rows, []string{"needs somebody", why})
			}
			return program.Table(w, rows)
		})
	})
}

type siteClaim struct {
	config.Data
	config.Link
	ID string `arg:"" name:"site" help:"The site's id."`
}

// Run prints a claim file.
func (c *siteClaim) Run(ctx context.Context, env *program.Env) error {
	if err := c.Link.Check(); err != nil {
		return program.Usagef("%s", err)
	}
	return withConsole(ctx, c.Data, env, func(l *program.Local) error {
		var claim identity.Claim
		path := sitePath(c.ID) + "/claim"
		if c.HubLinkURL != "" {
			path += "?" + url.Values{"url": {c.HubLinkURL}}.Encode()
		}
		if err := l.Call(ctx, http.MethodPost, path, nil, nil, &claim); err != nil {
			return err
		}
		out, err := json.MarshalIndent(claim, "", "  ")
		if err != nil {
			return fmt.Errorf("print claim: %w", err)
		}
		_, err = env.Stdout.Write(append(out, '\n'))
		return err
	})
}

type siteRevoke struct {
	config.Data
	ID string `arg:"" name:"site" help:"The site's id."`
}

// Run revokes a site.
func (c *siteRevoke) Run(ctx context.Context, env *program.Env) error {
	return withConsole(ctx, c.Data, env, func(l *program.Local) error {
		return l.Call(ctx, http.MethodDelete, sitePath(c.ID), nil, nil, nil)
	})
}

type syncing struct {
	config.Data
	Site string `arg:"" help:"The site's id."`
}

// Run prints lanes, cursors and the digest of the folded state.
func (c *syncing) Run(ctx context.Context, env *program.Env) error {
	return withConsole(ctx, c.Data, env, func(l *program.Local) error {
		var v json.RawMessage
		if err := l.Call(ctx, http.MethodGet, sitePath(c.Site)+"/sync", nil, nil, &v); err != nil {
			return err
		}
		return program.Output{JSON: true}.Print(env, v, nil)
	})
}
