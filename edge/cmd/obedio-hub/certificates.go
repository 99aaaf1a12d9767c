package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/obedio/obedio/edge/internal/config"
	"github.com/obedio/obedio/shared/program"
	"github.com/obedio/obedio/shared/secretfile"
)

type provisioning struct {
	Token  provisionToken  `cmd:"" help:"Let one device join: make a token, a short code and the QR code's content."`
	List   provisionList   `cmd:"" help:"List tokens and what has become of them."`
	Revoke provisionRevoke `cmd:"" help:"Take a token back."`
}

type provisionToken struct {
	config.Data
	program.Output
	Type     string        `name:"type" help:"button, watch, repeater or sensor."`
	Room     string        `name:"room" help:"Where it will be, such as cabin-101."`
	ID       string        `name:"id" help:"The device's id; it or the hub chooses one if empty."`
	Name     string        `name:"name" help:"What people call it."`
	Profile  string        `name:"profile" help:"Security profile; that of the type if empty."`
	Replace  bool          `name:"replace" help:"The device --id is registered, and other hardware takes its place."`
	Hardware string        `name:"hardware-id" help:"Of its label: open a window for that hardware instead."`
	KeyHash  string        `name:"key-hash" help:"Of its label."`
	Life     time.Duration `name:"life" help:"How long it is good; the hub's default if 0."`
	SVG      string        `name:"svg" placeholder:"FILE" help:"Write the QR code there."`
}

// provisionAnswer is what the command line shows of a token.
type provisionAnswer struct {
	ID        string          `json:"id"`
	State     string          `json:"state"`
	DeviceID  string          `json:"device_id,omitempty"`
	Type      string          `json:"type"`
	Room      string          `json:"room"`
	ExpiresAt time.Time       `json:"expires_at"`
	Token     string          `json:"token,omitempty"`
	Code      string          `json:"code,omitempty"`
	Payload   json.RawMessage `json:"payload,omitempty"`
	QRSVG     string          `json:"qr_svg,omitempty"`
}

// Run makes a token; what is secret in it is printed, once.
func (c *provisionToken) Run(ctx context.Context, env *program.Env) error {
	in := map[string]any{
		"type": c.Type, "room": c.Room, "device_id": c.ID, "name": c.Name, "security_profile": c.Profile, "replaces": c.Replace,
		"hardware_id": c.Hardware, "key_hash": c.KeyHash,
	}
	if c.Life > 0 {
		in["life_s"] = int(c.Life / time.Second)
	}
	for k, v := range in {
		if v == "" || v == false {
			delete(in, k)
		}
	}
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		var t provisionAnswer
		if err := l.Call(ctx, http.MethodPost, "/api/v1/provision/tokens", nil, in, &t); err != nil {
			return err
		}
		if c.SVG != "" {
			if t.QRSVG == "" {
				return program.Usagef("--svg: a window has no QR code")
			}
			if err := os.WriteFile(c.SVG, []byte(t.QRSVG), 0o600); err != nil {
				return fmt.Errorf("write QR code: %w", err)
			}
		}
		t.QRSVG = "" // a picture is no use in a terminal
		return c.Print(env, t, func(w io.Writer) error {
			rows := [][]string{{"id", t.ID}, {"until", t.ExpiresAt.Format(time.RFC3339)}}
			if t.Token != "" {
				rows = append(rows, []string{"code", t.Code}, []string{"token", t.Token}, []string{"payload", string(t.Payload)})
			}
			return program.Table(w, rows)
		})
	})
}

type provisionList struct {
	config.Data
	program.Output
}

// Run lists tokens.
func (c *provisionList) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		all, err := pages[provisionAnswer](ctx, l, "/api/v1/provision/tokens", url.Values{})
		if err != nil {
			return err
		}
		return c.Print(env, all, func(w io.Writer) error {
			rows := [][]string{{"id", "state", "device", "type", "room", "until"}}
			for _, t := range all {
				rows = append(rows, []string{t.ID, t.State, t.DeviceID, t.Type, t.Room, t.ExpiresAt.Format(time.RFC3339)})
			}
			return program.Table(w, rows)
		})
	})
}

type provisionRevoke struct {
	config.Data
	ID string `arg:"" help:"The token's id."`
}

// Run takes a token back.
func (c *provisionRevoke) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		return l.Call(ctx, http.MethodDelete, "/api/v1/provision/tokens/"+url.PathEscape(c.ID), nil, nil, nil)
	})
}

type certificates struct {
	List   certList   `cmd:"" help:"List certificates, such as 'state:due'."`
	Issue  certIssue  `cmd:"" help:"Issue a certificate for a registered device."`
	Revoke certRevoke `cmd:"" help:"Revoke a certificate: what it has connected is cut off."`
	CA     certCA     `cmd:"" name:"ca" help:"Print the certificates that clients are to trust, in PEM."`
	Roll   certRoll   `cmd:"" help:"Begin a new authority of the site; the old one counts until all devices have renewed."`
}

// certificate is what the command line shows of one.
type certificate struct {
	Serial      string    `json:"serial"`
	Kind        string    `json:"kind"`
	DeviceID    string    `json:"device_id,omitempty"`
	State       string    `json:"state"`
	Fingerprint string    `json:"fingerprint_sha256"`
	NotAfter    time.Time `json:"not_after"`
	Reason      string    `json:"reason,omitempty"`
}

type certList struct {
	config.Data
	program.Output
	Filter string `arg:"" optional:"" help:"Such as 'device:btn-* state:due'."`
}

// Run lists certificates.
func (c *certList) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		all, err := pages[certificate](ctx, l, "/api/v1/security/certificates", url.Values{"filter": {c.Filter}})
		if err != nil {
			return err
		}
		return c.Print(env, all, func(w io.Writer) error {
			rows := [][]string{{"serial", "kind", "device", "state", "until"}}
			for _, v := range all {
				rows = append(rows, []string{v.Serial, v.Kind, v.DeviceID, v.State, v.NotAfter.Format(time.RFC3339)})
			}
			return program.Table(w, rows)
		})
	})
}

type certIssue struct {
	config.Data
	program.Output
	Device string `arg:"" help:"The device's id."`
	CSR    string `name:"csr" placeholder:"FILE" help:"Its certificate request, PEM, - for standard input; without it the hub makes a key."`
	Out    string `name:"out" placeholder:"DIR" help:"Write device.crt, ca.crt and, if the hub made it, device.key there."`
}

// issued is the hub's answer.
type issued struct {
	certificate
	Certificate string `json:"certificate"`
	Chain       string `json:"chain"`
	PrivateKey  string `json:"private_key,omitempty"`
}

// Run issues a certificate.
func (c *certIssue) Run(ctx context.Context, env *program.Env) error {
	in := map[string]any{"device_id": c.Device}
	if c.CSR != "" {
		b, err := readFileOr(c.CSR, env.Stdin)
		if err != nil {
			return err
		}
		in["csr"] = string(b)
	}
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		var v issued
		if err := l.Call(ctx, http.MethodPost, "/api/v1/security/certificates", nil, in, &v); err != nil {
			return err
		}
		if c.Out != "" {
			dir := secretfile.Dir(c.Out)
			if err := dir.Make(); err != nil {
				return err
			}
			for name, text := range map[string]string{"device.crt": v.Certificate, "ca.crt": v.Chain, "device.key": v.PrivateKey} {
				if text == "" {
					continue
				}
				if err := secretfile.Write(dir.Path(name), []byte(text)); err != nil {
					return err
				}
			}
			v.PrivateKey = "" // it is in the file
		}
		return c.Print(env, v, func(w io.Writer) error {
			if c.Out != "" {
				_, err := fmt.Fprintf(w, "certificate %s of %s is in %s, good until %s\n", v.Serial, v.DeviceID, c.Out, v.NotAfter.Format(time.RFC3339))
				return err
			}
			_, err := io.WriteString(w, v.Certificate+v.Chain+v.PrivateKey)
			return err
		})
	})
}

func readFileOr(name string, in io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(in, 64<<10))
	}
	return os.ReadFile(name)
}

type certRevoke struct {
	config.Data
	Serial string `arg:"" help:"The certificate's serial number."`
	Reason string `name:"reason" default:"unspecified" help:"unspecified, key_compromise, superseded or cessation_of_operation."`
}

// Run revokes a certificate.
func (c *certRevoke) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		path := "/api/v1/security/certificates/" + url.PathEscape(c.Serial) + "?reason=" + url.QueryEscape(c.Reason)
		return l.Call(ctx, http.MethodDelete, path, nil, nil, nil)
	})
}

type certCA struct{ config.Data }

// Run prints the site's authority.
func (c *certCA) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) (err error) {
		resp, err := l.Send(ctx, http.MethodGet, "/api/v1/provision/ca.crt", "", nil, nil)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		_, err = io.Copy(env.Stdout, resp.Body)
		return err
	})
}

type certRoll struct{ config.Data }

// Run begins a new authority.
func (c *certRoll) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		return l.Call(ctx, http.MethodPost, "/api/v1/security/authority", nil, nil, nil)
	})
}

type clock struct {
	Show clockShow `cmd:"" default:"withargs" help:"What the hub's clock says, and where it has the time from."`
	Set  clockSet  `cmd:"" help:"Tell the hub the time, or confirm the one that it has."`
}

// reading is what the command line shows of the clock.
type reading struct {
	Now     time.Time `json:"now"`
	Source  string    `json:"source"`
	Trusted bool      `json:"trusted"`
	System  time.Time `json:"system"`
	Ahead   float64   `json:"unconfirmed_jump_s,omitempty"`
}

func (r reading) print(w io.Writer) error {
	rows := [][]string{{"now", r.Now.Format(time.RFC3339)}, {"source", r.Source}, {"trusted", fmt.Sprint(r.Trusted)}}
	if r.Ahead != 0 {
		ahead := time.Duration(r.Ahead * float64(time.Second)).Round(time.Minute)
		rows = append(rows, []string{"unconfirmed", "the system's clock is " + ahead.String() + " ahead of what is known: obedio-hub clock set --confirm"})
	}
	return program.Table(w, rows)
}

type clockShow struct {
	config.Data
	program.Output
}

// Run shows the clock.
func (c *clockShow) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		var r reading
		if err := l.Call(ctx, http.MethodGet, "/api/v1/system/clock", nil, nil, &r); err != nil {
			return err
		}
		return c.Print(env, r, r.print)
	})
}

type clockSet struct {
	config.Data
	program.Output
	Confirm bool   `name:"confirm" help:"The system's clock is right."`
	Now     string `arg:"" optional:"" help:"The time, as 2026-05-01T12:00:00Z."`
}

// Run sets or confirms the clock; only a running hub keeps what it is told.
func (c *clockSet) Run(ctx context.Context, env *program.Env) error {
	in := map[string]any{}
	switch {
	case c.Confirm == (c.Now != ""):
		return program.Usagef("say the time, or --confirm")
	case c.Confirm:
		in["confirm"] = true
	default:
		t, err := time.Parse(time.RFC3339, c.Now)
		if err != nil {
			return program.Usagef("%s", err)
		}
		in["now"] = t
	}
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		var r reading
		if err := l.Call(ctx, http.MethodPut, "/api/v1/system/clock", nil, in, &r); err != nil {
			return err
		}
		return c.Print(env, r, r.print)
	})
}
