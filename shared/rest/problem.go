package rest

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/obedio/obedio/shared/fleet"
)

// ProblemType tells programs what kind of problem it is, as a URN. The list
// is closed; see problemTypes.
type ProblemType string

const problemPrefix = "urn:obedio:problem:"

// The problem types.
const (
	TypeSyntax          ProblemType = problemPrefix + "syntax"
	TypeInvalid         ProblemType = problemPrefix + "invalid"
	TypeUnauthenticated ProblemType = problemPrefix + "unauthenticated"
	TypeForbidden       ProblemType = problemPrefix + "forbidden"
	TypeCrossOrigin     ProblemType = problemPrefix + "cross-origin"
	TypeNotFound        ProblemType = problemPrefix + "not-found"
	TypeMethod          ProblemType = problemPrefix + "method-not-allowed"
	TypeTimeout         ProblemType = problemPrefix + "timeout"
	TypeExists          ProblemType = problemPrefix + "exists"
	TypeState           ProblemType = problemPrefix + "state"
	TypeVersion         ProblemType = problemPrefix + "version"
	TypeExpired         ProblemType = problemPrefix + "expired"
	TypeBusy            ProblemType = problemPrefix + "busy"
	TypePrecondition    ProblemType = problemPrefix + "precondition-failed"
	TypeTooLarge        ProblemType = problemPrefix + "too-large"
	TypeMediaType       ProblemType = problemPrefix + "media-type"
	TypeHost            ProblemType = problemPrefix + "host"
	TypeKeyReused       ProblemType = problemPrefix + "idempotency-key-reused"
	TypeNeedsMatch      ProblemType = problemPrefix + "precondition-required"
	TypeLimit           ProblemType = problemPrefix + "limit"
	TypeFull            ProblemType = problemPrefix + "disk-full"
	TypeInternal        ProblemType = problemPrefix + "internal"
	TypeUnavailable     ProblemType = problemPrefix + "unavailable"
)

// problemTypes is status and title of each type: the title never changes
// between occurrences.
var problemTypes = map[ProblemType]struct {
	status int
	title  string
}{
	TypeSyntax:          {http.StatusBadRequest, "The request cannot be read"},
	TypeInvalid:         {http.StatusUnprocessableEntity, "The request breaks a rule"},
	TypeUnauthenticated: {http.StatusUnauthorized, "Nobody is signed in"},
	TypeForbidden:       {http.StatusForbidden, "Not allowed"},
	TypeCrossOrigin:     {http.StatusForbidden, "The request comes from another site's page"},
	TypeNotFound:        {http.StatusNotFound, "Not found"},
	TypeMethod:          {http.StatusMethodNotAllowed, "The method is not allowed here"},
	TypeTimeout:         {http.StatusRequestTimeout, "The request took too long to arrive"},
	TypeExists:          {http.StatusConflict, "It exists already"},
	TypeState:           {http.StatusConflict, "Not possible in this state"},
	TypeVersion:         {http.StatusConflict, "It has changed meanwhile"},
	TypeExpired:         {http.StatusConflict, "It has expired"},
	TypeBusy:            {http.StatusConflict, "The same request is being worked on"},
	TypePrecondition:    {http.StatusPreconditionFailed, "It has changed meanwhile"},
	TypeTooLarge:        {http.StatusRequestEntityTooLarge, "The body is too large"},
	TypeMediaType:       {http.StatusUnsupportedMediaType, "The content type is not supported"},
	TypeHost:            {http.StatusMisdirectedRequest, "The host name is not known here"},
	TypeKeyReused:       {http.StatusUnprocessableEntity, "The idempotency key was used for another request"},
	TypeNeedsMatch:      {http.StatusPreconditionRequired, "If-Match is required"},
	TypeLimit:           {http.StatusTooManyRequests, "A limit is reached"},
	TypeFull:            {http.StatusInsufficientStorage, "The disk has no room for it"},
	TypeInternal:        {http.StatusInternalServerError, "The program failed"},
	TypeUnavailable:     {http.StatusServiceUnavailable, "Not available for now"},
}

// Problem is an error as RFC 9457 writes it. Handlers need not make one: any
// error becomes one by the table in problemOf.
type Problem struct {
	Type      ProblemType  `json:"type" doc:"What kind of problem it is." example:"urn:obedio:problem:not-found"`
	Title     string       `json:"title" doc:"The kind of problem in words."`
	Status    int          `json:"status" doc:"The HTTP status."`
	Detail    string       `json:"detail,omitempty" doc:"What was wrong this time."`
	RequestID string       `json:"request_id" doc:"Names this request in the log."`
	Errors    []FieldError `json:"errors,omitempty" nullable:"false" doc:"What was wrong where."`

	// members are further members, by name: see WithMember.
	members map[string]any
	header  http.Header
	cause   error
	_       struct{} `additionalProperties:"true"`
}

// FieldError says what was wrong with one part of the request. It never
// repeats the value: that may be a secret.
type FieldError struct {
	Location string `json:"location,omitempty" doc:"Where: body.name, query.limit, path.id." example:"body.ttl_s"`
	Message  string `json:"message" doc:"What was wrong there."`
}

// NewProblem returns a problem of that type; detail is for people.
func NewProblem(t ProblemType, detail string, errs ...FieldError) *Problem {
	k, ok := problemTypes[t]
	if !ok {
		t, k = TypeInternal, problemTypes[TypeInternal]
	}
	return &Problem{Type: t, Title: k.title, Status: k.status, Detail: detail, Errors: errs}
}

// With sets a header of the answer and returns p.
func (p *Problem) With(name, value string) *Problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
	return p
}

// Error implements error.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Detail
}

// Unwrap is the error that p was made from, if any.
func (p *Problem) Unwrap() error { return p.cause }

// GetStatus, GetHeaders and ContentType make it an answer for huma.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders are the headers of the answer.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType is that of RFC 9457.
func (p *Problem) ContentType(string) string { return problemJSON }

const problemJSON = "application/problem+json"

// ErrSyntax is for input that cannot be read at all (400), where
// fleet.ErrInvalid is for input that can be read and breaks a rule (422).
var ErrSyntax = errors.New("cannot be read")

// kinds is the one table from sentinel errors to problem types. The first
// that matches decides.
var kinds = []struct {
	err error
	typ ProblemType
}{
	{ErrSyntax, TypeSyntax},
	{fleet.ErrInvalid, TypeInvalid},
	{fleet.ErrNotFound, TypeNotFound},
	{fleet.ErrExists, TypeExists},
	{fleet.ErrVersion, TypeVersion},
	{fleet.ErrState, TypeState},
	{fleet.ErrExpired, TypeExpired},
	{fleet.ErrForbidden, TypeForbidden},
	{fleet.ErrUnauthenticated, TypeUnauthenticated},
	{fleet.ErrFull, TypeFull}, // before ErrLimit, which it is too
	{fleet.ErrLimit, TypeLimit},
	{fleet.ErrUnavailable, TypeUnavailable},
	{context.DeadlineExceeded, TypeUnavailable},
	{context.Canceled, TypeUnavailable},
}

// memberError carries a further member of the problem beside an error.
type memberError struct {
	error
	name  string
	value any
}

func (e memberError) Unwrap() error { return e.error }

// WithMember adds a member to the problem that err becomes: with the request
// as it is now, the one who came too late learns who won.
func WithMember(err error, name string, value any) error { return memberError{err, name, value} }

// MarshalJSON writes p with its further members.
func (p *Problem) MarshalJSON() ([]byte, error) {
	type plain Problem // without this method
	out, err := json.Marshal((*plain)(p))
	if err != nil || len(p.members) == 0 {
		return out, err
	}
	more, err := json.Marshal(p.members)
	if err != nil {
		return nil, err
	}
	return append(append(out[:len(out)-1], ','), more[1:]...), nil
}

// problemOf returns err as a problem. What is not in the table is the
// program's own fault: its text stays in the log.
func problemOf(err error, hasMatch bool) *Problem {
	p := kindOf(err, hasMatch)
	var m memberError
	for rest := err; errors.As(rest, &m); rest = m.error {
		if p.members == nil {
			p.members = map[string]any{}
		}
		p.members[m.name] = m.value
	}
	return p
}

func kindOf(err error, hasMatch bool) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		c := *p // the request id is set later, and p may be shared
		c.members, c.header = maps.Clone(p.members), p.header.Clone()
		return &c
	}
	typ := TypeInternal
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			typ = k.typ
			break
		}
	}
	if typ == TypeVersion && hasMatch {
		typ = TypePrecondition
	}
	p = NewProblem(typ, "")
	p.cause = err
	if typ != TypeInternal {
		p.Detail = err.Error()
	}
	var after interface{ RetryAfter() time.Duration }
	switch {
	case errors.As(err, &after):
		p.With("Retry-After", retrySeconds(after.RetryAfter()))
	case typ == TypeLimit, typ == TypeUnavailable:
		p.With("Retry-After", "5")
	case typ == TypeFull:
		p.With("Retry-After", "60")
	}
	if typ == TypeUnauthenticated {
		p.With("WWW-Authenticate", "Bearer")
	}
	return p
}

func retrySeconds(d time.Duration) string {
	return strconv.Itoa(max(1, int((d+time.Second-1)/time.Second)))
}

// problem returns err as a problem of the request of ctx, and logs it if it
// is the program's own fault.
func (a *API) problem(ctx context.Context, err error) *Problem {
	x := exchangeOf(ctx)
	p := problemOf(err, x.match != nil)
	if p.Type == TypeInternal && !errors.Is(err, errAborted) {
		cause := p.cause
		if cause == nil {
			cause = err
		}
		a.cfg.Log.Error("request failed", "err", cause, "route", x.routeKey(), "request_id", x.id)
	}
	return p
}

// errAborted marks failures that were logged already.
var errAborted = errors.New("aborted")

// Fail answers a raw handler's request with err as a problem, if nothing was
// answered yet.
func (a *API) Fail(c *gin.Context, err error) {
	p := a.problem(c.Request.Context(), err)
	a.answer(c.Writer, c.Request, p)
	c.Abort()
}

// transform gives every problem its request id and turns huma's own errors
// into problems, so that there is one form.
func (a *API) transform(hc huma.Context, _ string, v any) (any, error) {
	x := exchangeOf(hc.Context())
	p, ok := v.(*Problem)
	if e, is := v.(*huma.ErrorModel); is {
		p, ok = a.fromHuma(e), true
	}
	if ok {
		p.RequestID = x.id
		x.problem = p.Type
		return p, nil
	}
	return v, nil
}

// fromHuma maps what huma finds wrong with a request.
func (a *API) fromHuma(e *huma.ErrorModel) *Problem {
	typ := TypeInternal
	switch e.Status {
	case http.StatusBadRequest:
		typ = TypeSyntax
	case http.StatusUnprocessableEntity:
		typ = TypeInvalid
	case http.StatusRequestEntityTooLarge:
		typ = TypeTooLarge
	case http.StatusUnsupportedMediaType:
		typ = TypeMediaType
	case http.StatusRequestTimeout:
		typ = TypeTimeout
	case http.StatusNotFound:
		typ = TypeNotFound
	case http.StatusConflict:
		typ = TypeState
	case http.StatusForbidden:
		typ = TypeForbidden
	case http.StatusUnauthorized:
		typ = TypeUnauthenticated
	case http.StatusTooManyRequests:
		typ = TypeLimit
	case http.StatusServiceUnavailable:
		typ = TypeUnavailable
	}
	p := NewProblem(typ, e.Detail)
	p.Status = e.Status // as huma has sent it
	if typ == TypeInternal {
		p.Detail = ""
		return p
	}
	for _, d := range e.Errors {
		if d != nil {
			p.Errors = append(p.Errors, FieldError{Location: d.Location, Message: d.Message})
		}
	}
	if len(p.Errors) == 1 && (p.Detail == "validation failed" || p.Detail == "") {
		p.Detail = strings.TrimPrefix(p.Errors[0].Location+": "+p.Errors[0].Message, ": ")
	}
	return p
}

// ProblemOf returns err as the problem that a client would be told, for answers
// that go another way than HTTP.
func ProblemOf(err error) *Problem { return problemOf(err, false) }
