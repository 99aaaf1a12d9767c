package rest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/obedio/obedio/shared/account"
)

// Handler is the whole face. No route can be added after the first call.
func (a *API) Handler() http.Handler {
	a.seal()
	return http.HandlerFunc(a.serve)
}

// Server is a server for Handler with every timeout set. When it is shut
// down, streams end.
func (a *API) Server() *http.Server {
	s := &http.Server{
		Handler:           a.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       10*time.Second + a.cfg.BodyTimeout,
		WriteTimeout:      a.cfg.WriteTimeout,
		IdleTimeout:       a.cfg.IdleTimeout,
		MaxHeaderBytes:    a.cfg.MaxHeader,
		// Broken handshakes and the like are the clients' affair.
		ErrorLog: slog.NewLogLogger(a.cfg.Log.Handler(), slog.LevelDebug),
	}
	s.RegisterOnShutdown(a.Stop)
	return s
}

// LocalServer is Server for a Unix socket that only the right people can open:
// whoever connects acts as the local subject. The profiles of net/http/pprof
// are served here and nowhere else.
func (a *API) LocalServer() *http.Server {
	s := a.Server()
	s.Handler = profiled(s.Handler)
	s.WriteTimeout = 0 // a profile takes as long as it is asked to
	local := a.policy.Local()
	s.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { return WithLocal(ctx, local) }
	return s
}

// profiled serves the profiles beside h.
func profiled(h http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// Stop ends the streams that are open. It may be called more than once.
func (a *API) Stop() { a.stop() }

// serve does what comes before and after every request.
func (a *API) serve(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	x := a.newExchange(r)
	out := &response{ResponseWriter: w, request: r}
	x.out = out
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))

	h := w.Header()
	h.Set("X-Request-Id", x.id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(self), geolocation=(), microphone=(), payment=(), usb=()")
	if isAPI(r.URL.Path) {
		h.Set("Cache-Control", "no-store")
	}

	defer func() {
		if v := recover(); v != nil {
			a.recovered(out, r, x, v)
		}
		status := out.status()
		a.counts.add(status, x.problem)
		a.cfg.Log.Debug("request", "method", r.Method, "path", r.URL.Path, "status", status,
			"bytes", out.bytes, "duration", time.Since(began), "request_id", x.id,
			"from", x.from, "subject", x.subject.Key())
	}()

	if _, local := localOf(r.Context()); !local && !a.knownHost(r.Host) {
		a.answer(out, r, NewProblem(TypeHost, fmt.Sprintf(
			"host %q is not one of the names of this program: use its address, or add the name to its list of hosts", cutTo(r.Host, 100))))
		return
	}
	a.engine.ServeHTTP(out, r)
}

// contentPolicy allows what the programs' own pages need: scripts, styles and
// connections of their own origin, and images that a page has made itself.
// Styles that a script sets on an element (charts, virtual lists) need no
// permission; a style written into markup has none.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; " +
	"img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; media-src 'self' blob:; manifest-src 'self'; " +
	"worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

func isAPI(path string) bool { return path == "/api" || strings.HasPrefix(path, "/api/") }

// recovered answers what a panic has left and logs it once. That the client
// went away in the middle is no fault.
func (a *API) recovered(out *response, r *http.Request, x *exchange, v any) {
	if err, ok := v.(error); ok {
		if errors.Is(err, http.ErrAbortHandler) {
			panic(http.ErrAbortHandler)
		}
		if clientGone(err) {
			return
		}
	}
	a.cfg.Log.Error("request panicked", "panic", fmt.Sprint(v), "route", x.routeKey(),
		"request_id", x.id, "stack", string(debug.Stack()))
	if out.begun() {
		// The answer cannot be made good: the connection must not be used again.
		panic(http.ErrAbortHandler)
	}
	p := NewProblem(TypeInternal, "")
	a.answer(out, r, p)
}

func clientGone(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, context.Canceled)
}

// answer writes p as the whole answer, if none was begun.
func (a *API) answer(w http.ResponseWriter, r *http.Request, p *Problem) {
	x := exchangeOf(r.Context())
	x.problem = p.Type
	if x.out != nil && x.out.begun() {
		return
	}
	p.RequestID = x.id
	h := w.Header()
	for name, values := range p.header {
		h[name] = slices.Clone(values)
	}
	h.Del("Content-Length")
	h.Del("Content-Encoding")
	h.Del("ETag")
	h.Set("Content-Type", problemJSON)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = writeJSON(w, p) // a Problem can be written; see TestProblem
}

// knownHost reports whether the program may be called under the host of a
// request (without it, a page of another site could make its name resolve to
// this program and read the answers).
func (a *API) knownHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	for _, h := range a.cfg.Hosts {
		if h == "*" || strings.ToLower(h) == host {
			return true
		}
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if host != "" && !strings.Contains(host, ".") {
		return true
	}
	for _, own := range []string{".local", ".lan", ".internal", ".home.arpa", ".localhost"} {
		if strings.HasSuffix(host, own) {
			return true
		}
	}
	return false
}

// plainAllowed reports whether s may be signed in over this connection.
func (a *API) plainAllowed(x *exchange, s account.Subject) bool {
	return x.secure || s.Kind != account.KindUser || a.cfg.PlainHTTPRoles == nil ||
		!x.from.IsValid() || x.from.IsLoopback() || slices.Contains(a.cfg.PlainHTTPRoles, s.Role)
}

func cutTo(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
