package accountkv

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/obedio/obedio/shared/account"
)

// AddTablet implements account.Store.
func (s *Store) AddTablet(ctx context.Context, t account.Tablet) error {
	return s.db.Update(ctx, func(w Writer) error {
		if err := free(w, tablets+string(t.ID), hashKey(tabletHashes, t.Hash)); err != nil {
			return err
		}
		if err := w.Set(hashKey(tabletHashes, t.Hash), []byte(t.ID)); err != nil {
			return err
		}
		return write(w, tablets+string(t.ID), t)
	})
}

// TabletByHash implements account.Store.
func (s *Store) TabletByHash(ctx context.Context, h account.SecretHash) (account.Tablet, error) {
	return view(ctx, s, func(r Reader) (account.Tablet, error) {
		return readBy[account.Tablet](r, hashKey(tabletHashes, h), tablets)
	})
}

// Tablet implements account.Store.
func (s *Store) Tablet(ctx context.Context, id account.TabletID) (account.Tablet, error) {
	return view(ctx, s, func(r Reader) (account.Tablet, error) { return read[account.Tablet](r, tablets+string(id)) })
}

// UseTablet implements account.Store.
func (s *Store) UseTablet(ctx context.Context, id account.TabletID, used time.Time) error {
	return s.db.Update(ctx, func(w Writer) error {
		t, err := read[account.Tablet](w, tablets+string(id))
		if err != nil || !used.After(t.UsedAt) {
			return err
		}
		t.UsedAt = used
		return write(w, tablets+string(id), t)
	})
}

// Tablets implements account.Store.
func (s *Store) Tablets(ctx context.Context, after account.TabletID, limit int) ([]account.Tablet, error) {
	return list[account.Tablet](ctx, s, tablets, string(after), limit)
}

// RemoveTablet implements account.Store.
func (s *Store) RemoveTablet(ctx context.Context, id account.TabletID) error {
	return s.db.Update(ctx, func(w Writer) error {
		t, err := read[account.Tablet](w, tablets+string(id))
		if err != nil {
			return err
		}
		err = w.Scan(sessions, "", func(key string, b []byte) (bool, error) {
			var v account.Session
			if err := json.Unmarshal(b, &v); err != nil {
				return false, fmt.Errorf("decode %s: %w", key, err)
			}
			if v.Tablet != id {
				return true, nil
			}
			return true, removeSession(w, v)
		})
		if err != nil {
			return err
		}
		if err := w.Delete(hashKey(tabletHashes, t.Hash)); err != nil {
			return err
		}
		return w.Delete(tablets + string(id))
	})
}
