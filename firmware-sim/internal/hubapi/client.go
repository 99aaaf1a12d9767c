// Package hubapi is the part of a hub's REST interface that the simulator
// needs: registering devices, and looking at what became of what they did.
// What it returns is what the hub said, unjudged. A Client may be used from
// any goroutine.
package hubapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client talks to one hub.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// Config is what New needs.
type Config struct {
	// URL of the hub, such as http://127.0.0.1:8080.
	URL string
	// Token is the bearer token.
	Token string
	// Timeout of one call; 30 s.
	Timeout time.Duration
	// Connections that are kept open; 16.
	Connections int
}

// New returns a client. It does not connect yet.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("hub address %q: want such as http://127.0.0.1:8080", c.URL)
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.Connections == 0 {
		c.Connections = 16
	}
	return &Client{
		base: strings.TrimRight(c.URL, "/"), token: c.Token,
		http: &http.Client{
			Timeout: c.Timeout,
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, MaxIdleConns: c.Connections, MaxIdleConnsPerHost: c.Connections,
				MaxConnsPerHost: c.Connections, IdleConnTimeout: time.Minute,
			},
		},
	}, nil
}

// Problem is an error answer of the hub (RFC 9457).
type Problem struct {
	Status int    `json:"status"`
	Type   string `json:"type"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

// Error implements error.
func (p *Problem) Error() string {
	if p.Detail != "" {
		return fmt.Sprintf("%d %s: %s", p.Status, p.Title, p.Detail)
	}
	return fmt.Sprintf("%d %s", p.Status, p.Title)
}

// IsStatus reports whether err is a Problem with this status.
func IsStatus(err error, status int) bool {
	var p *Problem
	return errors.As(err, &p) && p.Status == status
}

// call makes one request; in and out may be nil.
func (c *Client) call(ctx context.Context, method, path string, header http.Header, in, out any) error {
	var body io.Reader
	kind := ""
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		body, kind = bytes.NewReader(b), "application/json"
	}
	resp, err := c.send(ctx, method, path, kind, header, body)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if out == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("%s %s: read the hub's answer: %w", method, path, err)
	}
	return nil
}

// send makes one request and turns error answers into a *Problem.
func (c *Client) send(ctx context.Context, method, path, kind string, header http.Header, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	p := &Problem{Status: resp.StatusCode, Title: http.StatusText(resp.StatusCode)}
	if b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16)); err == nil {
		_ = json.Unmarshal(b, p) // no problem document: the status says enough
	}
	p.Status = resp.StatusCode
	return nil, fmt.Errorf("%s %s: %w", method, path, p)
}

type page[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

// all reads every page of a list, or until more says that it has seen enough.
func all[T any](ctx context.Context, c *Client, path string, q url.Values, enough func(T) bool) ([]T, error) {
	var items []T
	for {
		var p page[T]
		if err := c.call(ctx, http.MethodGet, path+"?"+q.Encode(), nil, nil, &p); err != nil {
			return nil, err
		}
		for _, v := range p.Items {
			if enough != nil && enough(v) {
				return items, nil
			}
			items = append(items, v)
		}
		if p.NextCursor == nil {
			return items, nil
		}
		q.Set("cursor", *p.NextCursor)
	}
}
