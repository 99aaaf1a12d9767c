package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

func TestUser_AddListReset(t *testing.T) {
	data := filepath.Join(t.TempDir(), "hub")
	stop := func() {}
	for _, running := range []bool{false, true} {
		if running {
			stop = serveHub(t, data)
		}
		add := []string{"user", "add", map[bool]string{false: "anna", true: "bert"}[running], "--data", data, "--site", "yacht-1", "--role", "crew"}
		if code, out, complaint := run(t, "correct horse\r\n", add...); code != 0 || !strings.HasSuffix(out, " is crew\n") {
			t.Fatalf("running %t: %d %s%s", running, code, out, complaint)
		}
		if code, _, complaint := run(t, "correct horse", add...); code != 1 || strings.Count(complaint, "\n") != 1 {
			t.Errorf("twice: %d %s", code, complaint)
		}
		for stdin, want := range map[string]int{"battery staple": 0, `{"password":"battery staple"}`: 0, "short": 1, "": 2, "\nbattery staple": 2} {
			if code, out, complaint := run(t, stdin, "user", "reset", "ANNA", "--data", data); code != want || strings.Contains(out+complaint, "staple") {
				t.Errorf("running %t, %q: %d %s%s, want %d", running, stdin, code, out, complaint, want)
			}
		}
		mustNot(t, 1, "there is no user carl", "user", "reset", "carl", "--generate-password", "--data", data)
		var made struct{ Username, Password string }
		if err := json.Unmarshal([]byte(must(t, "user", "reset", "anna", "--generate-password", "--data", data, "--json")), &made); err != nil || len(made.Password) < 20 {
			t.Errorf("made %+v, %v", made, err)
		}
	}
	var all []struct{ Username, Role string }
	if err := json.Unmarshal([]byte(must(t, "user", "list", "--data", data, "--json")), &all); err != nil || len(all) != 2 || all[1].Username != "bert" || all[1].Role != "crew" {
		t.Errorf("people are %+v, %v", all, err)
	}
	stop()
	if out := must(t, "user", "list", "--data", data); strings.Count(out, "active") != 2 {
		t.Errorf("people are %s", out)
	}
}
