package request

import (
	"strconv"
	"strings"
	"time"

	"github.com/obedio/obedio/edge/internal/dialect"
	"github.com/obedio/obedio/shared/fleet"
)

// identity is what identify found out about a press.
type identity struct {
	key fleet.PressKey
	// duplicate is the stored press that this one repeats; nil for a new one.
	duplicate *fleet.Press
	// opens is the cause for which a new epoch begins; empty for none.
	opens   string
	hubMade bool
}

// reorder is how far a press without boot_id may come after its successors
// and still belong to them.
const reorder = 32

// keptEpochs is in how many of its last epochs a press is looked for.
const keptEpochs = 8

// identify tells a new press from a repeated one. A firmware with boot_id says
// so itself. For one without, the hub opens an epoch whenever the counter must
// have begun anew; a message is the same as a stored one when it came again at
// once, with the DUP flag, or with the same time in it.
func identify(v fleet.View, device fleet.DeviceID, p dialect.Press, dup bool, received time.Time, window time.Duration) (identity, error) {
	stored := func(boot string) (*fleet.Press, error) {
		old, found, err := fleet.Get[fleet.Press](v, fleet.PressKey{Device: device, BootID: boot, SequenceID: p.SequenceID}.Ref())
		if err != nil || !found {
			return nil, err
		}
		return &old, nil
	}
	id := identity{key: fleet.PressKey{Device: device, BootID: p.BootID, SequenceID: p.SequenceID}}
	if p.BootID != "" {
		var err error
		id.duplicate, err = stored(p.BootID)
		return id, err
	}
	id.hubMade = true
	cursor, found, err := fleet.Get[fleet.PressCursor](v, fleet.PressCursorRef(device))
	if err != nil {
		return id, err
	}
	repeats := func(old *fleet.Press) bool {
		return old != nil && old.Fingerprint == p.Fingerprint && (dup || within(old.ReceivedAt, received, window))
	}
	next := epochName(cursor.Epochs + 1)
	if !found || !cursor.HubMade {
		id.key.BootID, id.opens = next, "first"
		return id, nil
	}
	// A press that the firmware kept because it had no receipt comes again byte
	// for byte, also after restarts. The time in it tells it apart.
	for n := cursor.Epochs; !p.At.IsZero() && n > 0 && n+keptEpochs > cursor.Epochs; n-- {
		old, err := stored(epochName(n))
		if err != nil {
			return id, err
		}
		if old != nil && old.Fingerprint == p.Fingerprint {
			id.key, id.duplicate = old.PressKey, old
			return id, nil
		}
	}
	id.key.BootID = cursor.BootID
	if p.SequenceID > cursor.LastSeq {
		return id, nil
	}
	old, err := stored(cursor.BootID)
	switch {
	case err != nil:
		return id, err
	case repeats(old):
		id.duplicate = old
	case old == nil && cursor.LastSeq-p.SequenceID <= reorder:
		// Late, after its successors.
	default:
		id.key.BootID, id.opens = next, "sequence"
	}
	return id, nil
}

const epochPrefix = "hub."

// epochName is the boot_id of the n-th epoch that the hub opens for a device.
func epochName(n uint64) string { return epochPrefix + strconv.FormatUint(n, 10) }

func isEpochName(bootID string) bool { return strings.HasPrefix(bootID, epochPrefix) }
