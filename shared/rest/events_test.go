package rest_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// pipes is a listener in memory, so that streams run on the clock of a test.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// live is a face with a feed, served in memory.
type live struct {
	*face
	feed   *feed.Feed[rest.Event]
	server *http.Server
	client *http.Client
	token  string
	id     account.TokenID
	served chan error
}

func newLive(t *testing.T, size int, policy *account.Policy, change func(*rest.EventsConfig)) *live {
	t.Helper()
	l := &live{face: newFace(t, policy, nil), feed: feed.New[rest.Event](size), served: make(chan error, 1)}
	c := rest.EventsConfig{Feed: l.feed, Names: []string{"request", "command", "config"}}
	if change != nil {
		change(&c)
	}
	l.Events(c)
	n := account.NewToken{Name: "t", Role: account.Viewer}
	if policy.BySite(account.Viewer) {
		n.Sites = []fleet.SiteID{"yacht-1"}
	}
	tok, secret, err := l.accounts.AddToken(t.Context(), policy.Local(), n)
	if err != nil {
		t.Fatal(err)
	}
	l.token, l.id = secret, tok.ID
	ln := newPipes()
	l.server = l.Server()
	go func() { l.served <- l.server.Serve(ln) }()
	l.client = &http.Client{Transport: &http.Transport{DialContext: ln.dial, DisableKeepAlives: true}}
	return l
}

// stop shuts the server down and waits for it.
func (l *live) stop() {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := l.server.Shutdown(ctx); err != nil {
		l.t.Errorf("shut down: %v", err)
	}
	<-l.served
	l.client.CloseIdleConnections()
}

type event struct{ name, id, data, comment string }

type reading struct {
	t      *testing.T
	body   *bufio.Scanner
	close  func()
	status int
}

func (l *live) open(query, lastID string) *reading {
	l.t.Helper()
	return l.openWith(http.Header{"Authorization": {"Bearer " + l.token}}, query, lastID)
}

func (l *live) openWith(header http.Header, query, lastID string) *reading {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.t.Context(), "GET", "http://localhost/api/v1/events"+query, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	req.Header = header
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := l.client.Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	return &reading{t: l.t, body: bufio.NewScanner(res.Body), close: func() { _ = res.Body.Close() }, status: res.StatusCode}
}

// next reads one block; ok is false at the end of the stream.
func (r *reading) next() (e event, ok bool) {
	for r.body.Scan() {
		line := r.body.Text()
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "":
			if strings.HasPrefix(line, ":") {
				e.comment = value
			} else {
				return e, true
			}
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data += value
		}
	}
	return e, false
}

func (r *reading) want(name, data string) event {
	r.t.Helper()
	e, ok := r.next()
	if !ok || e.name != name || e.data != data {
		r.t.Fatalf("got %+v (%v), want %s %s", e, ok, name, data)
	}
	return e
}

func (l *live) publish(name string, site fleet.SiteID, n int) {
	l.t.Helper()
	e, err := rest.NewEvent(name, account.RequestsRead, site, n)
	if err != nil {
		l.t.Fatal(err)
	}
	l.feed.Publish(e)
}

func TestEvents_StreamAndResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLive(t, 8, account.HubPolicy(), nil)
		defer l.stop()
		l.publish("request", "", 0) // before the stream: not in it
		r := l.open("", "")
		if start := r.want("", ""); !strings.HasSuffix(start.id, "-1") {
			t.Errorf("the stream begins at %+v", start)
		}
		l.publish("request", "", 1)
		l.publish("command", "", 2)
		r.want("request", "1")
		last := r.want("command", "2")
		r.close()

		for i := 3; i <= 6; i++ {
			l.publish("request", "", i)
		}
		r = l.open("", last.id)
		r.want("", "")
		for i := 3; i <= 6; i++ {
			r.want("request", fmt.Sprint(i))
		}
		r.close()

		// Away for more than the feed keeps.
		for i := 7; i <= 20; i++ {
			l.publish("request", "", i)
		}
		r = l.open("", last.id)
		r.want("", "")
		again := r.want("resync", `{"reason":"lagged"}`)
		l.publish("request", "", 21)
		r.want("request", "21")
		r.close()
		r = l.open("", again.id) // the id of the resync resumes too
		r.want("", "")
		r.want("request", "21")
		r.close()

		for _, foreign := range []string{"00000000-5", "nonsense", "-1", last.id + "x"} {
			r = l.open("", foreign)
			r.want("resync", `{"reason":"restarted"}`)
			r.close()
		}
	})
}

func TestEvents_NamesRightsAndSites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLive(t, 8, account.ConsolePolicy(), nil)
		defer l.stop()
		r := l.open("?events=request,config", "")
		r.want("", "")
		l.publish("command", "yacht-1", 1)
		l.publish("request", "yacht-2", 2) // not the viewer's site
		secret, err := rest.NewEvent("config", account.UsersWrite, "", 3)
		if err != nil {
			t.Fatal(err)
		}
		l.feed.Publish(secret)
		l.feed.Publish(rest.Event{Name: "config", Permission: account.DevicesRead, Data: []byte("{\n\"a\": 4}")})
		l.publish("request", "yacht-1", 5)
		if e := r.want("config", `{"a": 4}`); !strings.HasSuffix(e.id, "-4") {
			t.Errorf("id is %s", e.id)
		}
		r.want("request", "5")
		r.close()
		if r := l.open("?events=request,nothing", ""); r.status != 422 {
			t.Errorf("an unknown name: %d", r.status)
		}
	})
}

func TestEvents_SilentStreamLivesAndEndsWithItsRights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLive(t, 8, account.HubPolicy(), nil)
		defer l.stop()
		r := l.open("?events=command", "")
		r.want("", "")
		began := time.Now()
		for i := 1; i <= 8; i++ { // two minutes: beyond every timeout of the server
			if e, ok := r.next(); !ok || e.comment != "still here" || time.Since(began) != time.Duration(i)*15*time.Second {
				t.Fatalf("after %s: %+v, %v", time.Since(began), e, ok)
			}
		}
		l.publish("request", "", 1) // not asked for, but the position moves
		if e, ok := r.next(); !ok || !strings.HasSuffix(e.id, "-1") {
			t.Errorf("the position is not told: %+v", e)
		}
		if err := l.accounts.RevokeToken(t.Context(), account.HubPolicy().Local(), l.id); err != nil {
			t.Fatal(err)
		}
		revoked := time.Now()
		if e, ok := r.next(); ok {
			t.Errorf("the stream goes on with %+v", e)
		}
		if d := time.Since(revoked); d != 0 { // no time passes until it is looked up again
			t.Errorf("the stream lasted %s after the token", d)
		}
		if r := l.open("", ""); r.status != 401 {
			t.Errorf("a new stream: %d", r.status)
		}
	})
}

func TestEvents_EndAtOnceForWhomARoleWasTakenAndForNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLive(t, 8, account.HubPolicy(), nil)
		defer l.stop()
		other := l.open("", "") // by the token
		other.want("", "")
		l.person("anna", account.Chief)
		l.person("bert", account.Chief)
		in := map[string]*reading{}
		for _, name := range []string{"anna", "bert"} {
			_, secret, _, err := l.accounts.SignIn(t.Context(), account.SignIn{Username: name, Password: "correct horse"})
			if err != nil {
				t.Fatal(err)
			}
			in[name] = l.openWith(http.Header{"Cookie": {"obedio=" + secret}}, "", "")
			in[name].want("", "")
		}
		change := func(edit func(*account.UserChange)) {
			t.Helper()
			u, err := l.accounts.UserByName(t.Context(), account.HubPolicy().Local(), "anna")
			if err != nil {
				t.Fatal(err)
			}
			c := account.UserChange{Name: u.Name, Role: u.Role}
			edit(&c)
			if _, err := l.accounts.ChangeUser(t.Context(), account.HubPolicy().Local(), u.ID, u.Version, c); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		change(func(c *account.UserChange) { c.Name = "Anna B" }) // which is nobody's right
		l.publish("request", "", 1)
		in["anna"].want("request", "1")
		change(func(c *account.UserChange) { c.Role = account.Viewer })
		if e, ok := in["anna"].next(); ok {
			t.Errorf("the stream goes on with %+v", e)
		}
		for _, r := range []*reading{in["bert"], other} {
			r.want("request", "1")
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("it took %s", d)
		}
		in["bert"].close()
		other.close()
	})
}

func TestEvents_SlowReaderIsDroppedAndHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLive(t, 4, account.HubPolicy(), nil)
		defer l.stop()
		slow, quick := l.open("", ""), l.open("", "")
		slow.want("", "")
		quick.want("", "")
		for i := range 100 {
			l.publish("request", "", i)
			quick.want("request", fmt.Sprint(i))
		}
		synctest.Wait() // the slow one's stream is blocked in a write
		<-time.After(11 * time.Second)
		synctest.Wait()
		n := 0
		for {
			e, ok := slow.next()
			if !ok {
				break
			}
			if n++; n > 64 {
				t.Fatalf("the slow reader still gets %+v", e)
			}
		}
	})
}

func TestEvents_LaggingReaderIsToldToResync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLive(t, 4, account.HubPolicy(), nil)
		defer l.stop()
		r := l.open("", "")
		r.want("", "")
		synctest.Wait()
		for i := range 100 { // at once: more than the ring holds
			l.publish("request", "", i)
		}
		told := false
		for {
			e, ok := r.next()
			if !ok {
				t.Fatal("the stream has ended")
			}
			told = told || e.name == "resync"
			if strings.HasSuffix(e.id, "-100") {
				break
			}
		}
		if !told {
			t.Error("no resync")
		}
		l.publish("request", "", 1000)
		r.want("request", "1000")
	})
}

func TestEvents_AreBoundedAndEndWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLive(t, 4, account.HubPolicy(), func(c *rest.EventsConfig) { c.PerSubject = 2 })
		a, b := l.open("", ""), l.open("", "")
		a.want("", "")
		b.want("", "")
		if r := l.open("", ""); r.status != 429 {
			t.Errorf("a third stream: %d", r.status)
		}
		b.close()
		synctest.Wait()
		c := l.open("", "")
		c.want("", "")
		began := time.Now()
		go func() {
			if e, ok := a.next(); ok {
				t.Errorf("a stream goes on with %+v", e)
			}
		}()
		l.stop() // c does not read
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("shutting down took %s", d)
		}
	})
}
