package store

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/obedio/obedio/shared/audit"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
	"github.com/obedio/obedio/shared/wire"
)

// Finding is something that is wrong in a store.
type Finding struct {
	Where string `json:"where"`
	What  string `json:"what"`
}

// Report is what Verify has read and found.
type Report struct {
	Store    string `json:"store"`
	Keys     int    `json:"keys"`
	Records  int    `json:"records"`
	Entities int    `json:"entities"`
	// Refolded: the journal is there from its first record, and all entities
	// were compared with what follows from it.
	Refolded bool      `json:"refolded"`
	Findings []Finding `json:"findings"`
}

// maxFindings of a report: what is broken everywhere need not be told for each
// key.
const maxFindings = 1000

// Verify reads every key and value, and names what is wrong: what cannot be
// read, keys that no program has written, values that do not decode or belong
// to another key, a chain of records that is broken or does not end at its
// head, entities that do not follow from the journal, an audit that is not what
// was written, and marks that mark nothing or are missing. An error means that the reading itself ended early.
func (s *Store) Verify() (Report, error) {
	v := &verification{
		s: s, Report: Report{Store: Name, Findings: []Finding{}}, entities: map[fleet.Ref][]byte{}, folded: folded{},
		chains: map[fleet.Lane]lane.Position{}, heads: map[fleet.Lane]lane.Position{}, marks: map[string]bool{},
	}
	if err := s.db.CheckLevels(nil); err != nil {
		v.find("engine", err.Error())
	}
	err := s.each(nil, nil, func(k, val []byte) (bool, error) {
		v.Keys++
		if why := v.key(k, val); why != "" {
			v.find(fmt.Sprintf("%q", k), why)
		}
		return true, nil
	})
	if err != nil {
		v.find("engine", fmt.Sprintf("reading ended after %d keys: %v", v.Keys, err))
		return v.Report, nil
	}
	v.finish()
	return v.Report, v.audit()
}

// audit walks through the chains of the audit.
func (v *verification) audit() error {
	chains, err := audit.Verify(audit.Of(v.entities), true)
	for _, c := range chains {
		if !c.OK {
			v.find("audit chain "+string(c.Chain), c.What)
		}
	}
	return err
}

type verification struct {
	Report
	s        *Store
	entities map[fleet.Ref][]byte
	folded   folded
	chains   map[fleet.Lane]lane.Position // as the records say
	heads    map[fleet.Lane]lane.Position
	partial  bool // some lane does not begin with its first record
	marks    map[string]bool
}

func (v *verification) find(where, what string) {
	if len(v.Findings) < maxFindings {
		v.Findings = append(v.Findings, Finding{where, what})
	}
}

// key checks one key by its table, and returns what is wrong with it.
func (v *verification) key(k, val []byte) string {
	if len(k) == 0 {
		return "empty key"
	}
	switch k[0] {
	case tableMeta:
		if string(k) == string(key(tableMeta, "format")) {
			return ""
		}
		return validJSON(val)
	case tableEntity:
		return v.entity(k, val)
	case tableOpen, tablePending:
		v.marks[string(k)] = true
		return ""
	case tableJournal:
		return v.record(k, val)
	case tableHead:
		return v.head(k)
	case tableState:
		return decodesTo(val, func(d fleet.DeviceState) []byte { return key(tableState, string(d.ID)) }, k)
	case tableReceipt:
		return decodesTo(val, func(r Receipt) []byte { return receiptKey(r.Press) }, k)
	case tableCredential:
		return decodesTo(val, func(Credential) []byte { return k }, k)
	case tableNotice:
		return notice(k, val)
	case tableLink, tableIdempotency, tableToken, tableSigning, tableMove, tableWindow, tableTelling, tableReported:
		return validJSON(val)
	case tableCertificate:
		c, err := x509.ParseCertificate(val)
		if err != nil {
			return err.Error()
		}
		if string(k) != string(key(tableCertificate, hex.EncodeToString(c.SerialNumber.Bytes()))) {
			return "the certificate belongs to another key"
		}
		return ""
	case tableJob:
		return "" // what it names stands in the command
	case tableSession:
		return "" // the broker knows what its values mean: see broker.CheckStored
	case tableAccount:
		return "" // rows and indexes of accountkv's own making
	}
	return "a table that this program does not know"
}

func validJSON(v []byte) string {
	if !json.Valid(v) {
		return "the value is not JSON"
	}
	return ""
}

// decodesTo decodes a value as a T, whose own key must be k.
func decodesTo[T any](v []byte, own func(T) []byte, k []byte) string {
	var t T
	if err := json.Unmarshal(v, &t); err != nil {
		return err.Error()
	}
	if !bytes.Equal(own(t), k) {
		return "the value belongs to another key"
	}
	return ""
}

func (v *verification) entity(k, val []byte) string {
	v.Entities++
	ref, err := entityRef(k)
	if err != nil {
		return err.Error()
	}
	e, err := fleet.DecodeEntity(ref.Kind, val)
	if err != nil {
		return err.Error()
	}
	if e.Ref() != ref {
		return "the value belongs to another key"
	}
	v.entities[ref] = slices.Clone(val)
	return ""
}

func (v *verification) record(k, val []byte) string {
	if len(k) != 10 || len(val) < hashSize {
		return "malformed record"
	}
	v.Records++
	l, seq := fleet.Lane(k[1]), fleet.Seq(binary.BigEndian.Uint64(k[2:]))
	var stored lane.Hash
	copy(stored[:], val)
	encoded := val[hashSize:]
	at, begun := v.chains[l]
	switch {
	case begun && seq != at.Seq+1:
		v.find(fmt.Sprintf("lane %s", l), fmt.Sprintf("record %d follows record %d", seq, at.Seq))
		v.partial = true
	case !begun && seq != 1:
		v.partial = true // older records were dropped: the chain is checked from here on
	case at.Hash.Next(encoded) != stored:
		v.find(fmt.Sprintf("lane %s", l), fmt.Sprintf("the chain of hashes breaks at record %d", seq))
	}
	v.chains[l] = lane.Position{Seq: seq, Hash: stored}
	r, err := wire.DecodeRecord(l, encoded)
	if err != nil {
		return err.Error()
	}
	if v.partial {
		return ""
	}
	changes, err := fleet.Apply(v.folded, r)
	if err != nil {
		return fmt.Sprintf("record %d of lane %s does not follow from those before: %v", seq, l, err)
	}
	for _, c := range changes {
		b, err := fleet.EncodeEntity(c.After)
		if err != nil {
			return err.Error()
		}
		v.folded[c.After.Ref()] = b
	}
	return ""
}

// folded is the state that follows from the journal alone.
type folded map[fleet.Ref][]byte

// Entity implements fleet.View.
func (f folded) Entity(r fleet.Ref) ([]byte, error) { return f[r], nil }

func (v *verification) head(k []byte) string {
	if len(k) != 2 {
		return "malformed head"
	}
	p, err := v.s.Head(fleet.Lane(k[1]))
	if err != nil {
		return err.Error()
	}
	v.heads[fleet.Lane(k[1])] = p
	return ""
}

// finish compares what was read with each other.
func (v *verification) finish() {
	for l, at := range v.chains {
		if head := v.heads[l]; head != at {
			v.find(fmt.Sprintf("lane %s", l), fmt.Sprintf("its head says %d, its last record is %d", head.Seq, at.Seq))
		}
	}
	for l, head := range v.heads {
		if _, found := v.chains[l]; !found && head.Seq > 0 {
			v.partial = true // all were dropped
		}
	}
	if v.Refolded = !v.partial; v.Refolded {
		v.compare()
	}
	wanted := map[string]bool{}
	for ref, b := range v.entities {
		e, err := fleet.DecodeEntity(ref.Kind, b)
		if err != nil {
			continue
		}
		switch e := e.(type) {
		case fleet.Request:
			v.mark(wanted, key(tableOpen, string(e.ID)), !e.State.Ended(), "request")
		case fleet.Command:
			v.mark(wanted, key(tablePending, string(e.Device), string(e.ID)), !e.State.Ended(), "command")
		}
	}
	for k := range v.marks {
		if !wanted[k] {
			v.find(fmt.Sprintf("%q", k), "the mark of something that has ended or is not there")
		}
	}
	slices.SortStableFunc(v.Findings, func(a, b Finding) int { return strings.Compare(a.Where, b.Where) })
}

func (v *verification) mark(wanted map[string]bool, k []byte, open bool, what string) {
	if !open {
		return
	}
	wanted[string(k)] = true
	if !v.marks[string(k)] {
		v.find(fmt.Sprintf("%q", k), "an open "+what+" lacks its mark, and would be forgotten")
	}
}

// compare compares the stored entities with those that follow from the journal.
func (v *verification) compare() {
	for ref, want := range v.folded {
		if have, found := v.entities[ref]; !found {
			v.find(fmt.Sprintf("%s %s", ref.Kind, ref.ID), "follows from the journal and is not there")
		} else if !bytes.Equal(have, want) && !olderRequest(ref, have, want) {
			v.find(fmt.Sprintf("%s %s", ref.Kind, ref.ID), "is not what follows from the journal")
		}
	}
	for ref := range v.entities {
		if _, found := v.folded[ref]; !found {
			v.find(fmt.Sprintf("%s %s", ref.Kind, ref.ID), "does not follow from the journal")
		}
	}
}

// olderRequest reports whether a request differs from what follows only because
// it was stored before requests had a history: the steps of that time are
// facts of the journal, and are not made up later.
func olderRequest(ref fleet.Ref, have, want []byte) bool {
	if ref.Kind != fleet.EntityRequest {
		return false
	}
	old, errOld := fleet.DecodeEntity(ref.Kind, have)
	now, errNow := fleet.DecodeEntity(ref.Kind, want)
	a, okOld := old.(fleet.Request)
	b, okNow := now.(fleet.Request)
	if errOld != nil || errNow != nil || !okOld || !okNow || a.Entries >= b.Entries {
		return false
	}
	for _, r := range []*fleet.Request{&a, &b} {
		r.Steps, r.Entries, r.LevelAt = nil, 0, time.Time{}
	}
	x, errX := fleet.EncodeEntity(a)
	y, errY := fleet.EncodeEntity(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
