package console

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"github.com/obedio/obedio/shared/fleet"
)

// Listeners are the ways in, bound already; nil for one that is off.
type Listeners struct {
	HTTP, HubLink, Metrics, Local net.Listener
}

// Addresses names the address of each listener, as the ready file does.
func (l Listeners) Addresses() map[string]string {
	out := map[string]string{}
	for name, v := range map[string]net.Listener{"http": l.HTTP, "hublink": l.HubLink, "metrics": l.Metrics} {
		if v != nil {
			out[name] = v.Addr().String()
		}
	}
	return out
}

// Close closes all listeners.
func (l Listeners) Close() {
	for _, v := range []net.Listener{l.HTTP, l.HubLink, l.Metrics, l.Local} {
		if v != nil {
			_ = v.Close()
		}
	}
}

// way is one way in.
type way struct {
	name     string
	listener net.Listener
	server   *http.Server
}

// urlSetting keeps the hub link's address for commands that make claims while
// the console does not run.
const urlSetting = "hublink_url"

// linkURL is what claims tell hubs to dial. fleet.ErrState when nobody knows.
func (v *Console) linkURL(ctx context.Context) (string, error) {
	if v.c.HubLinkURL != "" {
		return v.c.HubLinkURL, nil
	}
	if l := v.c.Listeners.HubLink; l != nil {
		return urlOf(l.Addr(), ownAddress), nil
	}
	url, err := v.store.Setting(ctx, urlSetting)
	if err == nil && url == "" {
		err = fmt.Errorf("%w: the address of the hub link is not known: start the console, or set --hublink-url", fleet.ErrState)
	}
	return url, err
}

// rememberURL stores the address for the time when the console does not run.
func (v *Console) rememberURL(ctx context.Context) {
	if v.c.Listeners.HubLink == nil {
		return
	}
	url, err := v.linkURL(ctx)
	if err == nil {
		err = v.store.SetSetting(ctx, urlSetting, url)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		v.log.Warn("address of the hub link not stored", "error", err)
	}
	if v.c.HubLinkURL == "" {
		v.log.Info("claims name the hub link's own address; --hublink-url sets another", "url", url)
	}
}

// urlOf is the URL of a listener's address. One that listens everywhere is
// named by an address of the machine.
func urlOf(addr net.Addr, own func() string) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "https://" + addr.String()
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = own()
	}
	if _, err := strconv.Atoi(port); err != nil {
		return "https://" + host
	}
	return "https://" + net.JoinHostPort(host, port)
}

// ownAddress is an address under which others may reach the machine, or
// loopback when it has none.
func ownAddress() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "127.0.0.1"
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	return "127.0.0.1"
}
