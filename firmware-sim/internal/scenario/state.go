package scenario

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/device"
	"github.com/obedio/obedio/firmware-sim/internal/hubapi"
	"github.com/obedio/obedio/shared/fleet"
)

// State is what devices keep between two runs: what a hub gave them, and what
// their firmware keeps over a loss of power. It holds keys and passwords.
type State struct {
	Version int                      `json:"version"`
	HubID   string                   `json:"hub_id"`
	Epoch   fleet.Epoch              `json:"epoch"`
	Devices map[fleet.DeviceID]*Kept `json:"devices"`
}

// Kept is one device in a State.
type Kept struct {
	Type fleet.DeviceType `json:"type"`
	Room fleet.RoomID     `json:"room"`
	// Way is how it has joined; BaseTopic and BrokerURLs are what it got then,
	// besides the credentials that its firmware keeps.
	Way        Way          `json:"join"`
	HardwareID string       `json:"hardware_id"`
	BaseTopic  string       `json:"base_topic"`
	BrokerURLs []string     `json:"broker_urls"`
	Firmware   device.Saved `json:"firmware"`

	hubTime time.Time // when it joined, in this run
}

const stateVersion = 2

// loadState reads a state file. A file of another hub, or of another life of
// this hub's store, is no use: the state is empty then, as without a file.
func loadState(path string, hub hubapi.System) (*State, error) {
	fresh := &State{Version: stateVersion, HubID: hub.HubID, Epoch: hub.Epoch, Devices: map[fleet.DeviceID]*Kept{}}
	if path == "" {
		return fresh, nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	var s State
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("read state %s: %w: remove it to begin anew", path, err)
	}
	if s.Version != stateVersion || s.HubID != hub.HubID || s.Epoch != hub.Epoch || s.Devices == nil {
		return fresh, nil
	}
	return &s, nil
}

// save writes the state; the file is there whole or not at all.
func (s *State) save(path string) error {
	if path == "" {
		return nil
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("write state %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".state-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already when all went well
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write state %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	return nil
}
