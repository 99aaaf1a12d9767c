package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

func secretFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func goodOIDC(t *testing.T) OIDC {
	return OIDC{
		Issuer: "https://id.example/realm", ClientID: "console", ClientSecret: secretFile(t, "s3cret\n"), RoleClaim: "groups",
		Roles: []string{"fleet=admins=owner", "captains=manager:yacht-1, yacht-2", "guests=viewer"},
	}
}

func TestOIDC_IsReadWithoutAskingTheProvider(t *testing.T) {
	c, err := goodOIDC(t).provider()
	if err != nil {
		t.Fatal(err)
	}
	if c.ClientSecret != "s3cret" || len(c.Roles) != 3 || c.Roles[0].Value != "fleet=admins" || c.Roles[0].Role != account.Owner ||
		!slices.Equal(c.Roles[1].Sites, []fleet.SiteID{"yacht-1", "yacht-2"}) || !slices.Equal(c.Roles[2].Sites, []fleet.SiteID{account.AllSites}) {
		t.Errorf("settings are %+v", c)
	}
	if c, err := (OIDC{}).provider(); c != nil || err != nil {
		t.Errorf("off: %v, %v", c, err)
	}
}

func TestOIDC_NamesTheSetting(t *testing.T) {
	for name, spoil := range map[string]func(*OIDC){
		"--oidc-issuer,":            func(s *OIDC) { s.Issuer = "http://id.example" },
		"--oidc-client-id":          func(s *OIDC) { s.ClientID = "" },
		"need --oidc-issuer":        func(s *OIDC) { s.Issuer = "" },
		"a table of roles":          func(s *OIDC) { s.Roles = nil },
		"--oidc-role: ":             func(s *OIDC) { s.Roles = []string{"captains"} },
		`role "admin"`:              func(s *OIDC) { s.Roles = []string{"captains=admin"} },
		"no list of sites":          func(s *OIDC) { s.Roles = []string{"captains=owner:yacht-1"} },
		"--oidc-client-secret-file": func(s *OIDC) { s.ClientSecret = secretFile(t, "\n") },
		"--oidc-ca":                 func(s *OIDC) { s.CA = secretFile(t, "no certificate") },
	} {
		s := goodOIDC(t)
		spoil(&s)
		if _, err := s.provider(); !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := goodOIDC(t)
	s.ClientSecret = filepath.Join(t.TempDir(), "none")
	if _, err := s.provider(); err == nil || !strings.Contains(err.Error(), "--oidc-client-secret-file") {
		t.Errorf("no file: %v", err)
	}
}
