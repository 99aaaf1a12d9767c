package account_test

import (
	"strings"
	"testing"
	"time"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

func vouched(subject string, role account.Role, sites ...fleet.SiteID) account.ExternalSignIn {
	return account.ExternalSignIn{
		External: account.External{Issuer: "https://id.example", Subject: subject}, Usernames: []string{"anna", "anna@id.example"},
		Name: "Anna\nA", Rights: account.Rights{Role: role, Sites: sites},
	}
}

func TestExternal_IsOnePersonWhateverTheyAreCalled(t *testing.T) {
	w := newWorld(t, account.ConsolePolicy(), nil)
	ctx := t.Context()
	w.addUser(t, "ANNA", account.Owner)
	_, secret, first, err := w.SignInExternal(ctx, vouched("1", account.Manager, "yacht-1"))
	wantErr(t, err, nil)
	if first.Username != "anna@id.example" || first.Name != "AnnaA" || first.Role != account.Manager {
		t.Errorf("the first is %+v", first)
	}
	renamed := vouched("1", account.Owner)
	renamed.Usernames = []string{"zoe"}
	_, _, again, err := w.SignInExternal(ctx, renamed)
	wantErr(t, err, nil)
	if again.ID != first.ID || again.Username != first.Username || again.Role != account.Owner {
		t.Errorf("the second time: %+v", again)
	}
	if now, err := w.BySession(ctx, secret); err != nil || now.Role != account.Owner {
		t.Errorf("what was signed in has %+v, %v", now, err)
	}
	_, _, other, err := w.SignInExternal(ctx, vouched("2", account.Viewer, account.AllSites))
	wantErr(t, err, nil)
	if other.ID == first.ID || !strings.HasPrefix(other.Username, "external-") {
		t.Errorf("somebody else is %+v", other)
	}
}

func TestExternal_SessionsEndSoonerSoThatTheRoleIsAskedForAnew(t *testing.T) {
	w := newWorld(t, account.ConsolePolicy(), func(c *account.Config) { c.ExternalMax = time.Hour })
	ctx := t.Context()
	w.addUser(t, "olga", account.Owner)
	_, local, _ := w.signIn(t, "olga")
	_, secret, sub, err := w.SignInExternal(ctx, vouched("1", account.Owner))
	wantErr(t, err, nil)
	if !sub.Until.Equal(w.clock.now().Add(time.Hour)) {
		t.Errorf("it ends at %s", sub.Until)
	}
	w.clock.pass(time.Hour)
	_, err = w.BySession(ctx, secret)
	wantErr(t, err, fleet.ErrUnauthenticated)
	_, err = w.BySession(ctx, local)
	wantErr(t, err, nil)
}

func TestExternal_RightsThatCannotBeAreRefused(t *testing.T) {
	w := newWorld(t, account.ConsolePolicy(), nil)
	for _, in := range []account.ExternalSignIn{
		vouched("1", "admin"), vouched("1", account.Manager), vouched("1", account.Owner, "yacht-1"), vouched("", account.Owner),
	} {
		_, _, _, err := w.SignInExternal(t.Context(), in)
		wantErr(t, err, fleet.ErrInvalid)
	}
}
