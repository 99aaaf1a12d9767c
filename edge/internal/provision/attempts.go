package provision

import (
	"fmt"
	"sync"

	"github.com/obedio/obedio/shared/fleet"
)

// attempts counts wrong claims by address, since it was last told to forget.
type attempts struct {
	most int

	mu     sync.Mutex // guards what follows
	counts map[string]int
	all    int
	age    int
}

// maxAddresses are counted by name; wrong claims of further ones count together.
const maxAddresses = 1024

// may reports as fleet.ErrLimit that an address has made too many wrong claims.
func (a *attempts) may(from string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.counts[from] >= a.most || a.all >= 50*a.most {
		return fmt.Errorf("%w: too many wrong claims: try again in a minute", fleet.ErrLimit)
	}
	return nil
}

func (a *attempts) failed(from string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.counts[from]; known || len(a.counts) < maxAddresses {
		a.counts[from]++
	}
	a.all++
}

// forget is called at each sweep: six of them are a minute.
func (a *attempts) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.age++; a.age%6 == 0 {
		clear(a.counts)
		a.all = 0
	}
}
