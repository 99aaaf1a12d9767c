package console

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

func TestPeople_WhatChangesThemAndWhoGuessesIsInTheAudit(t *testing.T) {
	began := time.Now()
	var passed atomic.Int64 // the parts of the console look at the clock, too
	r := start(t, Config{Now: func() time.Time { return began.Add(time.Duration(passed.Load())) }})
	r.mustAPI(http.MethodPost, "/api/v1/users", map[string]any{"username": "bert", "password": "battery staple", "role": "viewer", "sites": []string{"*"}}, nil)
	for range 3 * maxRefusals {
		passed.Add(int64(time.Minute)) // whoever waits is not refused, but told to wait
		r.api(http.MethodPost, "/api/v1/sessions", map[string]string{"username": "nobody", "password": "guess"}, nil)
	}
	var page struct {
		Items []struct {
			Action string            `json:"action"`
			Target string            `json:"target"`
			Detail map[string]string `json:"detail"`
		} `json:"items"`
	}
	r.mustAPI(http.MethodGet, "/api/v1/audit?limit=500", nil, &page)
	counts := map[string]int{}
	for _, e := range page.Items {
		counts[e.Action]++
		if e.Detail["username"] == "nobody" {
			t.Error("what somebody typed as a user name is in the audit")
		}
	}
	if counts["user.added"] == 0 || counts["session.refused"] == 0 || counts["session.refused"] > 4*maxRefusals {
		t.Errorf("audit has %v", counts)
	}
}
