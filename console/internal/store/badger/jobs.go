package badger

import (
	"context"
	"fmt"
	"strconv"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// PutJob implements store.Store.
func (s *Store) PutJob(ctx context.Context, by fleet.Actor, action string, j store.Job, ifVersion uint64) (store.Job, error) {
	err := s.change(ctx, func(t *tx) error {
		k := fleetKey(fleetJob, string(j.ID))
		before, found, err := getJSON[store.Job](t, k)
		if err != nil {
			return err
		}
		if err := store.CheckVersion("job "+string(j.ID), before.Version, found, ifVersion); err != nil {
			return err
		}
		j.Version = ifVersion + 1
		if action != "" {
			detail := map[string]string{"name": j.Name, "targets": strconv.Itoa(j.Targets)}
			if err := t.audit(by, action, string(j.ID), detail); err != nil {
				return err
			}
		}
		return t.setJSON(k, j)
	})
	return j, err
}

// Job implements store.Store.
func (s *Store) Job(ctx context.Context, id fleet.JobID) (j store.Job, err error) {
	err = s.view(ctx, func(t *tx) error {
		var found bool
		j, found, err = getJSON[store.Job](t, fleetKey(fleetJob, string(id)))
		if err == nil && !found {
			err = fmt.Errorf("%w: job %s", fleet.ErrNotFound, id)
		}
		return err
	})
	return j, err
}

// Jobs implements store.Store.
func (s *Store) Jobs(ctx context.Context, before fleet.JobID, limit int) (all []store.Job, err error) {
	err = s.view(ctx, func(t *tx) error {
		var upper []byte
		if before != "" {
			upper = fleetKey(fleetJob, string(before))
		}
		return t.back(fleetKey(fleetJob), upper, func(_, v []byte) (bool, error) {
			return decoded("job", v, func(j store.Job) bool {
				all = append(all, j)
				return len(all) < limit
			})
		})
	})
	return all, err
}

func targetKey(job fleet.JobID, site fleet.SiteID, device fleet.DeviceID) []byte {
	return fleetKey(fleetTarget, string(job), string(site), string(device))
}

// JobTargets implements store.Store.
func (s *Store) JobTargets(ctx context.Context, id fleet.JobID, behind store.TargetRef, fn func(store.JobTarget) bool) error {
	return s.view(ctx, func(t *tx) error {
		var from []byte
		if behind != (store.TargetRef{}) {
			from = append(targetKey(id, behind.Site, behind.Device), 0)
		}
		return t.each(append(fleetKey(fleetTarget, string(id)), 0), from, func(_, v []byte) (bool, error) {
			return decoded("target", v, fn)
		})
	})
}

// JobTarget implements store.SiteView.
func (s *site) JobTarget(job fleet.JobID, device fleet.DeviceID) (store.JobTarget, bool, error) {
	return getJSON[store.JobTarget](s.t, targetKey(job, s.id, device))
}

// PutJobTarget implements store.SiteTx.
func (s *site) PutJobTarget(v store.JobTarget) error {
	v.Site = s.id
	return s.t.setJSON(targetKey(v.Job, s.id, v.Device), v)
}
