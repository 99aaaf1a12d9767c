package flotilla

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"
	"github.com/obedio/obedio/proto/gen/obedio/v1/obediov1connect"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
)

// Shore is the console's REST interface, as the owner of a fleet uses it.
type Shore struct {
	// URL such as http://127.0.0.1:8090.
	URL string
	// Token of somebody who may register sites and make claims.
	Token string
	// Client; one with a timeout of 30 s if nil.
	Client *http.Client
}

// claim registers a site, unless it is registered, and makes a claim for it.
func (s Shore) claim(ctx context.Context, id fleet.SiteID, name string) (identity.Claim, error) {
	err := s.call(ctx, "/api/v1/sites", map[string]string{"site_id": string(id), "name": name}, nil)
	var no *answer
	if err != nil && (!errors.As(err, &no) || no.status != http.StatusConflict) {
		return identity.Claim{}, err
	}
	var raw json.RawMessage
	if err := s.call(ctx, "/api/v1/sites/"+url.PathEscape(string(id))+"/claim", nil, &raw); err != nil {
		return identity.Claim{}, err
	}
	return identity.ParseClaim(raw)
}

// answer is the console's no.
type answer struct {
	status int
	text   string
	wait   time.Duration // Retry-After
}

func (a *answer) Error() string { return fmt.Sprintf("%d %s", a.status, a.text) }

func (s Shore) call(ctx context.Context, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(s.URL, "/")+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+s.Token)
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	client := s.Client
	if client == nil {
		client = &http.Client{Timeout: 30 * time.Second}
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		a := &answer{status: resp.StatusCode, text: http.StatusText(resp.StatusCode)}
		var problem struct{ Title, Detail string }
		if json.Unmarshal(b, &problem) == nil && problem.Title != "" {
			a.text = strings.TrimSuffix(problem.Title+": "+problem.Detail, ": ")
		}
		if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
			a.wait = time.Duration(n) * time.Second
		}
		return fmt.Errorf("POST %s: %w", path, a)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

// ReadClaims reads claim files, one after the other.
func ReadClaims(r io.Reader) ([]identity.Claim, error) {
	var claims []identity.Claim
	var wrong error
	err := values(r, "claims", func(raw json.RawMessage) {
		c, err := identity.ParseClaim(raw)
		if err != nil && wrong == nil {
			wrong = fmt.Errorf("claim %d: %w", len(claims)+1, err)
		}
		claims = append(claims, c)
	})
	return claims, errors.Join(err, wrong)
}

// enrolAtOnce is how many hubs enrol at a time.
const enrolAtOnce = 8

// enrol gives an identity to every hub that has none.
func (f *Flotilla) enrol(ctx context.Context, known map[fleet.SiteID]stored) ([]stored, error) {
	all := make([]stored, len(f.sites))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e := &enroller{f: f}
	defer e.close()
	gate := make(chan struct{}, enrolAtOnce)
	var wg sync.WaitGroup
	for i, site := range f.sites {
		if have, ok := known[site]; ok && f.c.now().Before(have.NotAfter) {
			all[i] = have
			continue
		}
		if ctx.Err() != nil {
			break
		}
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			got, err := e.enrol(ctx, site, i)
			if err == nil {
				err = f.state.enrolled(got)
			}
			if err != nil {
				cancel(fmt.Errorf("enrol %s: %w", site, err))
				return
			}
			all[i] = got
			if n := f.count.enrolled.Add(1); n%500 == 0 {
				f.c.Logger.Info("hubs enrol", "enrolled", n, "of", len(f.sites))
			}
		})
	}
	wg.Wait()
	return all, context.Cause(ctx)
}

// enroller enrols hubs over connections that they share: none has a certificate
// yet.
type enroller struct {
	f *Flotilla

	mu      sync.Mutex // guards clients
	clients map[string]*enrolClient
}

type enrolClient struct {
	transport *http.Transport
	link      obediov1connect.HubLinkClient
}

func (e *enroller) client(link, root string) obediov1connect.HubLinkClient {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c, ok := e.clients[link+root]; ok {
		return c.link
	}
	t := &http.Transport{
		TLSClientConfig: identity.EnrolClient(root, e.f.c.now), ForceAttemptHTTP2: true, TLSHandshakeTimeout: handshakeTimeout,
		DisableCompression: true,
	}
	c := &enrolClient{transport: t, link: obediov1connect.NewHubLinkClient(
		&http.Client{Transport: t}, link, connect.WithReadMaxBytes(maxAnswer))}
	if e.clients == nil {
		e.clients = map[string]*enrolClient{}
	}
	e.clients[link+root] = c
	return c.link
}

func (e *enroller) close() {
	for _, c := range e.clients {
		c.transport.CloseIdleConnections()
	}
}

// enrol claims a site with a key of its own.
func (e *enroller) enrol(ctx context.Context, site fleet.SiteID, i int) (stored, error) {
	var claim identity.Claim
	if len(e.f.c.Claims) > 0 {
		claim = e.f.c.Claims[i]
	} else {
		err := e.f.politely(ctx, func() (err error) {
			claim, err = e.f.c.Shore.claim(ctx, site, nameOf(chanceOf(e.f.c.Seed, string(site)), site))
			return err
		})
		if err != nil {
			return stored{}, err
		}
	}
	s := stored{URL: claim.URL, Site: site, FleetRoot: claim.FleetRoot, Install: string(fleet.NewUUID[fleet.HubID](e.f.c.now()))}
	key, err := identity.NewKey()
	if err != nil {
		return s, err
	}
	if s.Key, err = identity.EncodeKey(key); err != nil {
		return s, err
	}
	csr, err := identity.Request(key, string(site))
	if err != nil {
		return s, err
	}
	link := claim.URL
	if e.f.c.HubLink != "" {
		link = "https://" + e.f.c.HubLink
	}
	var m *pb.EnrolResponse
	err = e.f.politely(ctx, func() error {
		call, cancel := context.WithTimeout(ctx, e.f.c.CallTimeout)
		defer cancel()
		got, err := e.client(link, claim.FleetRoot).Enrol(call, connect.NewRequest(&pb.EnrolRequest{
			SiteId: string(site), Claim: claim.Secret, Csr: csr, InstallId: s.Install, HubVersion: e.f.c.Version,
		}))
		if err == nil {
			m = got.Msg
		}
		return err
	})
	if err != nil {
		return s, err
	}
	if s.Hub, err = fleet.ParseUUID[fleet.HubID]("hub_id", m.HubId); err != nil {
		return s, err
	}
	s.Chain, s.Root = m.HubChain, m.FleetRoot
	root, err := x509.ParseCertificate(m.FleetRoot)
	if err != nil {
		return s, fmt.Errorf("fleet root: %w", err)
	}
	if identity.Fingerprint(root) != claim.FleetRoot || len(m.HubChain) == 0 {
		return s, fmt.Errorf("%w: the fleet root is not the claim's", fleet.ErrUnauthenticated)
	}
	leaf, err := x509.ParseCertificate(m.HubChain[0])
	if err != nil {
		return s, fmt.Errorf("hub certificate: %w", err)
	}
	s.NotAfter = leaf.NotAfter
	return s, nil
}

// politely makes a call, and again later when the console says that it is too
// much, or is not there.
func (f *Flotilla) politely(ctx context.Context, call func() error) error {
	chance := chanceOf(f.c.Seed, "enrol")
	for try := 0; ; try++ {
		err := call()
		wait, again := later(err)
		if !again || ctx.Err() != nil || try == enrolTries {
			return err
		}
		f.count.retries.Add(1)
		most := min(backOffMost, time.Second<<min(try, 6))
		if !sleep(ctx, nil, max(wait, time.Duration((0.5+chance.Float64()/2)*float64(most)))) {
			return err
		}
	}
}

// enrolTries of one call, with pauses of up to a minute.
const enrolTries = 20

// later reports whether a call may work later, and how long the console wants
// to be left alone.
func later(err error) (wait time.Duration, again bool) {
	var no *answer
	if errors.As(err, &no) {
		return no.wait, no.status == http.StatusTooManyRequests || no.status == http.StatusServiceUnavailable
	}
	code := connect.CodeOf(err)
	return 0, err != nil && (code == connect.CodeResourceExhausted || code == connect.CodeUnavailable || code == connect.CodeDeadlineExceeded)
}
