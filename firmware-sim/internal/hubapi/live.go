package hubapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/gorilla/websocket"
)

// Live reads the hub's live traffic until ctx ends or the connection does. It
// calls got after each batch, with how many messages came and how many the hub
// says it has dropped; got may take its time, as a slow browser does.
func (c *Client) Live(ctx context.Context, got func(messages int, dropped uint64)) error {
	d := websocket.Dialer{Subprotocols: []string{"obedio.traffic.v1"}, HandshakeTimeout: c.http.Timeout}
	addr := "ws" + strings.TrimPrefix(c.base, "http") + "/api/v1/traffic/live"
	ws, resp, err := d.DialContext(ctx, addr, http.Header{"Authorization": {"Bearer " + c.token}})
	if err != nil {
		status := ""
		if resp != nil {
			status = ": " + resp.Status
			_ = resp.Body.Close()
		}
		return fmt.Errorf("open live traffic%s: %w", status, err)
	}
	defer func() { _ = ws.Close() }()
	defer context.AfterFunc(ctx, func() { _ = ws.Close() })()
	if err := ws.WriteJSON(map[string]any{"op": "subscribe", "filter": map[string]any{}}); err != nil {
		return fmt.Errorf("subscribe to live traffic: %w", err)
	}
	for {
		var batch struct {
			Messages []struct{} `json:"messages"`
			Dropped  uint64     `json:"dropped"`
		}
		if err := ws.ReadJSON(&batch); err != nil {
			if ctx.Err() != nil {
				return nil // the caller has had enough
			}
			return fmt.Errorf("read live traffic: %w", err)
		}
		got(len(batch.Messages), batch.Dropped)
	}
}
