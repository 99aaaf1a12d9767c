package badger

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Certificates implements store.SiteView.
func (s *site) Certificates(fn func(fleet.Certificate) bool) error { return upwards(s, "", fn) }

// Policies implements store.SiteView.
func (s *site) Policies(fn func(fleet.Document) bool) error { return upwards(s, "", fn) }

// AddUsage implements store.SiteTx.
func (s *site) AddUsage(u store.Usage) error {
	u.Day = store.DayOf(u.Day)
	k := usageKey(s.id, u.Day.Unix())
	before, _, err := getJSON[store.Usage](s.t, k)
	if err != nil {
		return err
	}
	u.In, u.Out, u.Calls = u.In+before.In, u.Out+before.Out, u.Calls+before.Calls
	return s.t.setJSON(k, u)
}

// Usage implements store.SiteView.
func (s *site) Usage(from, to time.Time, fn func(store.Usage) bool) error {
	return s.t.each(siteKey(s.id, siteUsage), usageKey(s.id, store.DayOf(from).Unix()), func(_, v []byte) (bool, error) {
		var u store.Usage
		if err := json.Unmarshal(v, &u); err != nil {
			return false, fmt.Errorf("decode usage: %w", err)
		}
		return u.Day.Before(to) && fn(u), nil
	})
}

// usageKey names a day, by days since 1970.
func usageKey(site fleet.SiteID, seconds int64) []byte {
	return binary.BigEndian.AppendUint32(siteKey(site, siteUsage), uint32(max(0, seconds)/86400))
}
