package hublink

import (
	"slices"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
	"github.com/obedio/obedio/shared/wire"
)

func encodeOrders(orders []fleet.Order) ([]*pb.Order, error) {
	out := make([]*pb.Order, 0, len(orders))
	for _, o := range orders {
		m, err := wire.EncodeOrder(o)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// cutStates returns the states with the lowest versions, whatever their order
// in the batch: everything up to the highest of them is then complete.
func cutStates(b lane.StateBatch, most int) []fleet.DeviceState {
	s := slices.Clone(b.States)
	slices.SortFunc(s, func(a, b fleet.DeviceState) int {
		switch {
		case a.Version < b.Version:
			return -1
		case a.Version > b.Version:
			return 1
		}
		return 0
	})
	return s[:most]
}
