package rest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest/internal/probe"
)

// guard stands before every handler: it finds the route in the table, who
// asks, whether they may, and reads what the route needs. gin runs it on every
// request; what is not in the table does not run.
func (a *API) guard(c *gin.Context) {
	if c.FullPath() == "" {
		return // no such route: noRoute or noMethod answers
	}
	r := c.Request
	x := exchangeOf(r.Context())
	route, ok := a.table[r.Method+" "+c.FullPath()]
	if !ok {
		a.Fail(c, fmt.Errorf("route %s %s is not in the table", r.Method, c.FullPath()))
		return
	}
	x.route = route
	if err := a.admit(c, route, x); err != nil {
		a.Fail(c, err)
		return
	}
	if probe.On(r.Context()) {
		c.AbortWithStatus(probe.Status)
		return
	}
	if route.IfMatch {
		m, err := parseMatch(r.Header.Values("If-Match"))
		if err != nil {
			a.Fail(c, err)
			return
		}
		x.match = m
	}
	if route.Stream {
		a.noDeadlines(c)
		c.Next()
		return
	}
	body, err := a.readBody(c, route)
	if err != nil {
		a.Fail(c, err)
		return
	}
	if route.Slow {
		_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Time{})
	}
	if route.Idempotent && r.Header.Get("Idempotency-Key") != "" {
		a.once(c, route, x, body)
		return
	}
	c.Next()
}

// admit finds who asks and whether they may.
func (a *API) admit(c *gin.Context, route *Route, x *exchange) error {
	r := c.Request
	local, isLocal := localOf(r.Context())
	bearer, hasBearer := bearerOf(r)
	// A page of another site can make a browser send the cookie, never the
	// header Authorization.
	if !isLocal && !hasBearer {
		if err := a.cross.Check(r); err != nil {
			return NewProblem(TypeCrossOrigin, err.Error())
		}
	}
	if isLocal {
		x.subject = local
	}
	if route.Public {
		return nil
	}
	if !isLocal {
		s, err := a.subject(c, x, bearer, hasBearer)
		if err != nil {
			return err
		}
		if !a.plainAllowed(x, s) {
			return fmt.Errorf("%w: role %s needs HTTPS", fleet.ErrForbidden, s.Role)
		}
		x.subject = s
	}
	resource := account.Resource{}
	if route.Site != "" {
		site, err := fleet.ParseSiteID(c.Param(route.Site))
		if err != nil {
			return err
		}
		resource.Site = site
	}
	if !a.policy.Can(x.subject, route.Permission, resource) {
		if resource.Site != "" && a.policy.Can(x.subject, route.Permission, account.Resource{}) {
			// Whoever may not see a site does not learn that it exists.
			return fmt.Errorf("%w: site %s", fleet.ErrNotFound, resource.Site)
		}
		return fmt.Errorf("%w: role %s may not do %s", fleet.ErrForbidden, x.subject.Role, route.Permission)
	}
	return nil
}

func (a *API) subject(c *gin.Context, x *exchange, bearer string, hasBearer bool) (account.Subject, error) {
	ctx := c.Request.Context()
	switch {
	case hasBearer:
		return a.cfg.Accounts.ByToken(ctx, bearer)
	case x.cookie != "":
		return a.cfg.Accounts.BySession(ctx, x.cookie)
	}
	return account.Subject{}, fmt.Errorf("%w: sign in, or send a token", fleet.ErrUnauthenticated)
}

// CheckOrigin reports whether a WebSocket may be opened by r: browsers let
// pages of other sites open them, with the cookie, and guard sees a harmless
// GET. It is the CheckOrigin of a gorilla Upgrader.
func (a *API) CheckOrigin(r *http.Request) bool {
	asWrite := *r
	asWrite.Method = http.MethodPost
	return a.cross.Check(&asWrite) == nil
}

func bearerOf(r *http.Request) (string, bool) {
	h := r.Header.Get("Authorization")
	if len(h) < 7 || !strings.EqualFold(h[:7], "Bearer ") {
		return "", h != ""
	}
	return strings.TrimSpace(h[7:]), true
}

// readBody reads the whole body within the route's limits and leaves it to be
// read again.
func (a *API) readBody(c *gin.Context, route *Route) ([]byte, error) {
	r := c.Request
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil, nil
	}
	tooLarge := NewProblem(TypeTooLarge, fmt.Sprintf("the body has more than %d bytes", route.MaxBody)).With("Connection", "close")
	if r.ContentLength > route.MaxBody {
		return nil, tooLarge
	}
	if err := checkType(r, route); err != nil {
		return nil, err
	}
	ctl := http.NewResponseController(c.Writer)
	// Not every connection has deadlines (tests in memory): then there is none.
	_ = ctl.SetReadDeadline(time.Now().Add(a.cfg.BodyTimeout))
	body, err := io.ReadAll(io.LimitReader(r.Body, route.MaxBody+1))
	_ = ctl.SetReadDeadline(time.Time{})
	var timeout net.Error
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return nil, NewProblem(TypeTimeout, fmt.Sprintf("the body took more than %s", a.cfg.BodyTimeout)).With("Connection", "close")
	case err != nil:
		return nil, NewProblem(TypeSyntax, "the body ended early").With("Connection", "close")
	case int64(len(body)) > route.MaxBody:
		return nil, tooLarge
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

// checkType refuses a body of a type that the route does not take. A body
// without a type is taken for the first that it does.
func checkType(r *http.Request, route *Route) error {
	want := route.Consumes
	if len(want) == 0 {
		want = []string{"application/json"}
	}
	h := r.Header.Get("Content-Type")
	if h == "" {
		return nil
	}
	ct, _, err := mime.ParseMediaType(h)
	if err == nil && slices.Contains(want, ct) {
		return nil
	}
	return NewProblem(TypeMediaType, fmt.Sprintf("content type %q: want %s", cutTo(h, 100), strings.Join(want, " or "))).
		With("Accept", strings.Join(want, ", "))
}

// noDeadlines lifts the server's timeouts for a stream, which sets its own.
func (a *API) noDeadlines(c *gin.Context) {
	ctl := http.NewResponseController(c.Writer)
	_ = ctl.SetReadDeadline(time.Time{})
	_ = ctl.SetWriteDeadline(time.Time{})
}

// noRoute answers what no route matches: the API with a problem, the rest
// with the user interface.
func (a *API) noRoute(c *gin.Context) {
	c.Status(http.StatusOK) // gin has set 404, which the UI's pages are not
	if a.cfg.UI != nil && !isAPI(c.Request.URL.Path) {
		a.cfg.UI.ServeHTTP(c.Writer, c.Request)
		return
	}
	a.Fail(c, NewProblem(TypeNotFound, fmt.Sprintf("nothing is at %s", cutTo(c.Request.URL.Path, 200))))
}

func (a *API) noMethod(c *gin.Context) {
	a.Fail(c, NewProblem(TypeMethod, fmt.Sprintf("%s is not among: %s", cutTo(c.Request.Method, 20), c.Writer.Header().Get("Allow"))))
}
