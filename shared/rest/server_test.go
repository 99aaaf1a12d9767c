package rest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/rest"
)

func TestServer_EveryTimeoutIsSet(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	s := f.Server()
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes != 32<<10 {
		t.Errorf("server is %+v", s)
	}
}

func TestServer_HeadersAreBounded(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	s := httptest.NewUnstartedServer(nil)
	s.Config = f.Server()
	s.Start()
	defer s.Close()
	get := func(n int) int {
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Long", strings.Repeat("x", n))
		res, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	if code := get(30 << 10); code != 200 {
		t.Errorf("30 KiB: %d", code)
	}
	if code := get(40 << 10); code != 431 {
		t.Errorf("40 KiB: %d", code)
	}
}

func TestServer_SlowBodyIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t, account.HubPolicy(), nil)
		f.addThings(none)
		ln := newPipes()
		s := f.Server()
		served := make(chan error, 1)
		go func() { served <- s.Serve(ln) }()
		conn, err := ln.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		_, secret, err := f.accounts.AddToken(t.Context(), account.HubPolicy().Local(), account.NewToken{Name: "t", Role: account.Chief})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		fmt.Fprintf(conn, "PUT /api/v1/things/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{", secret)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != 408 || time.Since(began) != 15*time.Second {
			t.Errorf("got %d after %s", res.StatusCode, time.Since(began))
		}
		res.Body.Close()
		conn.Close()
		s.Close()
		<-served
	})
}

func TestServer_WorkMayTakeLongerThanTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t, account.HubPolicy(), nil)
		f.addThings(func(ctx context.Context) error {
			select {
			case <-time.After(40 * time.Second): // beyond every read deadline
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		ln := newPipes()
		s := f.Server()
		served := make(chan error, 1)
		go func() { served <- s.Serve(ln) }()
		client := &http.Client{Transport: &http.Transport{DialContext: ln.dial}}
		_, secret, err := f.accounts.AddToken(t.Context(), account.HubPolicy().Local(), account.NewToken{Name: "t", Role: account.Chief})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), "PUT", "http://localhost/api/v1/things/a", strings.NewReader(`{"name":"xy"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != 200 {
			t.Errorf("got %d", res.StatusCode)
		}
		res.Body.Close()
		client.CloseIdleConnections()
		s.Close()
		<-served
	})
}

func TestLocalServer_TheSocketIsTheSignIn(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	path := filepath.Join(t.TempDir(), "hub.sock")
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := f.LocalServer()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	res, err := client.Get("http://hub.of.any.name/api/v1/sessions/current")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || res.StatusCode != 200 || !strings.Contains(string(body), `"kind":"local"`) || !strings.Contains(string(body), `"role":"admin"`) {
		t.Errorf("got %d %s, %v", res.StatusCode, body, err)
	}
	client.CloseIdleConnections()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	<-served
}

func TestRaw_TakesOverTheConnection(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	f.Raw(rest.Route{
		OperationID: "echo", Method: "GET", Path: "/api/v1/echo", Permission: account.TrafficRead, Stream: true, Summary: "Echo",
	}, func(c *gin.Context) {
		if rest.SubjectOf(c.Request.Context()).Role != account.Admin {
			t.Error("no subject")
		}
		conn, rw, err := c.Writer.Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		line, err := rw.ReadString('\n')
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\n\r\necho %s%v", line, err)
	})
	s := httptest.NewServer(f.Handler())
	defer s.Close()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, secret, err := f.accounts.AddToken(t.Context(), account.HubPolicy().Local(), account.NewToken{Name: "t", Role: account.Admin})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /api/v1/echo HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\nhello\n", secret)
	got, err := io.ReadAll(conn)
	if err != nil || !strings.HasSuffix(string(got), "echo hello\n<nil>") {
		t.Errorf("got %q, %v", got, err)
	}
	// The client sees the end before the handler has returned.
	for deadline := time.Now().Add(10 * time.Second); f.Counts().ByClass["1xx"] != 1; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("counted %v", f.Counts().ByClass)
		}
	}
}

func TestRaw_PanicAfterTheAnswerBeganClosesTheConnection(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	f.Raw(rest.Route{OperationID: "half", Method: "GET", Path: "/api/v1/half", Public: true}, func(c *gin.Context) {
		c.String(200, "half an ans")
		c.Writer.Flush()
		panic("broken")
	})
	s := httptest.NewUnstartedServer(nil)
	s.Config = f.Server()
	s.Start()
	defer s.Close()
	res, err := s.Client().Get(s.URL + "/api/v1/half")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("half an answer looks whole")
	}
}

func TestOpenAPI_DescribesEveryRoute(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	f.addThings(none)
	rec := f.call("GET", "/api/v1/openapi.json", nil)
	if rec.Header().Get("Content-Type") != "application/openapi+json" {
		t.Errorf("content type is %q", rec.Header().Get("Content-Type"))
	}
	var doc struct {
		OpenAPI string
		Info    struct{ Title, Version string }
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Permission  string `json:"x-permission"`
			Responses   map[string]struct {
				Content map[string]struct {
					Schema struct {
						Ref string `json:"$ref"`
					}
				}
			}
		}
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Info.Title != "Test" || doc.Info.Version != "1.2.3" {
		t.Errorf("document is %s %+v", doc.OpenAPI, doc.Info)
	}
	for _, r := range f.Routes() {
		op, ok := doc.Paths[r.Path][strings.ToLower(r.Method)]
		want := string(r.Permission)
		if r.Public {
			want = "public"
		}
		if !ok || op.OperationID != r.OperationID || op.Permission != want {
			t.Errorf("%s %s is described as %+v", r.Method, r.Path, op)
		}
		if ref := op.Responses["500"].Content["application/problem+json"].Schema.Ref; ref != "#/components/schemas/Problem" {
			t.Errorf("%s %s: a problem is %q", r.Method, r.Path, ref)
		}
	}
	for _, name := range []string{"ErrorModel", "ErrorDetail"} {
		if _, ok := doc.Components.Schemas[name]; ok {
			t.Errorf("the document has huma's own %s", name)
		}
	}
	again, err := f.Document()
	if err != nil || string(again) != rec.Body.String() {
		t.Errorf("Document differs: %v", err)
	}
}

// writeDeadlines is an answer that notes them.
type writeDeadlines struct {
	*httptest.ResponseRecorder
	set []time.Time
}

func (w *writeDeadlines) SetWriteDeadline(at time.Time) error {
	w.set = append(w.set, at)
	return nil
}

func TestRegister_SlowWorkIsAnsweredHoweverLongItTakes(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	for _, slow := range []bool{true, false} {
		rest.Register(f.API, rest.Route{
			OperationID: fmt.Sprintf("work-%t", slow), Method: http.MethodPost, Path: fmt.Sprintf("/api/v1/work/%t", slow),
			Permission: account.DevicesRead, Slow: slow,
		}, func(context.Context, *struct{}) (*struct{}, error) { return nil, nil })
	}
	h := f.Handler()
	for _, slow := range []bool{true, false} {
		w := &writeDeadlines{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequestWithContext(t.Context(), "POST", fmt.Sprintf("http://localhost/api/v1/work/%t", slow), nil)
		as(account.Admin)(r)
		h.ServeHTTP(w, r)
		if lifted := len(w.set) == 1 && w.set[0].IsZero(); w.Code != http.StatusNoContent || lifted != slow {
			t.Errorf("slow %t: %d, deadlines %v", slow, w.Code, w.set)
		}
	}
}

func TestRaw_DocumentsItsAnswerAndCountsItsStreams(t *testing.T) {
	type trackAnswer struct {
		Points []int `json:"points"`
	}
	f := newFace(t, account.HubPolicy(), nil)
	entered, refused := 0, 0
	f.Raw(rest.Route{
		OperationID: "track", Method: http.MethodGet, Path: "/api/v1/track", Permission: account.DevicesRead,
		Stream: true, Answer: trackAnswer{}, AlsoProduces: []string{"text/csv"},
	}, func(c *gin.Context) {
		ctx, leave, err := f.EnterStream(c.Request.Context(), 8, 1)
		if err != nil {
			refused++
			f.Fail(c, err)
			return
		}
		defer leave()
		if entered++; entered == 1 {
			f.problem(f.call("GET", "/api/v1/track", nil, as(account.Viewer)), 429, "limit")
			if rec := f.call("GET", "/api/v1/other", nil, as(account.Viewer)); rec.Code != 200 {
				t.Errorf("a stream of another route: %d", rec.Code)
			}
			return
		}
		f.Stop() // ends every stream
		<-ctx.Done()
	})
	f.Raw(rest.Route{
		OperationID: "other", Method: http.MethodGet, Path: "/api/v1/other", Permission: account.DevicesRead, Stream: true,
	}, func(c *gin.Context) {
		_, leave, err := f.EnterStream(c.Request.Context(), 1, 1)
		if err != nil {
			f.Fail(c, err)
			return
		}
		leave()
	})
	doc, err := f.Document()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"TrackAnswer"`, `"text/csv"`} {
		if !bytes.Contains(doc, []byte(want)) {
			t.Errorf("the document has no %s", want)
		}
	}
	for range 2 {
		f.call("GET", "/api/v1/track", nil, as(account.Viewer))
	}
	if entered != 2 || refused != 1 {
		t.Errorf("%d streams were open and %d refused, want 2 and 1", entered, refused)
	}
}

func TestProfiles_AreForTheLocalSocketOnly(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	for _, c := range []struct {
		server *http.Server
		want   int
	}{{f.LocalServer(), http.StatusOK}, {f.Server(), http.StatusNotFound}} {
		w := httptest.NewRecorder()
		c.server.Handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/debug/pprof/goroutine", http.NoBody))
		if w.Code != c.want {
			t.Errorf("got %d, want %d", w.Code, c.want)
		}
	}
}

func TestDocs_AskNoOtherHost(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	for _, path := range []string{"/api/docs", "/api/docs/docs.js", "/api/docs/docs.css"} {
		body := f.call("GET", path, nil).Body.String()
		if len(body) < 500 || strings.Contains(body, "http:") || strings.Contains(body, "https:") || strings.Contains(body, "//cdn") {
			t.Errorf("%s: %d bytes, or another host", path, len(body))
		}
		if path == "/api/docs" && (strings.Contains(body, "<style") || strings.Contains(body, "style=") || strings.Contains(body, "onclick")) {
			t.Errorf("%s has something inline, which its policy forbids", path)
		}
	}
}

func TestDocs_ScriptIsJavaScript(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		return // checked where node is, as make needs it anyway
	}
	cmd := exec.CommandContext(t.Context(), node, "--input-type=module", "--check")
	f := newFace(t, account.HubPolicy(), nil)
	cmd.Stdin = f.call("GET", "/api/docs/docs.js", nil).Body
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestMetrics_BehindATokenOrOnTheirOwn(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(rest.BuildInfo("obedio_hub", "1.2.3", "go1"), f.Collector("obedio_hub"))
	f.ServeMetrics(reg)
	f.problem(f.call("GET", "/metrics", nil), 401, "unauthenticated")
	f.problem(f.call("GET", "/metrics", nil, as(account.Chief)), 403, "forbidden")
	for name, rec := range map[string]*httptest.ResponseRecorder{
		"token": f.call("GET", "/metrics", nil, as(account.Admin)),
		"own": func() *httptest.ResponseRecorder {
			rec := httptest.NewRecorder()
			rest.MetricsHandler(reg).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
			return rec
		}(),
	} {
		for _, want := range []string{
			`obedio_hub_build_info{goversion="go1",version="1.2.3"} 1`,
			`obedio_hub_http_responses_total{class="4xx"} 2`,
			`obedio_hub_http_problems_total{type="forbidden"} 1`,
			"obedio_hub_http_streams_open 0",
		} {
			if !strings.Contains(rec.Body.String(), want) {
				t.Errorf("%s: no %s in\n%s", name, want, rec.Body)
			}
		}
	}
}
