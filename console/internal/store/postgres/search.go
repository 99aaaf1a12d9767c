package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// SearchDevices implements store.Store.
func (s *Store) SearchDevices(ctx context.Context, q store.DeviceQuery, at store.DevicePlace) (page store.DevicePage, err error) {
	err = s.view(ctx, query{sql: "SELECT 1"}, func(t *tx) error {
		page, err = store.SearchDevices(deviceIndex{t}, q, at)
		return err
	})
	return page, err
}

// deviceIndex implements store.DeviceIndex.
type deviceIndex struct{ t *tx }

// CountTerms implements store.DeviceIndex.
func (x deviceIndex) CountTerms(f store.TermField, r store.TermRange, most int) (int, error) {
	n, _, err := one[int](x.t, `SELECT count(*) FROM (SELECT 1 FROM device_terms WHERE field = $1 AND value >= $2 AND value < $3
		ORDER BY value, site_id, device_id LIMIT $4) AS few`, int16(f), r.From, r.To, most)
	return n, err
}

// Terms implements store.DeviceIndex.
func (x deviceIndex) Terms(r store.TermRange, behind store.DevicePlace, limit int) (all []store.DevicePlace, err error) {
	if behind.Value < r.From {
		behind.Value, behind.Site, behind.Device = r.From, "", ""
	}
	err = x.t.read(func(row pgx.Rows) error {
		p := store.DevicePlace{Field: behind.Field}
		err := row.Scan(&p.Value, &p.Site, &p.Device)
		all = append(all, p)
		return err
	}, `SELECT value, site_id, device_id FROM device_terms WHERE field = $1 AND (value, site_id, device_id) > ($2, $3, $4) AND value < $5
		ORDER BY value, site_id, device_id LIMIT $6`, int16(behind.Field), behind.Value, behind.Site, behind.Device, r.To, limit)
	return all, err
}

// foundColumns are what scanFound reads.
const foundColumns = `e.site_id, e.entity, s.state, r.entity FROM entities e
	LEFT JOIN states s ON s.site_id = e.site_id AND s.device_id = e.id
	LEFT JOIN entities r ON r.site_id = e.site_id AND r.kind = 'room' AND r.id = (e.entity::json ->> 'room') COLLATE "C" `

func scanFound(r pgx.Rows) (d store.FoundDevice, err error) {
	var entity, state, room []byte
	if err := r.Scan(&d.Site, &entity, &state, &room); err != nil {
		return d, err
	}
	if err := decode(entity, &d.Device); err != nil {
		return d, err
	}
	if state != nil {
		d.State = &store.StateRow{}
		if err := decode(state, d.State); err != nil {
			return d, err
		}
	}
	if room == nil {
		return d, nil
	}
	var in fleet.Room
	err = decode(room, &in)
	d.RoomName = in.Name
	return d, err
}

// Found implements store.DeviceIndex.
func (x deviceIndex) Found(at []store.DevicePlace) ([]store.FoundDevice, error) {
	if len(at) == 0 {
		return nil, nil
	}
	sites, ids := make([]string, len(at)), make([]string, len(at))
	for i, p := range at {
		sites[i], ids[i] = string(p.Site), string(p.Device)
	}
	all := make([]store.FoundDevice, 0, len(at))
	err := x.t.read(func(r pgx.Rows) error {
		d, err := scanFound(r)
		if err == nil && !d.Device.Removed {
			all = append(all, d)
		}
		return err
	}, "SELECT "+foundColumns+`JOIN (SELECT DISTINCT * FROM unnest($1::text[], $2::text[])) AS w(site_id, id)
		ON e.site_id = w.site_id COLLATE "C" AND e.id = w.id COLLATE "C" WHERE e.kind = 'device'`, sites, ids)
	return all, err
}

// SiteDevices implements store.DeviceIndex.
func (x deviceIndex) SiteDevices(site fleet.SiteID, behind fleet.DeviceID, limit int) (all []store.FoundDevice, last fleet.DeviceID, err error) {
	n := 0
	err = x.t.read(func(r pgx.Rows) error {
		d, err := scanFound(r)
		if err != nil {
			return err
		}
		if n++; n == limit {
			last = d.Device.ID
		}
		if !d.Device.Removed {
			all = append(all, d)
		}
		return nil
	}, "SELECT "+foundColumns+"WHERE e.site_id = $1 AND e.kind = 'device' AND e.id > $2 ORDER BY e.id LIMIT $3", site, behind, limit)
	return all, last, err
}

// NextSite implements store.DeviceIndex.
func (x deviceIndex) NextSite(behind fleet.SiteID) (fleet.SiteID, bool, error) {
	return one[fleet.SiteID](x.t, "SELECT site_id FROM sites WHERE site_id > $1 ORDER BY site_id LIMIT 1", behind)
}

// CountDevices implements store.DeviceIndex.
func (x deviceIndex) CountDevices(sites []fleet.SiteID, most int) (int, error) {
	n := 0
	for some := range slices.Chunk(sites, 200) {
		err := x.t.read(func(r pgx.Rows) error {
			var b []byte
			var c store.Counts
			if err := errors.Join(r.Scan(&b), decode(b, &c)); err != nil {
				return err
			}
			n += c.AllDevices()
			return nil
		}, "SELECT counts FROM sites WHERE site_id = ANY($1)", some)
		if err != nil || n >= most {
			return min(n, most), err
		}
	}
	return n, nil
}

// flushTerms makes the terms of the devices that have changed be as they are.
func (s *site) flushTerms() error {
	var gone, come struct {
		ids, values []string
		fields      []int16
	}
	differ := func(id string, before, after []store.Term) {
		for _, t := range before {
			if !slices.Contains(after, t) {
				gone.ids, gone.fields, gone.values = append(gone.ids, id), append(gone.fields, int16(t.Field)), append(gone.values, t.Value)
			}
		}
		for _, t := range after {
			if !slices.Contains(before, t) {
				come.ids, come.fields, come.values = append(come.ids, id), append(come.fields, int16(t.Field)), append(come.values, t.Value)
			}
		}
	}
	for id, before := range s.terms {
		after, err := s.termsOf(id)
		if err != nil {
			return err
		}
		differ(string(id), before, after)
	}
	for id, before := range s.roomTerms {
		r, _, err := fleet.Get[fleet.Room](s, fleet.RoomRef(id))
		if err != nil {
			return err
		}
		differ(string(id), before, store.RoomTerms(r))
	}
	if len(gone.ids) > 0 {
		s.t.write(`DELETE FROM device_terms t USING unnest($2::text[], $3::smallint[], $4::text[]) AS w(id, field, value)
			WHERE t.site_id = $1 AND t.device_id = w.id COLLATE "C" AND t.field = w.field AND t.value = w.value COLLATE "C"`,
			s.row.ID, gone.ids, gone.fields, gone.values)
	}
	if len(come.ids) > 0 {
		s.t.write(`INSERT INTO device_terms (site_id, device_id, field, value) SELECT $1, w.* FROM unnest($2::text[], $3::smallint[], $4::text[]) AS w
			ON CONFLICT DO NOTHING`, s.row.ID, come.ids, come.fields, come.values)
	}
	return nil
}

// termsOf are the terms of a device whose row and state are known.
func (s *site) termsOf(id fleet.DeviceID) ([]store.Term, error) {
	d, found, err := fleet.Get[fleet.Device](s, fleet.DeviceRef(id))
	if err != nil || !found {
		return nil, err
	}
	return store.DeviceTerms(d, s.states[id].value), nil
}

// termsSetting says that the devices of a store have their terms.
const termsSetting = "device_terms"

// index writes the terms of all devices of a store that has none yet.
func (s *Store) index(ctx context.Context) error {
	v, err := s.Setting(ctx, termsSetting)
	if err != nil || v != "" {
		return err
	}
	n := 0
	for behind := fleet.SiteID(""); ; {
		sites, err := s.Sites(ctx, behind, 500)
		if err != nil {
			return err
		}
		for _, row := range sites {
			behind = row.ID
			err := s.UpdateSite(ctx, row.ID, func(tx store.SiteTx) error {
				v := tx.(*site)
				err := v.Devices("", func(d fleet.Device) bool {
					n++
					v.touch(d.ID, nil)
					return true
				})
				return errors.Join(err, v.Rooms(func(r fleet.Room) bool {
					v.touchRoom(r.ID, nil)
					return true
				}))
			})
			if err != nil {
				return fmt.Errorf("index devices of site %s: %w", row.ID, err)
			}
		}
		if len(sites) < 500 {
			break
		}
	}
	if n > 0 {
		s.log.Info("devices indexed for the search", "devices", n)
	}
	return s.SetSetting(ctx, termsSetting, "1")
}
