package hubapi

import (
	"context"
	"net/http"
	"testing"

	"github.com/gorilla/websocket"
)

func TestLive_CountsEachBatchUntilTheCallerOrTheHubEndsIt(t *testing.T) {
	hubEnds := make(chan struct{})
	client, _ := serve(t, map[string]func(http.ResponseWriter, *http.Request){
		"GET /api/v1/traffic/live": func(w http.ResponseWriter, r *http.Request) {
			ws, err := (&websocket.Upgrader{Subprotocols: []string{"obedio.traffic.v1"}}).Upgrade(w, r, nil)
			if err != nil {
				return
			}
			defer ws.Close()
			var asked struct{ Op string }
			if err := ws.ReadJSON(&asked); err != nil || asked.Op != "subscribe" {
				t.Errorf("asked %+v, %v", asked, err)
			}
			_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"messages":[{"topic":"a"},{"topic":"b"}],"dropped":0}`))
			_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"messages":[],"dropped":7}`))
			<-hubEnds
		},
	})
	for _, end := range []string{"caller", "hub"} {
		ctx, cancel := context.WithCancel(t.Context())
		messages, dropped := 0, uint64(0)
		err := client.Live(ctx, func(n int, d uint64) {
			messages, dropped = messages+n, dropped+d
			switch {
			case dropped == 0:
			case end == "caller":
				cancel()
			default:
				close(hubEnds)
			}
		})
		cancel()
		if messages != 2 || dropped != 7 || (err == nil) != (end == "caller") {
			t.Errorf("ended by the %s: %d messages, %d dropped, %v", end, messages, dropped, err)
		}
	}
}
