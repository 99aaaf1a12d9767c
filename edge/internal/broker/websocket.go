package broker

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// subprotocols are the one of MQTT over WebSocket [MQTT-6.0.0-3], and the one
// that clients of MQTT 3.1 ask for.
var subprotocols = []string{"mqtt", "mqttv3.1"}

// serveWebSocket serves MQTT over WebSocket on / and /mqtt.
func (b *Broker) serveWebSocket(l *Listener, ways *doorkeeper) error {
	upgrader := &websocket.Upgrader{
		HandshakeTimeout: b.limits.HandshakeTimeout,
		ReadBufferSize:   1024,
		WriteBufferSize:  1024,
		Subprotocols:     subprotocols,
		CheckOrigin:      func(r *http.Request) bool { return sameOrigin(r, l.Origins) },
		Error: func(w http.ResponseWriter, r *http.Request, status int, reason error) {
			b.log.Debug("mqtt websocket refused", "listener", l.Name, "remote", r.RemoteAddr, "error", reason)
			http.Error(w, http.StatusText(status), status)
		},
	}
	srv := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.upgrade(l, upgrader, w, r) }),
		ReadHeaderTimeout: b.limits.HandshakeTimeout,
		ReadTimeout:       b.limits.HandshakeTimeout,
		WriteTimeout:      b.limits.HandshakeTimeout,
		IdleTimeout:       b.limits.HandshakeTimeout,
		MaxHeaderBytes:    b.limits.MaxConnectBytes,
		ErrorLog:          slog.NewLogLogger(b.log.Handler(), slog.LevelDebug),
	}
	srv.SetKeepAlivesEnabled(false)
	stop := make(chan struct{})
	b.work.Go(func() {
		select {
		case <-b.stopped:
		case <-stop:
		}
		_ = srv.Close() // what is not yet upgraded
	})
	err := srv.Serve(handshaker{ways, b})
	close(stop)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return b.unlessStopping(err)
}

// handshaker has TLS handshakes of its connections done by the broker, with the
// first byte that the HTTP server reads.
type handshaker struct {
	net.Listener
	b *Broker
}

// Accept returns the next admitted connection.
func (h handshaker) Accept() (net.Conn, error) {
	c, err := h.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s := c.(*socket)
	if _, ok := s.Conn.(*tls.Conn); ok {
		s.first = func() error {
			_, err := h.b.shakeHands(s)
			return err
		}
	}
	return s, nil
}

// upgrade makes a request a WebSocket and serves MQTT on it.
func (b *Broker) upgrade(l *Listener, u *websocket.Upgrader, w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" && r.URL.Path != "/mqtt" {
		http.NotFound(w, r)
		return
	}
	if websocket.IsWebSocketUpgrade(r) {
		if !sameOrigin(r, l.Origins) {
			b.counters.refused.add(RefusedOrigin)
		} else if !slices.ContainsFunc(websocket.Subprotocols(r), func(p string) bool { return slices.Contains(subprotocols, p) }) {
			b.counters.refused.add(RefusedHandshake)
			http.Error(w, "want the WebSocket subprotocol mqtt", http.StatusBadRequest)
			return
		}
	}
	ws, err := u.Upgrade(w, r, nil)
	if err != nil {
		return // answered and logged by the upgrader
	}
	ws.SetReadLimit(int64(b.limits.MaxPacketBytes) + 16)
	s := ws.NetConn().(*socket)
	var state *tls.ConnectionState
	if t, ok := s.Conn.(*tls.Conn); ok {
		now := t.ConnectionState()
		state = &now
	}
	b.serve(l, &wsConn{ws: ws}, s, state)
}

// sameOrigin reports whether the page that opens the connection, if it is a
// page, comes from the host that it connects to or from an allowed origin.
func sameOrigin(r *http.Request, allowed []string) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true // no browser
	}
	if slices.ContainsFunc(allowed, func(a string) bool { return strings.EqualFold(a, origin) }) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

// wsConn is the stream of bytes in the binary messages of a WebSocket. One
// goroutine reads and one writes.
type wsConn struct {
	ws  *websocket.Conn
	cur io.Reader // the message that is being read
}

// Read reads on in the present message, or in the next one. Text is an error
// [MQTT-6.0.0-1].
func (w *wsConn) Read(p []byte) (int, error) {
	for {
		if w.cur == nil {
			kind, r, err := w.ws.NextReader()
			var gone *websocket.CloseError
			switch {
			case errors.As(err, &gone):
				return 0, io.EOF
			case err != nil:
				return 0, err
			case kind != websocket.BinaryMessage:
				return 0, errors.New("websocket message is not binary")
			}
			w.cur = r
		}
		n, err := w.cur.Read(p)
		if err == io.EOF {
			w.cur, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Write sends p as one message. Packets may span messages [MQTT-6.0.0-2].
func (w *wsConn) Write(p []byte) (int, error) {
	if err := w.ws.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// closeGrace is how long the closing frame may take.
const closeGrace = 250 * time.Millisecond

// Close says goodbye, if the socket takes it, and closes.
func (w *wsConn) Close() error {
	_ = w.ws.WriteControl(websocket.CloseMessage,
		websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(closeGrace))
	return w.ws.Close()
}

func (w *wsConn) LocalAddr() net.Addr                { return w.ws.LocalAddr() }
func (w *wsConn) RemoteAddr() net.Addr               { return w.ws.RemoteAddr() }
func (w *wsConn) SetReadDeadline(t time.Time) error  { return w.ws.SetReadDeadline(t) }
func (w *wsConn) SetWriteDeadline(t time.Time) error { return w.ws.SetWriteDeadline(t) }

// SetDeadline sets both deadlines.
func (w *wsConn) SetDeadline(t time.Time) error {
	return errors.Join(w.ws.SetReadDeadline(t), w.ws.SetWriteDeadline(t))
}
