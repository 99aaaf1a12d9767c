package provision

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"rsc.io/qr"

	"github.com/obedio/obedio/shared/identity"
)

// Payload is the content of a provisioning QR code, version 2.0.
type Payload struct {
	Version                string `json:"version"`
	Protocol               string `json:"protocol"`
	Token                  string `json:"token"`
	Site                   string `json:"site"`
	Room                   string `json:"room"`
	DeviceType             string `json:"deviceType"`
	MQTTBrokerURL          string `json:"mqttBrokerUrl"`
	SecurityProfile        string `json:"securityProfile"`
	CertificateDownloadURL string `json:"certificateDownloadUrl,omitempty"`
	ConfigurationHash      string `json:"configurationHash"`
	// The extension: where to claim, the SHA-256 of the certificate of the site's
	// authority, the end of the token in seconds since 1970, and a signature.
	EnrolURL      string `json:"enrollUrl,omitempty"`
	CAFingerprint string `json:"caFingerprint,omitempty"`
	Exp           int64  `json:"exp,omitempty"`
	// Kid names the key of Sig: the first 16 digits of the SHA-256 of its public
	// key. Sig is Ed25519 (RFC 8032) over the payload without sig as canonical JSON
	// (RFC 8785), in base64url without padding.
	Kid string `json:"kid,omitempty"`
	Sig string `json:"sig,omitempty"`
}

// Payload returns what the QR code of a new token says, signed.
func (p *Provision) Payload(m Made) (Payload, error) {
	config, _, err := p.configuration(m.Room, m.Type, m.Profile)
	if err != nil {
		return Payload{}, err
	}
	at := p.c.Addresses()
	out := Payload{
		Version: "2.0", Protocol: "mqtt", Token: m.SecretText, Site: string(p.c.Site), Room: string(m.Room), DeviceType: string(m.Type),
		MQTTBrokerURL: firstOf(at.MQTTS, at.MQTT, at.WSS, at.WS), SecurityProfile: m.Profile, ConfigurationHash: config.Hash(),
		EnrolURL: at.Enrol, CAFingerprint: identity.Fingerprint(p.c.Authority.ServerAuthority()), Exp: m.ExpiresAt.Unix(), Kid: p.kid,
	}
	if at.Enrol != "" {
		out.CertificateDownloadURL = strings.TrimSuffix(at.Enrol, "/api/v1/provision/claim") + "/api/v1/provision/ca.crt"
	}
	signed, err := out.canonical()
	if err != nil {
		return out, err
	}
	out.Sig = base64.RawURLEncoding.EncodeToString(ed25519.Sign(p.sign, signed))
	return out, nil
}

// SigningKey is the key that QR codes are signed with, and its name.
func (p *Provision) SigningKey() (ed25519.PublicKey, string) {
	return p.sign.Public().(ed25519.PublicKey), p.kid
}

// Verify reports whether the payload was signed with that key.
func (y Payload) Verify(key ed25519.PublicKey) bool {
	sig, err := base64.RawURLEncoding.DecodeString(y.Sig)
	if err != nil {
		return false
	}
	signed, err := y.canonical()
	return err == nil && ed25519.Verify(key, signed, sig)
}

// canonical is the payload without its signature as RFC 8785 writes it: names
// sorted, no spaces, nothing escaped that need not be. All values are ASCII and
// whole numbers, for which encoding/json does the rest.
func (y Payload) canonical() ([]byte, error) {
	y.Sig = ""
	b, err := json.Marshal(y)
	if err != nil {
		return nil, fmt.Errorf("encode QR payload: %w", err)
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("encode QR payload: %w", err)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("encode QR payload: %w", err)
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}

// Text is what the code holds.
func (y Payload) Text() (string, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(y); err != nil {
		return "", fmt.Errorf("encode QR payload: %w", err)
	}
	return strings.TrimRight(out.String(), "\n"), nil
}

// PNG is text as a QR code, with at least four pixels a module.
func PNG(text string) ([]byte, error) {
	c, err := qr.Encode(text, qr.L)
	if err != nil {
		return nil, fmt.Errorf("make QR code: %w", err)
	}
	c.Scale = 6
	return c.PNG(), nil
}

// SVG is text as a QR code: one path of black modules on white, with the quiet
// zone of four modules that the standard asks for (ISO/IEC 18004).
func SVG(text string) (string, error) {
	const quiet = 4
	c, err := qr.Encode(text, qr.L)
	if err != nil {
		return "", fmt.Errorf("make QR code: %w", err)
	}
	var path strings.Builder
	for y := range c.Size {
		for x := 0; x < c.Size; x++ {
			if !c.Black(x, y) {
				continue
			}
			run := 1
			for x+run < c.Size && c.Black(x+run, y) {
				run++
			}
			fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, run, run)
			x += run
		}
	}
	side := c.Size + 2*quiet
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges" role="img">`+
		`<rect width="%d" height="%d" fill="#fff"/><path fill="#000" d="%s"/></svg>`, side, side, side, side, path.String()), nil
}

func firstOf(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}
