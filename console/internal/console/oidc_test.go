package console

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/obedio/obedio/console/internal/oidc"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

// outside is a console with an identity provider.
type outside struct {
	*rig
	url      string
	provider *identityProvider
}

func startOIDC(t *testing.T, change func(*oidc.Config)) *outside {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &outside{url: "http://" + l.Addr().String()}
	o.provider = newProvider(t, o.url+"/api/v1/sessions/oidc/callback")
	c := &oidc.Config{
		Issuer: o.provider.URL, ClientID: "console", ClientSecret: "the-secret", Label: "Fleet account", CA: o.provider.pool(),
		Roles: []oidc.Mapping{
			{Value: "captains", Rights: account.Rights{Role: account.Manager, Sites: []fleet.SiteID{"yacht-1"}}},
			{Value: "pursers", Rights: account.Rights{Role: account.Manager, Sites: []fleet.SiteID{"yacht-2"}}},
			{Value: "owners", Rights: account.Rights{Role: account.Owner}},
		},
	}
	if change != nil {
		change(c)
	}
	o.rig = start(t, Config{OIDC: c, Listeners: Listeners{HTTP: l}})
	return o
}

// browser is somebody's browser at the console: it follows no redirects.
type browser struct {
	*http.Client
	o *outside
}

func (o *outside) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		o.t.Fatal(err)
	}
	return &browser{&http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, o}
}

// get asks for a page and returns the answer with its body read.
func (b *browser) get(address string) (*http.Response, string) {
	b.o.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.o.url + address
	}
	resp, err := b.Get(address)
	if err != nil {
		b.o.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.o.t.Fatal(err)
	}
	return resp, string(body)
}

// begin lets the console send the browser to the provider.
func (b *browser) begin(returnTo string) string {
	b.o.t.Helper()
	resp, body := b.get("/api/v1/sessions/oidc/start?return_to=" + url.QueryEscape(returnTo))
	if resp.StatusCode != http.StatusFound {
		b.o.t.Fatalf("start: %s %s", resp.Status, body)
	}
	return resp.Header.Get("Location")
}

// signIn signs in, and returns the answer of the callback.
func (b *browser) signIn(username string) (*http.Response, string) {
	b.o.t.Helper()
	return b.get(b.o.provider.signIn(b.begin("/fleet?x=1"), username))
}

func (b *browser) who() (v struct {
	User struct {
		ID       string `json:"user_id"`
		Username string
		Name     string
		Role     string
		Sites    []string
	}
}, code int) {
	b.o.t.Helper()
	resp, body := b.get("/api/v1/sessions/current")
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			b.o.t.Fatal(err)
		}
	}
	return v, resp.StatusCode
}

func (o *outside) refuse(t *testing.T, code int, resp *http.Response, body string) {
	t.Helper()
	if resp.StatusCode != code || !strings.Contains(resp.Header.Get("Content-Type"), "problem+json") {
		t.Errorf("got %s %s, want %d", resp.Status, body, code)
	}
	for _, c := range resp.Cookies() {
		if c.Name == "obedio_console" || c.Name == "__Host-obedio_console" {
			t.Errorf("a session was made: %v", c)
		}
	}
}

func TestOIDC_SignsInWithTheRoleOfTheClaim(t *testing.T) {
	o := startOIDC(t, nil)
	b := o.browser()
	if _, body := b.get("/api/v1/sessions/oidc"); !strings.Contains(body, `"enabled":true`) || !strings.Contains(body, `"Fleet account"`) || !strings.Contains(body, `"/api/v1/sessions/oidc/start"`) {
		t.Errorf("told is %s", body)
	}
	resp, body := b.signIn("anna")
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/fleet?x=1" {
		t.Fatalf("callback: %s %s", resp.Status, body)
	}
	who, code := b.who()
	if code != http.StatusOK || who.User.Username != "anna" || who.User.Name != "Anna A" || who.User.Role != "manager" || !slices.Equal(who.User.Sites, []string{"yacht-1"}) {
		t.Fatalf("who is %d %+v", code, who)
	}
	// The next sign-in is the same person, with the role of today.
	for _, c := range [][2]string{
		{"owners", "owner"}, {"captains,pursers", "manager yacht-1 yacht-2"}, {"owners,captains", "owner"}, {"pursers,x", "manager yacht-2"},
	} {
		groups, want := c[0], c[1]
		o.provider.set(func(s *providerStorage) { s.groups["sub-anna"] = strings.Split(groups, ",") })
		again := o.browser()
		again.signIn("anna")
		now, _ := again.who()
		if got := strings.Join(append([]string{now.User.Role}, now.User.Sites...), " "); now.User.ID != who.User.ID || got != want {
			t.Errorf("%s: %+v, want %s", groups, now, want)
		}
	}
	// What was signed in before has it at once.
	if now, _ := b.who(); !slices.Equal(now.User.Sites, []string{"yacht-2"}) {
		t.Errorf("the first session has %+v", now)
	}
}

func TestOIDC_CookiesAreShortLivedAndOfTheHostAlone(t *testing.T) {
	o := startOIDC(t, nil)
	b := o.browser()
	resp, _ := b.get("/api/v1/sessions/oidc/start")
	c := resp.Cookies()[0]
	if c.Name != "obedio_console_oidc" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 600 || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie is %+v", c)
	}
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	q := to.Query()
	if q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q.Get("state")) < 26 || len(q.Get("nonce")) < 26 || q.Get("response_type") != "code" {
		t.Errorf("sent with %v", q)
	}
	for _, secret := range []string{q.Get("state"), q.Get("nonce")} {
		if strings.Contains(c.Value, secret) {
			t.Error("the cookie tells what is in it")
		}
	}
	resp, _ = b.get(o.provider.signIn(to.String(), "anna"))
	cs := resp.Cookies()
	if len(cs) != 2 || cs[0].Name != "obedio_console" || !cs[0].HttpOnly || cs[0].SameSite != http.SameSiteStrictMode || cs[1].Name != "obedio_console_oidc" || cs[1].MaxAge >= 0 {
		t.Errorf("cookies are %v", cs)
	}
	if resp.Header.Get("Location") != "/" {
		t.Errorf("led to %s", resp.Header.Get("Location"))
	}
}

func TestOIDC_OverTLSTheCookieIsBoundToTheHostAndTheAddressIsHTTPS(t *testing.T) {
	o := startOIDC(t, nil)
	s := httptest.NewUnstartedServer(nil)
	s.Config = o.c.API().Server()
	s.StartTLS()
	defer s.Close()
	c := s.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := c.Get(s.URL + "/api/v1/sessions/oidc/start")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if c := resp.Cookies()[0]; c.Name != "__Host-obedio_console_oidc" || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie is %+v", c)
	}
	if to, err := resp.Location(); err != nil || to.Query().Get("redirect_uri") != s.URL+"/api/v1/sessions/oidc/callback" {
		t.Errorf("sent to %v, %v", to, err)
	}
}

func TestOIDC_LeadsToNoOtherSite(t *testing.T) {
	o := startOIDC(t, nil)
	for _, page := range []string{"https://evil.example/", "//evil.example/", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "fleet", "/%0d%0aX: y", "/a\tb"} {
		b := o.browser()
		resp, body := b.get(o.provider.signIn(b.begin(page), "anna"))
		if to := resp.Header.Get("Location"); resp.StatusCode != http.StatusFound || strings.Contains(strings.ToLower(to), "evil") || !strings.HasPrefix(to, "/") || strings.ContainsAny(to, "\r\n\t\\") {
			t.Errorf("%q leads to %q: %s %s", page, to, resp.Status, body)
		}
	}
}

func TestOIDC_AnswersThatDoNotHoldOpenNothing(t *testing.T) {
	o := startOIDC(t, nil)
	edit := func(back string, change func(url.Values)) string {
		u, err := url.Parse(back)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		change(q)
		u.RawQuery = q.Encode()
		return u.String()
	}
	t.Run("wrong state", func(t *testing.T) {
		b := o.browser()
		back := o.provider.signIn(b.begin("/"), "anna")
		for _, state := range []string{"", "x"} {
			resp, body := b.get(edit(back, func(q url.Values) { q.Set("state", state) }))
			o.refuse(t, http.StatusUnauthorized, resp, body)
		}
	})
	t.Run("another browser", func(t *testing.T) {
		back := o.provider.signIn(o.browser().begin("/"), "anna")
		resp, body := o.browser().get(back)
		o.refuse(t, http.StatusUnauthorized, resp, body)
		other := o.browser() // which has begun a sign-in of its own
		other.begin("/")
		resp, body = other.get(back)
		o.refuse(t, http.StatusUnauthorized, resp, body)
	})
	t.Run("a cookie of one's own making", func(t *testing.T) {
		b := o.browser()
		back := o.provider.signIn(b.begin("/"), "anna")
		u, _ := url.Parse(o.url)
		sealed := b.Jar.Cookies(u)[0].Value
		for _, value := range []string{"", "AAAA", sealed[:len(sealed)-2] + "AA", strings.Repeat("A", len(sealed))} {
			b.Jar.SetCookies(u, []*http.Cookie{{Name: "obedio_console_oidc", Value: value, Path: "/"}})
			resp, body := b.get(back)
			o.refuse(t, http.StatusUnauthorized, resp, body)
		}
	})
	t.Run("wrong nonce", func(t *testing.T) {
		b := o.browser()
		o.provider.set(func(s *providerStorage) { s.nonce = "another" })
		resp, body := b.signIn("anna")
		o.provider.set(func(s *providerStorage) { s.nonce = "" })
		o.refuse(t, http.StatusUnauthorized, resp, body)
	})
	t.Run("replayed code", func(t *testing.T) {
		b := o.browser()
		to := b.begin("/")
		u, _ := url.Parse(o.url)
		begun := b.Jar.Cookies(u)
		back := o.provider.signIn(to, "anna")
		if resp, body := b.get(back); resp.StatusCode != http.StatusFound {
			t.Fatalf("the first time: %s %s", resp.Status, body)
		}
		thief := o.browser() // with all that the browser had
		thief.Jar.SetCookies(u, begun)
		resp, body := thief.get(back)
		o.refuse(t, http.StatusUnauthorized, resp, body)
	})
	t.Run("a code of another sign-in", func(t *testing.T) {
		victim, thief := o.browser(), o.browser()
		stolen, _ := url.Parse(o.provider.signIn(victim.begin("/"), "anna"))
		back := o.provider.signIn(thief.begin("/"), "bert")
		resp, body := thief.get(edit(back, func(q url.Values) { q.Set("code", stolen.Query().Get("code")) }))
		o.refuse(t, http.StatusUnauthorized, resp, body) // the verifier is another
	})
	t.Run("other audience", func(t *testing.T) {
		b := o.browser()
		to := b.begin("/")
		asked, _ := url.Parse(to)
		foreign := o.provider.tokenOfOther(asked.Query().Get("nonce"), "anna")
		back := o.provider.signIn(to, "anna")
		o.provider.set(func(s *providerStorage) { s.token = func(string) string { return foreign } })
		resp, body := b.get(back)
		o.provider.set(func(s *providerStorage) { s.token = nil })
		o.refuse(t, http.StatusUnauthorized, resp, body)
	})
	t.Run("expired id token", func(t *testing.T) {
		b := o.browser()
		o.provider.set(func(s *providerStorage) { s.lifetime = -time.Hour })
		resp, body := b.signIn("anna")
		o.provider.set(func(s *providerStorage) { s.lifetime = time.Hour })
		o.refuse(t, http.StatusUnauthorized, resp, body)
	})
	for name, change := range map[string]func(string) string{
		"changed id token": func(s string) string { return s[:len(s)-4] + "AAAA" },
		"unsigned id token": func(s string) string {
			return "eyJhbGciOiJub25lIn0" + s[strings.Index(s, "."):strings.LastIndex(s, ".")+1]
		},
		"no id token": func(string) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			b := o.browser()
			o.provider.set(func(s *providerStorage) { s.token = change })
			resp, body := b.signIn("anna")
			o.provider.set(func(s *providerStorage) { s.token = nil })
			o.refuse(t, http.StatusUnauthorized, resp, body)
		})
	}
	t.Run("an answer of another issuer", func(t *testing.T) {
		b := o.browser()
		resp, body := b.get(edit(o.provider.signIn(b.begin("/"), "anna"), func(q url.Values) { q.Set("iss", "https://evil.example") }))
		o.refuse(t, http.StatusUnauthorized, resp, body)
	})
	t.Run("the provider says no", func(t *testing.T) {
		b := o.browser()
		asked, _ := url.Parse(b.begin("/"))
		resp, body := b.get("/api/v1/sessions/oidc/callback?error=access_denied&state=" + asked.Query().Get("state"))
		o.refuse(t, http.StatusForbidden, resp, body)
		if !strings.Contains(body, "access_denied") {
			t.Errorf("said is %s", body)
		}
	})
	if _, code := o.browser().who(); code != http.StatusUnauthorized {
		t.Errorf("who is %d", code)
	}
}

func TestOIDC_WhoHasNoRoleOrIsDisabledIsRefused(t *testing.T) {
	o := startOIDC(t, nil)
	resp, body := o.browser().signIn("bert") // in no group at all
	o.refuse(t, http.StatusForbidden, resp, body)
	o.provider.set(func(s *providerStorage) { s.groups["sub-bert"] = "stokers" })
	resp, body = o.browser().signIn("bert")
	o.refuse(t, http.StatusForbidden, resp, body)
	var users struct {
		Items []struct {
			ID     string `json:"user_id"`
			Role   string
			Issuer string
			ETag   string
		}
	}
	o.mustAPI("GET", "/api/v1/users", nil, &users)
	if len(users.Items) != 0 {
		t.Errorf("users are %v", users)
	}

	b := o.browser()
	b.signIn("anna")
	o.mustAPI("GET", "/api/v1/users", nil, &users)
	anna := users.Items[0]
	if len(users.Items) != 1 || anna.Issuer != o.provider.URL {
		t.Fatalf("users are %+v", users)
	}
	// Who loses every role loses what was signed in, at the next try.
	o.provider.set(func(s *providerStorage) { s.groups["sub-anna"] = []string{} })
	resp, body = o.browser().signIn("anna")
	o.refuse(t, http.StatusForbidden, resp, body)
	if _, code := b.who(); code != http.StatusUnauthorized {
		t.Errorf("the old session answers %d", code)
	}

	o.provider.set(func(s *providerStorage) { s.groups["sub-anna"] = "owners" })
	if resp, body := b.signIn("anna"); resp.StatusCode != http.StatusFound {
		t.Fatalf("with a role again: %s %s", resp.Status, body)
	}
	by, policy := o.c.Accounts(), account.ConsolePolicy()
	u, err := by.User(t.Context(), policy.Local(), account.UserID(anna.ID))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := by.ChangeUser(t.Context(), policy.Local(), u.ID, u.Version, account.UserChange{Name: u.Name, Role: u.Role, Disabled: true}); err != nil {
		t.Fatal(err)
	}
	resp, body = o.browser().signIn("anna")
	o.refuse(t, http.StatusForbidden, resp, body)
	if _, code := b.who(); code != http.StatusUnauthorized {
		t.Errorf("a disabled user's session answers %d", code)
	}
}

func TestOIDC_TakesOverNoLocalAccountAndHasNoPassword(t *testing.T) {
	o := startOIDC(t, nil)
	o.mustAPI("POST", "/api/v1/users", map[string]any{"username": "Anna", "password": "correct horse", "role": "owner"}, nil)
	b := o.browser()
	b.signIn("anna")
	who, _ := b.who()
	if who.User.Username != "anna@id.example" || who.User.Role != "manager" {
		t.Errorf("who is %+v", who)
	}
	path := "/api/v1/users/" + who.User.ID + "/password"
	if code := o.api("PUT", path, map[string]string{"password": "correct horse"}, nil); code != http.StatusConflict {
		t.Errorf("a password for an external user: %d", code)
	}
	for _, password := range []string{"", "correct horse"} {
		if code := o.password("anna@id.example", password); code != http.StatusUnauthorized {
			t.Errorf("signing in with password %q: %d", password, code)
		}
	}
	// An owner by the provider's word is not the last administrator.
	o.provider.set(func(s *providerStorage) { s.groups["sub-anna"] = "owners" })
	o.browser().signIn("anna")
	u, err := o.c.Accounts().UserByName(t.Context(), account.ConsolePolicy().Local(), "anna")
	if err != nil {
		t.Fatal(err)
	}
	if code := o.api("DELETE", "/api/v1/users/"+string(u.ID), nil, nil); code != http.StatusConflict {
		t.Errorf("the last local owner: %d", code)
	}
}

// password signs in with a local account.
func (o *outside) password(username, password string) int {
	o.t.Helper()
	body, _ := json.Marshal(map[string]string{"username": username, "password": password})
	resp, err := http.Post(o.url+"/api/v1/sessions", "application/json", strings.NewReader(string(body)))
	if err != nil {
		o.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestOIDC_AProviderThatIsAwayHindersNobodyElse(t *testing.T) {
	nowhere, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nowhere.Close()
	o := startOIDC(t, func(c *oidc.Config) { c.Issuer = "https://" + nowhere.Addr().String() })
	o.mustAPI("POST", "/api/v1/users", map[string]any{"username": "olga", "password": "correct horse", "role": "owner"}, nil)
	if code := o.password("olga", "correct horse"); code != http.StatusCreated {
		t.Errorf("a local account: %d", code)
	}
	b := o.browser()
	if _, body := b.get("/api/v1/sessions/oidc"); !strings.Contains(body, `"enabled":true`) {
		t.Errorf("told is %s", body)
	}
	for range 3 {
		resp, body := b.get("/api/v1/sessions/oidc/start")
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, "local account") {
			t.Errorf("start: %s %s", resp.Status, body)
		}
	}
	if resp, _ := b.get("/readyz"); resp.StatusCode != http.StatusOK {
		t.Errorf("ready: %s", resp.Status)
	}
}

func TestOIDC_AProviderThatGoesAwayIsSaidAndComesBack(t *testing.T) {
	o := startOIDC(t, nil)
	b := o.browser()
	back := o.provider.signIn(b.begin("/"), "anna")
	o.provider.set(func(s *providerStorage) { s.down = true })
	resp, body := b.get(back)
	o.refuse(t, http.StatusServiceUnavailable, resp, body)
	o.provider.set(func(s *providerStorage) { s.down = false })
	if resp, body := b.get(back); resp.StatusCode != http.StatusFound {
		t.Errorf("the provider is back: %s %s", resp.Status, body)
	}
}

func TestOIDC_RolesMayBeToldOnAskingAndLieDeep(t *testing.T) {
	o := startOIDC(t, func(c *oidc.Config) { c.RoleClaim = "groups.console" })
	o.provider.set(func(s *providerStorage) {
		s.inToken = false
		s.groups["sub-anna"] = map[string]any{"console": []string{"pursers"}}
	})
	b := o.browser()
	b.signIn("anna")
	if who, _ := b.who(); who.User.Role != "manager" || !slices.Equal(who.User.Sites, []string{"yacht-2"}) {
		t.Errorf("who is %+v", who)
	}
}

func TestOIDC_AnIssuerWithAnUnknownCertificateIsNotAsked(t *testing.T) {
	o := startOIDC(t, func(c *oidc.Config) { c.CA = nil })
	resp, body := o.browser().get("/api/v1/sessions/oidc/start")
	o.refuse(t, http.StatusServiceUnavailable, resp, body)
}

func TestOIDC_OffIsOff(t *testing.T) {
	r := start(t, Config{})
	var told map[string]any
	r.mustAPI("GET", "/api/v1/sessions/oidc", nil, &told)
	if told["enabled"] != false || len(told) != 1 {
		t.Errorf("told is %v", told)
	}
	for _, path := range []string{"/api/v1/sessions/oidc/start", "/api/v1/sessions/oidc/callback?code=x&state=y"} {
		if code := r.api("GET", path, nil, nil); code != http.StatusNotFound {
			t.Errorf("%s: %d", path, code)
		}
	}
}

func TestOIDC_ASignInThatFailsComesBackAsAPage(t *testing.T) {
	o := startOIDC(t, nil)
	page := func(b *browser, address string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
		resp, err := b.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	callback := o.url + "/api/v1/sessions/oidc/callback"
	for _, c := range []struct {
		reason string
		come   func(b *browser) *http.Response
	}{
		{"no_role", func(b *browser) *http.Response { return page(b, o.provider.signIn(b.begin("/"), "bert")) }},
		{"begin_again", func(b *browser) *http.Response { return page(b, callback+"?code=x&state=y") }},
		{"refused", func(b *browser) *http.Response {
			to, _ := url.Parse(b.begin("/"))
			return page(b, callback+"?error=access_denied&state="+to.Query().Get("state"))
		}},
		{"unavailable", func(b *browser) *http.Response {
			back := o.provider.signIn(b.begin("/"), "anna")
			o.provider.set(func(s *providerStorage) { s.down = true })
			defer o.provider.set(func(s *providerStorage) { s.down = false })
			return page(b, back)
		}},
		{"not_this_account", func(b *browser) *http.Response {
			o.browser().signIn("anna")
			by, policy := o.c.Accounts(), account.ConsolePolicy()
			u, err := by.UserByName(t.Context(), policy.Local(), "anna")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := by.ChangeUser(t.Context(), policy.Local(), u.ID, u.Version, account.UserChange{Name: u.Name, Role: u.Role, Sites: u.Sites, Disabled: true}); err != nil {
				t.Fatal(err)
			}
			return page(b, o.provider.signIn(b.begin("/"), "anna"))
		}},
	} {
		b := o.browser()
		resp := c.come(b)
		if to := resp.Header.Get("Location"); resp.StatusCode != http.StatusFound || to != "/sign-in-failed?reason="+c.reason {
			t.Errorf("%s: led to %q with %s", c.reason, to, resp.Status)
		}
		if _, code := b.who(); code != http.StatusUnauthorized {
			t.Errorf("%s: somebody is signed in: %d", c.reason, code)
		}
	}
}
