package hub

import (
	"net"
	"net/http"
	"os"
	"strings"
)

// secureServer serves people and programs over TLS.
func (h *Hub) secureServer() *http.Server {
	s := h.api.Server()
	s.TLSConfig = h.pki.WebTLS()
	return s
}

// names are those under which clients reach the hub: those of the settings, the
// machine's own name, also as multicast DNS has it, and its addresses.
func (h *Hub) names() []string {
	names := append([]string(nil), h.c.Names...)
	for _, n := range h.c.Hosts {
		if n != "*" {
			names = append(names, n)
		}
	}
	if host, err := os.Hostname(); err == nil && host != "" {
		host = strings.ToLower(host)
		names = append(names, host)
		if !strings.Contains(host, ".") {
			names = append(names, host+".local")
		}
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		h.log.Warn("addresses of the machine not found", "error", err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			names = append(names, n.IP.String())
		}
	}
	return names
}
