package badger

import (
	"context"

	"github.com/obedio/obedio/console/internal/store"
)

// PutDelivery implements store.Store.
func (s *Store) PutDelivery(ctx context.Context, d store.Delivery, ifVersion uint64) (store.Delivery, error) {
	err := s.change(ctx, func(t *tx) error {
		k := fleetKey(fleetDelivery, d.ID)
		before, found, err := getJSON[store.Delivery](t, k)
		if err != nil {
			return err
		}
		if err := store.CheckVersion("delivery "+d.ID, before.Version, found, ifVersion); err != nil {
			return err
		}
		d.Version = ifVersion + 1
		return t.setJSON(k, d)
	})
	return d, err
}

// DeleteDelivery implements store.Store.
func (s *Store) DeleteDelivery(ctx context.Context, id string) error {
	return s.change(ctx, func(t *tx) error {
		t.set(fleetKey(fleetDelivery, id), nil)
		return nil
	})
}

// Deliveries implements store.Store.
func (s *Store) Deliveries(ctx context.Context, before string, limit int) (all []store.Delivery, err error) {
	err = s.view(ctx, func(t *tx) error {
		var upper []byte
		if before != "" {
			upper = fleetKey(fleetDelivery, before)
		}
		return t.back(fleetKey(fleetDelivery), upper, func(_, v []byte) (bool, error) {
			return decoded("delivery", v, func(d store.Delivery) bool {
				all = append(all, d)
				return len(all) < limit
			})
		})
	})
	return all, err
}
