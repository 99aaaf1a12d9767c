//go:build !unix

package badger

import "io/fs"

// onDisk is how much a file takes, as far as can be told here.
func onDisk(info fs.FileInfo) uint64 { return uint64(max(0, info.Size())) }
