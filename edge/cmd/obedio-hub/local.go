package main

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
	"time"

	"github.com/obedio/obedio/edge/internal/config"
	"github.com/obedio/obedio/edge/internal/hub"
	"github.com/obedio/obedio/shared/program"
)

// local is the hub's API as the command line uses it: through the Unix socket
// of the running hub, or, when none runs, in this process over its data.
type local struct {
	client *http.Client
	close  func() error
}

// open finds the hub of a data directory.
func open(ctx context.Context, d config.Data, env *program.Env) (*local, error) {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	if c, err := dialer.DialContext(ctx, "unix", d.SocketPath()); err == nil {
		_ = c.Close()
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", d.SocketPath())
		}}
		return &local{client: &http.Client{Transport: transport}, close: func() error {
			transport.CloseIdleConnections()
			return nil
		}}, nil
	}
	if _, err := os.Stat(d.Data); err != nil && d.Site == "" {
		return nil, fmt.Errorf("data directory: %w: start the hub first, or name --site for a new one", err)
	}
	settings := config.Serve{Data: d}.Hub()
	settings.Version, settings.Logger = env.Version, env.Log
	h, err := hub.New(ctx, settings)
	if err != nil {
		return nil, err
	}
	server := h.API().LocalServer()
	return &local{client: &http.Client{Transport: inProcess{server}}, close: h.Close}, nil
}

// inProcess answers requests with a server's handler, as its own listener
// would.
type inProcess struct{ server *http.Server }

// RoundTrip implements http.RoundTripper.
func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(p.server.ConnContext(r.Context(), nil))
	in.RemoteAddr, in.RequestURI = "@", r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	out := httptest.NewRecorder()
	p.server.Handler.ServeHTTP(out, in)
	return out.Result(), nil
}

// problem is what the API says when it cannot.
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

// send makes a request and returns the answer's body, which the caller closes.
func (l *local) send(ctx context.Context, method, path, contentType string, header http.Header, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, body)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the hub: %w", err)
	}
	if resp.StatusCode < 400 {
		return resp, nil
	}
	defer resp.Body.Close()
	var p problem
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&p); err != nil {
		return nil, fmt.Errorf("the hub answers %s", resp.Status)
	}
	return nil, p
}

// call sends in as JSON (nothing for nil) and reads the answer into out
// (nothing for nil).
func (l *local) call(ctx context.Context, method, path string, header http.Header, in, out any) (err error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	resp, err := l.send(ctx, method, path, "application/json", header, body)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read the hub's answer: %w", err)
	}
	return nil
}
