package join

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/obedio/obedio/shared/identity"
)

// timeout of one call to the hub.
const timeout = 20 * time.Second

// trust gets the certificates that a site's devices are to trust, and returns the
// one with a fingerprint; all of them, when the device was told none. Whose answer
// it is need not be known: the fingerprint says whether it is the right one.
func trust(ctx context.Context, url, fingerprint string) (*x509.CertPool, error) {
	c := client(&tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true})
	b, err := call(ctx, c, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("get the site's certificates: %w", err)
	}
	pool, n := x509.NewCertPool(), 0
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read the site's certificates: %w", err)
		}
		if fingerprint == "" || identity.Fingerprint(cert) == fingerprint {
			pool.AddCert(cert)
			n++
		}
	}
	if n == 0 {
		return nil, fmt.Errorf("%w: none of its certificates has the fingerprint %s", ErrImpostor, fingerprint)
	}
	return pool, nil
}

// ErrImpostor: what answers is not the hub that the QR code is of.
var ErrImpostor = errors.New("this is another hub")

// trusting are the settings of a device without a certificate.
func trusting(pool *x509.CertPool) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, ServerName: identity.SiteServerName}
}

// client is for one claim: its connection ends with the answer.
func client(t *tls.Config) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{TLSClientConfig: t, DisableKeepAlives: true}}
}

// maxAnswer of the hub, in bytes.
const maxAnswer = 64 << 10

// call makes one request; what is not a success is a *Refusal, or the error of
// the connection.
func call(ctx context.Context, c *http.Client, method, url string, body io.Reader) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.Do(req)
	if err != nil {
		var unknown x509.UnknownAuthorityError
		if errors.As(err, &unknown) {
			err = fmt.Errorf("%w: %w", ErrImpostor, err)
		}
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, refusal(resp.StatusCode, b)
	}
	return b, nil
}
