package badger

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

func documentKey(kind store.DocumentKind, name string) []byte {
	return fleetKey(fleetDocument, string(kind), name)
}

// versionsPrefix begins the versions of a document.
func versionsPrefix(kind store.DocumentKind, name string) []byte {
	return append(fleetKey(fleetVersion, string(kind), name), 0)
}

// PutDocument implements store.Store.
func (s *Store) PutDocument(ctx context.Context, by fleet.Actor, d store.Document, ifVersion uint64) (out store.Document, err error) {
	err = s.change(ctx, func(t *tx) error {
		k := documentKey(d.Kind, d.Name)
		before, _, err := getJSON[store.Document](t, k)
		if err != nil {
			return err
		}
		if out, err = store.NextDocument(before, d, ifVersion, by, t.now()); err != nil {
			return err
		}
		return errors.Join(
			t.setJSON(k, out), t.setJSON(number(versionsPrefix(d.Kind, d.Name), out.Version), out),
			t.audit(by, store.DocumentAction(out), out.Name, map[string]string{"version": strconv.FormatUint(out.Version, 10)}),
		)
	})
	return out, err
}

// Document implements store.Store.
func (s *Store) Document(ctx context.Context, kind store.DocumentKind, name string) (d store.Document, err error) {
	err = s.view(ctx, func(t *tx) error {
		var found bool
		d, found, err = getJSON[store.Document](t, documentKey(kind, name))
		if err == nil && (!found || d.Removed) {
			err = fmt.Errorf("%w: %s %s", fleet.ErrNotFound, kind, name)
		}
		return err
	})
	return d, err
}

// DocumentVersions implements store.Store.
func (s *Store) DocumentVersions(ctx context.Context, kind store.DocumentKind, name string, before uint64, limit int) (all []store.Document, err error) {
	err = s.view(ctx, func(t *tx) error {
		p := versionsPrefix(kind, name)
		var upper []byte
		if before != 0 {
			upper = number(versionsPrefix(kind, name), before)
		}
		return t.back(p, upper, func(_, v []byte) (bool, error) {
			return decoded("document", v, func(d store.Document) bool {
				all = append(all, d)
				return len(all) < limit
			})
		})
	})
	return all, err
}

// Documents implements store.Store.
func (s *Store) Documents(ctx context.Context, kind store.DocumentKind, behind string, limit int) (all []store.Document, err error) {
	err = s.view(ctx, func(t *tx) error {
		p := append(fleetKey(fleetDocument, string(kind)), 0)
		var from []byte
		if behind != "" {
			from = append(documentKey(kind, behind), 0)
		}
		return t.each(p, from, func(_, v []byte) (bool, error) {
			return decoded("document", v, func(d store.Document) bool {
				if !d.Removed {
					all = append(all, d)
				}
				return len(all) < limit
			})
		})
	})
	return all, err
}
