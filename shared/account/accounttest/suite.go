package accounttest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

// base is the time of the suite; stores keep whole milliseconds at least.
var base = time.Date(2026, 3, 1, 12, 0, 0, 123_000_000, time.UTC)

// Run tests an implementation. open returns a new, empty store for each
// subtest and sees to its closing.
func Run(t *testing.T, open func(t *testing.T) account.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, account.Store)
	}{
		{"users are found by id and by name", usersAreFound},
		{"a name or an id is taken once", usersAreUnique},
		{"external users are found, are unique and free their place", externalsAreFound},
		{"a user changes only from the version that was seen", usersHaveVersions},
		{"a new name frees the old one", usersAreRenamed},
		{"users are listed by name", usersAreListed},
		{"removing a user removes sessions and tokens", usersAreRemoved},
		{"one first user wins", firstUserWins},
		{"one change of a version wins", oneChangeWins},
		{"sessions are found by hash and by id", sessionsAreFound},
		{"sessions are listed by id, of one or of all", sessionsAreListed},
		{"seeing a session goes forward only and revives none", sessionsAreSeen},
		{"sessions of a user are removed but one", sessionsAreRemoved},
		{"stale sessions are removed", staleSessionsAreRemoved},
		{"tokens are found, used, listed and removed", tokensLive},
		{"tablets are found, used, listed and removed with their sessions", tabletsLive},
		{"what is missing is ErrNotFound", missingIsNotFound},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func user(n int, name string) account.User {
	return account.User{
		ID: account.UserID(fmt.Sprintf("00000000-0000-7000-8000-%012d", n)), Username: name, Folded: name, Name: "N " + name,
		Role: account.Manager, Sites: []fleet.SiteID{"yacht-1", "hotel-2"}, PasswordHash: "$argon2id$…",
		CreatedAt: base, UpdatedAt: base.Add(time.Minute), Version: 1,
	}
}

func session(n int, of account.UserID) account.Session {
	return account.Session{
		ID:   account.SessionID(fmt.Sprintf("00000000-0000-7000-9000-%012d", n)),
		Hash: account.HashSecret(fmt.Sprint("session", n)), User: of,
		CreatedAt: base.Add(time.Duration(n) * time.Minute), SeenAt: base.Add(time.Duration(n) * time.Hour),
		Address: "192.0.2.1", Agent: "browser",
	}
}

func token(n int, of account.UserID) account.Token {
	return account.Token{
		ID:   account.TokenID(fmt.Sprintf("00000000-0000-7000-a000-%012d", n)),
		Hash: account.HashSecret(fmt.Sprint("token", n)), Name: fmt.Sprint("token ", n), Role: account.Manager,
		Sites: []fleet.SiteID{account.AllSites}, Scopes: []account.Action{account.DevicesRead, account.SitesRead}, Person: of, CreatedAt: base, ExpiresAt: base.Add(time.Hour),
	}
}

func usersAreFound(t *testing.T, s account.Store) {
	ctx := t.Context()
	has, err := s.HasUsers(ctx)
	must(t, err)
	if has {
		t.Error("a new store has users")
	}
	want := user(1, "anna")
	must(t, s.AddUser(ctx, want))
	byID, err := s.User(ctx, want.ID)
	must(t, err)
	same(t, byID, want)
	byName, err := s.UserByName(ctx, "anna")
	must(t, err)
	same(t, byName, want)
	has, err = s.HasUsers(ctx)
	must(t, err)
	if !has {
		t.Error("HasUsers is false with a user")
	}
}

func usersAreUnique(t *testing.T, s account.Store) {
	ctx := t.Context()
	must(t, s.AddUser(ctx, user(1, "anna")))
	is(t, s.AddUser(ctx, user(2, "anna")), fleet.ErrExists)
	is(t, s.AddUser(ctx, user(1, "bert")), fleet.ErrExists)
	_, err := s.UserByName(ctx, "bert")
	is(t, err, fleet.ErrNotFound) // a refused one leaves nothing
	must(t, s.AddUser(ctx, user(2, "bert")))
	taken := user(2, "anna")
	taken.Version = 2
	is(t, s.ChangeUser(ctx, taken, 1), fleet.ErrExists)
}

func externalsAreFound(t *testing.T, s account.Store) {
	ctx := t.Context()
	external := func(n int, name, subject string) account.User {
		u := user(n, name)
		u.External = &account.External{Issuer: "https://id.example", Subject: subject}
		return u
	}
	anna, bert := external(1, "anna", "1"), external(2, "bert", "2")
	must(t, s.AddUser(ctx, anna))
	must(t, s.AddUser(ctx, bert))
	is(t, s.AddUser(ctx, external(3, "carl", "1")), fleet.ErrExists)
	_, err := s.UserByName(ctx, "carl")
	is(t, err, fleet.ErrNotFound)
	got, err := s.UserByExternal(ctx, *bert.External)
	must(t, err)
	same(t, got, bert)
	for _, e := range []account.External{{}, {Issuer: "https://id.example", Subject: "3"}, {Issuer: "https://other.example", Subject: "1"}} {
		_, err := s.UserByExternal(ctx, e)
		is(t, err, fleet.ErrNotFound)
	}
	bert.Role, bert.Version = account.Viewer, 2
	must(t, s.ChangeUser(ctx, bert, 1))
	got, err = s.UserByExternal(ctx, *bert.External)
	must(t, err)
	same(t, got, bert)
	must(t, s.RemoveUser(ctx, bert.ID))
	_, err = s.UserByExternal(ctx, *bert.External)
	is(t, err, fleet.ErrNotFound)
	must(t, s.AddUser(ctx, external(4, "bert", "2")))
}

func usersHaveVersions(t *testing.T, s account.Store) {
	ctx := t.Context()
	u := user(1, "anna")
	must(t, s.AddUser(ctx, u))
	u.Name, u.Disabled, u.Sites, u.Version = "Anna B", true, nil, 2
	must(t, s.ChangeUser(ctx, u, 1))
	is(t, s.ChangeUser(ctx, u, 1), fleet.ErrVersion)
	got, err := s.User(ctx, u.ID)
	must(t, err)
	same(t, got, u)
	is(t, s.ChangeUser(ctx, user(9, "nobody"), 1), fleet.ErrNotFound)
}

func usersAreRenamed(t *testing.T, s account.Store) {
	ctx := t.Context()
	u := user(1, "anna")
	must(t, s.AddUser(ctx, u))
	u.Username, u.Folded, u.Version = "beate", "beate", 2
	must(t, s.ChangeUser(ctx, u, 1))
	_, err := s.UserByName(ctx, "anna")
	is(t, err, fleet.ErrNotFound)
	got, err := s.UserByName(ctx, "beate")
	must(t, err)
	same(t, got, u)
	must(t, s.AddUser(ctx, user(2, "anna")))
}

func usersAreListed(t *testing.T, s account.Store) {
	ctx := t.Context()
	for i, name := range []string{"dora", "anna", "émile", "bert", "carl"} {
		must(t, s.AddUser(ctx, user(i+1, name)))
	}
	var got []string
	for after := ""; ; {
		us, err := s.Users(ctx, after, 2)
		must(t, err)
		if len(us) > 2 {
			t.Fatalf("asked for 2 users, got %d", len(us))
		}
		for _, u := range us {
			got = append(got, u.Folded)
			after = u.Folded
		}
		if len(us) < 2 {
			break
		}
	}
	same(t, got, []string{"anna", "bert", "carl", "dora", "émile"})
}

func usersAreRemoved(t *testing.T, s account.Store) {
	ctx := t.Context()
	anna, bert := user(1, "anna"), user(2, "bert")
	must(t, s.AddUser(ctx, anna))
	must(t, s.AddUser(ctx, bert))
	must(t, s.AddSession(ctx, session(1, anna.ID)))
	must(t, s.AddSession(ctx, session(2, bert.ID)))
	must(t, s.AddToken(ctx, token(1, anna.ID)))
	must(t, s.AddToken(ctx, token(2, bert.ID)))
	must(t, s.RemoveUser(ctx, anna.ID))
	_, err := s.User(ctx, anna.ID)
	is(t, err, fleet.ErrNotFound)
	_, err = s.UserByName(ctx, "anna")
	is(t, err, fleet.ErrNotFound)
	_, err = s.SessionByHash(ctx, session(1, "").Hash)
	is(t, err, fleet.ErrNotFound)
	_, err = s.TokenByHash(ctx, token(1, "").Hash)
	is(t, err, fleet.ErrNotFound)
	_, err = s.Session(ctx, session(2, "").ID)
	must(t, err)
	_, err = s.Token(ctx, token(2, "").ID)
	must(t, err)
	is(t, s.RemoveUser(ctx, anna.ID), fleet.ErrNotFound)
	must(t, s.AddUser(ctx, user(3, "anna"))) // the name is free
	must(t, s.RemoveUser(ctx, bert.ID))
	must(t, s.RemoveUser(ctx, user(3, "").ID))
	has, err := s.HasUsers(ctx)
	must(t, err)
	if has {
		t.Error("HasUsers is true without users")
	}
}

func firstUserWins(t *testing.T, s account.Store) {
	ctx := t.Context()
	won := race(8, func(i int) error {
		return s.AddFirstUser(ctx, user(i+1, fmt.Sprint("first", i)))
	}, fleet.ErrState, t)
	if won != 1 {
		t.Errorf("%d of 8 first users won, want 1", won)
	}
	us, err := s.Users(ctx, "", 10)
	must(t, err)
	if len(us) != 1 {
		t.Errorf("there are %d users, want 1", len(us))
	}
	is(t, s.AddFirstUser(ctx, user(99, "late")), fleet.ErrState)
}

func oneChangeWins(t *testing.T, s account.Store) {
	ctx := t.Context()
	must(t, s.AddUser(ctx, user(1, "anna")))
	won := race(8, func(i int) error {
		u := user(1, "anna")
		u.Name, u.Version = fmt.Sprint("by ", i), 2
		return s.ChangeUser(ctx, u, 1)
	}, fleet.ErrVersion, t)
	if won != 1 {
		t.Errorf("%d of 8 changes won, want 1", won)
	}
}

// race runs n calls at once and counts those without an error; the others
// must have failed as lost says.
func race(n int, call func(i int) error, lost error, t *testing.T) int {
	t.Helper()
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = call(i)
		})
	}
	close(start)
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, lost):
			t.Errorf("a loser got %v, want %v", err, lost)
		}
	}
	return won
}

func sessionsAreFound(t *testing.T, s account.Store) {
	ctx := t.Context()
	want := session(1, user(1, "").ID)
	must(t, s.AddSession(ctx, want))
	got, err := s.SessionByHash(ctx, want.Hash)
	must(t, err)
	same(t, got, want)
	got, err = s.Session(ctx, want.ID)
	must(t, err)
	same(t, got, want)
	is(t, s.AddSession(ctx, want), fleet.ErrExists)
	other := session(2, want.User)
	other.Hash = want.Hash
	is(t, s.AddSession(ctx, other), fleet.ErrExists)
	must(t, s.RemoveSession(ctx, want.ID))
	_, err = s.SessionByHash(ctx, want.Hash)
	is(t, err, fleet.ErrNotFound)
	_, err = s.Session(ctx, want.ID)
	is(t, err, fleet.ErrNotFound)
	is(t, s.RemoveSession(ctx, want.ID), fleet.ErrNotFound)
}

func sessionsAreListed(t *testing.T, s account.Store) {
	ctx := t.Context()
	anna, bert := user(1, "").ID, user(2, "").ID
	for i := range 6 {
		of := anna
		if i%2 == 1 {
			of = bert
		}
		must(t, s.AddSession(ctx, session(6-i, of)))
	}
	ids := func(of account.UserID, after account.SessionID, limit int) []account.SessionID {
		ss, err := s.Sessions(ctx, of, after, limit)
		must(t, err)
		var ids []account.SessionID
		for _, x := range ss {
			ids = append(ids, x.ID)
		}
		return ids
	}
	id := func(n int) account.SessionID { return session(n, "").ID }
	same(t, ids("", "", 10), []account.SessionID{id(1), id(2), id(3), id(4), id(5), id(6)})
	same(t, ids("", id(2), 2), []account.SessionID{id(3), id(4)})
	same(t, ids(anna, "", 10), []account.SessionID{id(2), id(4), id(6)})
	same(t, ids(bert, id(1), 1), []account.SessionID{id(3)})
	same(t, ids(user(3, "").ID, "", 10), nil)
}

func sessionsAreSeen(t *testing.T, s account.Store) {
	ctx := t.Context()
	x := session(1, user(1, "").ID)
	must(t, s.AddSession(ctx, x))
	later := x.SeenAt.Add(time.Minute)
	must(t, s.SeeSession(ctx, x.ID, later))
	must(t, s.SeeSession(ctx, x.ID, x.SeenAt)) // late news
	x.SeenAt = later
	got, err := s.Session(ctx, x.ID)
	must(t, err)
	same(t, got, x)
	must(t, s.RemoveSession(ctx, x.ID))
	is(t, s.SeeSession(ctx, x.ID, later.Add(time.Minute)), fleet.ErrNotFound)
	_, err = s.SessionByHash(ctx, x.Hash)
	is(t, err, fleet.ErrNotFound)
}

func sessionsAreRemoved(t *testing.T, s account.Store) {
	ctx := t.Context()
	anna, bert := user(1, "").ID, user(2, "").ID
	for i := range 3 {
		must(t, s.AddSession(ctx, session(i+1, anna)))
	}
	must(t, s.AddSession(ctx, session(4, bert)))
	n, err := s.RemoveSessions(ctx, anna, session(2, "").ID)
	must(t, err)
	same(t, n, 2)
	left, err := s.Sessions(ctx, "", "", 10)
	must(t, err)
	same(t, left, []account.Session{session(2, anna), session(4, bert)})
	n, err = s.RemoveSessions(ctx, anna, "")
	must(t, err)
	same(t, n, 1)
}

func staleSessionsAreRemoved(t *testing.T, s account.Store) {
	ctx := t.Context()
	of := user(1, "").ID
	for i := range 5 {
		must(t, s.AddSession(ctx, session(i, of)))
	}
	// 0 and 1 were made before, 2 was seen before; 3 was seen just then.
	n, err := s.RemoveStaleSessions(ctx, base.Add(2*time.Minute), base.Add(3*time.Hour))
	must(t, err)
	same(t, n, 3)
	left, err := s.Sessions(ctx, of, "", 10)
	must(t, err)
	same(t, left, []account.Session{session(3, of), session(4, of)})
	_, err = s.SessionByHash(ctx, session(0, "").Hash)
	is(t, err, fleet.ErrNotFound)
}

func tokensLive(t *testing.T, s account.Store) {
	ctx := t.Context()
	want := token(2, user(1, "").ID)
	must(t, s.AddToken(ctx, want))
	must(t, s.AddToken(ctx, token(1, "")))
	is(t, s.AddToken(ctx, want), fleet.ErrExists)
	twin := token(3, "")
	twin.Hash = want.Hash
	is(t, s.AddToken(ctx, twin), fleet.ErrExists)
	got, err := s.TokenByHash(ctx, want.Hash)
	must(t, err)
	same(t, got, want)
	used := base.Add(time.Minute)
	must(t, s.UseToken(ctx, want.ID, used))
	must(t, s.UseToken(ctx, want.ID, base))
	want.UsedAt = used
	got, err = s.Token(ctx, want.ID)
	must(t, err)
	same(t, got, want)
	list, err := s.Tokens(ctx, "", 10)
	must(t, err)
	same(t, list, []account.Token{token(1, ""), want})
	list, err = s.Tokens(ctx, token(1, "").ID, 1)
	must(t, err)
	same(t, list, []account.Token{want})
	must(t, s.RemoveToken(ctx, want.ID))
	is(t, s.RemoveToken(ctx, want.ID), fleet.ErrNotFound)
	is(t, s.UseToken(ctx, want.ID, used), fleet.ErrNotFound)
	_, err = s.TokenByHash(ctx, want.Hash)
	is(t, err, fleet.ErrNotFound)
}

func tablet(n int) account.Tablet {
	return account.Tablet{
		ID:   account.TabletID(fmt.Sprintf("00000000-0000-7000-b000-%012d", n)),
		Hash: account.HashSecret(fmt.Sprint("tablet", n)), Name: fmt.Sprint("tablet ", n), By: "Anna", CreatedAt: base,
	}
}

func tabletsLive(t *testing.T, s account.Store) {
	ctx := t.Context()
	want := tablet(2)
	must(t, s.AddTablet(ctx, want))
	must(t, s.AddTablet(ctx, tablet(1)))
	is(t, s.AddTablet(ctx, want), fleet.ErrExists)
	twin := tablet(3)
	twin.Hash = want.Hash
	is(t, s.AddTablet(ctx, twin), fleet.ErrExists)
	used := base.Add(time.Minute)
	must(t, s.UseTablet(ctx, want.ID, used))
	must(t, s.UseTablet(ctx, want.ID, base))
	want.UsedAt = used
	got, err := s.TabletByHash(ctx, want.Hash)
	must(t, err)
	same(t, got, want)
	got, err = s.Tablet(ctx, want.ID)
	must(t, err)
	same(t, got, want)
	list, err := s.Tablets(ctx, "", 10)
	must(t, err)
	same(t, list, []account.Tablet{tablet(1), want})
	list, err = s.Tablets(ctx, tablet(1).ID, 1)
	must(t, err)
	same(t, list, []account.Tablet{want})

	on := func(n int, id account.TabletID) account.Session {
		v := session(n, user(1, "").ID)
		v.Tablet = id
		return v
	}
	for _, v := range []account.Session{on(1, want.ID), on(2, tablet(1).ID), on(3, ""), on(4, want.ID)} {
		must(t, s.AddSession(ctx, v))
	}
	must(t, s.RemoveTablet(ctx, want.ID))
	left, err := s.Sessions(ctx, "", "", 10)
	must(t, err)
	same(t, left, []account.Session{on(2, tablet(1).ID), on(3, "")})
	is(t, s.RemoveTablet(ctx, want.ID), fleet.ErrNotFound)
	is(t, s.UseTablet(ctx, want.ID, used), fleet.ErrNotFound)
	_, err = s.TabletByHash(ctx, want.Hash)
	is(t, err, fleet.ErrNotFound)
	_, err = s.Tablet(ctx, want.ID)
	is(t, err, fleet.ErrNotFound)
}

func missingIsNotFound(t *testing.T, s account.Store) {
	ctx := t.Context()
	_, err := s.User(ctx, user(1, "").ID)
	is(t, err, fleet.ErrNotFound)
	_, err = s.UserByName(ctx, "anna")
	is(t, err, fleet.ErrNotFound)
	_, err = s.Session(ctx, session(1, "").ID)
	is(t, err, fleet.ErrNotFound)
	_, err = s.SessionByHash(ctx, session(1, "").Hash)
	is(t, err, fleet.ErrNotFound)
	_, err = s.Token(ctx, token(1, "").ID)
	is(t, err, fleet.ErrNotFound)
	_, err = s.TokenByHash(ctx, token(1, "").Hash)
	is(t, err, fleet.ErrNotFound)
	us, err := s.Users(ctx, "", 10)
	must(t, err)
	same(t, len(us), 0)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

// same compares; a list may be nil or empty.
func same[T any](t *testing.T, got, want T) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("got (+), want (-):\n%s", d)
	}
}
