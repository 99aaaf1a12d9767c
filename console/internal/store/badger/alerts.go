package badger

import (
	"bytes"
	"context"
	"fmt"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Alert implements store.SiteView.
func (s *site) Alert(id fleet.AlertID) (store.Alert, bool, error) {
	return getJSON[store.Alert](s.t, siteKey(s.id, siteAlert, string(id)))
}

// Alerts implements store.SiteView.
func (s *site) Alerts(before fleet.AlertID, fn func(store.Alert) bool) error {
	var upper []byte
	if before != "" {
		upper = siteKey(s.id, siteAlert, string(before))
	}
	return s.t.back(siteKey(s.id, siteAlert), upper, func(_, v []byte) (bool, error) { return decoded("alert", v, fn) })
}

func openAlertKey(site fleet.SiteID, id fleet.AlertID) []byte {
	return fleetKey(fleetOpenAlert, string(site), string(id))
}

func arrivalKey(r store.AlertRef) []byte {
	k := number(fleetKey(fleetArrival), uint64(max(0, r.ArrivedAt.UnixMilli())))
	return append(append(append(k, r.Site...), 0), r.ID...)
}

// PutAlert implements store.SiteTx.
func (s *site) PutAlert(a store.Alert) error {
	a.Site = s.id
	before, found, err := s.Alert(a.ID)
	if err != nil {
		return err
	}
	if found && !before.ArrivedAt.Equal(a.ArrivedAt) {
		s.t.set(arrivalKey(before.ArrivalRef()), nil)
	}
	s.t.set(arrivalKey(a.ArrivalRef()), empty)
	s.mark(openAlertKey(s.id, a.ID), a.Open())
	return s.t.setJSON(siteKey(s.id, siteAlert, string(a.ID)), a)
}

// OpenAlerts implements store.Store.
func (s *Store) OpenAlerts(ctx context.Context, fn func(store.Alert) bool) error {
	return s.view(ctx, func(t *tx) error {
		p := fleetKey(fleetOpenAlert)
		return t.keys(p, nil, func(k []byte) (bool, error) {
			site, id, _ := cutKey(k[len(p):])
			a, found, err := getJSON[store.Alert](t, siteKey(fleet.SiteID(site), siteAlert, id))
			return err == nil && (!found || fn(a)), err
		})
	})
}

// AlertsBefore implements store.Store.
func (s *Store) AlertsBefore(ctx context.Context, before store.AlertRef, fn func(store.Alert) bool) error {
	return s.view(ctx, func(t *tx) error {
		p := fleetKey(fleetArrival)
		var upper []byte
		if before != (store.AlertRef{}) {
			upper = arrivalKey(before)
		}
		return t.back(p, upper, func(k, _ []byte) (bool, error) {
			if len(k) < len(p)+8 {
				return false, fmt.Errorf("malformed key %x", k)
			}
			site, id, _ := cutKey(k[len(p)+8:])
			a, found, err := getJSON[store.Alert](t, siteKey(fleet.SiteID(site), siteAlert, id))
			return err == nil && (!found || fn(a)), err
		})
	})
}

// cutKey parts what a zero byte separates.
func cutKey(k []byte) (first, second string, ok bool) {
	a, b, ok := bytes.Cut(k, []byte{0})
	return string(a), string(b), ok
}
