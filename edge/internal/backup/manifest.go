package backup

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// format of a backup; a newer one is refused.
const format = 1

// Manifest says what a backup is of.
type Manifest struct {
	Format    int          `json:"format"`
	Version   string       `json:"version" doc:"Of the program that made the backup."`
	Site      fleet.SiteID `json:"site"`
	Epoch     fleet.Epoch  `json:"epoch" doc:"Of the hub when the backup was made; a restored hub gets a new one."`
	InstallID string       `json:"hub_id" doc:"The installation's id."`
	CreatedAt time.Time    `json:"created_at"`
	Heads     []Head       `json:"heads" nullable:"false" doc:"Up to where the journal goes."`
	Digest    string       `json:"digest" doc:"Sums up the folded state."`
	Stores    []string     `json:"stores" nullable:"false"`
	Files     []File       `json:"files" nullable:"false"`
}

// Head is the newest record of a lane.
type Head struct {
	Lane fleet.Lane `json:"lane"`
	Seq  fleet.Seq  `json:"seq"`
	Hash string     `json:"hash"`
}

// File is one file of a backup.
type File struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// describe fills in what the copy of the hub's store in dir says.
func (m *Manifest) describe(dir string) (err error) {
	s, err := store.Open(store.Config{Dir: dir, ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() {
		if cerr := s.Close(); err == nil {
			err = cerr
		}
	}()
	id, found, err := s.Identity()
	if err != nil {
		return fmt.Errorf("read identity: %w", err)
	}
	if !found {
		return fmt.Errorf("%w: the store is of no site yet", fleet.ErrNotFound)
	}
	m.Site, m.Epoch, m.InstallID = id.Site, id.Epoch, id.InstallID
	m.Heads = nil
	for _, l := range fleet.LogLanes() {
		p, err := s.Head(l)
		if err != nil {
			return err
		}
		m.Heads = append(m.Heads, Head{Lane: l, Seq: p.Seq, Hash: hex.EncodeToString(p.Hash[:])})
	}
	m.Digest, err = s.Digest()
	return err
}
