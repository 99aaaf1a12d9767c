package flotilla

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	"github.com/obedio/obedio/proto/gen/obedio/v1/obediov1connect"
	"github.com/obedio/obedio/shared/identity"
)

// handshakeTimeout is how long a connection may take to be there.
const handshakeTimeout = 30 * time.Second

// maxAnswer is the most that is read of an answer, after decompression.
const maxAnswer = 4 << 20

// callingHub is the key of the number of the hub that calls, in a context.
type callingHub struct{}

// caller makes the calls of all hubs. They share what a client needs of memory
// (compressors above all), and nothing of the network: for the transport each hub
// is a host of its own, whose connection shows that hub's certificate.
type caller struct {
	f         *Flotilla
	transport *http.Transport
}

func newCaller(f *Flotilla) *caller {
	c := &caller{f: f}
	c.transport = &http.Transport{
		DialTLSContext: c.dial, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 1, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
	}
	return c
}

// client is the Connect client of all hubs; see hub.calling.
func (c *caller) client() obediov1connect.HubLinkClient {
	return obediov1connect.NewHubLinkClient(c, "https://"+identity.HubLinkName,
		connect.WithSendGzip(), connect.WithCompressMinBytes(512), connect.WithReadMaxBytes(maxAnswer))
}

const hostSuffix = ".hub"

// Do implements connect.HTTPClient. A redirect is not followed: it is none of
// the console's.
func (c *caller) Do(r *http.Request) (*http.Response, error) {
	number, ok := r.Context().Value(callingHub{}).(int)
	if !ok {
		return nil, errors.New("call of no hub")
	}
	r.Host = identity.HubLinkName
	r.URL.Host = strconv.Itoa(number) + hostSuffix
	return c.transport.RoundTrip(r)
}

// dial connects the hub that an address names.
func (c *caller) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(strings.TrimSuffix(host, hostSuffix))
	if err != nil {
		return nil, err
	}
	h := c.f.hubs[number]
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", c.f.address(number))
	if err != nil {
		return nil, err
	}
	conn := tls.Client(&counted{Conn: raw, up: &c.f.count.up, down: &c.f.count.down}, h.tls)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	c.f.count.handshakes.Add(1)
	if p := conn.ConnectionState().NegotiatedProtocol; p != "h2" {
		_ = conn.Close()
		return nil, fmt.Errorf("the console speaks %q, not HTTP/2", p)
	}
	h.connected(raw)
	return conn, nil
}

// counted counts every byte of a connection, TLS included.
type counted struct {
	net.Conn
	up, down *atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.down.Add(int64(n))
	return n, err
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.up.Add(int64(n))
	return n, err
}

var _ io.ReadWriter = (*counted)(nil)
