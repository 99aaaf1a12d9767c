package rest

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// response stands between a handler and the connection: it knows what was
// answered, turns an unchanged 200 into 304, and keeps a copy of the answer
// when an idempotency key wants one.
type response struct {
	http.ResponseWriter
	request  *http.Request
	code     int // 0 until the header is written
	bytes    int64
	hijacked bool
	discard  bool // 304: the body is not sent
	// copy gets the body as it is written, up to copyMax bytes, when not nil.
	copy    *bytes.Buffer
	copyMax int
	tooLong bool
}

func (w *response) begun() bool { return w.code != 0 || w.hijacked }

func (w *response) status() int {
	switch {
	case w.hijacked:
		return http.StatusSwitchingProtocols
	case w.code == 0:
		return http.StatusOK
	}
	return w.code
}

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(code int) {
	if w.code != 0 || w.hijacked {
		return
	}
	if code >= 100 && code < 200 && code != http.StatusSwitchingProtocols {
		w.ResponseWriter.WriteHeader(code)
		return
	}
	m := w.request.Method
	if code == http.StatusOK && (m == http.MethodGet || m == http.MethodHead) && w.unchanged() {
		code, w.discard = http.StatusNotModified, true
		w.Header().Del("Content-Length")
		w.Header().Del("Content-Type")
		w.Header().Del("Content-Encoding")
	}
	w.code = code
	w.ResponseWriter.WriteHeader(code)
}

// unchanged reports whether the client has said that it has this very answer.
func (w *response) unchanged() bool {
	tag := w.Header().Get("ETag")
	if tag == "" {
		return false
	}
	for have := range strings.SplitSeq(strings.Join(w.request.Header.Values("If-None-Match"), ","), ",") {
		have = strings.TrimSpace(have)
		if have == "*" || strings.TrimPrefix(have, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// Write implements http.ResponseWriter.
func (w *response) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.copy != nil && !w.tooLong {
		if w.copy.Len()+len(b) > w.copyMax {
			w.tooLong = true
		} else {
			w.copy.Write(b)
		}
	}
	if w.discard {
		return len(b), nil
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher.
func (w *response) Flush() {
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w.ResponseWriter).Flush() // not every writer can
}

// Hijack implements http.Hijacker, for WebSockets.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("take over connection: %w", err)
	}
	w.hijacked = true
	return c, rw, nil
}
