package flotilla

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
)

// stored is the identity of a hub as the state directory has it.
type stored struct {
	URL       string       `json:"url"`
	Site      fleet.SiteID `json:"site_id"`
	Hub       fleet.HubID  `json:"hub_id"`
	Install   string       `json:"install_id"`
	FleetRoot string       `json:"fleet_root_sha256"`
	Key       []byte       `json:"key"`   // PKCS #8, DER
	Chain     [][]byte     `json:"chain"` // DER, leaf first
	Root      []byte       `json:"root"`  // DER
	NotAfter  time.Time    `json:"not_after"`
}

func (s stored) certificates() (tls.Certificate, *x509.Certificate, error) {
	key, err := identity.DecodeKey(s.Key)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("identity of %s: %w", s.Site, err)
	}
	root, err := x509.ParseCertificate(s.Root)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("identity of %s: %w", s.Site, err)
	}
	return tls.Certificate{Certificate: s.Chain, PrivateKey: key}, root, nil
}

// memory is what a hub remembers over a restart of the program.
type memory struct {
	Site    fleet.SiteID
	Seed    uint64
	Devices int
	Epoch   fleet.Epoch
	Cursor  uint64
	Pressed uint64
	Version uint64 // of the newest state
	Changed map[int]fleet.Device
	Open    []call
	Alerts  []fleet.Alert
	Pending []command
	Held    held
}

// fits reports whether m is of a hub that would be made now.
func (m *memory) fits(seed uint64, devices int) bool {
	return m != nil && m.Seed == seed && m.Devices == devices
}

// memory is what h remembers. It must not run any more.
func (h *hub) memory() *memory {
	return &memory{
		Site: h.site.id, Seed: h.f.c.Seed, Devices: h.site.first, Epoch: h.epoch, Cursor: h.cursor, Pressed: h.life.pressed,
		Version: h.site.version, Changed: h.site.changed, Open: h.life.open, Alerts: h.life.alerts, Pending: h.life.pending, Held: h.held(),
	}
}

// remember takes what memory has given. Every state counts as new.
func (h *hub) remember(m *memory) {
	h.epoch, h.cursor, h.met = m.Epoch, m.Cursor, true
	h.life.pressed, h.life.open, h.life.alerts, h.life.pending = m.Pressed, m.Open, m.Alerts, m.Pending
	h.site.version = max(h.site.version, m.Version)
	now := h.f.c.now()
	for i := range h.site.first {
		h.site.touch(i)
	}
	for i := h.site.first; i < h.site.first+len(m.Changed); i++ { // those that the console has made, in their order
		if d, ok := m.Changed[i]; ok {
			h.site.put(d, now)
		}
	}
	for i, d := range m.Changed {
		if i < h.site.first {
			h.site.put(d, now)
		}
	}
	h.restore(m.Held)
}

// The files of a state directory: one JSON value a line. It holds keys, and is
// for this user alone.
const (
	identitiesFile = "identities.ndjson"
	memoriesFile   = "memories.ndjson"
)

// state is a state directory. The zero value keeps nothing.
type state struct {
	dir string

	mu   sync.Mutex // guards file
	file *os.File
}

// openState opens a directory, makes it if need be, and reads what is there.
func openState(dir string) (*state, map[fleet.SiteID]stored, map[fleet.SiteID]*memory, error) {
	identities, memories := map[fleet.SiteID]stored{}, map[fleet.SiteID]*memory{}
	s := &state{dir: dir}
	if dir == "" {
		return s, identities, memories, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, nil, fmt.Errorf("state directory: %w", err)
	}
	err := errors.Join(
		lines(filepath.Join(dir, identitiesFile), func(v stored) { identities[v.Site] = v }),
		lines(filepath.Join(dir, memoriesFile), func(v *memory) { memories[v.Site] = v }),
	)
	if err != nil {
		return nil, nil, nil, err
	}
	// A run that does not end in order leaves none: they would be too old.
	if err := os.Remove(filepath.Join(dir, memoriesFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil, fmt.Errorf("state directory: %w", err)
	}
	if s.file, err = os.OpenFile(filepath.Join(dir, identitiesFile), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600); err != nil {
		return nil, nil, nil, fmt.Errorf("state directory: %w", err)
	}
	return s, identities, memories, nil
}

// enrolled keeps an identity; a later one of the same site counts.
func (s *state) enrolled(v stored) error {
	if s.file == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.file.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	return nil
}

// close keeps what the hubs remember, and ends.
func (s *state) close(hubs []*hub) (err error) {
	if s.file == nil {
		return nil
	}
	defer func() { err = errors.Join(err, s.file.Close()) }()
	if hubs == nil {
		return nil
	}
	path := filepath.Join(s.dir, memoriesFile)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	for _, h := range hubs {
		err = errors.Join(err, enc.Encode(h.memory()))
	}
	if err = errors.Join(err, w.Flush(), f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	return nil
}

// lines calls fn for each value of a file; a file that is not there has none.
func lines[T any](path string, fn func(T)) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return values(f, path, fn)
}

// values calls fn for each JSON value of r.
func values[T any](r io.Reader, name string, fn func(T)) error {
	dec := json.NewDecoder(bufio.NewReaderSize(r, 1<<16))
	for {
		var v T
		err := dec.Decode(&v)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fn(v)
	}
}
