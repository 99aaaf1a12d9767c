// Package disk guards the room on the file system that the hub stores on:
// engines misbehave when it is full, so the hub stops what it can do without,
// in a stated order, before that happens.
//
// On disk: DIR/ballast, a file that only takes room. It is given up at the hard
// stop, and at a start on a full disk, so that calls and commands have
// something left to go on with; it is made again when there is room again.
//
// What always holds: history stops before anything else, calls and commands
// last; a level is left upwards only with some room to spare (hysteresis), so
// the hub does not swing between two; while the ballast is away nothing but the
// essential is stored.
//
// All methods may be called from any goroutine. Run is what acts on a change;
// Level may be asked for before every write.
package disk
