package badger

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/lane"
)

// hoursEnd is behind every hour that can be stored.
var hoursEnd = store.HourStart(math.MaxUint32)

// TrafficMark implements lane.Holder.
func (s *site) TrafficMark() (lane.TrafficMark, error) {
	c, err := s.cursor.get(s, siteCursor)
	if err != nil {
		return lane.TrafficMark{}, err
	}
	return c.Traffic, nil
}

// SetTrafficMark implements lane.Holder.
func (s *site) SetTrafficMark(m lane.TrafficMark) error {
	c, err := s.cursor.get(s, siteCursor)
	if err != nil {
		return err
	}
	if c.Traffic != m {
		c.Traffic = m
		s.cursor.change = true
	}
	return nil
}

// TrafficHeld implements lane.Holder.
func (s *site) TrafficHeld(start time.Time) (uint32, bool, error) {
	row, _, err := getJSON[store.StoredHour](s.t, hourKey(s.id, store.HourNumber(start)))
	return row.Version, row.Parts > 0, err
}

// PutTraffic implements lane.Holder.
func (s *site) PutTraffic(p lane.TrafficPart) (bool, error) {
	hour := store.HourNumber(p.Start)
	row, _, err := getJSON[store.StoredHour](s.t, hourKey(s.id, hour))
	if err != nil {
		return false, err
	}
	e, err := s.Epoch()
	if err != nil {
		return false, err
	}
	added := row.Add(p, e)
	if !added.Taken {
		return false, nil
	}
	s.dropRows(hour, added.DropVersion, added.DropParts)
	v, err := store.EncodeTrafficRows(p.Rows)
	if err != nil {
		return false, err
	}
	s.t.set(rowsKey(s.id, hour, p.Version, p.Part), v)
	s.dropRows(hour, added.AlsoVersion, added.AlsoParts)
	if added.First {
		if err := s.count(func(c *store.Counts) { c.TrafficHours++ }); err != nil {
			return false, err
		}
	}
	return added.Whole, s.t.setJSON(hourKey(s.id, hour), row)
}

func (s *site) dropRows(hour, version uint32, n int) {
	for part := range n {
		s.t.set(rowsKey(s.id, hour, version, part), nil)
	}
}

// Traffic implements store.SiteView.
func (s *site) Traffic(from, to time.Time, rows bool, fn func(store.TrafficHour) bool) error {
	end := store.HourNumber(to)
	return s.hours(store.HourNumber(from), func(hour uint32, row store.StoredHour) (bool, error) {
		if hour >= end {
			return false, nil
		}
		h, held := row.Hour(hour)
		if !held {
			return true, nil // it has only begun
		}
		for part := range row.Parts {
			if !rows {
				break
			}
			if err := s.addRows(&h, hour, part); err != nil {
				return false, err
			}
		}
		return fn(h), nil
	})
}

// hours calls fn with the hours from one on.
func (s *site) hours(from uint32, fn func(hour uint32, row store.StoredHour) (bool, error)) error {
	p := siteKey(s.id, siteTraffic)
	return s.t.each(p, hourKey(s.id, from), func(k, v []byte) (bool, error) {
		row, err := decodeHour(v)
		if err != nil {
			return false, err
		}
		return fn(binary.BigEndian.Uint32(k[len(p):]), row)
	})
}

func decodeHour(v []byte) (row store.StoredHour, err error) {
	if err := json.Unmarshal(v, &row); err != nil {
		return row, fmt.Errorf("decode hour of traffic: %w", err)
	}
	return row, nil
}

func (s *site) addRows(h *store.TrafficHour, hour uint32, part int) error {
	v, err := s.t.get(rowsKey(s.id, hour, h.Version, part))
	if err != nil {
		return err
	}
	rows, err := store.DecodeTrafficRows(v)
	h.Rows = append(h.Rows, rows...)
	return err
}

// TrafficSpan implements store.SiteView.
func (s *site) TrafficSpan() (first, last time.Time, found bool, err error) {
	err = s.Traffic(time.Time{}, hoursEnd, false, func(h store.TrafficHour) bool {
		first, found = h.Start, true
		return false
	})
	if err != nil || !found {
		return first, last, false, err
	}
	p := siteKey(s.id, siteTraffic)
	err = s.t.back(p, nil, func(k, v []byte) (bool, error) {
		row, err := decodeHour(v)
		last = store.HourStart(binary.BigEndian.Uint32(k[len(p):]))
		return row.Parts == 0, err
	})
	return first, last, true, err
}

// DropTraffic implements store.SiteTx.
func (s *site) DropTraffic(before time.Time, most int) (int, error) {
	end := uint32(max(0, before.Unix()) / (24 * 3600))
	days, held, last := 0, 0, uint32(0)
	err := s.hours(0, func(hour uint32, row store.StoredHour) (bool, error) {
		day := hour / 24
		if days == 0 || day != last {
			if day >= end || days == most {
				return false, nil
			}
			days, last = days+1, day
		}
		if row.Parts > 0 {
			held++
			s.dropRows(hour, row.Version, row.Parts)
		}
		if b := row.Begun; b != nil {
			s.dropRows(hour, b.Version, b.Have)
		}
		s.t.set(hourKey(s.id, hour), nil)
		return true, nil
	})
	if err != nil || held == 0 {
		return days, err
	}
	return days, s.count(func(c *store.Counts) { c.TrafficHours -= held })
}
