package rest_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/rest"
)

func built() fstest.MapFS {
	return fstest.MapFS{
		"index.html":             {Data: []byte("<!doctype html>app")},
		"index.html.br":          {Data: []byte("br(app)")},
		"assets/app-1a2b.js":     {Data: []byte("plain js")},
		"assets/app-1a2b.js.br":  {Data: []byte("br js")},
		"assets/app-1a2b.js.gz":  {Data: []byte("gz js")},
		"assets/logo-3c4d.svg":   {Data: []byte("<svg/>")},
		"assets/font-5e6f.woff2": {Data: []byte("font")},
		"manifest.webmanifest":   {Data: []byte("{}")},
		"sw.js":                  {Data: []byte("worker")},
		".keep":                  {Data: []byte("hidden")},
	}
}

func TestStatic(t *testing.T) {
	h, err := rest.Static(built())
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec
	}
	const forever = "public, max-age=31536000, immutable"
	for _, c := range []struct {
		path, accept, encoding, body, mime, cache string
	}{
		{"/", "", "", "<!doctype html>app", "text/html; charset=utf-8", "no-cache"},
		{"/index.html", "gzip, br", "br", "br(app)", "text/html; charset=utf-8", "no-cache"},
		{"/mqtt/devices/btn.001", "", "", "<!doctype html>app", "text/html; charset=utf-8", "no-cache"},
		{"/assets/app-1a2b.js", "", "", "plain js", "text/javascript; charset=utf-8", forever},
		{"/assets/app-1a2b.js", "gzip", "gzip", "gz js", "text/javascript; charset=utf-8", forever},
		{"/assets/app-1a2b.js", "gzip, deflate, br", "br", "br js", "text/javascript; charset=utf-8", forever},
		{"/assets/app-1a2b.js", "br;q=0, gzip;q=0.5", "gzip", "gz js", "text/javascript; charset=utf-8", forever},
		{"/assets/app-1a2b.js", "*", "br", "br js", "text/javascript; charset=utf-8", forever},
		{"/assets/app-1a2b.js", "*, br;q=0", "gzip", "gz js", "text/javascript; charset=utf-8", forever},
		{"/assets/logo-3c4d.svg", "br", "", "<svg/>", "image/svg+xml", forever},
		{"/assets/font-5e6f.woff2", "", "", "font", "font/woff2", forever},
		{"/manifest.webmanifest", "", "", "{}", "application/manifest+json", "no-cache"},
		{"/sw.js", "", "", "worker", "text/javascript; charset=utf-8", "no-cache"},
	} {
		rec := get(c.path, "Accept-Encoding", c.accept)
		hd := rec.Header()
		if rec.Code != 200 || rec.Body.String() != c.body || hd.Get("Content-Encoding") != c.encoding ||
			hd.Get("Content-Type") != c.mime || hd.Get("Cache-Control") != c.cache || hd.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s for %q: %d %q %v", c.path, c.accept, rec.Code, rec.Body, hd)
		}
		again := get(c.path, "Accept-Encoding", c.accept, "If-None-Match", hd.Get("ETag"))
		if again.Code != 304 || again.Body.Len() != 0 {
			t.Errorf("%s again: %d", c.path, again.Code)
		}
	}
	if a, b := get("/assets/app-1a2b.js").Header().Get("ETag"), get("/assets/app-1a2b.js", "Accept-Encoding", "br").Header().Get("ETag"); a == b {
		t.Errorf("two encodings have one ETag: %s", a)
	}
	for _, missing := range []string{"/assets/old-9999.js", "/assets/a/b", "/assets/app-1a2b.js.br", "/favicon.ico", "/missing.js"} {
		if rec := get(missing); rec.Code != 404 || strings.Contains(rec.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", missing, rec.Code, rec.Header())
		}
	}
	if rec := get("/devices/x.js", "Accept", "text/html,*/*"); rec.Code != 200 {
		t.Errorf("a page with a dot in its path: %d", rec.Code)
	}
	if rec := get("/.keep", "Accept", "text/html"); strings.Contains(rec.Body.String(), "hidden") {
		t.Error("a hidden file is served")
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("POST", "/", nil))
	if rec.Code != 405 || rec.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", rec.Code)
	}
	rec = httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("HEAD", "/", nil))
	if rec.Code != 200 || rec.Body.Len() != 0 || rec.Header().Get("Content-Length") != "18" {
		t.Errorf("HEAD: %d %v", rec.Code, rec.Header())
	}
}

func TestStatic_UnbuiltSaysHowToBuild(t *testing.T) {
	for _, files := range []fstest.MapFS{{".keep": {}}, {}} {
		h, err := rest.Static(files)
		if err != nil {
			t.Fatal(err)
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("GET", "/mqtt/dashboard", nil))
		if rec.Code != 200 || !strings.Contains(rec.Body.String(), "make web") || !strings.Contains(rec.Body.String(), "make run") {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
	if _, err := rest.Static(os.DirFS(t.TempDir() + "/missing")); err != nil {
		t.Errorf("a missing directory: %v", err)
	}
}

func TestUI_PagesBesideTheAPI(t *testing.T) {
	ui, err := rest.Static(built())
	if err != nil {
		t.Fatal(err)
	}
	f := newFace(t, account.HubPolicy(), func(c *rest.Config) { c.UI = ui })
	page := f.call("GET", "/mqtt/dashboard", nil)
	if page.Code != 200 || page.Body.String() != "<!doctype html>app" || page.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("page: %d %s %v", page.Code, page.Body, page.Header())
	}
	if rec := f.call("GET", "/mqtt/dashboard", nil, header("If-None-Match", page.Header().Get("ETag"))); rec.Code != 304 {
		t.Errorf("unchanged page: %d", rec.Code)
	}
	if rec := f.call("GET", "/assets/none.js", nil); rec.Code != 404 {
		t.Errorf("missing asset: %d", rec.Code)
	}
	f.problem(f.call("GET", "/api/v2/things", nil, header("Accept", "text/html")), 404, "not-found")
	f.problem(f.call("GET", "/api/v1/sessions/current", nil, header("Accept", "text/html")), 401, "unauthenticated")
	if rec := f.call(http.MethodHead, "/mqtt/devices", nil); rec.Code != 200 {
		t.Errorf("HEAD of a page: %d", rec.Code)
	}
}
