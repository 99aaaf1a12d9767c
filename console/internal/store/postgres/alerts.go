package postgres

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// targetKey names a target of a job on a site.
type targetKey struct {
	job    fleet.JobID
	device fleet.DeviceID
}

// row reads a document of a site that may be written in this transaction.
func row[K comparable, T any](s *site, m *map[K]*cell[*T], k K, sql string, args ...any) (v T, found bool, err error) {
	c, ok := (*m)[k]
	if !ok {
		v, found, err = oneJSON[T](s.t, sql, append([]any{s.row.ID}, args...)...)
		if err != nil {
			return v, false, err
		}
		c = keep(m, k, nil)
		if found {
			c.value = &v
		}
	}
	if c.value == nil {
		return v, false, nil
	}
	return *c.value, true, nil
}

// JobTarget implements store.SiteView.
func (s *site) JobTarget(job fleet.JobID, device fleet.DeviceID) (store.JobTarget, bool, error) {
	return row(s, &s.targets, targetKey{job, device},
		"SELECT target FROM job_targets WHERE site_id = $1 AND job_id = $2 AND device_id = $3", job, device)
}

// PutJobTarget implements store.SiteTx.
func (s *site) PutJobTarget(v store.JobTarget) error {
	v.Site = s.row.ID
	put(&s.targets, targetKey{v.Job, v.Device}, &v)
	return nil
}

// flushTargets writes the targets that have changed, in one statement.
func (s *site) flushTargets() error {
	var jobs, devices, values []string
	for k, c := range s.targets {
		if !c.dirt {
			continue
		}
		v, err := document(c.value)
		if err != nil {
			return err
		}
		jobs, devices, values = append(jobs, string(k.job)), append(devices, string(k.device)), append(values, v)
	}
	if len(jobs) > 0 {
		s.t.write(`INSERT INTO job_targets (site_id, job_id, device_id, target)
			SELECT $1, w.* FROM unnest($2::text[], $3::text[], $4::text[]) AS w
			ON CONFLICT (site_id, job_id, device_id) DO UPDATE SET target = excluded.target`, s.row.ID, jobs, devices, values)
	}
	return nil
}

// Alert implements store.SiteView.
func (s *site) Alert(id fleet.AlertID) (store.Alert, bool, error) {
	return row(s, &s.alerts, id, "SELECT alert FROM alerts WHERE site_id = $1 AND alert_id = $2", id)
}

// Alerts implements store.SiteView.
func (s *site) Alerts(before fleet.AlertID, fn func(store.Alert) bool) error {
	return listed(s.t, string(idBefore(before)), func(_ string, b []byte) (bool, error) { return decoded("alert", b, fn) },
		"SELECT alert_id, alert FROM alerts WHERE site_id = $1 AND alert_id < $2 ORDER BY alert_id DESC LIMIT $3", s.row.ID)
}

// PutAlert implements store.SiteTx.
func (s *site) PutAlert(a store.Alert) error {
	a.Site = s.row.ID
	put(&s.alerts, a.ID, &a)
	return nil
}

func (s *site) flushAlerts() error {
	for id, c := range s.alerts {
		if !c.dirt {
			continue
		}
		v, err := document(c.value)
		if err != nil {
			return err
		}
		s.t.write(`INSERT INTO alerts (site_id, alert_id, arrived_ms, open, alert) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (site_id, alert_id) DO UPDATE SET arrived_ms = excluded.arrived_ms, open = excluded.open, alert = excluded.alert`,
			s.row.ID, id, max(0, c.value.ArrivedAt.UnixMilli()), c.value.Open(), v)
	}
	return nil
}

// alertPages calls fn with the alerts of a statement page by page. at is told of
// each page's last; args are the arguments for the page behind it.
func (s *Store) alertPages(ctx context.Context, fn func(store.Alert) bool, at store.AlertRef, sql string, args func(store.AlertRef) []any) error {
	return s.view(ctx, query{sql: "SELECT 1"}, func(t *tx) error {
		return pages(func() (int, bool, error) {
			var all []store.Alert
			err := t.read(func(r pgx.Rows) error {
				var b []byte
				var a store.Alert
				if err := errors.Join(r.Scan(&b), decode(b, &a)); err != nil {
					return err
				}
				all = append(all, a)
				return nil
			}, sql, append(args(at), pageRows)...)
			if err != nil {
				return 0, false, err
			}
			for _, a := range all {
				if at = a.ArrivalRef(); !fn(a) {
					return 0, false, nil
				}
			}
			return len(all), true, nil
		})
	})
}

// OpenAlerts implements store.Store.
func (s *Store) OpenAlerts(ctx context.Context, fn func(store.Alert) bool) error {
	return s.alertPages(ctx, fn, store.AlertRef{}, "SELECT alert FROM alerts WHERE open AND (site_id, alert_id) > ($1, $2) ORDER BY site_id, alert_id LIMIT $3",
		func(at store.AlertRef) []any { return []any{at.Site, at.ID} })
}

// AlertsBefore implements store.Store.
func (s *Store) AlertsBefore(ctx context.Context, before store.AlertRef, fn func(store.Alert) bool) error {
	return s.alertPages(ctx, fn, before, `SELECT alert FROM alerts WHERE (arrived_ms, site_id, alert_id) < ($1, $2, $3)
		ORDER BY arrived_ms DESC, site_id DESC, alert_id DESC LIMIT $4`,
		func(at store.AlertRef) []any {
			if at == (store.AlertRef{}) {
				return []any{int64(math.MaxInt64), "", ""}
			}
			return []any{max(0, at.ArrivedAt.UnixMilli()), at.Site, at.ID}
		})
}

// Certificates implements store.SiteView.
func (s *site) Certificates(fn func(fleet.Certificate) bool) error { return upwards(s, "", fn) }

// Policies implements store.SiteView.
func (s *site) Policies(fn func(fleet.Document) bool) error { return upwards(s, "", fn) }

func dayNumber(t time.Time) int64 { return max(0, store.DayOf(t).Unix()) / 86400 }

// AddUsage implements store.SiteTx.
func (s *site) AddUsage(u store.Usage) error {
	u.Day = store.DayOf(u.Day)
	day := dayNumber(u.Day)
	before, _, err := row(s, &s.usage, day, "SELECT body FROM usage WHERE site_id = $1 AND day = $2", day)
	if err != nil {
		return err
	}
	u.In, u.Out, u.Calls = u.In+before.In, u.Out+before.Out, u.Calls+before.Calls
	put(&s.usage, day, &u)
	return nil
}

func (s *site) flushUsage() error {
	for day, c := range s.usage {
		if !c.dirt {
			continue
		}
		err := s.t.writeJSON(c.value, `INSERT INTO usage (site_id, day, body) VALUES ($1, $2, $3)
			ON CONFLICT (site_id, day) DO UPDATE SET body = excluded.body`, s.row.ID, day)
		if err != nil {
			return err
		}
	}
	return nil
}

// Usage implements store.SiteView.
func (s *site) Usage(from, to time.Time, fn func(store.Usage) bool) error {
	first := dayNumber(from)
	if s.newest != nil { // most ask for today, and many sites are asked
		switch {
		case s.newest.day < first:
			return nil
		case s.newest.day == first:
			if s.newest.usage.Day.Before(to) {
				fn(s.newest.usage)
			}
			return nil
		}
	}
	return listed(s.t, first-1, func(_ int64, b []byte) (bool, error) {
		return decoded("usage", b, func(u store.Usage) bool { return u.Day.Before(to) && fn(u) })
	}, "SELECT day, body FROM usage WHERE site_id = $1 AND day > $2 ORDER BY day LIMIT $3", s.row.ID)
}

// newestUsage is the last day of a site, -1 for none.
type newestUsage struct {
	day   int64
	usage store.Usage
}

// Hub implements store.SiteView.
func (s *site) Hub() (store.Hub, bool, error) {
	if s.row.Hub == "" {
		return store.Hub{}, false, nil
	}
	if s.hub == nil {
		h, found, err := oneJSON[store.Hub](s.t, "SELECT hub FROM hubs WHERE site_id = $1 AND hub_id = $2", s.row.ID, s.row.Hub)
		if err != nil || !found {
			return h, false, err
		}
		s.hub = &h
	}
	return *s.hub, true, nil
}

// beside reads for many sites at once what is asked of each: its hub, and the
// last day of its link.
func beside(t *tx, all []*site) error {
	byID := make(map[fleet.SiteID]*site, len(all))
	sites, hubs := make([]string, 0, len(all)), make([]string, 0, len(all))
	for _, v := range all {
		v.newest = &newestUsage{day: -1}
		byID[v.row.ID] = v
		sites, hubs = append(sites, string(v.row.ID)), append(hubs, string(v.row.Hub))
	}
	return t.send(t.ctx,
		query{`SELECT h.hub FROM unnest($1::text[], $2::text[]) AS w(site_id, hub_id)
			JOIN hubs h ON h.site_id = w.site_id COLLATE "C" AND h.hub_id = w.hub_id COLLATE "C"`, []any{sites, hubs}, func(r pgx.Rows) error {
			var b []byte
			h := &store.Hub{}
			if err := errors.Join(r.Scan(&b), decode(b, h)); err != nil {
				return err
			}
			if v, ok := byID[h.Site]; ok {
				v.hub = h
			}
			return nil
		}},
		query{`SELECT u.site_id, u.day, u.body FROM unnest($1::text[]) AS w(site_id)
			JOIN LATERAL (SELECT site_id, day, body FROM usage WHERE usage.site_id = w.site_id COLLATE "C" ORDER BY day DESC LIMIT 1) AS u ON true`,
			[]any{sites}, func(r pgx.Rows) error {
				var id fleet.SiteID
				var n newestUsage
				var b []byte
				if err := errors.Join(r.Scan(&id, &n.day, &b), decode(b, &n.usage)); err != nil {
					return err
				}
				if v, ok := byID[id]; ok {
					v.newest = &n
				}
				return nil
			}})
}
