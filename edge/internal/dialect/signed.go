package dialect

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/obedio/obedio/shared/fleet"
)

// A signed payload is a JSON object whose last two members are
//
//	…,"sig_seq":17,"sig":"64 hexadecimal digits"}
//
// without spaces. sig_seq grows with each message of the device, over restarts
// too. sig is the HMAC-SHA-256, with the device's key, over the topic, a zero
// byte, and the payload up to the comma before "sig".
const (
	sigName  = `,"sig":"`
	seqName  = `"sig_seq":`
	sigLen   = 2 * sha256.Size
	sigTail  = len(sigName) + sigLen + len(`"}`)
	maxSeqAt = 20 // digits
)

// CheckSigned checks the signature of a payload, and returns its sequence.
// fleet.ErrForbidden says what is wrong with it.
func CheckSigned(key []byte, topic string, payload []byte) (seq uint64, err error) {
	bad := func(what string) (uint64, error) { return 0, fmt.Errorf("%w: %s", fleet.ErrForbidden, what) }
	if len(payload) < sigTail {
		return bad("message is not signed")
	}
	signed, tail := payload[:len(payload)-sigTail], payload[len(payload)-sigTail:]
	if !bytes.HasPrefix(tail, []byte(sigName)) || !bytes.HasSuffix(tail, []byte(`"}`)) {
		return bad("message is not signed")
	}
	sig, err := hex.DecodeString(string(tail[len(sigName) : len(sigName)+sigLen]))
	if err != nil {
		return bad("signature is not hexadecimal")
	}
	if !hmac.Equal(sig, sum(key, topic, signed)) {
		return bad("signature is wrong")
	}
	at := bytes.LastIndex(signed, []byte(seqName))
	if at < 1 || (signed[at-1] != ',' && signed[at-1] != '{') || len(signed)-at > len(seqName)+maxSeqAt {
		return bad("signed message has no sig_seq before sig")
	}
	if seq, err = strconv.ParseUint(string(signed[at+len(seqName):]), 10, 64); err != nil || seq == 0 {
		return bad("sig_seq is not a number from 1")
	}
	return seq, nil
}

// Sign returns a JSON object with its sequence and signature.
func Sign(key []byte, topic string, payload []byte, seq uint64) []byte {
	signed := append([]byte(nil), bytes.TrimSuffix(bytes.TrimSpace(payload), []byte("}"))...)
	if !bytes.HasSuffix(signed, []byte("{")) {
		signed = append(signed, ',')
	}
	signed = append(signed, seqName+strconv.FormatUint(seq, 10)...)
	sig := hex.EncodeToString(sum(key, topic, signed))
	return append(signed, sigName+sig+`"}`...)
}

func sum(key []byte, topic string, signed []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(topic))
	h.Write([]byte{0})
	h.Write(signed)
	return h.Sum(nil)
}
