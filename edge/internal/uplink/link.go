package uplink

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"github.com/hashicorp/go-retryablehttp"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"
	"github.com/obedio/obedio/proto/gen/obedio/v1/obediov1connect"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
)

// maxAnswer is the most that is read of an answer, after decompression.
const maxAnswer = 4 << 20

// stored is the hub's identity towards its console, as it is stored.
type stored struct {
	URL   string       `json:"url"`
	HubID fleet.HubID  `json:"hub_id"`
	Site  fleet.SiteID `json:"site_id"`
	Key   []byte       `json:"key"`   // PKCS #8, DER
	Chain [][]byte     `json:"chain"` // DER, leaf first
	Root  []byte       `json:"root"`  // DER
}

const (
	identityKey = "identity"
	pendingKey  = "pending_key"
)

// link is a client of one console.
type link struct {
	url       string
	hubID     fleet.HubID
	client    obediov1connect.HubLinkClient
	transport *http.Transport
	// bulk is a client with a connection of its own, for what can wait: a call for
	// help does not stand behind it. nil for a link that carries none.
	bulk *link
}

func (l *link) close() {
	l.transport.CloseIdleConnections()
	if l.bulk != nil {
		l.bulk.close()
	}
}

// openLink makes a client from the stored identity; nil when there is none.
func (u *Uplink) openLink() (*link, error) {
	s, found, err := store.Link[stored](u.c.Store, identityKey)
	if err != nil || !found {
		return nil, err
	}
	key, err := identity.DecodeKey(s.Key)
	if err != nil {
		return nil, fmt.Errorf("read link identity: %w", err)
	}
	root, err := x509.ParseCertificate(s.Root)
	if err != nil {
		return nil, fmt.Errorf("read fleet root: %w", err)
	}
	own := tls.Certificate{Certificate: s.Chain, PrivateKey: key}
	l := u.dial(s.URL, s.HubID, identity.HubClient(own, root, u.c.now))
	l.bulk = u.dial(s.URL, s.HubID, identity.HubClient(own, root, u.c.now))
	return l, nil
}

// dial returns a client; it opens no connection.
func (u *Uplink) dial(url string, hub fleet.HubID, settings *tls.Config) *link {
	t := &http.Transport{
		DialContext: u.c.Dial, TLSClientConfig: settings, TLSHandshakeTimeout: 30 * time.Second,
		ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 2, IdleConnTimeout: 10 * time.Minute,
		ResponseHeaderTimeout: u.c.CallTimeout + u.c.PullWait, MaxResponseHeaderBytes: 64 << 10,
		// connect compresses by itself; a second layer would only hide sizes.
		DisableCompression: true,
	}
	retry := retryablehttp.NewClient()
	retry.HTTPClient = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a captive portal's redirect is a link fault
	}}
	retry.Logger = nil
	retry.RetryMax = 1
	retry.RetryWaitMin, retry.RetryWaitMax = 500*time.Millisecond, 5*time.Second
	retry.CheckRetry = checkRetry
	retry.Backoff = retryablehttp.LinearJitterBackoff
	// Without this the code and the details of the console's error are lost.
	retry.ErrorHandler = retryablehttp.PassthroughErrorHandler
	return &link{
		url: url, hubID: hub, transport: t,
		client: obediov1connect.NewHubLinkClient(retry.StandardClient(), url,
			connect.WithSendGzip(), connect.WithCompressMinBytes(512), connect.WithReadMaxBytes(maxAnswer)),
	}
}

// checkRetry tries once more what may pass by itself: a transport error, 503
// and 429. Each try is paid for by the byte, and a call that failed on its
// merits fails again.
func checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		var cert *tls.CertificateVerificationError
		if errors.As(err, &cert) || errors.Is(err, fleet.ErrUnauthenticated) {
			return false, nil
		}
		return true, nil
	}
	return resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusTooManyRequests, nil
}

// Enroll gives the hub its identity towards the console that made the claim.
// It may be repeated: the same claim with the same key gets the same answer.
// fleet.ErrInvalid: the claim is for another site. Errors of the console keep
// their Connect code.
func (u *Uplink) Enroll(ctx context.Context, by fleet.Actor, c identity.Claim) (fleet.HubID, error) {
	if c.Site != u.c.Site {
		return "", fmt.Errorf("%w: the claim is for site %s, this hub is of site %s", fleet.ErrInvalid, c.Site, u.c.Site)
	}
	if !c.ExpiresAt.IsZero() && u.c.now().After(c.ExpiresAt) {
		return "", fmt.Errorf("%w: the claim ended at %s: get a new one from the console", fleet.ErrExpired, c.ExpiresAt.Format(time.RFC3339))
	}
	// The key is stored before it is shown: a second try must use the same.
	der, err := u.pendingKey(ctx)
	if err != nil {
		return "", err
	}
	key, err := identity.DecodeKey(der)
	if err != nil {
		return "", err
	}
	csr, err := identity.Request(key, string(u.c.Site))
	if err != nil {
		return "", err
	}
	var siteCSR []byte
	if u.c.Authority != nil {
		if siteCSR, err = u.c.Authority.Request(); err != nil {
			return "", err
		}
	}
	l := u.dial(c.URL, "", identity.EnrolClient(c.FleetRoot, u.c.now))
	defer l.close()
	ctx, cancel := context.WithTimeout(ctx, u.c.CallTimeout)
	defer cancel()
	answer, err := l.client.Enrol(ctx, connect.NewRequest(&pb.EnrolRequest{
		SiteId: string(c.Site), Claim: c.Secret, Csr: csr, SiteCsr: siteCSR, InstallId: u.c.Install, HubVersion: u.c.Version,
	}))
	if err != nil {
		return "", fmt.Errorf("enrol at %s: %w", c.URL, err)
	}
	m := answer.Msg
	hub, err := fleet.ParseUUID[fleet.HubID]("hub_id", m.HubId)
	if err != nil {
		return "", fmt.Errorf("enrol at %s: %w", c.URL, err)
	}
	if err := checkEnrolled(m, key.Public(), c); err != nil {
		return "", fmt.Errorf("enrol at %s: %w", c.URL, err)
	}
	if err := u.certified(m.SiteChain, m.FleetRoot); err != nil {
		return "", fmt.Errorf("enrol at %s: %w", c.URL, err)
	}
	err = u.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		if err := tx.PutLink(identityKey, stored{
			URL: c.URL, HubID: hub, Site: c.Site, Key: der, Chain: m.HubChain, Root: m.FleetRoot,
		}); err != nil {
			return err
		}
		return tx.Audit(by, "hub.enrolled", string(hub), map[string]string{
			"url": c.URL, "console_id": m.ConsoleId, "fleet_root_sha256": c.FleetRoot,
		})
	})
	if err != nil {
		return "", fmt.Errorf("store link identity: %w", err)
	}
	u.enrolled.Store(true)
	signal(u.wake)
	u.SyncNow()
	return hub, nil
}

func (u *Uplink) pendingKey(ctx context.Context) ([]byte, error) {
	der, found, err := store.Link[[]byte](u.c.Store, pendingKey)
	if err != nil || found {
		return der, err
	}
	key, err := identity.NewKey()
	if err != nil {
		return nil, err
	}
	if der, err = identity.EncodeKey(key); err != nil {
		return nil, err
	}
	err = u.c.Store.Update(ctx, func(tx *store.Tx) error { return tx.PutLink(pendingKey, der) })
	if err != nil {
		return nil, fmt.Errorf("store the hub's key: %w", err)
	}
	return der, nil
}

// checkEnrolled makes sure that the answer is usable before it replaces
// anything: our key is certified, and the root is the claim's.
func checkEnrolled(m *pb.EnrolResponse, key crypto.PublicKey, c identity.Claim) error {
	if m.SiteId != string(c.Site) || len(m.HubChain) == 0 {
		return fmt.Errorf("%w: the answer is for site %q with %d certificates", fleet.ErrInvalid, m.SiteId, len(m.HubChain))
	}
	leaf, err := x509.ParseCertificate(m.HubChain[0])
	if err != nil {
		return fmt.Errorf("%w: hub certificate: %w", fleet.ErrInvalid, err)
	}
	if pub, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(key) {
		return fmt.Errorf("%w: hub certificate is for another key", fleet.ErrInvalid)
	}
	root, err := x509.ParseCertificate(m.FleetRoot)
	if err != nil {
		return fmt.Errorf("%w: fleet root: %w", fleet.ErrInvalid, err)
	}
	if identity.Fingerprint(root) != c.FleetRoot {
		return fmt.Errorf("%w: the fleet root is not the claim's", fleet.ErrUnauthenticated)
	}
	return nil
}
