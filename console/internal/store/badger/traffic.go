package badger

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
	"github.com/obedio/obedio/shared/wire"
)

// hourRow is an hour of traffic: what is held of it, and what has begun.
type hourRow struct {
	// Parts of the version that is held; 0 for none.
	Version uint32              `json:"version,omitempty"`
	Parts   int                 `json:"parts,omitempty"`
	Epoch   fleet.Epoch         `json:"epoch,omitempty"`
	Totals  fleet.TrafficCounts `json:"totals,omitzero"`
	Begun   *begunHour          `json:"begun,omitempty"`
}

// begunHour is a version of which some parts are there, from the first on.
type begunHour struct {
	Version uint32              `json:"version"`
	Parts   int                 `json:"parts"`
	Have    int                 `json:"have"`
	Totals  fleet.TrafficCounts `json:"totals"`
}

// hoursEnd is behind every hour that can be stored.
var hoursEnd = hourStart(math.MaxUint32)

// hourNumber is the first hour since 1970 that does not begin before t.
func hourNumber(t time.Time) uint32 {
	n := (max(0, t.Unix()) + 3599) / 3600
	return uint32(min(n, math.MaxUint32))
}

func hourStart(n uint32) time.Time { return time.Unix(int64(n)*3600, 0).UTC() }

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
	row, _, err := getJSON[hourRow](s.t, hourKey(s.id, hourNumber(start)))
	return row.Version, row.Parts > 0, err
}

// PutTraffic implements lane.Holder.
func (s *site) PutTraffic(p lane.TrafficPart) (bool, error) {
	hour := hourNumber(p.Start)
	row, _, err := getJSON[hourRow](s.t, hourKey(s.id, hour))
	if err != nil {
		return false, err
	}
	b := row.Begun
	switch {
	case p.Part == 0:
		if b != nil {
			s.dropRows(hour, b.Version, b.Have)
		}
		b = &begunHour{Version: p.Version, Parts: p.Parts}
	case b == nil || b.Version != p.Version || b.Parts != p.Parts || b.Have != p.Part:
		return false, nil
	}
	rows := &pb.SummaryPart{}
	for _, r := range p.Rows {
		b.Totals.Add(r.Counts)
		rows.Rows = append(rows.Rows, wire.EncodeTrafficRow(r))
	}
	v, err := (proto.MarshalOptions{Deterministic: true}).Marshal(rows)
	if err != nil {
		return false, fmt.Errorf("encode hour of traffic: %w", err)
	}
	if v == nil {
		v = []byte{} // nil would delete
	}
	s.t.set(rowsKey(s.id, hour, p.Version, p.Part), v)
	b.Have++
	row.Begun = b
	if b.Have == b.Parts {
		if err := s.takeHour(hour, &row); err != nil {
			return false, err
		}
	}
	return row.Begun == nil, s.t.setJSON(hourKey(s.id, hour), row)
}

// takeHour makes what has begun what is held.
func (s *site) takeHour(hour uint32, row *hourRow) error {
	if row.Parts == 0 {
		if err := s.count(func(c *store.Counts) { c.TrafficHours++ }); err != nil {
			return err
		}
	} else if row.Version != row.Begun.Version {
		s.dropRows(hour, row.Version, row.Parts)
	}
	e, err := s.Epoch()
	if err != nil {
		return err
	}
	*row = hourRow{Version: row.Begun.Version, Parts: row.Begun.Parts, Epoch: e, Totals: row.Begun.Totals}
	return nil
}

func (s *site) dropRows(hour, version uint32, n int) {
	for part := range n {
		s.t.set(rowsKey(s.id, hour, version, part), nil)
	}
}

// Traffic implements store.SiteView.
func (s *site) Traffic(from, to time.Time, rows bool, fn func(store.TrafficHour) bool) error {
	end := hourNumber(to)
	return s.hours(hourNumber(from), func(hour uint32, row hourRow) (bool, error) {
		if hour >= end {
			return false, nil
		}
		if row.Parts == 0 {
			return true, nil // it has only begun
		}
		h := store.TrafficHour{
			TrafficRef: fleet.TrafficRef{Start: hourStart(hour), Version: row.Version}, Epoch: row.Epoch, Totals: row.Totals,
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
func (s *site) hours(from uint32, fn func(hour uint32, row hourRow) (bool, error)) error {
	p := siteKey(s.id, siteTraffic)
	return s.t.each(p, hourKey(s.id, from), func(k, v []byte) (bool, error) {
		row, err := decodeHour(v)
		if err != nil {
			return false, err
		}
		return fn(binary.BigEndian.Uint32(k[len(p):]), row)
	})
}

func decodeHour(v []byte) (row hourRow, err error) {
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
	var m pb.SummaryPart
	if err := proto.Unmarshal(v, &m); err != nil {
		return fmt.Errorf("decode hour of traffic: %w", err)
	}
	for _, r := range m.Rows {
		row, err := wire.DecodeTrafficRow(r)
		if err != nil {
			return fmt.Errorf("decode hour of traffic: %w", err)
		}
		h.Rows = append(h.Rows, row)
	}
	return nil
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
		last = hourStart(binary.BigEndian.Uint32(k[len(p):]))
		return row.Parts == 0, err
	})
	return first, last, true, err
}

// DropTraffic implements store.SiteTx.
func (s *site) DropTraffic(before time.Time, most int) (int, error) {
	end := uint32(max(0, before.Unix()) / (24 * 3600))
	days, held, last := 0, 0, uint32(0)
	err := s.hours(0, func(hour uint32, row hourRow) (bool, error) {
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
