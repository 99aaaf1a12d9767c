package fleet

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// AuditEntry says who changed what, or what happened to the site's security.
// Entries form a chain: each has the hash of the one before, so that none can
// be changed, taken out or put in without those that follow saying so. No
// secret is ever in one.
type AuditEntry struct {
	// Chain is the epoch of the store that wrote the entry. A new store begins a
	// new chain, whose first entry has the hash of the last one it knows.
	Chain Epoch `json:"chain"`
	// N numbers the entries of a chain, from 1, without holes.
	N            uint64    `json:"n"`
	At           time.Time `json:"at"`
	ClockTrusted bool      `json:"clock_trusted"`
	Actor        Actor     `json:"actor"`
	// Action is what was done: noun.verb, such as device.moved.
	Action string `json:"action"`
	// Target is what it was done to; may be empty.
	Target string            `json:"target,omitempty"`
	Detail map[string]string `json:"detail,omitempty"`
	// Prev is the hash of the entry before, and Hash that of this one: 64
	// hexadecimal digits. The first entry of a first chain has no Prev.
	Prev string `json:"prev,omitempty"`
	Hash string `json:"hash"`
}

// Sum is what Hash must be: the SHA-256 over all other fields, each with its
// length.
func (e AuditEntry) Sum() string {
	h := sha256.New()
	part := func(s string) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		h.Write([]byte(s))
	}
	part(e.Prev)
	part(string(e.Chain))
	part(strconv.FormatUint(e.N, 10))
	part(strconv.FormatInt(e.At.UnixMilli(), 10))
	part(strconv.FormatBool(e.ClockTrusted))
	for _, s := range []string{string(e.Actor.Kind), e.Actor.ID, e.Actor.PersonID, e.Actor.Name, e.Action, e.Target} {
		part(s)
	}
	for _, k := range slices.Sorted(maps.Keys(e.Detail)) {
		part(k)
		part(e.Detail[k])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// The bounds of an entry, so that nobody fills a log by what he is called.
const (
	maxAuditText   = 512
	maxAuditDetail = 16
)

// Check reports as ErrInvalid an entry that says too little or too much.
func (e AuditEntry) Check() error {
	if e.N == 0 || e.Chain == "" || len(e.Chain) > 64 {
		return fmt.Errorf("%w: audit entry without its place", ErrInvalid)
	}
	if e.Action == "" || len(e.Action) > 64 || len(e.Target) > maxAuditText || len(e.Detail) > maxAuditDetail {
		return fmt.Errorf("%w: audit entry %d: action, target or detail is too short or too long", ErrInvalid, e.N)
	}
	for k, v := range e.Detail {
		if k == "" || len(k) > 64 || len(v) > maxAuditText {
			return fmt.Errorf("%w: audit entry %d: detail %q is too short or too long", ErrInvalid, e.N, k)
		}
	}
	if b, err := hex.DecodeString(e.Prev); err != nil || len(b) != 0 && len(b) != sha256.Size {
		return fmt.Errorf("%w: audit entry %d: prev is not 64 hexadecimal digits", ErrInvalid, e.N)
	}
	return e.Actor.Check()
}

// Ref implements Entity. The number is padded so that refs sort as it does.
func (e AuditEntry) Ref() Ref { return AuditEntryRef(e.Chain, e.N) }

// AuditEntryRef names an entry of a chain.
func AuditEntryRef(chain Epoch, n uint64) Ref {
	return Ref{EntityAuditEntry, fmt.Sprintf("%s/%020d", chain, n)}
}

// AuditHead is the newest entry of a chain.
type AuditHead struct {
	Chain Epoch  `json:"chain"`
	N     uint64 `json:"n"`
	Hash  string `json:"hash"`
}

// Ref implements Entity.
func (h AuditHead) Ref() Ref { return AuditHeadRef(h.Chain) }

// AuditHeadRef names the head of a chain.
func AuditHeadRef(chain Epoch) Ref { return Ref{EntityAuditHead, string(chain)} }

// Audited: an entry was added to the audit. The actor, the time and whether the
// clock was trusted are those of the record.
type Audited struct {
	Chain  Epoch
	N      uint64
	Action string
	Target string
	Detail map[string]string
	Prev   string
}

// Kind implements Body.
func (Audited) Kind() Kind { return KindAudited }

// Lane implements Body.
func (Audited) Lane() Lane { return LaneRegistry }

// Entry is the entry that a record of the audit adds.
func (a Audited) Entry(r Record) AuditEntry {
	e := AuditEntry{
		Chain: a.Chain, N: a.N, At: r.At, ClockTrusted: r.ClockTrusted, Actor: r.Actor,
		Action: a.Action, Target: a.Target, Detail: a.Detail, Prev: a.Prev,
	}
	e.Hash = e.Sum()
	return e
}

// forked ends the reason of what applyAudited refuses.
const forked = "the audit was forked"

// AuditForked reports whether a record was refused, for the given reason,
// because it told of a second history.
func AuditForked(reason string) bool { return strings.HasSuffix(reason, forked) }

// applyAudited refuses an entry that does not continue its chain: then somebody
// has written a second history (ErrState).
func applyAudited(v View, r Record, b Audited) ([]Change, error) {
	head, found, err := Get[AuditHead](v, AuditHeadRef(b.Chain))
	if err != nil {
		return nil, err
	}
	e := b.Entry(r)
	if b.N <= head.N {
		known, _, err := Get[AuditEntry](v, e.Ref())
		if err != nil || known.Hash == e.Hash {
			return nil, err
		}
		return nil, fmt.Errorf("%w: audit entry %d of chain %s is another one than before: %s", ErrState, b.N, b.Chain, forked)
	}
	if b.N != head.N+1 || found && b.Prev != head.Hash {
		return nil, fmt.Errorf("%w: audit entry %d of chain %s does not continue entry %d: %s", ErrState, b.N, b.Chain, head.N, forked)
	}
	changes := changed(false, AuditEntry{}, e)
	return append(changes, changed(found, head, AuditHead{Chain: b.Chain, N: e.N, Hash: e.Hash})...), nil
}

// VerifyAudit follows the entries of one chain from any of its entries, and
// says what the last one was. ErrState names the first entry that does not fit.
func VerifyAudit(entries iter.Seq2[AuditEntry, error]) (AuditHead, error) {
	var head AuditHead
	for e, err := range entries {
		switch {
		case err != nil:
			return head, err
		case e.Hash != e.Sum():
			return head, fmt.Errorf("%w: audit entry %d is not what was written: its hash differs", ErrState, e.N)
		case head.N != 0 && (e.Chain != head.Chain || e.N != head.N+1):
			return head, fmt.Errorf("%w: audit entry %d follows entry %d: entries are missing", ErrState, e.N, head.N)
		case head.N != 0 && e.Prev != head.Hash:
			return head, fmt.Errorf("%w: audit entry %d does not continue entry %d", ErrState, e.N, head.N)
		}
		head = AuditHead{Chain: e.Chain, N: e.N, Hash: e.Hash}
	}
	return head, nil
}

// Auditable says which entry of the audit a record asks for, from what it
// changed: changes of configuration, rights and certificates, commands, and a
// person's steps of requests. false for what is no matter of the audit, such as
// presses.
func Auditable(r Record, changes []Change) (action, target string, detail map[string]string, ok bool) {
	switch b := r.Body.(type) {
	case DeviceChanged:
		before, _ := beforeOf[Device](changes)
		return deviceAudit(before, b.Device)
	case RoomChanged:
		before, found := beforeOf[Room](changes)
		return "room." + verb(!found || before.Removed, b.Room.Removed), string(b.Room.ID), map[string]string{"name": b.Room.Name}, true
	case PolicyChanged:
		before, found := beforeOf[Document](changes)
		d := b.Document
		sum := sha256.Sum256(d.Body)
		return "policy." + verb(!found || before.Removed, d.Removed), string(d.Kind) + "/" + d.Name, map[string]string{
			"version": strconv.FormatUint(d.Version, 10), "sha256": hex.EncodeToString(sum[:8]),
		}, true
	case CertificateChanged:
		c := b.Certificate
		detail = map[string]string{"kind": string(c.Kind), "not_after": c.NotAfter.Format(time.RFC3339)}
		if c.Device != "" {
			detail["device_id"] = string(c.Device)
		}
		if c.Revoked() {
			detail["reason"] = string(c.Reason)
			return "certificate.revoked", c.Serial, detail, true
		}
		return "certificate.issued", c.Serial, detail, true
	case RequestStepped:
		if r.Actor.Kind == ActorSystem {
			return "", "", nil, false
		}
		if b.Reason != "" {
			detail = map[string]string{"reason": string(b.Reason)}
		}
		return "request." + string(b.State), string(b.Request), detail, true
	case RequestOpened:
		return "request.opened", string(b.Request), map[string]string{"room": string(b.Room)}, r.Actor.Kind != ActorSystem
	case RequestOffered:
		return "request.offered", string(b.Request), map[string]string{"person": b.Person}, r.Actor.Kind != ActorSystem
	case RequestDeclined:
		return "request.declined", string(b.Request), nil, r.Actor.Kind != ActorSystem
	case CommandStepped:
		switch {
		case b.Define != nil:
			return "command.sent", string(b.Command), map[string]string{
				"device_id": string(b.Define.Device), "name": b.Define.Name, "issued_by": b.Define.IssuedBy.ID,
			}, true
		case b.State == CommandCancelled:
			return "command.cancelled", string(b.Command), nil, true
		}
	case JobChanged:
		j := b.Job
		verb := "job.begun"
		if !j.CancelledAt.IsZero() {
			verb = "job.cancelled"
		}
		return verb, string(j.ID), map[string]string{"name": j.Name, "filter": j.Filter, "targets": strconv.Itoa(j.Targets)}, true
	case AlertChanged:
		before, _ := beforeOf[Alert](changes)
		return alertAudit(before, b.Alert)
	case PolicyApplied:
		return "policy." + string(b.Outcome), "fleet", map[string]string{"version": strconv.FormatUint(b.Version, 10)}, true
	case OrderAnswered:
		return "order." + string(b.Outcome), string(b.Order), map[string]string{"number": strconv.FormatUint(b.Number, 10)}, true
	}
	return "", "", nil, false
}

func deviceAudit(before, d Device) (action, target string, detail map[string]string, ok bool) {
	detail = map[string]string{"room": string(d.Room), "type": string(d.Type), "security_profile": d.Profile}
	action = "device." + verb(before.ID == "" || before.Removed, d.Removed)
	if action == "device.changed" && before.Room != d.Room {
		action = "device.moved"
		detail["from"] = string(before.Room)
	}
	return action, string(d.ID), detail, true
}

func verb(isNew, removed bool) string {
	switch {
	case removed:
		return "removed"
	case isNew:
		return "added"
	}
	return "changed"
}

func beforeOf[T Entity](changes []Change) (T, bool) {
	var none T
	for _, c := range changes {
		if b, ok := c.Before.(T); ok {
			return b, true
		}
	}
	return none, false
}
