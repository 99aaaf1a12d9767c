package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
)

// AuditFilter is the flags that say which entries of an audit are wanted; embed
// it.
type AuditFilter struct {
	Actor  string `name:"actor" env:"-" help:"An actor's id, person or name."`
	Action string `name:"action" env:"-" help:"How the action begins: device. for all about devices."`
	Target string `name:"target" env:"-" help:"What it was done to."`
	From   string `name:"from" env:"-" placeholder:"TIME" help:"Entered then or later, such as 2026-05-01T12:00:00Z."`
	To     string `name:"to" env:"-" placeholder:"TIME" help:"Entered before."`
	Chain  string `name:"chain" env:"-" help:"Of one chain only."`
}

func (f AuditFilter) query() url.Values {
	q := url.Values{}
	for name, v := range map[string]string{
		"actor": f.Actor, "action": f.Action, "target": f.Target, "from": f.From, "to": f.To, "chain": f.Chain,
	} {
		if v != "" {
			q.Set(name, v)
		}
	}
	return q
}

// auditEntry is what the command line shows of an entry.
type auditEntry struct {
	Chain        string    `json:"chain"`
	N            uint64    `json:"n"`
	At           time.Time `json:"at"`
	ClockTrusted bool      `json:"clock_trusted"`
	Actor        struct {
		Kind     string `json:"kind"`
		ID       string `json:"id"`
		PersonID string `json:"person_id,omitempty"`
		Name     string `json:"name,omitempty"`
	} `json:"actor"`
	Action string            `json:"action"`
	Target string            `json:"target,omitempty"`
	Detail map[string]string `json:"detail,omitempty"`
	Prev   string            `json:"prev,omitempty"`
	Hash   string            `json:"hash"`
}

// AuditList prints the newest entries, at most limit, of the audit at a path.
func (l *Local) AuditList(ctx context.Context, env *Env, out Output, path string, f AuditFilter, limit int) error {
	all := []auditEntry{}
	q := f.query()
	for {
		var page struct {
			Items []auditEntry `json:"items"`
			Next  *string      `json:"next_cursor"`
		}
		q.Set("limit", fmt.Sprint(min(limit-len(all), 500)))
		if err := l.Call(ctx, http.MethodGet, path+"?"+q.Encode(), nil, nil, &page); err != nil {
			return err
		}
		all = append(all, page.Items...)
		if page.Next == nil || len(all) >= limit {
			break
		}
		q.Set("cursor", *page.Next)
	}
	return out.Print(env, all, func(w io.Writer) error {
		rows := [][]string{{"n", "at", "who", "what", "to", "detail"}}
		for _, e := range all {
			who := e.Actor.Name
			if who == "" {
				who = e.Actor.ID
			}
			var detail []string
			for _, k := range slices.Sorted(maps.Keys(e.Detail)) {
				detail = append(detail, k+"="+e.Detail[k])
			}
			rows = append(rows, []string{
				fmt.Sprint(e.N), e.At.Format(time.RFC3339), printable(who), printable(e.Action), printable(e.Target), printable(strings.Join(detail, " ")),
			})
		}
		return Table(w, rows)
	})
}

// printable is s without what would make a terminal do things.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, s)
}

// auditChain is what a verification says of one chain.
type auditChain struct {
	Chain    string `json:"chain"`
	Entries  uint64 `json:"entries"`
	Head     string `json:"head"`
	OK       bool   `json:"ok"`
	FirstBad uint64 `json:"first_bad,omitempty"`
	What     string `json:"what,omitempty"`
}

// AuditVerify has the audit at a path verified, and prints what was found. What
// is wrong is an error that names the first entry.
func (l *Local) AuditVerify(ctx context.Context, env *Env, out Output, path string) error {
	var v struct {
		OK     bool         `json:"ok"`
		Chains []auditChain `json:"chains"`
	}
	if err := l.Call(ctx, http.MethodGet, path+"/verify", nil, nil, &v); err != nil {
		return err
	}
	err := out.Print(env, v, func(w io.Writer) error {
		for _, c := range v.Chains {
			if c.OK {
				fmt.Fprintf(w, "chain %s: %d entries, head %s\n", c.Chain, c.Entries, c.Head)
			} else {
				fmt.Fprintf(w, "chain %s: %d entries, wrong at entry %d: %s\n", c.Chain, c.Entries, c.FirstBad, c.What)
			}
		}
		return nil
	})
	for _, c := range v.Chains {
		if !c.OK && err == nil {
			err = fmt.Errorf("the audit was tampered with, or is damaged: chain %s, entry %d: %s", c.Chain, c.FirstBad, c.What)
		}
	}
	return err
}

// AuditExport writes the audit at a path to w, in ndjson or csv.
func (l *Local) AuditExport(ctx context.Context, w io.Writer, path, format string, f AuditFilter) (err error) {
	q := f.query()
	q.Set("format", format)
	resp, err := l.Send(ctx, http.MethodGet, path+"/export?"+q.Encode(), "", nil, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("take the audit from the program: %w", err)
	}
	return nil
}
