package rest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

type orderInput struct {
	Body struct {
		What string `json:"what"`
	}
}

type orderOutput struct {
	Location string `header:"Location"`
	Body     struct {
		Number int32 `json:"number"`
	}
}

// addOrders registers POST /api/v1/orders, which counts the work it does.
func (f *face) addOrders(work func(n int32, what string) error) {
	var done atomic.Int32
	rest.Register(f.API, rest.Route{
		OperationID: "order", Method: http.MethodPost, Path: "/api/v1/orders", Permission: account.CommandsSend,
		Status: http.StatusAccepted, Idempotent: true,
	}, func(_ context.Context, in *orderInput) (*orderOutput, error) {
		n := done.Add(1)
		if err := work(n, in.Body.What); err != nil {
			return nil, err
		}
		out := &orderOutput{Location: fmt.Sprint("/api/v1/orders/", n)}
		out.Body.Number = n
		return out, nil
	})
}

func (f *face) order(key, what string, options ...func(*http.Request)) *httptest.ResponseRecorder {
	f.t.Helper()
	return f.call("POST", "/api/v1/orders", map[string]any{"what": what},
		append([]func(*http.Request){as(account.Admin), header("Idempotency-Key", key)}, options...)...)
}

func TestIdempotency_SameAnswerForSameRequest(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	f.addOrders(func(int32, string) error { return nil })
	first := f.order("key-1", "light")
	f.ok(first, 202)
	again := f.order("key-1", "light")
	if again.Code != 202 || again.Body.String() != first.Body.String() || again.Header().Get("Location") != "/api/v1/orders/1" ||
		again.Header().Get("Content-Type") != "application/json" || again.Header().Get("Idempotent-Replayed") != "true" {
		t.Errorf("again: %d %s %v", again.Code, again.Body, again.Header())
	}
	f.problem(f.order("key-1", "dark"), 422, "idempotency-key-reused")
	if n := f.ok(f.order("key-2", "light"), 202)["number"]; n != float64(2) {
		t.Errorf("another key is order %v", n)
	}
	if n := f.ok(f.order("key-1", "light", as(account.Chief)), 202)["number"]; n != float64(3) {
		t.Errorf("another's key is order %v", n)
	}
	if n := f.ok(f.call("POST", "/api/v1/orders", map[string]any{"what": "light"}, as(account.Admin)), 202)["number"]; n != float64(4) {
		t.Errorf("without a key it is order %v", n)
	}
	for _, bad := range []string{"a b", "é", strings.Repeat("k", 129)} {
		f.problem(f.order(bad, "light"), 400, "syntax")
	}
}

func TestIdempotency_RefusalsAreKeptAndFailuresAreNot(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	f.addOrders(func(n int32, what string) error {
		switch {
		case what == "conflict":
			return fmt.Errorf("order %d: %w", n, fleet.ErrState)
		case what == "busy" && n < 4:
			return fmt.Errorf("order %d: %w", n, fleet.ErrUnavailable)
		case what == "panic" && n < 6:
			panic("once")
		}
		return nil
	})
	first := f.problem(f.order("a", "conflict"), 409, "state")
	rec := f.order("a", "conflict")
	if rec.Code != 409 || !strings.Contains(rec.Body.String(), first["request_id"].(string)) {
		t.Errorf("again: %d %s", rec.Code, rec.Body)
	}
	f.problem(f.order("b", "busy"), 503, "unavailable")
	f.problem(f.order("b", "busy"), 503, "unavailable")
	f.ok(f.order("b", "busy"), 202)
	f.problem(f.order("c", "panic"), 500, "internal")
	f.ok(f.order("c", "panic"), 202)
}

func TestIdempotency_TwoAtOnceDoTheWorkOnce(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	entered, leave := make(chan struct{}), make(chan struct{})
	f.addOrders(func(int32, string) error {
		close(entered) // twice would panic
		<-leave
		return nil
	})
	f.handler = f.Handler()
	var wg sync.WaitGroup
	wg.Go(func() { f.ok(f.order("k", "light"), 202) })
	<-entered
	rec := f.order("k", "light")
	f.problem(rec, 409, "busy")
	if rec.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	close(leave)
	wg.Wait()
	if rec := f.order("k", "light"); rec.Code != 202 || rec.Header().Get("Idempotent-Replayed") != "true" {
		t.Errorf("afterwards: %d", rec.Code)
	}
}

func TestMemoryIdempotency_IsBoundedAndExpires(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	m := rest.NewMemoryIdempotency(rest.MemoryIdempotencyConfig{
		Now: func() time.Time { return now }, Keys: 4, Bytes: 4 * 1000, Keep: time.Hour,
	})
	ctx := t.Context()
	key := func(i int) rest.IdempotencyKey { return rest.IdempotencyKey{Subject: "s", Key: fmt.Sprint(i)} }
	claim := func(i int) (*rest.Answer, error) { return m.Claim(ctx, key(i), [32]byte{byte(i)}) }
	for i := range 4 {
		if a, err := claim(i); a != nil || err != nil {
			t.Fatalf("claim %d: %v, %v", i, a, err)
		}
	}
	if _, err := claim(4); !errors.Is(err, fleet.ErrUnavailable) {
		t.Errorf("a fifth while four are worked on: %v", err)
	}
	for i := range 4 {
		if err := m.Finish(ctx, key(i), rest.Answer{Status: 200, Body: make([]byte, 100)}); err != nil {
			t.Fatal(err)
		}
	}
	if a, err := claim(4); a != nil || err != nil { // the oldest answer makes room
		t.Fatalf("claim 4: %v, %v", a, err)
	}
	if a, err := claim(1); a == nil || err != nil {
		t.Errorf("the second is gone: %v", err)
	}
	if err := m.Finish(ctx, key(4), rest.Answer{Status: 200, Body: make([]byte, 3500)}); err != nil {
		t.Fatal(err)
	}
	if a, err := claim(1); a != nil || err != nil { // pushed out by size
		t.Errorf("claim 1: %v, %v", a, err)
	}
	now = now.Add(2 * time.Hour)
	if a, err := claim(4); a != nil || err != nil {
		t.Errorf("an answer is kept after its time: %v, %v", a, err)
	}
	if _, err := claim(1); !errors.Is(err, rest.ErrInProgress) { // work is never forgotten
		t.Errorf("claim 1 while it is worked on: %v", err)
	}
	if err := m.Release(ctx, key(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Claim(ctx, key(1), [32]byte{99}); err != nil {
		t.Errorf("claim after release: %v", err)
	}
	if err := m.Finish(ctx, key(77), rest.Answer{}); !errors.Is(err, fleet.ErrNotFound) {
		t.Errorf("finish of nothing: %v", err)
	}
}
