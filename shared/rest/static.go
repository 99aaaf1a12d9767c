package rest

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// Static serves a user interface that Vite has built: assets with a hash in
// their name for ever, everything else checked each time; what was compressed
// at build time as it is; and index.html for every page that the interface
// routes itself. Without an index.html it serves a page that says how to build
// one. The files are embedded and do not change: their checksums are made now.
func Static(files fs.FS) (http.Handler, error) {
	s := &static{embedded: files, files: map[string]*staticFile{}}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return nil
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		s.add(name, data)
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read user interface: %w", err)
	}
	return s, nil
}

type static struct {
	embedded fs.FS
	files    map[string]*staticFile
}

// staticFile is one file in the encodings that it was built in; "" is plain.
type staticFile struct {
	mime    string
	forms   map[string]form
	forever bool
}

type form struct {
	name string // in the file system
	size int
	etag string
}

// encodings that a build may make, the smallest first, with their file ends.
var encodings = []struct{ name, end string }{{"br", ".br"}, {"gzip", ".gz"}}

func (s *static) add(name string, data []byte) {
	encoding, embedded := "", name
	for _, e := range encodings {
		if plain, ok := strings.CutSuffix(name, e.end); ok {
			name, encoding = plain, e.name
		}
	}
	f := s.files[name]
	if f == nil {
		f = &staticFile{
			mime: mimeOf(name), forms: map[string]form{}, forever: strings.HasPrefix(name, "assets/"),
		}
		s.files[name] = f
	}
	sum := sha256.Sum256(data)
	f.forms[encoding] = form{
		name: embedded, size: len(data), etag: `"` + strings.TrimSuffix(hex.EncodeToString(sum[:12])+"-"+encoding, "-") + `"`,
	}
}

// ServeHTTP implements http.Handler.
func (s *static) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD are allowed here", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if f := s.files[name]; f != nil {
		s.serve(f, w, r)
		return
	}
	if isAsset(name, r) {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "no such file", http.StatusNotFound)
		return
	}
	if index := s.files["index.html"]; index != nil {
		s.serve(index, w, r)
		return
	}
	unbuilt.ServeHTTP(w, r)
}

// isAsset tells a file that is missing from a page that the interface routes
// itself: a page's path may have a dot too, since device names may.
func isAsset(name string, r *http.Request) bool {
	if strings.HasPrefix(name, "assets/") {
		return true
	}
	_, known := mimes[strings.ToLower(path.Ext(name))]
	return known && !strings.Contains(r.Header.Get("Accept"), "text/html")
}

func (s *static) serve(f *staticFile, w http.ResponseWriter, r *http.Request) {
	encoding := f.choose(r.Header.Get("Accept-Encoding"))
	form, ok := f.forms[encoding]
	if !ok { // built in other encodings only
		http.Error(w, "the file exists only compressed", http.StatusNotAcceptable)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.mime)
	h.Set("ETag", form.etag)
	h.Set("Vary", "Accept-Encoding")
	if f.forever {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	for tag := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if strings.TrimPrefix(strings.TrimSpace(tag), "W/") == form.etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	h.Set("Content-Length", strconv.Itoa(form.size))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodGet {
		return
	}
	if file, err := s.embedded.Open(form.name); err == nil {
		_, _ = io.Copy(w, file) // the client's loss
		_ = file.Close()
	}
}

// choose returns the smallest form that the client takes (RFC 9110, 12.5.3).
func (f *staticFile) choose(accept string) string {
	takes := map[string]bool{}
	for part := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(part, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		q := 1.0
		if v, ok := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(params), " ", ""), "q="); ok {
			var err error
			if q, err = strconv.ParseFloat(v, 64); err != nil {
				q = 0
			}
		}
		takes[name] = q > 0
	}
	for _, e := range encodings {
		ok, named := takes[e.name]
		if _, built := f.forms[e.name]; built && (ok || !named && takes["*"]) {
			return e.name
		}
	}
	return ""
}

// mimes are set here: the machine's own table may be missing or wrong.
var mimes = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8", ".json": "application/json", ".map": "application/json",
	".webmanifest": "application/manifest+json", ".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg",
	".jpeg": "image/jpeg", ".webp": "image/webp", ".avif": "image/avif", ".gif": "image/gif", ".ico": "image/x-icon",
	".woff2": "font/woff2", ".woff": "font/woff", ".ttf": "font/ttf", ".txt": "text/plain; charset=utf-8",
	".xml": "application/xml", ".pdf": "application/pdf", ".wasm": "application/wasm",
	".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".wav": "audio/wav", ".webm": "video/webm", ".mp4": "video/mp4",
}

func mimeOf(name string) string {
	if m, ok := mimes[strings.ToLower(path.Ext(name))]; ok {
		return m
	}
	return "application/octet-stream"
}

// unbuilt is what a program shows that was built without its interface.
var unbuilt = func() http.Handler {
	files, err := fs.Sub(unbuiltFiles, "unbuilt")
	if err != nil {
		panic(err)
	}
	h, err := Static(files)
	if err != nil {
		panic(err)
	}
	return h
}()

//go:embed unbuilt
var unbuiltFiles embed.FS
