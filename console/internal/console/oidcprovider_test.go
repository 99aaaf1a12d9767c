package console

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// identityProvider is an OpenID provider over TLS with its storage in memory.
// Anna and Bert have the password "verysecure".
type identityProvider struct {
	*httptest.Server
	t     testing.TB
	store *providerStorage
}

// providerStorage is the storage of the provider, with what tests change.
type providerStorage struct {
	*storage.Storage
	mu sync.Mutex // guards the rest
	// groups are the values of the claim of that name, by subject.
	groups map[string]any
	// nonce takes the place of the one that was asked for.
	nonce string
	// lifetime of id tokens.
	lifetime time.Duration
	// token takes the place of the id token in the next answer.
	token func(string) string
	down  bool
	// inToken says whether claims are in the id token or told on asking.
	inToken bool
}

type providerUsers struct{}

func (providerUsers) ExampleClientID() string { return "service" }

func (providerUsers) GetUserByID(id string) *storage.User {
	for _, u := range []*storage.User{
		{ID: "sub-anna", Username: "anna", FirstName: "Anna", LastName: "A", Email: "anna@id.example"},
		{ID: "sub-bert", Username: "bert", FirstName: "Bert", LastName: "B", Email: "bert@id.example"},
	} {
		if u.ID == id {
			u.Password = "verysecure"
			return u
		}
	}
	return nil
}

func (p providerUsers) GetUserByUsername(name string) *storage.User {
	return p.GetUserByID("sub-" + name)
}

func (s *providerStorage) addGroups(info *oidc.UserInfo, subject string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g, ok := s.groups[subject]; ok {
		info.AppendClaims("groups", g)
	}
}

func (s *providerStorage) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, r op.IDTokenRequest, scopes []string) error {
	s.addGroups(info, r.GetSubject())
	return s.Storage.SetUserinfoFromRequest(ctx, info, r, scopes)
}

func (s *providerStorage) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, token, subject, origin string) error {
	s.addGroups(info, subject)
	return s.Storage.SetUserinfoFromToken(ctx, info, token, subject, origin)
}

func (s *providerStorage) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	r, err := s.Storage.AuthRequestByCode(ctx, code)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || s.nonce == "" {
		return r, err
	}
	changed := *r.(*storage.AuthRequest)
	changed.Nonce = s.nonce
	return &changed, nil
}

func (s *providerStorage) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := s.Storage.GetClientByClientID(ctx, id)
	return providerClient{c, s}, err
}

type providerClient struct {
	op.Client
	s *providerStorage
}

func (c providerClient) IDTokenLifetime() time.Duration {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.s.lifetime
}

func (c providerClient) IDTokenUserinfoClaimsAssertion() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.s.inToken
}

// set changes the provider.
func (p *identityProvider) set(change func(*providerStorage)) {
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	change(p.store)
}

// newProvider runs a provider that knows the clients "console", which comes
// back to callback, and "other".
func newProvider(t testing.TB, callback string) *identityProvider {
	t.Helper()
	p := &identityProvider{t: t, store: &providerStorage{
		lifetime: time.Hour, inToken: true, groups: map[string]any{"sub-anna": []string{"crew", "captains"}},
		Storage: storage.NewStorageWithClients(providerUsers{}, map[string]*storage.Client{
			"console": storage.WebClient("console", "the-secret", callback),
			"other":   storage.WebClient("other", "its-secret", "https://other.example/callback"),
		}),
	}}
	var handler http.Handler
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, handler) }))
	p.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	p.StartTLS()
	t.Cleanup(p.Close)
	config := &op.Config{CryptoKey: [32]byte{1}, CryptoKeyId: "key1", CodeMethodS256: true, AuthMethodPost: true}
	var err error
	if handler, err = op.NewProvider(config, p.store, op.StaticIssuer(p.URL), op.WithLogger(slog.New(slog.DiscardHandler))); err != nil {
		t.Fatal(err)
	}
	return p
}

// serve is the provider with a page to sign in, and with what tests break.
func (p *identityProvider) serve(w http.ResponseWriter, r *http.Request, provider http.Handler) {
	p.store.mu.Lock()
	down, token := p.store.down, p.store.token
	p.store.mu.Unlock()
	switch {
	case down:
		http.Error(w, "down for maintenance", http.StatusBadGateway)
	case r.URL.Path == "/login/username":
		id := r.FormValue("authRequestID")
		if err := p.store.CheckUsernamePassword(r.FormValue("username"), r.FormValue("password"), id); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		http.Redirect(w, r, p.URL+"/authorize/callback?id="+id, http.StatusFound)
	case r.URL.Path == "/oauth/token" && token != nil:
		rec := httptest.NewRecorder()
		provider.ServeHTTP(rec, r)
		var answer map[string]any
		if json.Unmarshal(rec.Body.Bytes(), &answer) == nil && answer["id_token"] != nil {
			answer["id_token"] = token(answer["id_token"].(string))
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(rec.Code)
		_ = json.NewEncoder(w).Encode(answer)
	default:
		provider.ServeHTTP(w, r)
	}
}

func (p *identityProvider) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.Certificate())
	return pool
}

// signIn signs a person in at the address to which the browser was sent, and
// returns the address to which the provider sends it back.
func (p *identityProvider) signIn(to, username string) string {
	p.t.Helper()
	c := p.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for range 5 {
		resp, err := c.Get(to)
		if err != nil {
			p.t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		next, err := resp.Location()
		if err != nil {
			p.t.Fatalf("%s: %s %s", to, resp.Status, body)
		}
		if next.Host != strings.TrimPrefix(p.URL, "https://") {
			return next.String()
		}
		if next.Path == "/login/username" {
			next.RawQuery += "&" + url.Values{"username": {username}, "password": {"verysecure"}}.Encode()
		}
		to = next.String()
	}
	p.t.Fatal("the provider leads nowhere")
	return ""
}

// tokenOfOther is an id token that the provider has made for another client,
// with the nonce that the console has asked for.
func (p *identityProvider) tokenOfOther(nonce, username string) string {
	p.t.Helper()
	back, err := url.Parse(p.signIn(p.URL+"/authorize?"+url.Values{
		"client_id": {"other"}, "redirect_uri": {"https://other.example/callback"}, "response_type": {"code"},
		"scope": {"openid profile"}, "state": {"x"}, "nonce": {nonce},
	}.Encode(), username))
	if err != nil {
		p.t.Fatal(err)
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {"https://other.example/callback"}}
	req, err := http.NewRequest(http.MethodPost, p.URL+"/oauth/token", bytes.NewBufferString(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("other", "its-secret")
	resp, err := p.Client().Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		IDToken string `json:"id_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.IDToken == "" {
		p.t.Fatalf("no token: %s, %v", resp.Status, err)
	}
	return answer.IDToken
}
