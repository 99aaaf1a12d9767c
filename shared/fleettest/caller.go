package fleettest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Caller makes requests to a program in this process, as the machine itself
// does through its Unix socket.
type Caller struct {
	T testing.TB
	// Local is the program's server for its Unix socket.
	Local *http.Server
}

// Call makes a request and reads the answer into out (nil for none). It fails
// the test on an error answer.
func (c Caller) Call(method, path string, in, out any) {
	c.T.Helper()
	if code, body := c.Try(method, path, in, out); code >= 400 {
		c.T.Fatalf("%s %s: %d %s", method, path, code, body)
	}
}

// Try is Call that returns the status and the body.
func (c Caller) Try(method, path string, in, out any) (int, string) {
	c.T.Helper()
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			c.T.Fatal(err)
		}
	}
	ctx := c.Local.ConnContext(c.T.Context(), nil)
	r := httptest.NewRequestWithContext(ctx, method, "http://localhost"+path, bytes.NewReader(body))
	r.RemoteAddr = "@"
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	} else {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	w := httptest.NewRecorder()
	c.Local.Handler.ServeHTTP(w, r)
	if out != nil && w.Code < 400 {
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
			c.T.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
		}
	}
	return w.Code, w.Body.String()
}
