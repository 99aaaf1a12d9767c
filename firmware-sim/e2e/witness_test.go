package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"
)

// witness is the other client.
type witness struct {
	*client
	seq int
}

func newWitness(t *testing.T, hub *program, api *api) *witness {
	t.Helper()
	return &witness{client: dial(t, hub.Listeners["mqtt"], api.addDevice("btn-witness", "button", "cabin-101"))}
}

// press presses and waits for the receipt; it returns how long that took.
func (w *witness) press(t *testing.T) time.Duration {
	t.Helper()
	w.seq++
	began := time.Now()
	if !w.send("press", press(w.seq)) {
		t.Fatalf("press %d is not acknowledged", w.seq)
	}
	waitReceipt(t, w.client, w.seq)
	return time.Since(began)
}

func waitReceipt(t *testing.T, c *client, seq int) {
	t.Helper()
	waitFor(t, 20*time.Second, fmt.Sprintf("receipt %d of %s", seq, c.ID), func() bool {
		for _, r := range c.received("receipt") {
			if r["sequence_id"] == float64(seq) && r["stage"] == "stored" {
				return true
			}
		}
		return false
	})
}

// open connects without saying anything.
func open(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// ended waits until the hub has closed a connection.
func ended(t *testing.T, what string, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(60 * time.Second))
	for b := make([]byte, 4096); ; {
		if _, err := c.Read(b); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: the connection stays open", what)
			}
			return
		}
	}
}
