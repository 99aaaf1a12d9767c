package uplink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

const (
	spentKey    = "spent"
	governedKey = "governed"
)

// governed is how the console wants the link used; zero fields leave the hub's
// own settings.
type governed struct {
	StateEvery time.Duration `json:"state_every,omitempty"`
	PerDay     uint64        `json:"per_day,omitempty"`
	PerMonth   uint64        `json:"per_month,omitempty"`
}

// errSilent: the budget of the link is spent.
var errSilent = fmt.Errorf("%w: the link's budget is spent, the part for calls too", fleet.ErrLimit)

// govern takes what the console says of the link's use.
func (u *Uplink) govern(p *pb.LinkPolicy) {
	u.governed = governed{
		StateEvery: time.Duration(p.GetStateIntervalMs()) * time.Millisecond, PerDay: p.GetBytesPerDay(), PerMonth: p.GetBytesPerMonth(),
	}
	u.settle()
}

// settle draws the consequences of what the console and the settings say.
func (u *Uplink) settle() {
	u.stateEvery = cmp.Or(u.governed.StateEvery, u.c.StateEvery)
	u.budget = u.c.Budget
	u.budget.PerDay = cmp.Or(u.governed.PerDay, u.budget.PerDay)
	u.budget.PerMonth = cmp.Or(u.governed.PerMonth, u.budget.PerMonth)
}

// storeSpentEvery is how often what is spent is written; it is known as well as
// that after a power cut.
const storeSpentEvery = time.Minute

// spend counts what has passed the socket since the last call, and says which
// rung that leads to; errSilent on the last one.
func (u *Uplink) spend(ctx context.Context) error {
	if u.c.Passed == nil {
		u.rung = RungFull
		return nil
	}
	now, passed := u.c.now(), u.c.Passed()
	u.spent = u.spent.add(passed-u.passed, now)
	u.passed = passed
	ladder := climb(u.budget, u.spent, now)
	if ladder.Rung != u.rung {
		u.c.Logger.Info("link's ladder", "rung", ladder.Rung, "cause", ladder.Cause)
		u.rung = ladder.Rung
		u.c.States.WidenBands(u.rung.bands())
	}
	u.tell(func(s *Status) { s.Ladder, s.Goodput = ladder, uint64(u.pace.goodput) })
	if since := time.Since(u.stored); since >= storeSpentEvery || ladder.Rung == RungSilent {
		if err := u.storeSpent(ctx); err != nil {
			return err
		}
	}
	if ladder.Rung == RungSilent {
		return errSilent
	}
	return nil
}

func (u *Uplink) storeSpent(ctx context.Context) error {
	u.stored = time.Now()
	err := u.c.Store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		return errors.Join(tx.PutLink(spentKey, u.spent), tx.PutLink(governedKey, u.governed))
	})
	if err != nil && !errors.Is(err, fleet.ErrFull) {
		return fmt.Errorf("store what the link has carried: %w", err)
	}
	return nil
}

// untilBudget is how long the budget stays spent.
func (u *Uplink) untilBudget() time.Duration {
	now := u.c.now().UTC()
	midnight := time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, time.UTC)
	return midnight.Sub(now)
}
