package link

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
)

// portal answers in place of the target.
type portal struct {
	shown *tls.Certificate

	once sync.Once // makes own
	own  tls.Certificate
	err  error
}

const (
	portalName = "wifi.marina.example"
	// asking is how long a client may take to say what it wants.
	asking     = 10 * time.Second
	recordType = 0x16 // the first byte of a TLS handshake
	maxAsked   = 64 << 10
)

const page = `<!doctype html><html><head><title>Marina Wi-Fi</title></head><body><h1>Welcome</h1>` +
	`<p>Please sign in to use the network.</p><form method="post"><input name="room"><button>Connect</button></form></body></html>
`

const badGateway = `<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>
`

// response is the whole answer of a mode.
func response(m Mode) string {
	switch m {
	case Redirect:
		return "HTTP/1.1 302 Found\r\nLocation: http://" + portalName + "/login\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	case BadGateway:
		return fmt.Sprintf("HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(badGateway), badGateway)
	default:
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(page), page)
	}
}

// answer answers one connection as a mode says, and ends it.
func (o *portal) answer(ctx context.Context, k *conn, m Mode, l *Link) {
	c := &counted{Conn: k.from, k: k, l: l}
	_ = c.SetDeadline(time.Now().Add(asking))
	if m == Garbage {
		_, _ = io.WriteString(c, response(m))
		goodbye(c)
		return
	}
	in := bufio.NewReaderSize(c, 4096)
	first, err := in.Peek(1)
	if err != nil {
		return
	}
	if first[0] != recordType {
		reply(c, in, m)
		return
	}
	cert, err := o.certificate()
	if err != nil {
		l.c.Logger.Warn("no certificate for the portal", "error", err)
		return
	}
	secure := tls.Server(peeked{c, in}, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}})
	if secure.HandshakeContext(ctx) != nil { // who does not trust it goes away
		return
	}
	reply(secure, bufio.NewReader(secure), m)
	_ = secure.CloseWrite()
	goodbye(c)
}

// reply reads a request, whatever it is, and writes the page.
func reply(c net.Conn, in *bufio.Reader, m Mode) {
	if first, err := in.Peek(1); err == nil && first[0] >= 'A' && first[0] <= 'Z' { // else it is no HTTP: no need to wait for its end
		if r, err := http.ReadRequest(in); err == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxAsked))
		}
	}
	if _, err := io.WriteString(c, response(m)); err != nil {
		return
	}
	if _, secure := c.(*tls.Conn); !secure {
		goodbye(c)
	}
}

// goodbye ends the sending direction and reads what still comes, so that the
// page arrives before the end of the connection does.
func goodbye(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(c, maxAsked))
}

func (o *portal) certificate() (tls.Certificate, error) {
	if o.shown != nil {
		return *o.shown, nil
	}
	o.once.Do(func() { o.own, o.err = selfSigned() })
	return o.own, o.err
}

// selfSigned makes a certificate that nobody trusts.
func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: portalName}, DNSNames: []string{portalName},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// counted counts what the portal reads and writes.
type counted struct {
	net.Conn
	k *conn
	l *Link
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	count(n, &c.l.upMeter, &c.k.up)
	return n, err
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	count(n, &c.l.downMeter, &c.k.down)
	return n, err
}

// CloseWrite ends the sending direction, where there is such a thing.
func (c *counted) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func count(n int, meters ...*meter) {
	if n > 0 {
		for _, m := range meters {
			m.sent(n, (n+SegmentBytes-1)/SegmentBytes)
		}
	}
}

// peeked is a connection of which something was read already.
type peeked struct {
	*counted
	in *bufio.Reader
}

func (p peeked) Read(b []byte) (int, error) { return p.in.Read(b) }
