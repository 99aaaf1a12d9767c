//go:build !linux

package uplink

import "context"

// watchNetwork is known on Linux only; elsewhere the hub tries by time.
func watchNetwork(context.Context, func()) {}
