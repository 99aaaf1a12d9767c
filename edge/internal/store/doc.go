// Package store is the hub's durable state: one Pebble database with the
// journal, the folded state, people, and what the hub must not forget between
// two starts. It owns the engine; no other package imports it.
//
// On disk: DIR/hub.db, in Pebble's format; keys as in keys.go; entities,
// people and settings as JSON, records in their wire form. The layout has a
// version; a newer one is refused.
//
// What always holds: Update returns nil only after its writes have been synced
// to disk, and a transaction is there whole or not at all. Updates run one
// after the other, in one goroutine, and see each other; concurrent ones share
// one sync (group commit). After the first failed sync nothing is written any
// more until the program starts again.
//
// All methods of Store may be called from any goroutine; a Tx belongs to the
// function that got it.
package store
