package hub

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

func TestPeople_WhatChangesThemIsInTheAuditWithoutSecrets(t *testing.T) {
	h, err := New(t.Context(), Config{Data: "hub", Site: "yacht-1", FS: store.InMemory()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	a, ctx := h.Accounts(), t.Context()
	local := a.Policy().Local()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = a.MakeFirst(ctx, account.NewUser{Username: "anna", Password: "correct horse"})
	must(err)
	bert, err := a.AddUser(ctx, local, account.NewUser{Username: "bert", Password: "battery staple", Role: account.Crew})
	must(err)
	must(a.SetPIN(ctx, local, bert.ID, account.PINChange{New: "482915"}))
	_, secret, _, err := a.SignIn(ctx, account.SignIn{Username: "bert", Password: "battery staple", From: netip.MustParseAddr("10.0.0.7")})
	must(err)
	bert, err = a.User(ctx, local, bert.ID)
	must(err)
	_, err = a.ChangeUser(ctx, local, bert.ID, bert.Version, account.UserChange{Name: "Bert", Role: account.Crew, Disabled: true})
	must(err)
	token, plain, err := a.AddToken(ctx, local, account.NewToken{Name: "script", Role: account.Viewer})
	must(err)
	must(a.RevokeToken(ctx, local, token.ID))
	must(a.RemoveUser(ctx, local, bert.ID))
	if _, err := a.AddUser(ctx, local, account.NewUser{Username: "anna", Password: "correct horse", Role: account.Crew}); !errors.Is(err, fleet.ErrExists) {
		t.Fatal(err)
	}

	var actions []string
	must(store.Entities(h.store, "", func(e fleet.AuditEntry) bool {
		actions = append(actions, e.Action)
		for _, v := range append([]string{e.Target}, mapValues(e.Detail)...) {
			for _, s := range []string{"correct horse", "battery staple", "482915", secret, plain} {
				if strings.Contains(v, s) {
					t.Errorf("%s tells a secret", e.Action)
				}
			}
		}
		return true
	}))
	want := []string{"user.added", "user.added", "user.pin_set", "session.opened", "user.changed", "token.added", "token.revoked", "user.removed"}
	got := slices.DeleteFunc(actions, func(a string) bool {
		return !strings.HasPrefix(a, "user.") && !strings.HasPrefix(a, "token.") && !strings.HasPrefix(a, "session.")
	})
	if !slices.Equal(got, want) {
		t.Errorf("audit has %v\nwant %v", got, want)
	}
}

func mapValues(m map[string]string) []string {
	var all []string
	for _, v := range m {
		all = append(all, v)
	}
	return all
}
