package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/obedio/obedio/shared/fleet"
)

// The engine takes a log or a manifest that cannot be read any further for one
// that a power cut tore, and goes on with what is before: with older data, or
// none, whose files it then removes as of no use. Most often it is right, and
// it must be then. So before it may write, its files are looked through for
// what no power cut leaves behind: whatever was on disk before a later chunk
// was written cannot be torn.

// inspect reports as ErrDamaged what the engine would pass over in dir.
func inspect(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return fmt.Errorf("look into store %s: %w", dir, err)
	}
	var manifest string
	tables, logs := false, false
	for _, name := range names {
		switch {
		case strings.HasPrefix(name, "marker.manifest."):
			_, manifest, _ = strings.Cut(strings.TrimPrefix(name, "marker.manifest."), ".")
		case strings.HasSuffix(name, ".sst"):
			tables = true
		case strings.HasSuffix(name, ".log"):
			logs = true
		}
	}
	switch {
	case manifest == "" && (tables || logs):
		return damagedFile(dir, "marker.manifest", "it is missing")
	case manifest == "":
		return nil // nothing was ever stored
	}
	if err := inspectFile(fs, dir, manifest, chunks{legacy: true}); err != nil {
		return err
	}
	for _, name := range names {
		number, isLog := strings.CutSuffix(name, ".log")
		if !isLog {
			continue
		}
		number, _, _ = strings.Cut(number, "-")
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			continue // not the engine's
		}
		if err := inspectFile(fs, dir, name, chunks{log: uint32(n)}); err != nil {
			return err
		}
	}
	return nil
}

func damagedFile(dir, name, how string) error {
	return fmt.Errorf("open store %s: %w: %s: %s: restore a backup", dir, ErrDamaged, name, how)
}

func inspectFile(fs vfs.FS, dir, name string, c chunks) error {
	f, err := fs.Open(fs.PathJoin(dir, name))
	if err != nil {
		return damagedFile(dir, name, err.Error())
	}
	info, err := f.Stat()
	if err == nil {
		c.b = make([]byte, info.Size())
		if len(c.b) > 0 {
			_, err = f.ReadAt(c.b, 0)
		}
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return damagedFile(dir, name, err.Error())
	}
	if at, torn := c.end(); torn && c.proof(at) {
		return damagedFile(dir, name, fmt.Sprintf("it is not as it was written at byte %d", at))
	}
	return nil
}

// chunks walks over the chunks of a file of the engine: blocks of 32 KiB of
// chunks, each with checksum, length, encoding and, in a log, the log's number
// and up to where the log was synced when the chunk was written.
type chunks struct {
	b      []byte
	log    uint32
	legacy bool // a manifest: no number, nothing said of syncs
}

const (
	blockSize        = 32 << 10
	legacyHeader     = 7
	recyclableHeader = legacyHeader + 4
	walSyncHeader    = recyclableHeader + 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// at returns the chunk at an offset: where it ends, the log it is of, and up to
// where that was synced (0 where nothing is said); ok if its checksum is right.
func (c chunks) at(off int) (end int, log uint32, synced uint64, payload int, ok bool) {
	limit := min(len(c.b), (off/blockSize+1)*blockSize)
	if off+legacyHeader > limit {
		return 0, 0, 0, 0, false
	}
	h := c.b[off:limit]
	var header int
	switch enc := h[6]; {
	case c.legacy && enc >= 1 && enc <= 4:
		header = legacyHeader
	case !c.legacy && enc >= 5 && enc <= 8:
		header = recyclableHeader
	case !c.legacy && enc >= 9 && enc <= 12:
		header = walSyncHeader
	default:
		return 0, 0, 0, 0, false
	}
	payload = int(binary.LittleEndian.Uint16(h[4:]))
	if header+payload > len(h) {
		return 0, 0, 0, 0, false
	}
	if !c.legacy {
		if log = binary.LittleEndian.Uint32(h[7:]); log != c.log && log != c.log+1 {
			return 0, 0, 0, 0, false
		}
	}
	if header == walSyncHeader {
		synced = binary.LittleEndian.Uint64(h[11:])
	}
	sum := crc32.Checksum(h[6:header+payload], castagnoli)
	if (sum>>15|sum<<17)+0xa282ead8 != binary.LittleEndian.Uint32(h) {
		return 0, 0, 0, 0, false
	}
	return off + header + payload, log, synced, payload, true
}

// end is where the readable chunks end; torn if that is neither the end of the
// file nor a clean one.
func (c chunks) end() (off int, torn bool) {
	for off < len(c.b) {
		if left := blockSize - off%blockSize; left < walSyncHeader && zero(c.b[off:min(off+left, len(c.b))]) {
			off += left // too little for a chunk
			continue
		}
		end, log, _, _, ok := c.at(off)
		if !ok {
			return off, true
		}
		if !c.legacy && log == c.log+1 {
			return off, false // the mark of a clean end
		}
		off = end
	}
	return off, false
}

func zero(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}

// proof reports whether something behind a torn place shows that what is there
// was on disk once: a chunk that was written after the log was synced to there,
// the mark of a clean end, or, in a manifest, of which every entry is synced
// before the next, any chunk.
func (c chunks) proof(torn int) bool {
	for off := torn + 1; off+legacyHeader <= len(c.b); off++ {
		_, log, synced, payload, ok := c.at(off)
		switch {
		case !ok:
		case c.legacy, log == c.log+1:
			return true
		case payload > 0 && synced > uint64(torn): // one without is an old log's end
			return true
		}
	}
	return false
}

// checkBegun: the first thing that is stored is the format, so where there is
// anything there is a format.
func checkBegun(db *pebble.DB) error {
	format, err := get(db, key(tableMeta, "format"))
	if err != nil || format != nil {
		return err
	}
	it, err := db.NewIter(nil)
	if err != nil {
		return err
	}
	if any := it.First(); any {
		err = errors.New("its first tables are missing, or MANIFEST was cut off")
	}
	if cerr := it.Close(); err == nil {
		err = cerr
	}
	return err
}

// tailRecords is how many of the newest records of a lane are looked at.
const tailRecords = 20_000

// checkTail looks whether the newest records are there without a hole: a table
// whose entry in the manifest was torn would be one.
func checkTail(db *pebble.DB) error {
	for _, l := range fleet.LogLanes() {
		head, err := head(func(k []byte) ([]byte, error) { return get(db, k) }, l)
		if err != nil {
			return err
		}
		next := head.Seq
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: journalKey(l, 0), UpperBound: after([]byte{tableJournal, byte(l)})})
		if err != nil {
			return err
		}
		for ok := it.Last(); ok && head.Seq-next < tailRecords; ok = it.Prev() {
			if len(it.Key()) != 10 {
				break
			}
			if seq := fleet.Seq(binary.BigEndian.Uint64(it.Key()[2:])); seq != next {
				_ = it.Close()
				return fmt.Errorf("lane %s ends at record %d, and record %d is missing: a table is missing, or its entry in MANIFEST", l, head.Seq, next)
			}
			next--
		}
		if err := it.Close(); err != nil {
			return err
		}
	}
	return nil
}

// examine opens the engine without writing, and looks at what it found: once it
// writes, it removes the files that it does not know.
func examine(dir string, o pebble.Options) (err error) {
	defer caught(&err)
	var found *pebble.DataCorruptionInfo
	o.ReadOnly, o.EventListener = true, &pebble.EventListener{DataCorruption: func(i pebble.DataCorruptionInfo) { found = &i }}
	read := &noting{FS: o.FS}
	o.FS = read
	db, err := openEngine(dir, &o)
	if err != nil {
		return err
	}
	if err = read.checkLog(dir); err != nil {
		return errors.Join(err, db.Close())
	}
	if err = checkBegun(db); err == nil {
		err = checkTail(db)
	}
	if found != nil {
		err = fmt.Errorf("%s: %w", found.Path, err)
	}
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("open store %s: %w: %w: restore a backup", dir, ErrDamaged, err)
	}
	return nil
}

// noting is a file system that notes whether a log was read.
type noting struct {
	vfs.FS
	log atomic.Bool
}

// Open implements vfs.FS.
func (n *noting) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	if strings.HasSuffix(name, ".log") {
		n.log.Store(true)
	}
	return n.FS.Open(name, o...)
}

// checkLog: there is always a log that is newer than all tables, were it empty.
// The engine does without.
func (n *noting) checkLog(dir string) error {
	if n.log.Load() {
		return nil
	}
	names, err := n.List(dir)
	if err != nil {
		return fmt.Errorf("look into store %s: %w", dir, err)
	}
	newest := "" // of what would be there too: a store that was only just begun has none
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".log") {
			newest = max(newest, name)
		}
	}
	if newest == "" {
		return nil
	}
	return damagedFile(dir, "the newest .log", "it is missing, or MANIFEST was cut off; the newest file is "+newest)
}
