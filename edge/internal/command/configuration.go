package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/obedio/obedio/edge/internal/document"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// configure is the command that tells a device its configuration: args are the
// settings and their version.
const configure = "config"

// versionSetting names the version among the settings; a device gives it back
// in its answer or its status.
const versionSetting = "version"

// configurationLife is how long a device may be away and still be told its
// configuration by the same command; afterwards it is told when it comes back.
const configurationLife = fleet.MaxTTL

// Configuration is what a device is wanted to be set to, and what it has said
// that it is.
type Configuration struct {
	// Wanted settings; nil when nobody wants any.
	Wanted map[string]json.RawMessage
	// Version of what is wanted, which the device reports when it has it; 0 when
	// nothing was ever wanted.
	Version   uint64
	ChangedAt time.Time
	// Reported is the newest version that the device has said it has; the zero
	// value when it has said nothing.
	Reported store.Reported
	// Pending is the command that is to tell it; nil when none is on its way.
	Pending *fleet.Command
}

// Configuration returns what a device is wanted to be set to.
func (m *Commands) Configuration(id fleet.DeviceID) (Configuration, error) {
	var c Configuration
	if _, err := m.c.Devices.Device(id); err != nil {
		return c, err
	}
	d, found, err := fleet.Get[fleet.Document](m.c.Store, fleet.DocumentRef(fleet.DocumentConfiguration, string(id)))
	if err != nil {
		return c, err
	}
	c.Version, c.ChangedAt = d.Version, d.UpdatedAt
	if found && !d.Removed {
		if err := json.Unmarshal(d.Body, &c.Wanted); err != nil {
			return c, fmt.Errorf("decode configuration of %s: %w", id, err)
		}
	}
	if c.Reported, _, err = m.c.Store.Reported(id); err != nil {
		return c, err
	}
	pending, err := m.c.Store.PendingCommands(id)
	for _, p := range pending {
		if v, ok := configurationVersion(p.Name, p.Args); ok && v == c.Version {
			c.Pending = &p
		}
	}
	return c, err
}

// Configure sets what a device is wanted to be set to; version is that which the
// change was made on. The command that tells the device takes the place of an
// older one on its way. fleet.ErrNotFound, fleet.ErrInvalid, fleet.ErrVersion.
func (m *Commands) Configure(ctx context.Context, by fleet.Actor, id fleet.DeviceID, settings map[string]json.RawMessage, version uint64) error {
	if _, err := m.c.Devices.Device(id); err != nil {
		return err
	}
	for name := range settings {
		switch {
		case !fleet.ValidSegment(name):
			return fmt.Errorf("%w: setting %q: want 1 to %d of A-Z a-z 0-9 . _ -", fleet.ErrInvalid, name, fleet.MaxSegment)
		case name == versionSetting, name == "base_topic", name == "room":
			return fmt.Errorf("%w: setting %q is the hub's own", fleet.ErrInvalid, name)
		}
	}
	var sent fleet.CommandID
	err := m.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		w := document.Write{Kind: fleet.DocumentConfiguration, Name: string(id), Version: version, BuiltIn: true}
		if err := document.Put(tx, by, w, settings); err != nil {
			return err
		}
		d, _, err := fleet.Get[fleet.Document](tx, fleet.DocumentRef(fleet.DocumentConfiguration, string(id)))
		if err != nil {
			return err
		}
		sent, err = m.tell(tx, by, id, settings, d.Version)
		return err
	})
	if err != nil {
		return err
	}
	_, err = m.started(sent)
	return err
}

// tell begins the command that tells a device its configuration.
func (m *Commands) tell(
	tx *journal.Tx, by fleet.Actor, id fleet.DeviceID, settings map[string]json.RawMessage, version uint64,
) (fleet.CommandID, error) {
	all := maps.Clone(settings)
	if all == nil {
		all = map[string]json.RawMessage{}
	}
	all[versionSetting] = fmt.Append(nil, version)
	args, err := json.Marshal(all)
	if err != nil {
		return "", fmt.Errorf("encode configuration of %s: %w", id, err)
	}
	if err := fleet.CheckCommand(id, configure, args, configurationLife); err != nil {
		return "", err
	}
	command := fleet.NewUUID[fleet.CommandID](tx.Now())
	return command, m.begin(tx, by, command, fleet.CommandDefinition{
		Device: id, Name: configure, Args: args, IssuedBy: by, IssuedAt: tx.Now(), ExpiresAt: fleet.Millis(tx.Now().Add(configurationLife)),
	})
}

// Reports takes the version of the configuration that a device says it has. A
// device that has another one than is wanted, and is not being told, is told
// again: it was reset, or it was away for longer than the command lived.
func (m *Commands) Reports(ctx context.Context, id fleet.DeviceID, version uint64) error {
	known, found, err := m.c.Store.Reported(id)
	if err != nil {
		return err
	}
	d, wanted, err := fleet.Get[fleet.Document](m.c.Store, fleet.DocumentRef(fleet.DocumentConfiguration, string(id)))
	if err != nil || found && known.Version == version && (!wanted || d.Version == version) {
		return err
	}
	var sent fleet.CommandID
	err = m.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		sent = ""
		if err := tx.PutReported(id, store.Reported{Version: version, At: tx.Now()}); err != nil {
			return err
		}
		d, wanted, err := fleet.Get[fleet.Document](tx, fleet.DocumentRef(fleet.DocumentConfiguration, string(id)))
		if err != nil || !wanted || d.Removed || d.Version == version {
			return err
		}
		pending, err := tx.PendingCommands(id)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(pending, func(c fleet.Command) bool {
			v, ok := configurationVersion(c.Name, c.Args)
			return ok && v == d.Version
		}) {
			return nil
		}
		var settings map[string]json.RawMessage
		if err := json.Unmarshal(d.Body, &settings); err != nil {
			return fmt.Errorf("decode configuration of %s: %w", id, err)
		}
		sent, err = m.tell(tx, fleet.System("command"), id, settings, d.Version)
		return err
	})
	if errors.Is(err, fleet.ErrLimit) {
		return nil // it has too much to do already, and reports again
	}
	if err != nil || sent == "" {
		return err
	}
	_, err = m.started(sent)
	return err
}

// configurationVersion is the version of the configuration that a command
// tells; false when it tells none.
func configurationVersion(name string, args json.RawMessage) (uint64, bool) {
	if name != configure {
		return 0, false
	}
	var v struct {
		Version *uint64 `json:"version"`
	}
	if json.Unmarshal(args, &v) != nil || v.Version == nil {
		return 0, false
	}
	return *v.Version, true
}

// covers reports whether a newer configuration says all that an older one says,
// so that the older one need not be sent. Where a device is, for one, is said by
// a configuration of its own.
func covers(newer, older json.RawMessage) bool {
	if len(older) == 0 {
		return true
	}
	var n, o map[string]json.RawMessage
	if json.Unmarshal(newer, &n) != nil || json.Unmarshal(older, &o) != nil {
		return false
	}
	_, newVersion := n[versionSetting]
	_, oldVersion := o[versionSetting]
	if newVersion && oldVersion {
		return true
	}
	for name := range o {
		if _, ok := n[name]; !ok {
			return false
		}
	}
	return true
}
