package alert

import (
	"context"
	"strconv"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// lookBack is how many alerts of a site are looked at for the digest of an
// absence; what is more is told as "more than".
const lookBack = 5000

// digest sums up, once for each absence that was long, what happened while a site
// was away.
func (a *Alerts) digest(ctx context.Context, e Evidence, now time.Time) error {
	c := e.Contact
	if e.Gone || c.AwaySince.IsZero() || c.UpAt.Sub(c.AwaySince) < a.c.Limits.Digest || now.Sub(c.UpAt) > 24*time.Hour {
		return nil
	}
	if now.Sub(c.UpAt) < settle {
		return nil // it has just greeted, and what it holds is not known yet
	}
	a.mu.Lock()
	done := a.digested[e.Site.ID].Equal(c.UpAt)
	a.mu.Unlock()
	if done {
		return nil
	}
	var v *store.Alert
	err := a.c.Store.ViewSite(ctx, e.Site.ID, func(s store.SiteView) (err error) {
		v, err = summarize(s, c, now)
		return err
	})
	if err == nil && v != nil {
		err = a.put(ctx, e.Site.ID, []store.Alert{*v})
	}
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.digested[e.Site.ID] = c.UpAt
	a.mu.Unlock()
	return nil
}

// settle is how long a site that is back is given to say what it holds.
const settle = 10 * time.Second

// summarize is the digest of an absence; nil when there is one already.
func summarize(s store.SiteView, c store.Contact, now time.Time) (*store.Alert, error) {
	var came, gone, open int
	var members []string
	there := false
	n := 0
	err := s.Alerts("", func(v store.Alert) bool {
		n++
		if v.Kind == SiteReturned && v.Since.Equal(c.AwaySince) {
			there = true
			return false
		}
		if v.Origin == store.AlertFromHub && !v.ArrivedAt.Before(c.UpAt) && v.RaisedAt.After(c.AwaySince) {
			came++
			if v.State.Holds() {
				open++
				if len(members) < fleet.MaxAlertMembers {
					members = append(members, string(v.Kind))
				}
			} else {
				gone++
			}
		}
		return n < lookBack
	})
	if err != nil || there {
		return nil, err
	}
	var requests, missed, emergencies int
	err = s.Requests("", func(r fleet.Request) bool {
		if r.OpenedAt.Before(c.AwaySince.Add(-c.Offset - time.Hour)) {
			return false
		}
		if !r.Purpose.ForPeople() || r.OpenedAt.Before(c.AwaySince.Add(-c.Offset)) {
			return true
		}
		requests++
		if r.State == fleet.RequestMissed {
			missed++
		}
		if r.Priority == fleet.Emergency {
			emergencies++
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	ends := map[store.OrderState]int{}
	n = 0
	err = s.OrdersBefore(0, func(o store.Order) bool {
		if n++; !o.EndedAt.Before(c.AwaySince) && o.End != "" {
			ends[o.End]++
		}
		return n < lookBack
	})
	if err != nil {
		return nil, err
	}
	counts, err := s.Counts()
	if err != nil {
		return nil, err
	}
	v := store.Alert{Origin: store.AlertFromConsole, ArrivedAt: now, Alert: fleet.Alert{
		ID: fleet.NewUUID[fleet.AlertID](now), Kind: SiteReturned, Severity: fleet.AlertInfo, SubjectKind: fleet.AlertOfSite,
		State: fleet.AlertRectified, Since: c.AwaySince, RaisedAt: now, RectifiedAt: c.UpAt, Occurrences: 1, UpdatedAt: now, Version: 1,
		Count: came, Members: members, Detail: map[string]string{
			"away_since": c.AwaySince.Format(time.RFC3339), "back_at": c.UpAt.Format(time.RFC3339),
		},
	}}
	v.Site = s.Site().ID
	number := func(name string, n int) {
		if n > 0 {
			v.Detail[name] = strconv.Itoa(n)
		}
	}
	number("alerts_gone", gone)
	number("alerts_open", open)
	number("requests", requests)
	number("requests_missed", missed)
	number("emergencies", emergencies)
	number("orders_applied", ends[store.OrderApplied])
	number("orders_expired", ends[store.OrderExpired])
	number("orders_conflict", ends[store.OrderConflict])
	number("orders_refused", ends[store.OrderRefused])
	number("devices_lost", counts.Devices[fleet.Lost])
	if missed+emergencies+ends[store.OrderConflict] > 0 {
		v.Severity = fleet.AlertWarning
	}
	return &v, nil
}
