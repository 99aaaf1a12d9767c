package hub

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/obedio/obedio/edge/internal/broker"
	"github.com/obedio/obedio/edge/internal/denial"
	"github.com/obedio/obedio/edge/internal/dialect"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// windows know which signed messages have come: none counts twice. They are
// stored each few seconds: after a crash what came since then could be played
// again, which does nothing to presses and answers, whose identity is stored with
// them.
type windows struct {
	mu    sync.Mutex // guards what follows
	by    map[fleet.DeviceID]store.Window
	dirty map[fleet.DeviceID]struct{}
	keys  map[fleet.DeviceID][]byte
}

func newWindows(s *store.Store) (*windows, error) {
	w := &windows{by: map[fleet.DeviceID]store.Window{}, dirty: map[fleet.DeviceID]struct{}{}, keys: map[fleet.DeviceID][]byte{}}
	all, err := s.Windows()
	for _, v := range all {
		w.by[v.Device] = v
	}
	return w, err
}

// take notes that a message has come, and reports whether it had before. One that
// is older than the window is told from none, and so has.
func (w *windows) take(id fleet.DeviceID, seq uint64) (known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.by[id]
	v.Device = id
	switch {
	case seq > v.Top:
		if ahead := seq - v.Top; ahead < 64 {
			v.Seen = v.Seen<<ahead | 1
		} else {
			v.Seen = 1
		}
		v.Top = seq
	case v.Top-seq >= 64, v.Seen&(1<<(v.Top-seq)) != 0:
		return true
	default:
		v.Seen |= 1 << (v.Top - seq)
	}
	w.by[id] = v
	w.dirty[id] = struct{}{}
	return false
}

// forget begins anew for a device that has another key.
func (w *windows) forget(id fleet.DeviceID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.by, id)
	delete(w.keys, id)
	w.dirty[id] = struct{}{}
}

func (w *windows) save(ctx context.Context, s *store.Store) error {
	w.mu.Lock()
	dirty := w.dirty
	w.dirty = map[fleet.DeviceID]struct{}{}
	rows := make(map[fleet.DeviceID]store.Window, len(dirty))
	for id := range dirty {
		rows[id] = w.by[id]
	}
	w.mu.Unlock()
	if len(rows) == 0 {
		return nil
	}
	return s.Update(ctx, func(tx *store.Tx) error {
		for id, v := range rows {
			if v.Top == 0 {
				tx.DeleteWindow(id)
			} else if err := tx.PutWindow(v); err != nil {
				return err
			}
		}
		return nil
	})
}

const saveWindowsEvery = 5 * time.Second

// keepWindows stores which signed messages have come, until ctx ends; and once
// more then.
func (d *devices) keepWindows(ctx context.Context) error {
	tick := time.NewTicker(saveWindowsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			if err := d.windows.save(last, d.store); err != nil && d.store.Err() == nil {
				d.log.Warn("which signed messages have come was not stored", "error", err)
			}
			return nil
		case <-tick.C:
			if err := d.windows.save(ctx, d.store); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// signs reports whether what is said of a device has to be signed with its key:
// also what another relays for it.
func (d *devices) signs(s *broker.Session, dev *fleet.Device) bool {
	if dev.ID == s.Identity.Device.ID {
		return s.Identity.Signed
	}
	p, ok := d.policies.Policy().Profile(dev.Profile)
	return ok && p.SignMessages
}

// checkSigned checks a message of a device whose profile has its messages signed.
// broker.ErrKnown for one that has come before and is sent again; a message that
// was played again is fleet.ErrForbidden, as one with a wrong signature.
func (d *devices) checkSigned(dev *fleet.Device, m *broker.Message) error {
	key, err := d.signingKey(dev.ID)
	if err != nil {
		return err
	}
	seq, err := dialect.CheckSigned(key, m.Name, m.Payload)
	if err == nil {
		if !d.windows.take(dev.ID, seq) {
			return nil
		}
		if m.Dup {
			return broker.ErrKnown
		}
		err = fmt.Errorf("%w: sig_seq %d has come before", fleet.ErrForbidden, seq)
	}
	d.denials.Note(denial.Event{
		At: fleet.Millis(m.Received), Kind: denial.Kind(broker.ObjectionDenied), Client: string(dev.ID), Topic: m.Name,
		Reason: "signature", Detail: err.Error(),
	})
	return err
}

func (d *devices) signingKey(id fleet.DeviceID) ([]byte, error) {
	d.windows.mu.Lock()
	key, ok := d.windows.keys[id]
	d.windows.mu.Unlock()
	if ok {
		return key, nil
	}
	k, found, err := d.store.SigningKey(id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("%w: device %s has no key to sign with: provision it again", fleet.ErrForbidden, id)
	}
	d.windows.mu.Lock()
	d.windows.keys[id] = k.Key
	d.windows.mu.Unlock()
	return k.Key, nil
}
