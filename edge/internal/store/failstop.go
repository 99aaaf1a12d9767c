package store

import (
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// failStop is the file system of the engine: a write or sync of the database
// that fails is told to the store and never to the engine, whose goroutine
// waits there for the end of the process. What the engine does after a failed
// write is not to be relied on: it tries again on the same file handles, or
// ends the process in the middle of something.
type failStop struct {
	vfs.FS
	dir   string
	fail  func(error)
	armed atomic.Bool // the store is open: before that an error is Open's
}

// stop returns err, or does not return.
func (f *failStop) stop(name string, err error) error {
	if err != nil && f.armed.Load() && strings.HasPrefix(name, f.dir) {
		f.fail(err)
		select {}
	}
	return err
}

// Create implements vfs.FS.
func (f *failStop) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	return f.wrap(name, file), f.stop(name, err)
}

// ReuseForWrite implements vfs.FS.
func (f *failStop) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(old, name, c)
	return f.wrap(name, file), f.stop(name, err)
}

// OpenDir implements vfs.FS.
func (f *failStop) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	return f.wrap(name, file), err
}

func (f *failStop) wrap(name string, file vfs.File) vfs.File {
	if file == nil {
		return nil
	}
	return failStopFile{file, f, name}
}

type failStopFile struct {
	vfs.File
	fs   *failStop
	name string
}

// Write implements vfs.File.
func (f failStopFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.fs.stop(f.name, err)
}

// WriteAt implements vfs.File.
func (f failStopFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	return n, f.fs.stop(f.name, err)
}

// Sync implements vfs.File.
func (f failStopFile) Sync() error { return f.fs.stop(f.name, f.File.Sync()) }

// SyncData implements vfs.File.
func (f failStopFile) SyncData() error { return f.fs.stop(f.name, f.File.SyncData()) }

// SyncTo implements vfs.File.
func (f failStopFile) SyncTo(n int64) (bool, error) {
	full, err := f.File.SyncTo(n)
	return full, f.fs.stop(f.name, err)
}
