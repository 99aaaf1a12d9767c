package store

import (
	"encoding/binary"

	"github.com/obedio/obedio/shared/fleet"
)

// The key layout, version 1. The first byte names the table; segments and
// UUIDs contain no 0x00 and no '/', which separate.
//
//	M name                          settings of the store itself: format, identity
//	E kind 00 id                    entity, JSON
//	O request_id                    open or accepted request: empty
//	P device_id 00 command_id       command that has not ended: empty
//	J lane seq(8, big endian)       record: chain hash (32) and wire form
//	H lane                          head of a lane: seq (8) and chain hash (32)
//	S device_id                     newest device state, JSON
//	K device_id                     verifier of a device's password, JSON
//	R device_id 00 boot_id 00 seq   receipt that the button has not taken yet, JSON
//	L name                          the uplink's: console, cursors, link identity
//	A kind 00 …                     people: see account.go
//	B …                             sessions and retained messages: see broker/keep.go
//	I subject 00 key                idempotency: what the work came to, JSON
//	C serial                        certificate of a device, DER
//	T id                            provisioning token, JSON
//	U device_id                     key with which a device signs its messages
//	V device_id                     where a device was before it was moved, JSON
//	Q request_id 00 at(8) n(8)      who was told of a request, JSON
//	Y device_id                     configuration that a device has said it has, JSON
//	X job_id 00 command_id          command of a job: empty
//	W device_id                     which signed messages of a device have come, JSON
//	N delivery 00 id                notification to the world outside, JSON
//	N secret 00 rule                key that signs a rule's webhook calls, JSON
//
// verify.go knows how to check each of them.
const (
	tableMeta        = 'M'
	tableEntity      = 'E'
	tableOpen        = 'O'
	tablePending     = 'P'
	tableJournal     = 'J'
	tableHead        = 'H'
	tableState       = 'S'
	tableCredential  = 'K'
	tableReceipt     = 'R'
	tableLink        = 'L'
	tableAccount     = 'A'
	tableIdempotency = 'I'
	tableSession     = 'B'
	tableCertificate = 'C'
	tableToken       = 'T'
	tableSigning     = 'U'
	tableMove        = 'V'
	tableTelling     = 'Q'
	tableWindow      = 'W'
	tableReported    = 'Y'
	tableJob         = 'X'
	tableNotice      = 'N'
)

func key(table byte, parts ...string) []byte {
	n := 1
	for _, p := range parts {
		n += len(p) + 1
	}
	k := make([]byte, 1, n)
	k[0] = table
	for i, p := range parts {
		if i > 0 {
			k = append(k, 0)
		}
		k = append(k, p...)
	}
	return k
}

// prefix is key with a separator at its end: what the keys of a group share.
func prefix(table byte, parts ...string) []byte {
	k := key(table, parts...)
	if len(parts) > 0 {
		k = append(k, 0)
	}
	return k
}

func journalKey(l fleet.Lane, seq fleet.Seq) []byte {
	return binary.BigEndian.AppendUint64([]byte{tableJournal, byte(l)}, uint64(seq))
}

// after is the first key behind all keys that begin with p.
func after(p []byte) []byte {
	end := append([]byte(nil), p...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

func entityKey(r fleet.Ref) []byte { return key(tableEntity, string(r.Kind), r.ID) }
