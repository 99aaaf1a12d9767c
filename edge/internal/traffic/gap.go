package traffic

import (
	"encoding/binary"
	"time"
)

// GapReason says why history has a gap.
type GapReason string

// The reasons.
const (
	GapOff      GapReason = "off"      // the hub did not run
	GapPaused   GapReason = "paused"   // the disk was filling
	GapOverflow GapReason = "overflow" // more came than the disk took
	GapFailed   GapReason = "failed"   // the database could not be used
	GapDamaged  GapReason = "damaged"  // what was written cannot be read
)

// Gap is a time in which messages are, or may be, missing from history.
type Gap struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Reason GapReason `json:"reason"`
	// Lost is how many messages are missing, if anybody knows.
	Lost uint64 `json:"lost,omitempty"`
}

func encodeTime(t time.Time) []byte {
	return seal(binary.AppendUvarint(nil, zigzag(t.UnixMilli())))
}

func decodeTime(b []byte) (time.Time, error) {
	body, err := unseal(b)
	if err != nil {
		return time.Time{}, err
	}
	r := &reader{b: body}
	t := fromMillis(r.varint())
	return t, r.end()
}

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func encodeGap(g Gap) []byte {
	out := binary.AppendUvarint(nil, zigzag(g.From.UnixMilli()))
	out = binary.AppendUvarint(out, zigzag(g.To.UnixMilli()))
	return seal(appendText(binary.AppendUvarint(out, g.Lost), string(g.Reason)))
}

func decodeGap(b []byte) (Gap, error) {
	body, err := unseal(b)
	if err != nil {
		return Gap{}, err
	}
	r := &reader{b: body}
	g := Gap{From: fromMillis(r.varint()), To: fromMillis(r.varint()), Lost: r.uvarint(), Reason: GapReason(r.text())}
	return g, r.end()
}
