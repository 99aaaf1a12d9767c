// Package traffic is the record of the messages that passed the broker: raw
// records for weeks, minute summaries for months, hour summaries for years,
// and a live view. It decides nothing; the hub works the same without it.
//
// On disk: DIR/traffic.db, a Pebble database of its own, so that history can be
// dropped or lost without touching the core; keys as in keys.go, the format and
// its reasons in DESIGN.md.
//
// What always holds: Record never waits for the disk or for a reader. A block
// of raw records and the minute summaries that it feeds are one batch, so they
// agree after any end of the program; an hour's summary is the sum of its
// minutes. What is lost is told: as a gap in history, as a count in the live
// view. A damaged block is named and left out, never shown as something else.
// A database that cannot be opened is moved aside and the hub starts with an
// empty one.
//
// What may be lost: kill -9 loses the records of the last FlushEvery (5 s); a
// power cut loses those of the last SyncEvery and FlushEvery together (65 s),
// as blocks are not synced one by one.
//
// Record, Observe and the counters may be called from any goroutine, also on
// the way of every message. So may everything else; Run is called once.
package traffic
