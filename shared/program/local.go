package program

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Socket is the Unix socket in a data directory through which the command line
// reaches the running program. Whoever may open the directory may use it.
type Socket struct {
	// Dir is the data directory, Name the file in it.
	Dir, Name string
}

// path returns a name of the socket that is short enough for a Unix address
// (108 bytes), however long the path of the directory is: through the open
// directory, which the caller closes when the name is not used any more.
func (s Socket) path() (string, *os.File, error) {
	direct := filepath.Join(s.Dir, s.Name)
	if len(direct) < 100 {
		return direct, nil, nil
	}
	dir, err := os.Open(s.Dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), s.Name), dir, nil
}

// dial connects to the running program.
func (s Socket) dial(ctx context.Context) (net.Conn, error) {
	path, dir, err := s.path()
	if err != nil {
		return nil, err
	}
	if dir != nil {
		defer dir.Close()
	}
	return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", path)
}

// Running reports whether a program answers on the socket.
func (s Socket) Running(ctx context.Context) bool {
	c, err := s.dial(ctx)
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

// Listen makes the socket, with the directory if there is none. One that a
// killed program has left behind is replaced; fleet.ErrExists if a program
// answers on it.
func (s Socket) Listen(ctx context.Context) (net.Listener, error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	if s.Running(ctx) {
		return nil, fmt.Errorf("%w: a program runs on %s already", fleet.ErrExists, s.Dir)
	}
	path, dir, err := s.path()
	if err != nil {
		return nil, err
	}
	l, err := s.bind(ctx, path)
	if err != nil {
		if dir != nil {
			_ = dir.Close()
		}
		return nil, fmt.Errorf("listen on %s: %w", filepath.Join(s.Dir, s.Name), err)
	}
	return &socketListener{Listener: l, dir: dir}, nil
}

func (s Socket) bind(ctx context.Context, path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// socketListener keeps the directory open that its address goes through.
type socketListener struct {
	net.Listener
	dir *os.File
}

func (l *socketListener) Close() error {
	err := l.Listener.Close()
	if l.dir != nil {
		_ = l.dir.Close()
	}
	return err
}

// Local is a program's API as its own command line uses it: through the socket
// of the running program, or, when none runs, in this process over its data.
type Local struct {
	client *http.Client
	close  func() error
}

// Open finds the program behind the socket; when none runs, it takes the
// server and the close function that inProcess returns.
func (s Socket) Open(ctx context.Context, inProcess func() (*http.Server, func() error, error)) (*Local, error) {
	if s.Running(ctx) {
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return s.dial(ctx) }}
		return &Local{client: &http.Client{Transport: transport}, close: func() error {
			transport.CloseIdleConnections()
			return nil
		}}, nil
	}
	server, closeIt, err := inProcess()
	if err != nil {
		return nil, err
	}
	return &Local{client: &http.Client{Transport: handlerTransport{server}}, close: closeIt}, nil
}

// Close ends the use; a program in this process is closed.
func (l *Local) Close() error { return l.close() }

// handlerTransport answers requests with a server's handler, as its own
// listener would.
type handlerTransport struct{ server *http.Server }

// RoundTrip implements http.RoundTripper.
func (t handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if t.server.ConnContext != nil {
		ctx = t.server.ConnContext(ctx, nil)
	}
	in := r.Clone(ctx)
	in.RemoteAddr, in.RequestURI = "@", r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	out := httptest.NewRecorder()
	t.server.Handler.ServeHTTP(out, in)
	return out.Result(), nil
}

// problem is what an API says when it cannot (RFC 9457).
type problem struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Location string `json:"location"`
		Message  string `json:"message"`
	} `json:"errors"`
}

// Error implements error.
func (p problem) Error() string {
	text := p.Title
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	for _, e := range p.Errors {
		text += "; " + e.Location + ": " + e.Message
	}
	return text
}

// Send makes a request; the caller closes the body of the answer. An error
// answer is an error that says what the API says.
func (l *Local) Send(ctx context.Context, method, path, contentType string, header http.Header, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the program: %w", err)
	}
	if resp.StatusCode < 400 {
		return resp, nil
	}
	defer resp.Body.Close()
	var p problem
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&p); err != nil {
		return nil, fmt.Errorf("the program answers %s", resp.Status)
	}
	return nil, p
}

// Call sends in as JSON (nothing for nil) and reads the answer into out
// (nothing for nil).
func (l *Local) Call(ctx context.Context, method, path string, header http.Header, in, out any) (err error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	resp, err := l.Send(ctx, method, path, "application/json", header, body)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read the program's answer: %w", err)
	}
	return nil
}
