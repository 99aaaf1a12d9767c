package postgres

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/lane"
)

// hour reads an hour of traffic; nil when there is nothing of it.
func (s *site) hour(n uint32) (*store.StoredHour, error) {
	if c, ok := s.hours[n]; ok {
		return c.value, nil
	}
	row, found, err := oneJSON[store.StoredHour](s.t, "SELECT body FROM traffic_hours WHERE site_id = $1 AND hour = $2", s.row.ID, int64(n))
	if err != nil || !found {
		return nil, err
	}
	return keep(&s.hours, n, &row).value, nil
}

// TrafficHeld implements lane.Holder.
func (s *site) TrafficHeld(start time.Time) (uint32, bool, error) {
	h, err := s.hour(store.HourNumber(start))
	if err != nil || h == nil {
		return 0, false, err
	}
	return h.Version, h.Parts > 0, nil
}

// PutTraffic implements lane.Holder.
func (s *site) PutTraffic(p lane.TrafficPart) (bool, error) {
	n := store.HourNumber(p.Start)
	h, err := s.hour(n)
	if err != nil {
		return false, err
	}
	if h == nil {
		h = &store.StoredHour{}
	}
	e, err := s.Epoch()
	if err != nil {
		return false, err
	}
	added := h.Add(p, e)
	if !added.Taken {
		return false, nil
	}
	s.dropRows(n, added.DropVersion, added.DropParts)
	rows, err := store.EncodeTrafficRows(p.Rows)
	if err != nil {
		return false, err
	}
	s.t.write(`INSERT INTO traffic_rows (site_id, hour, version, part, body) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (site_id, hour, version, part) DO UPDATE SET body = excluded.body`,
		s.row.ID, int64(n), int64(p.Version), p.Part, rows)
	s.dropRows(n, added.AlsoVersion, added.AlsoParts)
	if added.First {
		if err := s.count(func(c *store.Counts) { c.TrafficHours++ }); err != nil {
			return false, err
		}
	}
	put(&s.hours, n, h)
	return added.Whole, nil
}

// dropRows removes the rows of a version; parts is 0 for nothing.
func (s *site) dropRows(n, version uint32, parts int) {
	if parts > 0 {
		s.t.write("DELETE FROM traffic_rows WHERE site_id = $1 AND hour = $2 AND version = $3", s.row.ID, int64(n), int64(version))
	}
}

// flushHours writes the hours that have changed.
func (s *site) flushHours() error {
	for n, c := range s.hours {
		if !c.dirt {
			continue
		}
		err := s.t.writeJSON(c.value, `INSERT INTO traffic_hours (site_id, hour, held, body) VALUES ($1, $2, $3, $4)
			ON CONFLICT (site_id, hour) DO UPDATE SET held = excluded.held, body = excluded.body`, s.row.ID, int64(n), c.value.Parts > 0)
		if err != nil {
			return err
		}
	}
	return nil
}

// Traffic implements store.SiteView.
func (s *site) Traffic(from, to time.Time, rows bool, fn func(store.TrafficHour) bool) error {
	end := int64(store.HourNumber(to))
	return listed(s.t, int64(store.HourNumber(from))-1, func(n int64, b []byte) (bool, error) {
		var row store.StoredHour
		if err := decode(b, &row); err != nil {
			return false, err
		}
		h, _ := row.Hour(uint32(n))
		if rows {
			if err := s.addRows(&h, n, row.Parts); err != nil {
				return false, err
			}
		}
		return fn(h), nil
	}, "SELECT hour, body FROM traffic_hours WHERE site_id = $1 AND held AND hour < $2 AND hour > $3 ORDER BY hour LIMIT $4", s.row.ID, end)
}

func (s *site) addRows(h *store.TrafficHour, n int64, parts int) error {
	have := 0
	err := s.t.read(func(r pgx.Rows) error {
		var b []byte
		if err := r.Scan(&b); err != nil {
			return err
		}
		have++
		rows, err := store.DecodeTrafficRows(b)
		h.Rows = append(h.Rows, rows...)
		return err
	}, "SELECT body FROM traffic_rows WHERE site_id = $1 AND hour = $2 AND version = $3 AND part < $4 ORDER BY part",
		s.row.ID, n, int64(h.Version), parts)
	if err == nil && have != parts {
		err = fmt.Errorf("hour of traffic %s of site %s has %d parts of %d", h.Start, s.row.ID, have, parts)
	}
	return err
}

// TrafficSpan implements store.SiteView.
func (s *site) TrafficSpan() (first, last time.Time, found bool, err error) {
	var low, high *int64
	err = s.t.read(func(r pgx.Rows) error { return r.Scan(&low, &high) },
		"SELECT min(hour), max(hour) FROM traffic_hours WHERE site_id = $1 AND held", s.row.ID)
	if err != nil || low == nil {
		return first, last, false, err
	}
	return store.HourStart(uint32(*low)), store.HourStart(uint32(*high)), true, nil
}

// DropTraffic implements store.SiteTx.
func (s *site) DropTraffic(before time.Time, most int) (int, error) {
	if most <= 0 {
		return 0, nil
	}
	end := max(0, before.Unix()) / (24 * 3600)
	var days []int64
	err := s.t.read(func(r pgx.Rows) error {
		var d int64
		err := r.Scan(&d)
		days = append(days, d)
		return err
	}, "SELECT DISTINCT hour / 24 AS day FROM traffic_hours WHERE site_id = $1 AND hour < $2 ORDER BY day LIMIT $3", s.row.ID, end*24, most)
	if err != nil || len(days) == 0 {
		return 0, err
	}
	until := (days[len(days)-1] + 1) * 24
	held, _, err := one[int](s.t, "SELECT count(*) FROM traffic_hours WHERE site_id = $1 AND held AND hour < $2", s.row.ID, until)
	if err != nil {
		return 0, err
	}
	s.t.write("DELETE FROM traffic_rows WHERE site_id = $1 AND hour < $2", s.row.ID, until)
	s.t.write("DELETE FROM traffic_hours WHERE site_id = $1 AND hour < $2", s.row.ID, until)
	return len(days), s.count(func(c *store.Counts) { c.TrafficHours -= held })
}
