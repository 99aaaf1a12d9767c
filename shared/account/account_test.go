package account_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/account/accounttest"
	"github.com/obedio/obedio/shared/fleet"
)

// clock is a clock that tests move.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ns.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time       { return time.Unix(0, c.ns.Load()).UTC() }
func (c *clock) pass(d time.Duration) { c.ns.Add(int64(d)) }

// cheap are parameters for tests: hashing is not what they are about.
var cheap = account.PasswordConfig{MemoryKiB: 8, Passes: 1, Lanes: 1}

type world struct {
	*account.Accounts
	store *accounttest.Memory
	clock *clock
	admin account.Subject
}

func newWorld(t *testing.T, policy *account.Policy, change func(*account.Config)) *world {
	t.Helper()
	w := &world{store: accounttest.NewMemory(), clock: newClock()}
	c := account.Config{Store: w.store, Policy: policy, Now: w.clock.now, Passwords: cheap}
	if change != nil {
		change(&c)
	}
	var err error
	if w.Accounts, err = account.New(c); err != nil {
		t.Fatal(err)
	}
	w.admin = policy.Local()
	return w
}

func (w *world) addUser(t *testing.T, name string, role account.Role, sites ...fleet.SiteID) account.User {
	t.Helper()
	u, err := w.AddUser(t.Context(), w.admin, account.NewUser{
		Username: name, Password: "correct horse " + name, Role: role, Sites: sites,
	})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (w *world) signIn(t *testing.T, name string) (account.Session, string, account.Subject) {
	t.Helper()
	s, secret, sub, err := w.SignIn(t.Context(), account.SignIn{Username: name, Password: "correct horse " + name, From: addr("192.0.2.7")})
	if err != nil {
		t.Fatal(err)
	}
	return s, secret, sub
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

func TestSetup_CodeMakesFirstAdministratorThenCloses(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), nil)
	ctx := t.Context()
	code, err := w.SetupCode(ctx)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.SetupCode(ctx)
	if err != nil || again != code {
		t.Errorf("second SetupCode: %q, %v, want the same", again, err)
	}
	first := account.NewUser{Username: "Anna", Password: "correct horse"}
	_, err = w.Setup(ctx, "0000-0000-0000", first, addr("192.0.2.1"))
	wantErr(t, err, fleet.ErrForbidden)
	typed := strings.ToLower(strings.ReplaceAll(code, "-", " "))
	u, err := w.Setup(ctx, typed, first, addr("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	if u.Role != account.Admin || u.Folded != "anna" || u.Name != "Anna" || u.Version != 1 {
		t.Errorf("first user is %+v", u)
	}
	_, err = w.Setup(ctx, code, account.NewUser{Username: "eve", Password: "correct horse"}, addr("192.0.2.1"))
	wantErr(t, err, fleet.ErrState)
	_, err = w.SetupCode(ctx)
	wantErr(t, err, fleet.ErrState)
	_, err = w.MakeFirst(ctx, account.NewUser{Username: "eve", Password: "correct horse"})
	wantErr(t, err, fleet.ErrState)
}

func TestSetup_WithoutCodePrintedNothingFits(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), nil)
	_, err := w.Setup(t.Context(), "", account.NewUser{Username: "eve", Password: "correct horse"}, netip.Addr{})
	wantErr(t, err, fleet.ErrForbidden)
}

func TestSetup_OneWinnerWhenTwoRace(t *testing.T) {
	for range 20 {
		w := newWorld(t, account.HubPolicy(), nil)
		code, err := w.SetupCode(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var won atomic.Int32
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 4 {
			wg.Go(func() {
				<-start
				_, err := w.Setup(t.Context(), code, account.NewUser{
					Username: fmt.Sprint("anna", i), Password: "correct horse",
				}, addr("192.0.2.1"))
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, fleet.ErrState) && !errors.Is(err, fleet.ErrForbidden):
					t.Errorf("a loser got %v", err)
				}
			})
		}
		close(start)
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d setups won, want 1", won.Load())
		}
	}
}

func TestSignIn_MakesNewSessionAndEndsThePrevious(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), nil)
	w.addUser(t, "anna", account.Crew)
	ctx := t.Context()
	first, secret, _ := w.signIn(t, "anna")
	in := account.SignIn{Username: "ANNA", Password: "correct horse anna", Previous: secret, Agent: "a\x00browser"}
	second, newSecret, sub, err := w.SignIn(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if second.ID == first.ID || newSecret == secret {
		t.Error("the session was taken over")
	}
	if second.Agent != "abrowser" {
		t.Errorf("agent is %q", second.Agent)
	}
	_, err = w.BySession(ctx, secret)
	wantErr(t, err, fleet.ErrUnauthenticated)
	got, err := w.BySession(ctx, newSecret)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(sub, got); d != "" {
		t.Error(d)
	}
	// A planted secret is not accepted either.
	in.Previous = strings.Repeat("A", 43)
	_, third, _, err := w.SignIn(ctx, in)
	if err != nil || third == in.Previous {
		t.Errorf("planted secret: %v", err)
	}
	if _, err := w.BySession(ctx, in.Previous); err == nil {
		t.Error("the planted secret opens a session")
	}
}

func TestSignIn_KeepsNoSecret(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), nil)
	w.addUser(t, "anna", account.Crew)
	s, secret, _ := w.signIn(t, "anna")
	stored, err := w.store.Session(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	if stored.Hash != account.HashSecret(secret) || strings.Contains(fmt.Sprintf("%+v", stored), secret) {
		t.Error("the session is not stored hashed")
	}
	u, err := w.store.User(t.Context(), s.User)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(u.PasswordHash, "$argon2id$v=19$m=8,t=1,p=1$") || strings.Contains(u.PasswordHash, "horse") {
		t.Errorf("password hash is %q", u.PasswordHash)
	}
}

func TestSignIn_SameErrorForEveryReason(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), nil)
	w.addUser(t, "anna", account.Crew)
	w.addUser(t, "bert", account.Crew)
	w.change(t, "bert", func(c *account.UserChange) { c.Disabled = true })
	var texts []string
	for _, in := range []account.SignIn{
		{Username: "anna", Password: "wrong"},
		{Username: "nobody", Password: "wrong"},
		{Username: "bert", Password: "correct horse bert"},
		{Username: "no such\x00name", Password: "wrong"},
		{Username: "anna", Password: strings.Repeat("x", 5000)},
		{Username: "", Password: ""},
	} {
		_, _, _, err := w.SignIn(t.Context(), in)
		wantErr(t, err, fleet.ErrUnauthenticated)
		texts = append(texts, err.Error())
	}
	for _, s := range texts[1:] {
		if s != texts[0] {
			t.Errorf("errors differ: %q and %q", texts[0], s)
		}
	}
}

func TestSession_EndsByTime(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), func(c *account.Config) {
		c.SessionIdle, c.SessionMax = time.Hour, 3*time.Hour
	})
	w.addUser(t, "anna", account.Crew)
	ctx := t.Context()
	_, idle, _ := w.signIn(t, "anna")
	_, used, sub := w.signIn(t, "anna")
	for range 5 { // 2 h 30 in steps below the idle limit
		w.clock.pass(30 * time.Minute)
		if _, err := w.BySession(ctx, used); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.BySession(ctx, idle)
	wantErr(t, err, fleet.ErrUnauthenticated)
	w.clock.pass(30 * time.Minute) // 3 h: the absolute limit, however much it is used
	_, err = w.BySession(ctx, used)
	wantErr(t, err, fleet.ErrUnauthenticated)
	_, err = w.Recheck(ctx, sub)
	wantErr(t, err, fleet.ErrUnauthenticated)
	w.clock.pass(time.Second)
	n, err := w.Sweep(ctx)
	if err != nil || n != 2 {
		t.Errorf("Sweep removed %d, %v, want 2", n, err)
	}
}

func TestSession_ReadingWritesOnceAMinute(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), nil)
	w.addUser(t, "anna", account.Crew)
	s, secret, _ := w.signIn(t, "anna")
	seen := func() time.Time {
		t.Helper()
		if _, err := w.BySession(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		now, err := w.store.Session(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		return now.SeenAt
	}
	w.clock.pass(59 * time.Second)
	if !seen().Equal(s.SeenAt) {
		t.Error("written within a minute")
	}
	w.clock.pass(time.Second)
	if !seen().Equal(w.clock.now()) {
		t.Error("not written after a minute")
	}
}

func TestSession_ListAndEnd(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), nil)
	w.addUser(t, "anna", account.Crew)
	w.addUser(t, "bert", account.Crew)
	ctx := t.Context()
	mine, secret, anna := w.signIn(t, "anna")
	his, _, bert := w.signIn(t, "bert")
	own, err := w.Sessions(ctx, anna, false, "", 10)
	if err != nil || len(own) != 1 || own[0].ID != mine.ID {
		t.Errorf("own sessions: %v, %v", own, err)
	}
	_, err = w.Sessions(ctx, anna, true, "", 10)
	wantErr(t, err, fleet.ErrForbidden)
	all, err := w.Sessions(ctx, w.admin, true, "", 10)
	if err != nil || len(all) != 2 {
		t.Errorf("all sessions: %v, %v", all, err)
	}
	wantErr(t, w.EndSession(ctx, anna, his.ID), fleet.ErrNotFound) // not even that it exists
	if err := w.EndSession(ctx, w.admin, his.ID); err != nil {
		t.Error(err)
	}
	_, err = w.Recheck(ctx, bert)
	wantErr(t, err, fleet.ErrUnauthenticated)
	if err := w.EndSession(ctx, anna, mine.ID); err != nil {
		t.Error(err)
	}
	_, err = w.BySession(ctx, secret)
	wantErr(t, err, fleet.ErrUnauthenticated)
}

func TestSession_OldestUnusedMakesRoom(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), func(c *account.Config) { c.SessionsPerUser = 3 })
	w.addUser(t, "anna", account.Crew)
	var secrets []string
	for range 5 {
		_, s, _ := w.signIn(t, "anna")
		secrets = append(secrets, s)
		w.clock.pass(2 * time.Minute)
		if _, err := w.BySession(t.Context(), secrets[0]); err != nil { // the first is in use
			t.Fatal(err)
		}
	}
	for i, want := range []bool{true, false, false, true, true} {
		if _, err := w.BySession(t.Context(), secrets[i]); (err == nil) != want {
			t.Errorf("session %d stands: %v, want %v", i, err == nil, want)
		}
	}
}

func TestToken_LivesAndEnds(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), nil)
	ctx := t.Context()
	tok, secret, err := w.AddToken(ctx, w.admin, account.NewToken{
		Name: "script", Role: account.Crew, ExpiresAt: w.clock.now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(secret, account.TokenPrefix) || len(secret) != 47 {
		t.Errorf("the token is %d bytes and begins with %q", len(secret), secret[:4])
	}
	w.clock.pass(2 * time.Minute)
	sub, err := w.ByToken(ctx, secret)
	if err != nil {
		t.Fatal(err)
	}
	want := account.Subject{Kind: account.KindToken, ID: string(tok.ID), Name: "script", Role: account.Crew, Until: tok.ExpiresAt}
	if d := cmp.Diff(want, sub); d != "" {
		t.Error(d)
	}
	list, err := w.Tokens(ctx, w.admin, "", 10)
	if err != nil || len(list) != 1 || !list[0].UsedAt.Equal(w.clock.now()) {
		t.Errorf("tokens: %+v, %v", list, err)
	}
	for _, wrong := range []string{"", "obd_", secret[4:], secret + "A", "obd_" + strings.Repeat("A", 43)} {
		_, err := w.ByToken(ctx, wrong)
		wantErr(t, err, fleet.ErrUnauthenticated)
	}
	w.clock.pass(58 * time.Minute)
	_, err = w.ByToken(ctx, secret)
	wantErr(t, err, fleet.ErrUnauthenticated)
	_, err = w.Recheck(ctx, sub)
	wantErr(t, err, fleet.ErrUnauthenticated)

	tok, secret, err = w.AddToken(ctx, w.admin, account.NewToken{Name: "other", Role: account.Crew})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.RevokeToken(ctx, w.admin, tok.ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.ByToken(ctx, secret)
	wantErr(t, err, fleet.ErrUnauthenticated)
}

func TestToken_ScopesNarrowItAndWhatItHandsOn(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), nil)
	ctx := t.Context()
	_, secret, err := w.AddToken(ctx, w.admin, account.NewToken{
		Name: "maker", Role: account.Admin, Scopes: []account.Action{account.TokensWrite, account.DevicesRead, account.UsersWrite, account.TokensWrite},
	})
	if err != nil {
		t.Fatal(err)
	}
	maker, err := w.ByToken(ctx, secret)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]account.Action{account.DevicesRead, account.TokensWrite, account.UsersWrite}, maker.Scopes); d != "" {
		t.Error(d)
	}
	for _, n := range []account.NewToken{
		{Name: "t", Role: account.Admin},
		{Name: "t", Role: account.Viewer},
		{Name: "t", Role: account.Chief, Scopes: []account.Action{account.DevicesRead, account.DevicesWrite}},
	} {
		_, _, err := w.AddToken(ctx, maker, n)
		wantErr(t, err, fleet.ErrForbidden)
	}
	_, _, err = w.AddToken(ctx, maker, account.NewToken{Name: "t", Role: account.Viewer, Scopes: []account.Action{account.DevicesRead}})
	wantErr(t, err, nil)
	// It may change users, and yet make none that may more.
	_, err = w.AddUser(ctx, maker, account.NewUser{Username: "eve", Password: "correct horse", Role: account.Admin})
	wantErr(t, err, fleet.ErrForbidden)
	anna := w.addUser(t, "anna", account.Admin)
	wantErr(t, w.SetPassword(ctx, maker, anna.ID, account.PasswordChange{New: "battery staple"}), fleet.ErrForbidden)

	for _, scopes := range [][]account.Action{{}, {"no.such"}, {account.DevicesRead, account.UsersWrite}} {
		_, _, err := w.AddToken(ctx, w.admin, account.NewToken{Name: "t", Role: account.Viewer, Scopes: scopes})
		wantErr(t, err, fleet.ErrInvalid)
	}
}

func TestToken_NeverMayMoreThanItsMaker(t *testing.T) {
	w := newWorld(t, account.ConsolePolicy(), nil)
	ctx := t.Context()
	owner := w.addUser(t, "olga", account.Owner)
	_, _, olga := w.signIn(t, "olga")
	_, secret, err := w.AddToken(ctx, olga, account.NewToken{Name: "t", Role: account.Owner})
	if err != nil {
		t.Fatal(err)
	}
	u, err := w.store.User(ctx, owner.ID)
	if err != nil {
		t.Fatal(err)
	}
	u.Role, u.Sites, u.Version = account.Manager, []fleet.SiteID{"yacht-1"}, 2
	if err := w.store.ChangeUser(ctx, u, 1); err != nil {
		t.Fatal(err)
	}
	_, err = w.ByToken(ctx, secret)
	wantErr(t, err, fleet.ErrUnauthenticated)

	crew := account.Subject{Kind: account.KindUser, ID: "x", Role: account.Viewer}
	_, _, err = w.AddToken(ctx, crew, account.NewToken{Name: "t", Role: account.Viewer})
	wantErr(t, err, fleet.ErrForbidden)
	for _, n := range []account.NewToken{
		{Name: "", Role: account.Owner},
		{Name: "t", Role: "admin"},
		{Name: "t", Role: account.Manager},
		{Name: "t", Role: account.Manager, Sites: []fleet.SiteID{"not a site"}},
		{Name: "t", Role: account.Owner, Sites: []fleet.SiteID{"yacht-1"}},
		{Name: "t", Role: account.Owner, ExpiresAt: w.clock.now()},
	} {
		_, _, err := w.AddToken(ctx, w.admin, n)
		wantErr(t, err, fleet.ErrInvalid)
	}
}

func TestAddUser_ChecksWhatItIsGiven(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), nil)
	ctx := t.Context()
	w.addUser(t, "Émile", account.Crew)
	_, err := w.AddUser(ctx, w.admin, account.NewUser{Username: "émILE", Password: "correct horse", Role: account.Crew})
	wantErr(t, err, fleet.ErrExists)
	for _, n := range []account.NewUser{
		{Username: "", Password: "correct horse", Role: account.Crew},
		{Username: "-x", Password: "correct horse", Role: account.Crew},
		{Username: "a b", Password: "correct horse", Role: account.Crew},
		{Username: strings.Repeat("a", 65), Password: "correct horse", Role: account.Crew},
		{Username: "carl", Password: "1234567", Role: account.Crew},
		{Username: "carl-carl", Password: "CARL-CARL", Role: account.Crew},
		{Username: "carl", Password: strings.Repeat("x", 257), Role: account.Crew},
		{Username: "carl", Password: "correct horse", Role: "owner"},
		{Username: "carl", Password: "correct horse", Role: account.Crew, Sites: []fleet.SiteID{"yacht-1"}},
		{Username: "carl", Password: "correct horse", Role: account.Crew, Name: "a\nb"},
	} {
		_, err := w.AddUser(ctx, w.admin, n)
		if n.Role == "owner" || len(n.Sites) > 0 {
			if !errors.Is(err, fleet.ErrInvalid) && !errors.Is(err, fleet.ErrForbidden) {
				t.Errorf("%+v: got %v", n, err)
			}
			continue
		}
		wantErr(t, err, fleet.ErrInvalid)
	}
	chief := account.Subject{Kind: account.KindUser, ID: "x", Role: account.Chief}
	_, err = w.AddUser(ctx, chief, account.NewUser{Username: "carl", Password: "correct horse", Role: account.Crew})
	wantErr(t, err, fleet.ErrForbidden)
}

func TestPasswords_OldParametersAreRenewedAtSignIn(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), nil)
	u := w.addUser(t, "anna", account.Crew)
	stronger, err := account.New(account.Config{
		Store: w.store, Policy: account.HubPolicy(), Now: w.clock.now,
		Passwords: account.PasswordConfig{MemoryKiB: 16, Passes: 2, Lanes: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	in := account.SignIn{Username: "anna", Password: "correct horse anna"}
	for range 2 {
		if _, _, _, err := stronger.SignIn(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	now, err := w.store.User(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(now.PasswordHash, "$m=16,t=2,p=1$") || now.Version != 2 {
		t.Errorf("hash is %q at version %d", now.PasswordHash, now.Version)
	}
}

func TestSignIn_StopsWithItsContext(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), nil)
	w.addUser(t, "anna", account.Crew)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, _, err := w.SignIn(ctx, account.SignIn{Username: "anna", Password: "correct horse anna"})
	wantErr(t, err, context.Canceled)
}

func TestSubject_Actor(t *testing.T) {
	for _, c := range []struct {
		in   account.Subject
		want fleet.Actor
	}{
		{account.Subject{Kind: account.KindUser, ID: "u", Name: "Anna", Person: "u"}, fleet.Actor{Kind: fleet.ActorUser, ID: "u", Name: "Anna"}},
		{account.Subject{Kind: account.KindToken, ID: "t", Name: "script", Person: "u"}, fleet.Actor{Kind: fleet.ActorUser, ID: "t", PersonID: "u", Name: "script"}},
		{account.HubPolicy().Local(), fleet.Actor{Kind: fleet.ActorSystem, ID: "local", Name: "local"}},
		{account.Subject{}, fleet.Actor{Kind: fleet.ActorSystem, ID: "nobody"}},
	} {
		if d := cmp.Diff(c.want, c.in.Actor()); d != "" {
			t.Error(d)
		}
		if err := c.in.Actor().Check(); err != nil {
			t.Error(err)
		}
	}
}
