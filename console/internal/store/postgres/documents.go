package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// PutDocument implements store.Store.
func (s *Store) PutDocument(ctx context.Context, by fleet.Actor, d store.Document, ifVersion uint64) (out store.Document, err error) {
	err = s.change(ctx, func(t *tx) error {
		before, _, err := oneJSON[store.Document](t, "SELECT document FROM documents WHERE kind = $1 AND name = $2", d.Kind, d.Name)
		if err != nil {
			return err
		}
		if out, err = store.NextDocument(before, d, ifVersion, by, s.c.Now()); err != nil {
			return err
		}
		return errors.Join(
			t.writeJSON(out, `INSERT INTO documents (kind, name, removed, document) VALUES ($1, $2, $3, $4)
				ON CONFLICT (kind, name) DO UPDATE SET removed = excluded.removed, document = excluded.document`, out.Kind, out.Name, out.Removed),
			t.writeJSON(out, "INSERT INTO document_versions (kind, name, version, document) VALUES ($1, $2, $3, $4)", out.Kind, out.Name, int64(out.Version)),
			t.audit(by, store.DocumentAction(out), out.Name, map[string]string{"version": strconv.FormatUint(out.Version, 10)}),
		)
	})
	return out, err
}

// Document implements store.Store.
func (s *Store) Document(ctx context.Context, kind store.DocumentKind, name string) (store.Document, error) {
	d, found, err := getJSON[store.Document](ctx, s, "SELECT document FROM documents WHERE kind = $1 AND name = $2 AND NOT removed", kind, name)
	if err == nil && !found {
		err = fmt.Errorf("%w: %s %s", fleet.ErrNotFound, kind, name)
	}
	return d, err
}

// some lists documents of a statement.
func some[T any](ctx context.Context, s *Store, sql string, args ...any) (all []T, err error) {
	err = s.view(ctx, query{sql, args, func(r pgx.Rows) error {
		var b []byte
		var v T
		if err := errors.Join(r.Scan(&b), decode(b, &v)); err != nil {
			return err
		}
		all = append(all, v)
		return nil
	}}, func(*tx) error { return nil })
	return all, err
}

// DocumentVersions implements store.Store.
func (s *Store) DocumentVersions(ctx context.Context, kind store.DocumentKind, name string, before uint64, limit int) ([]store.Document, error) {
	return some[store.Document](ctx, s, `SELECT document FROM document_versions WHERE kind = $1 AND name = $2 AND version < $3
		ORDER BY version DESC LIMIT $4`, kind, name, upper(before), max(1, limit))
}

// Documents implements store.Store.
func (s *Store) Documents(ctx context.Context, kind store.DocumentKind, behind string, limit int) ([]store.Document, error) {
	return some[store.Document](ctx, s, "SELECT document FROM documents WHERE kind = $1 AND name > $2 AND NOT removed ORDER BY name LIMIT $3",
		kind, behind, max(1, limit))
}

// last is behind every id.
const last = "\U0010ffff"

// idBefore is the bound of a list downwards by id; "" is none.
func idBefore[T ~string](id T) T {
	if id == "" {
		return last
	}
	return id
}

// PutDelivery implements store.Store.
func (s *Store) PutDelivery(ctx context.Context, d store.Delivery, ifVersion uint64) (store.Delivery, error) {
	err := s.change(ctx, func(t *tx) error {
		before, found, err := oneJSON[store.Delivery](t, "SELECT delivery FROM deliveries WHERE delivery_id = $1", d.ID)
		if err != nil {
			return err
		}
		if err := store.CheckVersion("delivery "+d.ID, before.Version, found, ifVersion); err != nil {
			return err
		}
		d.Version = ifVersion + 1
		return t.writeJSON(d, `INSERT INTO deliveries (delivery_id, delivery) VALUES ($1, $2)
			ON CONFLICT (delivery_id) DO UPDATE SET delivery = excluded.delivery`, d.ID)
	})
	return d, err
}

// DeleteDelivery implements store.Store.
func (s *Store) DeleteDelivery(ctx context.Context, id string) error {
	return s.change(ctx, func(t *tx) error {
		t.write("DELETE FROM deliveries WHERE delivery_id = $1", id)
		return nil
	})
}

// Deliveries implements store.Store.
func (s *Store) Deliveries(ctx context.Context, before string, limit int) ([]store.Delivery, error) {
	return some[store.Delivery](ctx, s, "SELECT delivery FROM deliveries WHERE delivery_id < $1 ORDER BY delivery_id DESC LIMIT $2",
		idBefore(before), max(1, limit))
}

// PutJob implements store.Store.
func (s *Store) PutJob(ctx context.Context, by fleet.Actor, action string, j store.Job, ifVersion uint64) (store.Job, error) {
	err := s.change(ctx, func(t *tx) error {
		before, found, err := oneJSON[store.Job](t, "SELECT job FROM jobs WHERE job_id = $1", j.ID)
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
		return t.writeJSON(j, "INSERT INTO jobs (job_id, job) VALUES ($1, $2) ON CONFLICT (job_id) DO UPDATE SET job = excluded.job", j.ID)
	})
	return j, err
}

// Job implements store.Store.
func (s *Store) Job(ctx context.Context, id fleet.JobID) (store.Job, error) {
	j, found, err := getJSON[store.Job](ctx, s, "SELECT job FROM jobs WHERE job_id = $1", id)
	if err == nil && !found {
		err = fmt.Errorf("%w: job %s", fleet.ErrNotFound, id)
	}
	return j, err
}

// Jobs implements store.Store.
func (s *Store) Jobs(ctx context.Context, before fleet.JobID, limit int) ([]store.Job, error) {
	return some[store.Job](ctx, s, "SELECT job FROM jobs WHERE job_id < $1 ORDER BY job_id DESC LIMIT $2", idBefore(before), max(1, limit))
}

// JobTargets implements store.Store.
func (s *Store) JobTargets(ctx context.Context, id fleet.JobID, behind store.TargetRef, fn func(store.JobTarget) bool) error {
	return s.view(ctx, query{sql: "SELECT 1"}, func(t *tx) error {
		return pages(func() (int, bool, error) {
			var all []store.JobTarget
			err := t.read(func(r pgx.Rows) error {
				var b []byte
				var v store.JobTarget
				if err := errors.Join(r.Scan(&b), decode(b, &v)); err != nil {
					return err
				}
				all = append(all, v)
				return nil
			}, `SELECT target FROM job_targets WHERE job_id = $1 AND (site_id, device_id) > ($2, $3) ORDER BY site_id, device_id LIMIT $4`,
				id, behind.Site, behind.Device, pageRows)
			if err != nil {
				return 0, false, err
			}
			for _, v := range all {
				behind = store.TargetRef{Site: v.Site, Device: v.Device}
				if !fn(v) {
					return 0, false, nil
				}
			}
			return len(all), true, nil
		})
	})
}
