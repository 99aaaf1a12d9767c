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

	"github.com/obedio/obedio/console/internal/config"
	"github.com/obedio/obedio/console/internal/console"
	"github.com/obedio/obedio/shared/program"
)

// local is the console's API as the command line uses it: through the Unix
// socket of the running console, or, when none runs, in this process over its
// data.
type local struct {
	client *http.Client
	close  func() error
}

// withConsole runs fn with the console of a data directory.
func withConsole(ctx context.Context, d config.Data, env *program.Env, fn func(*local) error) error {
	l, err := open(ctx, d, env)
	if err != nil {
		return err
	}
	return errors.Join(fn(l), l.close())
}

// open finds the console of a data directory.
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
	if err := os.MkdirAll(d.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	v, err := console.New(ctx, console.Config{Data: d.Data, Version: env.Version, Logger: env.Log})
	if err != nil {
		return nil, err
	}
	server := v.API().LocalServer()
	return &local{client: &http.Client{Transport: inProcess{server}}, close: v.Close}, nil
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

// call sends in as JSON (nothing for nil) and reads the answer into out
// (nothing for nil).
func (l *local) call(ctx context.Context, method, path string, in, out any) (err error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return fmt.Errorf("ask the console: %w", err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode >= 400 {
		var p problem
		if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&p); err != nil {
			return fmt.Errorf("the console answers %s", resp.Status)
		}
		return p
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read the console's answer: %w", err)
	}
	return nil
}
