package hublink

import (
	"context"

	"connectrpc.com/connect"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/lane"
	"github.com/obedio/obedio/shared/wire"
)

// Recall implements HubLink: it gives a hub back what it has lost, as far as it
// was told ashore.
func (l *Link) Recall(ctx context.Context, req *connect.Request[pb.RecallRequest]) (*connect.Response[pb.RecallResponse], error) {
	hub, err := l.caller(ctx)
	if err != nil {
		return nil, err
	}
	maxBytes := int(req.Msg.MaxBytes)
	if maxBytes == 0 {
		maxBytes = defaultOrderBytes
	}
	var got lane.Recalled
	err = l.c.Store.ViewSite(ctx, hub.Site, func(v store.SiteView) error {
		if _, err := l.admitted(v, hub, hashOf(req.Msg.Ticket)); err != nil {
			return err
		}
		var err error
		got, err = lane.Recall(v, req.Msg.After, min(maxBytes, l.c.MaxPushBytes))
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &pb.RecallResponse{Next: got.Next}
	for _, e := range got.Entities {
		m, err := wire.EncodeRestated(e)
		if err != nil {
			return nil, err
		}
		out.Entities = append(out.Entities, m)
	}
	return connect.NewResponse(out), nil
}
