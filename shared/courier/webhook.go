package courier

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/obedio/obedio/shared/fleet"
)

// Refusal is an answer that is no acceptance.
type Refusal struct {
	Reason string
	// Final: it will be no other next time.
	Final bool
}

// Error implements error.
func (r *Refusal) Error() string { return r.Reason }

// Never is a final refusal.
func Never(reason string) error { return &Refusal{reason, true} }

// Headers of a webhook call.
const (
	// HeaderSignature is t=SECONDS,v1=HEX: the HMAC-SHA256, under the rule's key, of
	// the seconds, a full stop, and the body.
	HeaderSignature = "Obedio-Signature"
	// HeaderDelivery is the same in each try.
	HeaderDelivery = "Obedio-Delivery"
)

// MinSecret is the least length of a key that signs webhook calls, in bytes.
const MinSecret = 16

// Sign is the value of HeaderSignature.
func Sign(secret []byte, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(t + "."))
	h.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(h.Sum(nil))
}

// CheckURL reports as fleet.ErrInvalid a URL that cannot be called.
func CheckURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return fmt.Errorf("%w: webhook.url: want http:// or https:// with a host and without a password", fleet.ErrInvalid)
	}
	return nil
}

// Host is what people may see of a webhook's URL: its path may be a secret.
func Host(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	return u.Host
}

// CallerConfig is what NewCaller needs. Zero fields take their defaults.
type CallerConfig struct {
	// Agent names the program to receivers.
	Agent string
	// Dial reaches receivers; a net.Dialer by default.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Timeout of each step of a call; 30 s.
	Timeout time.Duration
	// Now is the clock of signatures; time.Now.
	Now func() time.Time
}

// Caller calls webhooks. It may be used from any goroutine.
type Caller struct {
	c      CallerConfig
	client *retryablehttp.Client
}

// NewCaller returns a caller.
func NewCaller(c CallerConfig) *Caller {
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: c.Timeout}).DialContext
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	r := retryablehttp.NewClient()
	r.HTTPClient = &http.Client{
		Transport: &http.Transport{
			DialContext: c.Dial, TLSHandshakeTimeout: c.Timeout, ResponseHeaderTimeout: c.Timeout, MaxResponseHeaderBytes: 64 << 10,
			ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 1,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a captive portal's redirect is no delivery
		},
	}
	r.Logger = nil
	// One more at once, for a connection that was closed meanwhile; all other
	// patience is the queue's, which survives a restart.
	r.RetryMax = 1
	r.RetryWaitMin, r.RetryWaitMax = 100*time.Millisecond, time.Second
	r.CheckRetry = func(ctx context.Context, _ *http.Response, err error) (bool, error) {
		var dial *net.OpError
		return err != nil && ctx.Err() == nil && !(errors.As(err, &dial) && dial.Op == "dial"), ctx.Err()
	}
	r.ErrorHandler = retryablehttp.PassthroughErrorHandler
	return &Caller{c, r}
}

// Call makes one call of a webhook with a JSON body; id is the delivery's, and
// secret signs it unless it is empty. The error is a Refusal when there was an
// answer.
func (k *Caller) Call(ctx context.Context, url, id string, secret, body []byte) error {
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return Never(strings.ReplaceAll(err.Error(), url, "the webhook"))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", k.c.Agent)
	req.Header.Set(HeaderDelivery, id)
	if len(secret) > 0 {
		req.Header.Set(HeaderSignature, Sign(secret, k.c.Now(), body))
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return errors.New(strings.ReplaceAll(err.Error(), url, "the webhook"))
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		return nil
	case resp.StatusCode >= 400 && resp.StatusCode < 500 && resp.StatusCode != http.StatusRequestTimeout &&
		resp.StatusCode != http.StatusTooEarly && resp.StatusCode != http.StatusTooManyRequests:
		return Never("answered " + resp.Status)
	}
	return &Refusal{Reason: "answered " + resp.Status}
}
