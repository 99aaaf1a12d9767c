package hub

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/obedio/obedio/edge/internal/alert"
	"github.com/obedio/obedio/edge/internal/disk"
	"github.com/obedio/obedio/edge/internal/presence"
	"github.com/obedio/obedio/edge/internal/selftest"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/edge/internal/uplink"
	"github.com/obedio/obedio/shared/audit"
	"github.com/obedio/obedio/shared/fleet"
)

// sources are where alerts take their evidence from.
func (h *Hub) sources() alert.Sources {
	return alert.Sources{
		Devices: h.registry.Devices, State: h.presence.State, Via: h.devices.via, Reach: reachability{h}, Disk: h.diskEvidence,
		ClockTrusted: func() bool {
			_, trusted := h.clock.Now()
			return trusted
		},
		Link: h.linkEvidence, Backup: h.backupEvidence(), Certificates: h.liveCertificates, Storage: h.storageEvidence,
		BadPayloads: func() map[string]uint64 { return h.devices.BadPayloads() }, Audit: h.readAudit,
	}
}

// reachability says which watches can be told of a call, for alerts.
type reachability struct{ h *Hub }

// Unreachable implements alert.Reachability.
func (r reachability) Unreachable(watch fleet.Device) (string, bool) {
	_, connected := r.h.broker.Connected(string(watch.ID))
	return r.h.notifier.Why(watch), connected
}

// selfTested raises an alert while the way of a call does not work.
func (h *Hub) selfTested(r selftest.Result) {
	subject := cmp.Or(r.Zone, "site")
	err := h.alerts.Clear(alert.SelfTestFailed, subject)
	if !r.OK {
		err = h.alerts.Raise(alert.SelfTestFailed, subject, map[string]string{"why": r.Why, "room": string(r.Room)})
	}
	if err != nil {
		h.log.Error("result of the self-test not told to the alerts", "zone", subject, "error", err)
	}
}

func (h *Hub) diskEvidence() alert.Disk {
	s := h.disk.Status()
	d := alert.Disk{Level: s.Level.String(), Known: s.Err == nil}
	switch s.Level {
	case disk.Ample:
	case disk.Warning, disk.HistoryStops:
		d.Severity = fleet.AlertWarning
	case disk.EssentialOnly, disk.HardStop:
		d.Severity = fleet.AlertCritical
	}
	return d
}

func (h *Hub) linkEvidence() (alert.Link, error) {
	s, err := h.uplink.Status()
	return alert.Link{Enrolled: s.State != uplink.None, LastContact: s.LastContact, Started: h.started, LastError: s.LastError}, err
}

// backupLeft is the setting that says when a backup was last taken away without
// being kept on the hub.
const backupLeft = "backup_left"

// noteBackup remembers that a backup was taken away.
func (h *Hub) noteBackup(ctx context.Context) {
	now, _ := h.clock.Now()
	err := h.store.Update(ctx, func(tx *store.Tx) error { return tx.PutSetting(backupLeft, fleet.Millis(now)) })
	if err != nil {
		h.log.Warn("time of the backup not stored", "error", err)
	}
}

// backupEvidence tells the newest backup; nil where none are made.
func (h *Hub) backupEvidence() func() (time.Time, bool, error) {
	if h.c.FS != nil {
		return nil
	}
	keeper := h.backups()
	return func() (time.Time, bool, error) {
		newest, some, err := store.Setting[time.Time](h.store, backupLeft)
		if err != nil {
			return newest, false, fmt.Errorf("read time of the backup: %w", err)
		}
		kept, err := keeper.List()
		if err != nil {
			return newest, false, err
		}
		if len(kept) > 0 && kept[0].CreatedAt.After(newest) {
			newest, some = kept[0].CreatedAt, true
		}
		if !some {
			newest = h.identity.CreatedAt
		}
		return newest, some, nil
	}
}

// liveCertificates are those that count and are of the hub or of a device that
// is there.
func (h *Hub) liveCertificates() ([]fleet.Certificate, error) {
	var all []fleet.Certificate
	err := store.Entities(h.store, "", func(c fleet.Certificate) bool {
		if c.Revoked() {
			return true
		}
		if c.Device != "" {
			if _, err := h.registry.Device(c.Device); err != nil {
				return true // it was removed
			}
		}
		all = append(all, c)
		return true
	})
	return all, err
}

func (h *Hub) storageEvidence() error {
	return cmp.Or(h.store.Err(), h.store.Damage(), h.disk.Status().Err)
}

// readAudit reads the audit through, and says what is wrong with it.
func (h *Hub) readAudit(context.Context) (wrong string, err error) {
	err = h.store.ViewAudit(func(src audit.Source) error {
		chains, err := audit.Verify(src, true)
		wrong = strings.Join(audit.Wrong(chains), "; ")
		return err
	})
	return wrong, err
}

// batteries are the batteries of all devices by the hour, from the record of
// messages.
func (h *Hub) batteries(ctx context.Context, since time.Time) (map[fleet.DeviceID][]presence.BatteryPoint, error) {
	all, err := h.traffic.HourlyField(ctx, "battery", since)
	if err != nil {
		return nil, fmt.Errorf("read batteries: %w", err)
	}
	out := make(map[fleet.DeviceID][]presence.BatteryPoint, len(all))
	for id, points := range all {
		for _, p := range points {
			out[id] = append(out[id], presence.BatteryPoint{At: p.At, Percent: p.Last})
		}
	}
	return out, nil
}
