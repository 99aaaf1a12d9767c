package fleet_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/shared/fleet"
)

func TestReconcile_TheBoardStandsButForRevocationsAndEnds(t *testing.T) {
	at := time.UnixMilli(1).UTC()
	dev := func(room fleet.RoomID, version uint64) fleet.Device {
		return fleet.Device{ID: "btn-1", Room: room, Version: version}
	}
	cert := func(version uint64) fleet.Certificate {
		c := fleet.Certificate{Serial: "01", Version: version}
		if version > 1 {
			c.RevokedAt = at
		}
		return c
	}
	cmd := func(s fleet.CommandState, anomaly fleet.CommandState) fleet.Command {
		return fleet.Command{ID: "c", State: s, Anomaly: anomaly}
	}
	for name, test := range map[string]struct {
		ours, theirs fleet.Entity
		mine         bool
		want         fleet.Entity
	}{
		"lost on board":                        {nil, dev("cabin-1", 3), false, dev("cabin-1", 3)},
		"changed ashore's knowledge only":      {dev("cabin-1", 2), dev("cabin-2", 4), false, dev("cabin-2", 4)},
		"changed on both sides":                {dev("cabin-1", 3), dev("cabin-2", 4), true, dev("cabin-1", 5)},
		"changed on board, newer":              {dev("cabin-1", 6), dev("cabin-2", 4), true, dev("cabin-1", 6)},
		"the same on both sides":               {dev("cabin-1", 4), dev("cabin-1", 4), true, dev("cabin-1", 4)},
		"a revocation stands over the board":   {cert(1), cert(2), true, cert(2)},
		"a revocation on board stands":         {cert(2), cert(1), false, cert(2)},
		"an end stands over what is under way": {cmd(fleet.CommandAtHub, ""), cmd(fleet.CommandSucceeded, ""), true, cmd(fleet.CommandSucceeded, "")},
		"two ends: the one told ashore first":  {cmd(fleet.CommandFailed, ""), cmd(fleet.CommandSucceeded, ""), true, cmd(fleet.CommandSucceeded, fleet.CommandFailed)},
	} {
		if d := cmp.Diff(test.want, fleet.Reconcile(test.ours, test.theirs, test.mine)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
