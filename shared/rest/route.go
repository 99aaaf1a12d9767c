package rest

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/obedio/obedio/shared/account"
)

// Route is one line of the table of routes.
type Route struct {
	// OperationID names the operation in the OpenAPI document, in kebab case.
	OperationID string
	Method      string
	// Path has parameters in braces: /api/v1/devices/{id}.
	Path        string
	Summary     string
	Description string
	Tags        []string

	// Permission is what a subject needs. A route has either this or Public.
	Permission account.Action
	// Public routes are open to everybody; the handler sees no subject but the
	// local one.
	Public bool
	// Site names the path parameter with the site that the route is about, so
	// that the permission is checked for that site.
	Site string

	// Errors are further statuses of problems for the document, such as 429.
	Errors []int

	// Status is that of success, where 200 (or 204 without a body) is wrong.
	Status int
	// MaxBody is the greatest body in bytes; Config.MaxBody if 0.
	MaxBody int64
	// IfMatch requires the header If-Match (428 without it).
	IfMatch bool
	// Idempotent routes take the header Idempotency-Key.
	Idempotent bool
	// Consumes are the content types of the body; application/json if empty.
	Consumes []string

	// Stream is for raw handlers that answer for long (SSE, WebSocket) or read
	// their body themselves: no deadlines are set and the body is not read ahead.
	Stream bool
	// Slow is for work that can take longer than Config.WriteTimeout, which
	// counts from the request on: the answer has no deadline.
	Slow bool
	// Produces is the content type of a raw handler's answer, for the document.
	Produces string
	// Answer is a value of the type that a raw handler writes as JSON, and
	// AlsoProduces further content types that it can write, for the document.
	Answer       any
	AlsoProduces []string
	// Params are the query parameters of a raw handler, for the document:
	// name → what it means.
	Params map[string]string

	streams *streamCount // see EnterStream
}

func (r *Route) key() string { return r.Method + " " + r.Path }

// ginPath is the path as gin writes it.
func (r *Route) ginPath() string {
	return strings.NewReplacer("{", ":", "}", "").Replace(r.Path)
}

// Register adds a route with typed input and output, as huma.Register does.
// Errors that the handler returns become problems (see Problem). It panics on
// a route that is wrong or there already: that is found when a program starts.
func Register[I, O any](a *API, r Route, handler func(context.Context, *I) (*O, error)) {
	a.add(&r)
	op := a.operation(&r)
	// One more than allowed: huma refuses a body that fills its limit.
	op.MaxBodyBytes = r.MaxBody + 1
	op.BodyReadTimeout = -1 // guard has read the body already
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return out, nil
	})
}

// Raw adds a route whose handler writes the answer itself: streams,
// WebSockets, downloads. It tells errors with Fail. It is in the same table,
// behind the same checks and in the OpenAPI document.
func (a *API) Raw(r Route, handler gin.HandlerFunc) {
	a.add(&r)
	op := a.operation(&r)
	status := strconv.Itoa(op.DefaultStatus)
	op.Responses[status] = &huma.Response{Description: http.StatusText(op.DefaultStatus)}
	if r.Produces != "" {
		op.Responses[status].Content = map[string]*huma.MediaType{r.Produces: {}}
	}
	if r.Answer != nil {
		t := reflect.TypeOf(r.Answer)
		op.Responses[status].Content = map[string]*huma.MediaType{
			"application/json": {Schema: a.huma.OpenAPI().Components.Schemas.Schema(t, true, t.Name())},
		}
	}
	for _, ct := range r.AlsoProduces {
		op.Responses[status].Content[ct] = &huma.MediaType{}
	}
	for _, name := range sortedKeys(r.Params) {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: name, In: "query", Description: r.Params[name], Schema: &huma.Schema{Type: huma.TypeString},
		})
	}
	for part := range strings.SplitSeq(r.Path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			op.Parameters = append(op.Parameters, &huma.Param{
				Name: strings.TrimSuffix(name, "}"), In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString},
			})
		}
	}
	if len(r.Consumes) > 0 {
		op.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{}}
		for _, ct := range r.Consumes {
			op.RequestBody.Content[ct] = &huma.MediaType{}
		}
	}
	a.huma.OpenAPI().AddOperation(&op)
	a.engine.Handle(r.Method, r.ginPath(), handler)
}

// Routes are all routes, in the order of their registration.
func (a *API) Routes() []Route {
	rs := make([]Route, len(a.routes))
	for i, r := range a.routes {
		rs[i] = *r
	}
	return rs
}

// add puts r into the table, or panics.
func (a *API) add(r *Route) {
	switch {
	case a.sealed.Load():
		panic(fmt.Sprintf("rest: route %s registered after Handler", r.key()))
	case r.OperationID == "" || r.Method == "" || !strings.HasPrefix(r.Path, "/"):
		panic(fmt.Sprintf("rest: route %q %s needs an operation id, a method and a path", r.OperationID, r.key()))
	case r.Public == (r.Permission != ""):
		panic(fmt.Sprintf("rest: route %s needs either a permission or Public", r.key()))
	case r.Permission != "" && !r.Permission.Known():
		panic(fmt.Sprintf("rest: route %s names the unknown permission %q", r.key(), r.Permission))
	case r.Site != "" && !strings.Contains(r.Path, "{"+r.Site+"}"):
		panic(fmt.Sprintf("rest: route %s has no path parameter %q", r.key(), r.Site))
	}
	for _, other := range a.routes {
		if other.OperationID == r.OperationID {
			panic(fmt.Sprintf("rest: operation id %q of %s is that of %s", r.OperationID, r.key(), other.key()))
		}
	}
	if r.MaxBody == 0 {
		r.MaxBody = a.cfg.MaxBody
	}
	if len(r.Consumes) > 0 {
		r.Consumes = slices.Clone(r.Consumes)
	}
	r.streams = &streamCount{}
	a.routes = append(a.routes, r)
	a.table[r.Method+" "+r.ginPath()] = r
}

// operation is r as the OpenAPI document shows it.
func (a *API) operation(r *Route) huma.Operation {
	op := huma.Operation{
		OperationID: r.OperationID, Method: r.Method, Path: r.Path,
		Summary: r.Summary, Description: r.Description, Tags: r.Tags,
		DefaultStatus: r.Status, Responses: map[string]*huma.Response{},
		Extensions: map[string]any{},
	}
	if r.Public {
		op.Security = []map[string][]string{}
		op.Extensions["x-permission"] = "public"
	} else {
		op.Security = []map[string][]string{{"session": {}}, {"token": {}}}
		op.Extensions["x-permission"] = string(r.Permission)
	}
	if op.DefaultStatus == 0 && (r.Produces != "" || r.Answer != nil) {
		op.DefaultStatus = http.StatusOK
	}
	if r.IfMatch {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "If-Match", In: "header", Required: true, Schema: &huma.Schema{Type: huma.TypeString},
			Description: "The ETag of what the change is based on.",
		})
	}
	if r.Idempotent {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "Idempotency-Key", In: "header", Schema: &huma.Schema{Type: huma.TypeString},
			Description: "The same key with the same body gets the same answer; the work is done once.",
		})
	}
	for _, s := range a.failures(r) {
		op.Responses[strconv.Itoa(s)] = a.problemResponse(s)
	}
	return op
}

// failures are the statuses of the problems that r may answer with.
func (a *API) failures(r *Route) []int {
	f := []int{http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusInternalServerError, http.StatusServiceUnavailable}
	if !r.Public {
		f = append(f, http.StatusUnauthorized, http.StatusForbidden)
	}
	if strings.Contains(r.Path, "{") {
		f = append(f, http.StatusNotFound)
	}
	if r.Method != http.MethodGet {
		f = append(f, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if r.IfMatch {
		f = append(f, http.StatusPreconditionFailed, http.StatusPreconditionRequired)
	}
	return append(f, r.Errors...)
}
