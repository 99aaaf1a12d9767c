package store

import (
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

const hashSize = len(lane.Hash{})

// Head is the position of the newest record of a lane.
func (t *Tx) Head(l fleet.Lane) (lane.Position, error) { return head(t.get, l) }

// AppendRecord stores an encoded record behind the head of its lane and
// returns its number.
func (t *Tx) AppendRecord(l fleet.Lane, encoded []byte) (fleet.Seq, error) {
	at, err := t.Head(l)
	if err != nil {
		return 0, err
	}
	at = lane.Position{Seq: at.Seq + 1, Hash: at.Hash.Next(encoded)}
	if l == fleet.LaneRequests || l == fleet.LaneCommands {
		t.Essential()
	}
	t.set(journalKey(l, at.Seq), append(at.Hash[:], encoded...))
	t.set([]byte{tableHead, byte(l)}, append(binary.BigEndian.AppendUint64(nil, uint64(at.Seq)), at.Hash[:]...))
	return at.Seq, nil
}

// Head implements lane.Log.
func (s *Store) Head(l fleet.Lane) (lane.Position, error) { return head(s.get, l) }

func head(get func([]byte) ([]byte, error), l fleet.Lane) (lane.Position, error) {
	var p lane.Position
	b, err := get([]byte{tableHead, byte(l)})
	if err != nil || b == nil {
		return p, err
	}
	if len(b) != 8+hashSize {
		return p, fmt.Errorf("head of lane %s has %d bytes", l, len(b))
	}
	p.Seq = fleet.Seq(binary.BigEndian.Uint64(b))
	copy(p.Hash[:], b[8:])
	return p, nil
}

// Base implements lane.Log: the oldest record that is still there is kept for its
// hash, unless it is the first.
func (s *Store) Base(l fleet.Lane) (lane.Position, error) {
	var p lane.Position
	err := s.each([]byte{tableJournal, byte(l)}, nil, func(k, v []byte) (bool, error) {
		if len(k) != 10 || len(v) < hashSize {
			return false, fmt.Errorf("lane %s: malformed entry at %x", l, k)
		}
		if seq := fleet.Seq(binary.BigEndian.Uint64(k[2:])); seq > 1 {
			p.Seq = seq
			copy(p.Hash[:], v)
		}
		return false, nil
	})
	return p, err
}

// DropRecords drops the records of a lane before seq, which stays for its hash.
func (t *Tx) DropRecords(l fleet.Lane, seq fleet.Seq) error {
	b, err := t.get(journalKey(l, seq))
	if err != nil {
		return err
	}
	if b == nil {
		return fmt.Errorf("%w: record %d of lane %s", fleet.ErrNotFound, seq, l)
	}
	t.ranges = append(t.ranges, [2][]byte{journalKey(l, 0), journalKey(l, seq)})
	return nil
}

// LaneBytes is about what the records of a lane take on disk.
func (s *Store) LaneBytes(l fleet.Lane) (uint64, error) {
	n, err := s.db.EstimateDiskUsage([]byte{tableJournal, byte(l)}, after([]byte{tableJournal, byte(l)}))
	if err != nil {
		return 0, fmt.Errorf("size of lane %s: %w", l, err)
	}
	return n, nil
}

// EachRecord is Store.EachRecord inside a transaction, without its own records.
func (t *Tx) EachRecord(l fleet.Lane, from fleet.Seq, fn func(seq fleet.Seq, encoded []byte) (bool, error)) error {
	return eachRecord(t.each, l, from, fn)
}

// HashAt implements lane.Log.
func (s *Store) HashAt(l fleet.Lane, seq fleet.Seq) (lane.Hash, error) {
	var h lane.Hash
	if seq == 0 {
		return h, nil
	}
	b, err := s.get(journalKey(l, seq))
	if err != nil {
		return h, err
	}
	if len(b) < hashSize {
		return h, fmt.Errorf("%w: record %d of lane %s", fleet.ErrNotFound, seq, l)
	}
	copy(h[:], b)
	return h, nil
}

// Read implements lane.Log.
func (s *Store) Read(l fleet.Lane, after fleet.Seq, maxBytes int) (lane.Batch, error) {
	b := lane.Batch{Lane: l, First: after + 1}
	var err error
	if b.Prev, err = s.HashAt(l, after); err != nil {
		return b, err
	}
	next := b.First
	err = s.EachRecord(l, b.First, func(seq fleet.Seq, encoded []byte) (bool, error) {
		if seq != next {
			return false, fmt.Errorf("lane %s: found record %d where %d belongs", l, seq, next)
		}
		next++
		if maxBytes -= len(encoded); maxBytes < 0 && len(b.Records) > 0 {
			return false, nil
		}
		b.Records = append(b.Records, append([]byte(nil), encoded...))
		return true, nil
	})
	return b, err
}

// EachRecord calls fn with the records of a lane from one number on, until fn
// says false. encoded is valid during the call.
func (s *Store) EachRecord(l fleet.Lane, from fleet.Seq, fn func(seq fleet.Seq, encoded []byte) (bool, error)) error {
	return eachRecord(s.each, l, from, fn)
}

func eachRecord(
	each func(p, from []byte, fn func(k, v []byte) (bool, error)) error,
	l fleet.Lane, from fleet.Seq, fn func(seq fleet.Seq, encoded []byte) (bool, error),
) error {
	return each([]byte{tableJournal, byte(l)}, journalKey(l, from), func(k, v []byte) (bool, error) {
		if len(k) != 10 || len(v) < hashSize {
			return false, fmt.Errorf("lane %s: malformed entry at %x", l, k)
		}
		return fn(fleet.Seq(binary.BigEndian.Uint64(k[2:])), v[hashSize:])
	})
}

// Digest sums up all entities; see fleet.Digest.
func (s *Store) Digest() (string, error) { return s.digest(fleet.Digest) }

// SyncDigest sums up what the console holds too; see fleet.SyncDigest.
func (s *Store) SyncDigest() (string, error) { return s.digest(fleet.SyncDigest) }

func (s *Store) digest(sum func(iter.Seq2[fleet.Ref, []byte]) string) (string, error) {
	snap := s.db.NewSnapshot()
	defer func() { _ = snap.Close() }()
	var failed error
	d := sum(func(yield func(fleet.Ref, []byte) bool) {
		failed = eachEntity(snap, []byte{tableEntity}, func(r fleet.Ref, b []byte) (bool, error) { return yield(r, b), nil })
	})
	return d, failed
}

func eachEntity(r pebble.Reader, p []byte, fn func(fleet.Ref, []byte) (bool, error)) error {
	return each(r, p, nil, func(k, v []byte) (bool, error) {
		ref, err := entityRef(k)
		if err != nil {
			return false, err
		}
		return fn(ref, v)
	})
}
