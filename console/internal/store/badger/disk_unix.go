//go:build unix

package badger

import (
	"io/fs"
	"syscall"
)

// onDisk is how much a file takes: the engine's files have holes.
func onDisk(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(max(0, s.Blocks)) * 512
	}
	return uint64(max(0, info.Size()))
}
