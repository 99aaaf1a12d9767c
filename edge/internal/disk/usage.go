package disk

import "golang.org/x/sys/unix"

// Usage is the room of a file system, in bytes. Free is what this program may
// still take.
type Usage struct{ Free, Total uint64 }

// Statfs measures the file system of a directory.
func Statfs(dir string) (Usage, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return Usage{}, err
	}
	// Bavail, not Bfree: what is kept for root is not the hub's.
	return Usage{Free: s.Bavail * uint64(s.Bsize), Total: s.Blocks * uint64(s.Bsize)}, nil
}
