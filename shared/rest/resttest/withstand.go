package resttest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/rest"
)

// What the files of UI hold.
const (
	uiIndex  = "<!doctype html><title>the user interface</title>"
	uiHidden = "never to be served"
)

// UI is a user interface for Withstand.
func UI() fs.FS {
	return fstest.MapFS{
		"index.html":    {Data: []byte(uiIndex)},
		"assets/app.js": {Data: []byte("export {}")},
		".hidden":       {Data: []byte(uiHidden)},
	}
}

// Withstand attacks the face of a program as pages of other sites, curious
// clients and guessers do. Its API serves UI, and has no users yet.
func Withstand(t *testing.T, api *rest.API) {
	w := &withstanding{t: t, api: api, accounts: api.Config().Accounts}
	user, err := w.accounts.MakeFirst(t.Context(), account.NewUser{Username: w.username(), Password: w.password()})
	if err != nil {
		t.Fatal(err)
	}
	w.user = user.ID
	plain, secure := httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	plain.Config, secure.Config = api.Server(), api.Server()
	plain.Start()
	secure.StartTLS()
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	w.plain = plain
	for name, s := range map[string]*httptest.Server{"http": plain, "https": secure} {
		t.Run("cookies over "+name+" are of the host alone", func(t *testing.T) { w.cookies(t, s) })
	}
	t.Run("a planted session is never taken over", w.fixation)
	t.Run("no page of another site changes anything", w.forgery)
	t.Run("no page frames or feeds another", w.headers)
	t.Run("no path leads to files or around the table", w.paths)
	t.Run("no other host name is answered", w.hosts)
	t.Run("a flood of sign-ins is turned away before it costs", w.flood)
}

type withstanding struct {
	t        *testing.T
	api      *rest.API
	accounts *account.Accounts
	user     account.UserID
	plain    *httptest.Server
}

func (w *withstanding) username() string { return "the-administrator" }
func (w *withstanding) password() string { return "correct horse battery" }

// session is the secret of a new session of the administrator.
func (w *withstanding) session(t *testing.T) string {
	t.Helper()
	_, secret, _, err := w.accounts.SignIn(t.Context(), account.SignIn{Username: w.username(), Password: w.password()})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func (w *withstanding) cookie(secure bool) string {
	if secure {
		return "__Host-" + w.api.Config().Cookie
	}
	return w.api.Config().Cookie
}

// answer is an answer with its body read.
type answer struct {
	*http.Response
	body string
}

// send sends a request and reads the answer.
func send(t *testing.T, s *httptest.Server, method, path string, body any, header http.Header) answer {
	t.Helper()
	var in io.Reader = http.NoBody
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, in)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp, string(out)}
}

func (w *withstanding) signIn(t *testing.T, s *httptest.Server, header http.Header) answer {
	t.Helper()
	in := map[string]string{"username": w.username(), "password": w.password()}
	return send(t, s, http.MethodPost, "/api/v1/sessions", in, header)
}

func (w *withstanding) cookies(t *testing.T, s *httptest.Server) {
	secure := strings.HasPrefix(s.URL, "https")
	in := w.signIn(t, s, nil)
	cs := in.Cookies()
	if in.StatusCode != http.StatusCreated || len(cs) != 1 {
		t.Fatalf("signing in: %s %s with the cookies %v", in.Status, in.body, cs)
	}
	c := cs[0]
	if c.Name != w.cookie(secure) || c.Secure != secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || c.MaxAge <= 0 {
		t.Errorf("cookie is %+v", c)
	}
	if strings.Contains(in.body, c.Value) {
		t.Error("the answer tells the secret to scripts")
	}
	// The cookie of the one way in is nothing on the other.
	other := http.Header{"Cookie": {w.cookie(!secure) + "=" + c.Value}}
	if a := send(t, s, http.MethodGet, "/api/v1/sessions/current", nil, other); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("the cookie under the other name: %s", a.Status)
	}
	out := send(t, s, http.MethodDelete, "/api/v1/sessions/current", nil, http.Header{"Cookie": {c.Name + "=" + c.Value}})
	if cs := out.Cookies(); len(cs) != 1 || cs[0].MaxAge >= 0 || cs[0].Value != "" || cs[0].Secure != secure || !cs[0].HttpOnly {
		t.Errorf("after signing out: %s with the cookies %v", out.Status, cs)
	}
}

func (w *withstanding) fixation(t *testing.T) {
	planted := strings.Repeat("A", 43)
	stolen := w.session(t)
	for _, secret := range []string{planted, stolen} {
		before := http.Header{"Cookie": {w.cookie(false) + "=" + secret}}
		in := w.signIn(t, w.plain, before)
		cs := in.Cookies()
		if in.StatusCode != http.StatusCreated || len(cs) != 1 || cs[0].Value == secret {
			t.Fatalf("signing in: %s with the cookies %v", in.Status, cs)
		}
		if a := send(t, w.plain, http.MethodGet, "/api/v1/sessions/current", nil, before); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("the session of before answers %s", a.Status)
		}
	}
}

// forgery asks for every change as the page of another site does, with the
// cookie that a browser without SameSite would send along.
func (w *withstanding) forgery(t *testing.T) {
	cookie := w.cookie(false) + "=" + w.session(t)
	changes := 0
	for _, r := range w.api.Routes() {
		if r.Method == http.MethodGet {
			continue
		}
		changes++
		for name, header := range map[string]http.Header{
			"fetch metadata": {"Cookie": {cookie}, "Sec-Fetch-Site": {"cross-site"}},
			"same site":      {"Cookie": {cookie}, "Sec-Fetch-Site": {"same-site"}},
			"origin":         {"Cookie": {cookie}, "Origin": {"https://evil.example"}},
			"no origin":      {"Cookie": {cookie}, "Origin": {"null"}},
		} {
			if a := send(t, w.plain, r.Method, fill(r.Path), map[string]any{}, header); a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "cross-origin") {
				t.Errorf("%s %s by %s: %s %s", r.Method, r.Path, name, a.Status, a.body)
			}
		}
	}
	if changes < 5 {
		t.Errorf("only %d routes change something", changes)
	}
	if a := send(t, w.plain, http.MethodGet, "/api/v1/sessions/current", nil, http.Header{"Cookie": {cookie}}); a.StatusCode != http.StatusOK {
		t.Errorf("the session after all that: %s", a.Status)
	}
}

// headers looks at the answer of every route to nobody, and at the pages.
func (w *withstanding) headers(t *testing.T) {
	paths := []string{"/", "/any/page", "/assets/app.js", "/assets/missing.js", "/api/v1/nothing", "/api"}
	for _, r := range w.api.Routes() {
		if r.Method == http.MethodGet {
			paths = append(paths, fill(r.Path))
		}
	}
	for _, path := range paths {
		a := send(t, w.plain, http.MethodGet, path, nil, nil)
		csp := a.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(csp+";", want+";") {
				t.Errorf("%s: the policy %q lacks %s", path, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe-") || strings.Contains(csp, "*") || strings.Contains(csp, "script-src 'self' ") {
			t.Errorf("%s: the policy %q allows more than files of its own", path, csp)
		}
		for name, want := range map[string]string{
			"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		for _, name := range []string{"Access-Control-Allow-Origin", "Server", "X-Powered-By"} {
			if got := a.Header.Get(name); got != "" {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
	}
}

// paths asks as the administrator, so that whatever is reached is answered.
func (w *withstanding) paths(t *testing.T) {
	cookie := w.cookie(false) + "=" + w.session(t)
	if code, body := w.raw(t, "GET /api/v1/users HTTP/1.1\r\nHost: localhost\r\nCookie: "+cookie); code != http.StatusOK || !strings.Contains(body, w.username()) {
		t.Fatalf("the plain path answers %d %s", code, body)
	}
	for _, target := range []string{
		"//api/v1/users", "///api/v1/users", "/./api/v1/users", "/x/../api/v1/users", "/api/v1/../v1/users", "/api//v1/users", "/api/v1//users",
		"/api/v1/users/", "/api/v1/users/.", "/api/v1/sessions/../users", "/%2e/api/v1/users", "/x/%2e%2e/api/v1/users",
		"/api/v1/sessions/%2e%2e/users", "/api%2fv1%2fusers", "/api/v1%2fusers", "/api/v1/users%2f", "/api/v1%5cusers", "/api\\v1\\users",
		"/api/v1/users%00", "/api/v1/users;x", "/api/v1/users%20", "/API/v1/users", "/api/V1/users", "/%61pi/v1/users%2f",
		"/api/docs/../v1/users", "/api/docs/%2e%2e/v1/users", "/assets/../api/v1/users", "/assets/%2e%2e/api/v1/users",
		"/.hidden", "/%2ehidden", "/./.hidden", "//.hidden", "/assets/../.hidden", "/assets/%2e%2e/.hidden", "/assets/..%2f.hidden",
		"/assets/..%5c.hidden", "/..%2f..%2f..%2fetc/passwd", "/../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/....//....//etc/passwd",
		"/assets/%252e%252e/.hidden", "/%c0%ae%c0%ae/.hidden", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/vars",
		"http://localhost//api/v1/users", "http://localhost/assets/../.hidden",
	} {
		code, body := w.raw(t, "GET "+target+" HTTP/1.1\r\nHost: localhost\r\nCookie: "+cookie)
		if code == http.StatusOK && body != uiIndex || code != http.StatusOK && (code < 400 || code > 499) {
			t.Errorf("%s answers %d %s", target, code, body)
		}
		for _, secret := range []string{w.username(), uiHidden, "root:", "goroutine"} {
			if strings.Contains(body, secret) {
				t.Errorf("%s tells %q", target, secret)
			}
		}
	}
	// The absolute form is the same request.
	if code, body := w.raw(t, "GET http://localhost/api/v1/users HTTP/1.1\r\nHost: localhost\r\nCookie: "+cookie); code != http.StatusOK || !strings.Contains(body, w.username()) {
		t.Errorf("the absolute form answers %d %s", code, body)
	}
	// A change is not reached by another method or another spelling either.
	for _, start := range []string{
		"POST //api/v1/users", "POST /api/v1/users/", "DELETE /x/../api/v1/users/" + string(w.user),
		"DELETE /api/v1//users/" + string(w.user), "TRACE /api/v1/users", "CONNECT localhost:80", "OPTIONS *", "OPTIONS /api/v1/users",
	} {
		code, body := w.raw(t, start+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nCookie: "+cookie)
		if code >= 200 && code < 400 && body != "" {
			t.Errorf("%s answers %d %s", start, code, body)
		}
	}
	if _, err := w.accounts.User(t.Context(), w.accounts.Policy().Local(), w.user); err != nil {
		t.Errorf("the administrator afterwards: %v", err)
	}
}

func (w *withstanding) hosts(t *testing.T) {
	for _, path := range []string{"/", "/api/v1/setup", "/healthz", "/assets/app.js"} {
		for head, want := range map[string]int{
			"GET " + path + " HTTP/1.1\r\nHost: evil.example":                                        http.StatusMisdirectedRequest,
			"GET " + path + " HTTP/1.1\r\nHost: localhost.evil.example":                              http.StatusMisdirectedRequest,
			"GET " + path + " HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost":         http.StatusMisdirectedRequest,
			"GET " + path + " HTTP/1.1\r\nHost: evil.example\r\nForwarded: host=localhost":           http.StatusMisdirectedRequest,
			"GET http://evil.example" + path + " HTTP/1.1\r\nHost: localhost":                        http.StatusMisdirectedRequest,
			"GET " + path + " HTTP/1.1\r\nHost: localhost\r\nHost: evil.example":                     http.StatusBadRequest,
			"GET " + path + " HTTP/1.1\r\nX: y":                                                      http.StatusBadRequest,
			"GET " + path + " HTTP/1.1\r\nHost: local host":                                          http.StatusBadRequest,
			"GET " + path + " HTTP/1.1\r\nHost: localhost":                                           http.StatusOK,
			"GET " + path + " HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Host: evil.example":         http.StatusOK,
			"GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nX-Forwarded-For: 203.0.113.9, 1.1": http.StatusOK,
		} {
			code, body := w.raw(t, head)
			if code != want && !(want == http.StatusOK && path == "/healthz" && code == http.StatusServiceUnavailable) {
				t.Errorf("%q answers %d %s, want %d", head, code, body, want)
			}
		}
	}
}

// raw sends bytes as no client would make them, and returns the answer.
func (w *withstanding) raw(t *testing.T, head string) (code int, body string) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", w.plain.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, head+"\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(head, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", head, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%q: %v", head, err)
	}
	return resp.StatusCode, string(b)
}

// flood signs in from one address, many times at once: a few are looked at, and
// the rest are turned away without the work of a password. Work is measured by
// the memory that it takes, not by the clock.
func (w *withstanding) flood(t *testing.T) {
	const n, atOnce = 400, 50
	const onePassword, oneRequest = 20 << 20, 256 << 10 // in bytes, of client and server
	client := &http.Client{Transport: &http.Transport{
		MaxConnsPerHost: atOnce, MaxIdleConnsPerHost: atOnce, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}}
	defer client.CloseIdleConnections()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var mu sync.Mutex
	codes := map[int]int{}
	var wg sync.WaitGroup
	turn := make(chan struct{}, atOnce)
	for i := range n {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			code, retry, err := guess(t.Context(), client, w.plain.URL, fmt.Sprint("somebody-", i))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case code != http.StatusUnauthorized && retry == "":
				t.Errorf("turned away with %d, and not told for how long", code)
			}
			codes[code]++
		})
	}
	wg.Wait()
	runtime.ReadMemStats(&after)
	looked := codes[http.StatusUnauthorized]
	if looked > 10 || codes[http.StatusTooManyRequests]+codes[http.StatusServiceUnavailable]+looked != n {
		t.Errorf("answers by status: %v", codes)
	}
	if took, most := after.TotalAlloc-before.TotalAlloc, uint64(looked*onePassword+n*oneRequest); took > most {
		t.Errorf("it took %d MiB of allocations, want at most %d", took>>20, most>>20)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if after.HeapAlloc > before.HeapAlloc+(16<<20) {
		t.Errorf("%d MiB stay", (after.HeapAlloc-before.HeapAlloc)>>20)
	}
}

// guess signs in with a wrong password.
func guess(ctx context.Context, client *http.Client, url, username string) (code int, retry string, err error) {
	body := strings.NewReader(`{"username":"` + username + `","password":"a guess of mine"}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/api/v1/sessions", body)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header.Get("Retry-After"), err
}

// NoInline checks that a page of a user interface has nothing that the
// programs' policy forbids: scripts, styles or handlers in the markup, or
// anything of another host.
func NoInline(t testing.TB, name string, html []byte) {
	t.Helper()
	page := strings.ToLower(string(html))
	for _, script := range strings.Split(page, "<script")[1:] {
		tag, rest, _ := strings.Cut(script, ">")
		if inside, _, _ := strings.Cut(rest, "</script"); !strings.Contains(tag, "src=") || strings.TrimSpace(inside) != "" {
			t.Errorf("%s has a script in its markup: <script%s>", name, tag)
		}
	}
	for _, s := range []string{"<style", " style=", "javascript:", "http://", "https://", "\"//", "'//", "<base", "<iframe", "http-equiv"} {
		if strings.Contains(page, s) {
			t.Errorf("%s has %q", name, s)
		}
	}
	if m := handler.FindString(page); m != "" {
		t.Errorf("%s has the handler %q in its markup", name, m)
	}
}

var handler = regexp.MustCompile(`\son[a-z]+\s*=`)
