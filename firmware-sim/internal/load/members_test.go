package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/hubapi"
	"github.com/obedio/obedio/firmware-sim/internal/join"
)

func TestPolitely_ComesAgainLaterWhenItIsTooMuchAndNotOtherwise(t *testing.T) {
	busy, no := &hubapi.Problem{Status: http.StatusTooManyRequests}, errors.New("no")
	for _, c := range []struct {
		name    string
		answers []error
		tries   int
		want    error
		took    time.Duration
	}{
		{"at once", []error{nil}, 1, nil, 0},
		{"another error", []error{no}, 1, no, 0},
		{"too much for a while", []error{fmt.Errorf("call: %w", busy), &join.Refusal{Status: 429}, nil}, 3, nil, 3 * time.Second},
		{"too much for good", []error{busy, busy, busy, busy, busy, busy, busy, busy, nil}, restTries, busy, 63 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, tries := time.Now(), 0
				err := politely(t.Context(), func() error { tries++; return c.answers[tries-1] })
				if !errors.Is(err, c.want) || tries != c.tries || time.Since(began) != c.took {
					t.Errorf("%v after %d tries and %s", err, tries, time.Since(began))
				}
			})
		})
	}
}

func TestPolitely_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		err := politely(ctx, func() error { return &hubapi.Problem{Status: http.StatusTooManyRequests} })
		if !errors.Is(err, context.DeadlineExceeded) || !hubapi.IsStatus(err, http.StatusTooManyRequests) {
			t.Error(err)
		}
	})
}
