package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/audit"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/resource"
)

// AuditConfig is one audit that a program shows.
type AuditConfig struct {
	// Path of the list: /api/v1/audit. The other routes are below it.
	Path string
	// Name tells the operations of several audits apart: list-{Name}.
	Name string
	// What the audit is of, for people: "of this hub".
	What string
	// Site names the path parameter with the site, if the audit is of one.
	Site string
	// View runs fn on one moment of the audit; site is empty where Site is.
	View func(ctx context.Context, site fleet.SiteID, fn func(audit.Source) error) error
	// Whole: what a chain continues must be here; see audit.Verify.
	Whole bool
}

// auditPage is the answer of a list.
type auditPage struct {
	Items      []resource.AuditEntry `json:"items" nullable:"false" doc:"The newest first. With a filter it may be few, or none, and still not be the last page."`
	NextCursor *string               `json:"next_cursor" doc:"For the next page; null on the last."`
}

// auditChain is what the verification says of one chain.
type auditChain struct {
	Chain     fleet.Epoch  `json:"chain"`
	Entries   uint64       `json:"entries"`
	Head      string       `json:"head" doc:"Hash of the last entry that is good. Write it down elsewhere, and nobody can write the audit anew unseen."`
	OK        bool         `json:"ok"`
	FirstBad  uint64       `json:"first_bad,omitempty" doc:"The first entry that is wrong or missing."`
	What      string       `json:"what,omitempty" doc:"What is wrong there."`
	Continues *audit.Place `json:"continues,omitempty" doc:"The entry of another chain that the first one goes on from."`
}

// auditVerification is the answer of a verification.
type auditVerification struct {
	OK     bool         `json:"ok"`
	Chains []auditChain `json:"chains" nullable:"false" doc:"The oldest first."`
}

// Bounds of what is read of an audit at once.
const (
	// auditScan is how many entries one page of a list looks at.
	auditScan = 20_000
	// auditBatch is how many entries of an export are read at once.
	auditBatch = 500
	// Exports and verifications at once, and of one subject.
	auditReads    = 16
	ownAuditReads = 2
)

// AuditRoutes adds the list, the verification and the export of an audit.
func (a *API) AuditRoutes(c AuditConfig) {
	r := auditRoutes{a, c}
	filters := map[string]string{
		"actor": "An actor's id, person or name.", "action": "How the action begins: device. for all about devices.",
		"target": "What it was done to.", "from": "RFC 3339; entered then or later.", "to": "RFC 3339; entered before.",
		"chain": "Of one chain only.",
	}
	params := func(more map[string]string) map[string]string {
		for k, v := range filters {
			more[k] = v
		}
		return more
	}
	tags := []string{"audit"}
	a.Raw(Route{
		OperationID: "list-" + c.Name, Method: http.MethodGet, Path: c.Path, Permission: account.AuditRead, Site: c.Site,
		Summary: "The audit " + c.What + ", newest first", Tags: tags, Answer: auditPage{},
		Params: params(map[string]string{
			"limit":  "How many items at most; the program has a default and a maximum.",
			"cursor": "next_cursor of the page before.",
		}),
	}, r.list)
	a.Raw(Route{
		OperationID: "verify-" + c.Name, Method: http.MethodGet, Path: c.Path + "/verify", Permission: account.AuditRead, Site: c.Site,
		Summary: "Whether the audit " + c.What + " is what was written, entry by entry", Tags: tags,
		Answer: auditVerification{}, Stream: true, Errors: []int{http.StatusTooManyRequests},
	}, r.verify)
	a.Raw(Route{
		OperationID: "export-" + c.Name, Method: http.MethodGet, Path: c.Path + "/export", Permission: account.AuditRead, Site: c.Site,
		Summary: "The audit " + c.What + " as a file, oldest first", Tags: tags, Stream: true, Produces: MediaNDJSON,
		AlsoProduces: []string{MediaCSV}, Errors: []int{http.StatusTooManyRequests},
		Description: "NDJSON has all that the hashes are made of.",
		Params:      params(map[string]string{"format": "ndjson or csv; else by the header Accept."}),
	}, r.export)
}

type auditRoutes struct {
	a *API
	c AuditConfig
}

// view runs fn on the audit that a request is about.
func (r auditRoutes) view(ctx context.Context, c *gin.Context, fn func(audit.Source) error) error {
	if r.c.Site == "" {
		return r.c.View(ctx, "", fn)
	}
	site, err := fleet.ParseSiteID(c.Param(r.c.Site))
	if err != nil {
		return err
	}
	return r.c.View(ctx, site, fn)
}

func auditFilter(c *gin.Context) (f audit.Filter, err error) {
	f = audit.Filter{
		Actor: c.Query("actor"), Action: c.Query("action"), Target: c.Query("target"), Chain: fleet.Epoch(c.Query("chain")),
	}
	if f.From, err = QueryTime(c, "from"); err != nil {
		return f, err
	}
	if f.To, err = QueryTime(c, "to"); err != nil {
		return f, err
	}
	if !f.From.IsZero() && !f.To.IsZero() && f.To.Before(f.From) {
		return f, WrongQuery("to", "is before from")
	}
	return f, nil
}

func (r auditRoutes) list(c *gin.Context) {
	page, err := r.page(c)
	if err != nil {
		r.a.Fail(c, err)
		return
	}
	r.a.AnswerJSON(c, page)
}

func (r auditRoutes) page(c *gin.Context) (auditPage, error) {
	page := auditPage{Items: []resource.AuditEntry{}}
	f, err := auditFilter(c)
	if err != nil {
		return page, err
	}
	limit, err := QueryNumber(c, "limit", r.a.cfg.PageMax)
	if err != nil {
		return page, err
	}
	if limit == 0 {
		limit = min(r.a.cfg.PageDefault, r.a.cfg.PageMax)
	}
	before, err := DecodeCursor[audit.Place](c.Query("cursor"))
	if err != nil {
		return page, err
	}
	var next *audit.Place
	err = r.view(c.Request.Context(), c, func(src audit.Source) error {
		found, at, err := audit.List(src, f, before, limit, auditScan)
		for _, e := range found {
			page.Items = append(page.Items, resource.AuditEntryOf(e))
		}
		next = at
		return err
	})
	if next != nil {
		cursor := EncodeCursor(next)
		page.NextCursor = &cursor
	}
	return page, err
}

func (r auditRoutes) verify(c *gin.Context) {
	ctx, leave, err := r.a.EnterStream(c.Request.Context(), auditReads, ownAuditReads)
	if err != nil {
		r.a.Fail(c, err)
		return
	}
	defer leave()
	out := auditVerification{OK: true, Chains: []auditChain{}}
	err = r.view(ctx, c, func(src audit.Source) error {
		chains, err := audit.Verify(untilEnd{src, ctx}, r.c.Whole)
		for _, v := range chains {
			out.OK = out.OK && v.OK
			out.Chains = append(out.Chains, auditChain(v))
		}
		return err
	})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		r.a.Fail(c, err)
		return
	}
	r.a.AnswerJSON(c, out)
}

// untilEnd is a source that has no more entries when a context has ended.
type untilEnd struct {
	audit.Source
	ctx context.Context
}

// AuditFrom implements audit.Source.
func (u untilEnd) AuditFrom(chain fleet.Epoch, from uint64, fn func([]byte) bool) error {
	return u.Source.AuditFrom(chain, from, func(b []byte) bool { return u.ctx.Err() == nil && fn(b) })
}

func (r auditRoutes) export(c *gin.Context) {
	f, err := auditFilter(c)
	var format string
	if err == nil {
		format, err = QueryFormat(c, MediaNDJSON, MediaCSV)
	}
	if err == nil && (c.Query("cursor") != "" || c.Query("limit") != "") {
		err = WrongQuery("limit", "an export has no pages: narrow it with from and to")
	}
	if err != nil {
		r.a.Fail(c, err)
		return
	}
	ctx, leave, err := r.a.EnterStream(c.Request.Context(), auditReads, ownAuditReads)
	if err != nil {
		r.a.Fail(c, err)
		return
	}
	defer leave()
	// Read before anything is written: what is wrong with the query is answered.
	found, next, err := r.batch(ctx, c, f, audit.Place{})
	if err != nil {
		r.a.Fail(c, err)
		return
	}
	d := NewDownload(c, r.c.Name, format, auditColumns)
	for {
		for _, e := range found {
			if err = d.Row(resource.AuditEntryOf(e), auditCells(e)); err != nil {
				break
			}
		}
		if err != nil || next == nil {
			break
		}
		if found, next, err = r.batch(ctx, c, f, *next); err != nil {
			break
		}
	}
	if err == nil {
		err = d.End()
	}
	if err != nil {
		r.a.BreakOff(c, slog.LevelDebug, "export ended early", err)
	}
}

// batch reads the next entries of an export: nothing is held while they are
// written.
func (r auditRoutes) batch(ctx context.Context, c *gin.Context, f audit.Filter, after audit.Place) (found []fleet.AuditEntry, next *audit.Place, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	err = r.view(ctx, c, func(src audit.Source) error {
		found, next, err = audit.Export(src, f, after, auditBatch, auditScan)
		return err
	})
	return found, next, err
}

var auditColumns = []string{
	"chain", "n", "at", "clock_trusted", "actor_kind", "actor_id", "person_id", "actor_name", "action", "target", "detail", "prev", "hash",
}

func auditCells(e fleet.AuditEntry) []string {
	detail := ""
	if len(e.Detail) > 0 {
		b, err := json.Marshal(e.Detail)
		if err != nil {
			b = fmt.Append(nil, err) // never: it is a map of strings
		}
		detail = string(b)
	}
	return []string{
		string(e.Chain), strconv.FormatUint(e.N, 10), e.At.UTC().Format(Timestamp), strconv.FormatBool(e.ClockTrusted),
		string(e.Actor.Kind), Cell(e.Actor.ID), Cell(e.Actor.PersonID), Cell(e.Actor.Name), Cell(e.Action), Cell(e.Target), detail, e.Prev, e.Hash,
	}
}
