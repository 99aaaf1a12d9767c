package link

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/obedio/obedio/shared/program"
)

// Status is what a link says of itself.
type Status struct {
	Profile Profile `json:"profile"`
	Counters
	// List are the connections that are open, and the last ones that have ended.
	List []Connection `json:"connection_list"`
}

// Status of the link.
func (l *Link) Status() Status { return Status{l.Profile(), l.Counters(), l.Connections()} }

// Control serves the link's switch on a listener until ctx ends: GET / is the
// Status, PUT / takes {"profile":"vsat"} (see ParseProfile) and answers with it.
func (l *Link) Control(ctx context.Context, on net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { l.status(w) })
	mux.HandleFunc("PUT /{$}", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Profile string }
		err := json.NewDecoder(io.LimitReader(r.Body, maxAsked)).Decode(&in)
		var p Profile
		if err == nil {
			if p, err = ParseProfile(in.Profile); err == nil {
				err = l.Set(p)
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		l.status(w)
	})
	return program.Serve(ctx, &http.Server{Handler: mux, ReadHeaderTimeout: asking}, on, time.Second)
}

func (l *Link) status(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(l.Status()) // who asks may have gone
}

// ListenControl listens for Control: at the path of a Unix socket, which is this
// user's alone, or at an address of this machine.
func ListenControl(ctx context.Context, at string) (net.Listener, error) {
	network := controlNetwork(at)
	if network == "unix" {
		if err := removeStale(ctx, at); err != nil {
			return nil, err
		}
	} else if err := local(at); err != nil {
		return nil, err
	}
	on, err := new(net.ListenConfig).Listen(ctx, network, at)
	if err == nil && network == "unix" {
		err = errors.Join(os.Chmod(at, 0o600))
	}
	if err != nil {
		return nil, fmt.Errorf("listen for the link's switch: %w", err)
	}
	return on, nil
}

// removeStale removes a socket that nobody listens at any more.
func removeStale(ctx context.Context, at string) error {
	info, err := os.Lstat(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is there, and no socket", at)
	}
	if c, err := new(net.Dialer).DialContext(ctx, "unix", at); err == nil {
		_ = c.Close()
		return fmt.Errorf("%s is in use by another link", at)
	}
	return os.Remove(at)
}

// local refuses an address that others can reach: the switch asks nobody who
// they are.
func local(at string) error {
	host, _, err := net.SplitHostPort(at)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("the link's switch at %s: want an address of this machine, such as 127.0.0.1:0, or the path of a socket", at)
	}
	return nil
}

func controlNetwork(at string) string {
	if _, _, err := net.SplitHostPort(at); err == nil && !strings.Contains(at, "/") {
		return "tcp"
	}
	return "unix"
}

// Ask asks the link whose switch is at an address; profile changes it, unless
// empty.
func Ask(ctx context.Context, at, profile string) (Status, error) {
	var s Status
	client := &http.Client{Timeout: asking, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, controlNetwork(at), at)
		},
	}}
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if profile != "" {
		b, err := json.Marshal(map[string]string{"profile": profile})
		if err != nil {
			return s, err
		}
		method, body = http.MethodPut, bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://link/", body)
	if err != nil {
		return s, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return s, fmt.Errorf("ask the link: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, maxAsked))
		return s, errors.New(strings.TrimSpace(string(b)))
	}
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		return s, fmt.Errorf("read what the link says: %w", err)
	}
	return s, nil
}
