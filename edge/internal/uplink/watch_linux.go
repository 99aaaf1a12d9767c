package uplink

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// watchNetwork tells when the kernel says that a link, an address or a route has
// changed (rtnetlink(7)), until ctx ends. Without the right to listen it tells
// nothing.
func watchNetwork(ctx context.Context, tell func()) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(fd) }()
	groups := uint32(unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		return
	}
	buffer := make([]byte, 64<<10)
	// A second look each second is cheap, and needs no descriptor to be woken by.
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed := false
		for {
			n, _, err := unix.Recvfrom(fd, buffer, unix.MSG_DONTWAIT)
			if n <= 0 && err != unix.ENOBUFS {
				break
			}
			changed = true
		}
		if changed {
			tell()
		}
	}
}
