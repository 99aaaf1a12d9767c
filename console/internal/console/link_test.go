package console

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"

	"github.com/obedio/obedio/console/internal/hublink"
	"github.com/obedio/obedio/console/internal/pki"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/lane"
)

func TestEnrol_SameClaimSameKeySameAnswer(t *testing.T) {
	r := start(t, Config{})
	r.addSite("yacht-1")
	c, k := r.claim("yacht-1"), newKey(t)
	cl := r.newcomer(c)
	first, err := enrol(t.Context(), cl, c, k)
	if err != nil {
		t.Fatal(err)
	}
	again, err := enrol(t.Context(), cl, c, k)
	if err != nil {
		t.Fatal(err)
	}
	if first.HubId != again.HubId || string(first.HubChain[0]) != string(again.HubChain[0]) {
		t.Error("the second answer is another")
	}
	if first.ConsoleId == "" || first.ConsoleEpoch == "" || len(first.SiteChain) != 0 {
		t.Errorf("answer is %v", first)
	}
	_, err = enrol(t.Context(), cl, c, newKey(t))
	wantCode(t, "another key", err, connect.CodeAlreadyExists)
}

func TestEnrol_RefusesWhatIsNotRight(t *testing.T) {
	now := time.Now()
	r := start(t, Config{Now: func() time.Time { return now }, HubLink: manyEnrolments, ClaimTTL: time.Hour})
	r.addSite("yacht-1")
	r.addSite("yacht-2")
	c, k := r.claim("yacht-1"), newKey(t)
	cl := r.newcomer(c)
	bad := c
	bad.Secret = "0000000000000000000000000000"
	_, err := enrol(t.Context(), cl, bad, k)
	wantCode(t, "unknown claim", err, connect.CodePermissionDenied)
	bad = c
	bad.Site = "yacht-2"
	_, err = enrol(t.Context(), cl, bad, k)
	wantCode(t, "another site", err, connect.CodeInvalidArgument)
	bad.Site = "../yacht"
	_, err = enrol(t.Context(), cl, bad, k)
	wantCode(t, "no site", err, connect.CodeInvalidArgument)
	_, err = cl.Enrol(t.Context(), connect.NewRequest(&pb.EnrolRequest{SiteId: "yacht-1", Claim: c.Secret, Csr: []byte("no request")}))
	wantCode(t, "broken request", err, connect.CodeInvalidArgument)
	_, err = cl.Enrol(t.Context(), connect.NewRequest(&pb.EnrolRequest{SiteId: "yacht-1", Claim: c.Secret, SiteCsr: []byte("x"), Csr: request(t, k)}))
	wantCode(t, "site authority", err, connect.CodeInvalidArgument)
	now = now.Add(2 * time.Hour)
	_, err = enrol(t.Context(), cl, c, k)
	wantCode(t, "expired claim", err, connect.CodePermissionDenied)
	revoked := r.claim("yacht-2")
	r.mustAPI(http.MethodDelete, "/api/v1/sites/yacht-2", nil, nil)
	_, err = enrol(t.Context(), cl, revoked, k)
	wantCode(t, "revoked site", err, connect.CodePermissionDenied)
	if code := r.api(http.MethodPost, "/api/v1/sites/yacht-2/claim", nil, nil); code != http.StatusConflict {
		t.Errorf("claim for a revoked site: %d", code)
	}
}

func TestEnrol_IsLimited(t *testing.T) {
	r := start(t, Config{HubLink: hublink.Config{EnrolAll: 1e-9, EnrolAllBurst: 3}})
	r.addSite("yacht-1")
	c := r.claim("yacht-1")
	cl, bad := r.newcomer(c), c
	bad.Secret = "0000000000000000000000000000"
	for range 3 {
		_, err := enrol(t.Context(), cl, bad, newKey(t))
		wantCode(t, "guess", err, connect.CodePermissionDenied)
	}
	_, err := enrol(t.Context(), cl, bad, newKey(t))
	wantCode(t, "one guess more", err, connect.CodeResourceExhausted)
}

func TestEnrol_OfTwoKeysAtOnceOneWins200Times(t *testing.T) {
	r := start(t, Config{HubLink: manyEnrolments})
	r.addSite("yacht-1")
	first := r.claim("yacht-1")
	cl := r.newcomer(first)
	keys := []*ecdsa.PrivateKey{newKey(t), newKey(t)}
	for round := range 200 {
		c := r.claim("yacht-1")
		var errs [2]error
		var wg sync.WaitGroup
		for i, k := range keys {
			wg.Go(func() { _, errs[i] = enrol(t.Context(), cl, c, k) })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else {
				wantCode(t, "loser", err, connect.CodeAlreadyExists)
			}
		}
		if won != 1 {
			t.Fatalf("round %d: %d have won: %v", round, won, errs)
		}
	}
}

func TestEnrol_NewHubTakesTheOldOnesPlace(t *testing.T) {
	r := start(t, Config{})
	r.addSite("yacht-1")
	old := r.hub("yacht-1")
	old.mustHello()
	waiting := make(chan error, 1)
	go func() {
		_, err := old.pull(time.Minute)
		waiting <- err
	}()
	fresh := r.hub("yacht-1")
	if err := <-waiting; err == nil {
		t.Error("the old hub's call was answered")
	}
	_, err := old.hello()
	wantCode(t, "old hub", err, connect.CodePermissionDenied)
	fresh.mustHello()
}

func TestLink_AsksForTheRightCertificate(t *testing.T) {
	r := start(t, Config{})
	r.addSite("yacht-1")
	h := r.hub("yacht-1")
	root := r.c.pki.Root()

	c := r.claim("yacht-1")
	nobody := r.newcomer(c)
	_, err := nobody.Hello(t.Context(), connect.NewRequest(h.helloMessage()))
	wantCode(t, "hello without certificate", err, connect.CodeUnauthenticated)
	_, err = nobody.Push(t.Context(), connect.NewRequest(&pb.PushRequest{}))
	wantCode(t, "push without certificate", err, connect.CodeUnauthenticated)
	_, err = nobody.Pull(t.Context(), connect.NewRequest(&pb.PullRequest{}))
	wantCode(t, "pull without certificate", err, connect.CodeUnauthenticated)

	// A certificate of another console does not pass the handshake.
	other, err := pki.Open(pki.Config{})
	if err != nil {
		t.Fatal(err)
	}
	k := newKey(t)
	chain, _, err := other.SignHub(h.id, &k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	stranger := r.client(identity.HubClient(tls.Certificate{Certificate: chain, PrivateKey: k}, root, time.Now))
	if _, err = stranger.Hello(t.Context(), connect.NewRequest(h.helloMessage())); err == nil {
		t.Error("a certificate of another console was taken")
	}

	// One of this console for a hub that it does not know.
	if chain, _, err = r.c.pki.SignHub(fleet.NewUUID[fleet.HubID](time.Now()), &k.PublicKey); err != nil {
		t.Fatal(err)
	}
	unknown := r.client(identity.HubClient(tls.Certificate{Certificate: chain, PrivateKey: k}, root, time.Now))
	_, err = unknown.Hello(t.Context(), connect.NewRequest(h.helloMessage()))
	wantCode(t, "unknown hub", err, connect.CodePermissionDenied)

	h.mustHello()
	r.mustAPI(http.MethodDelete, "/api/v1/sites/yacht-1", nil, nil)
	_, err = h.pull(0)
	wantCode(t, "revoked hub's pull", err, connect.CodePermissionDenied)
	_, err = h.hello()
	wantCode(t, "revoked hub's hello", err, connect.CodePermissionDenied)
}

func TestLink_HubRefusesAnotherFleet(t *testing.T) {
	r := start(t, Config{})
	r.addSite("yacht-1")
	c := r.claim("yacht-1")
	c.FleetRoot = identity.Fingerprint(&x509.Certificate{Raw: []byte("another")})
	if _, err := enrol(t.Context(), r.newcomer(c), c, newKey(t)); err == nil {
		t.Error("a console of another fleet was trusted")
	}
}

func TestLink_SpeaksConnectOnly(t *testing.T) {
	r := start(t, Config{})
	r.addSite("yacht-1")
	c := r.claim("yacht-1")
	tr := &http.Transport{TLSClientConfig: identity.EnrolClient(c.FleetRoot, time.Now), ForceAttemptHTTP2: true}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.URL+"/obedio.v1.HubLink/Hello", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc+proto")
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnsupportedMediaType || resp.ProtoMajor != 2 {
		t.Errorf("got %s over %s", resp.Status, resp.Proto)
	}
}

func TestHello_ChoosesTheProtocol(t *testing.T) {
	r := start(t, Config{HubLink: hublink.Config{StateEvery: 30 * time.Second}})
	r.addSite("yacht-1")
	h := r.hub("yacht-1")
	m := h.helloMessage()
	m.ProtocolMin, m.ProtocolMax = 2, 9
	_, err := h.cl.Hello(t.Context(), connect.NewRequest(m))
	wantCode(t, "newer protocol", err, connect.CodeFailedPrecondition)
	resp, err := h.cl.Hello(t.Context(), connect.NewRequest(h.helloMessage()))
	if err != nil {
		t.Fatal(err)
	}
	if resp.Msg.Policy.GetStateIntervalMs() != 30_000 || resp.Msg.ConsoleTimeMs == 0 || resp.Msg.Protocol != lane.Protocol {
		t.Errorf("welcome is %v", resp.Msg)
	}
}

func TestPush_DuplicatesAndGapsChangeNothing(t *testing.T) {
	r := start(t, Config{})
	r.addSite("yacht-1")
	h := r.hub("yacht-1")
	h.mustHello()
	h.grow(60)
	n := fleet.Seq(len(h.lanes[fleet.LaneRequests]))
	got, err := h.push(lane.Push{Batches: []lane.Batch{h.batch(fleet.LaneRequests, 5, n)}})
	if err != nil || got.Durable[fleet.LaneRequests].Seq != 0 {
		t.Fatalf("gap: %v, %v", got, err)
	}
	for range 2 {
		got, err = h.push(lane.Push{Batches: []lane.Batch{h.batch(fleet.LaneRequests, 1, 10)}})
		if err != nil || got.Durable[fleet.LaneRequests].Seq != 10 {
			t.Fatalf("first ten: %v, %v", got, err)
		}
	}
	got, err = h.push(lane.Push{Batches: []lane.Batch{h.batch(fleet.LaneRequests, 3, 15)}})
	if err != nil || got.Durable[fleet.LaneRequests].Seq != 15 {
		t.Fatalf("overlap: %v, %v", got, err)
	}
	h.pushAll()
	if d, want := h.digest(), h.story.State().SyncDigest(); d != want {
		t.Errorf("digest is %s, want %s", d, want)
	}
	wrong := h.batch(fleet.LaneRequests, 3, n)
	wrong.Prev = lane.Hash{1}
	_, err = h.push(lane.Push{Batches: []lane.Batch{wrong}})
	wantCode(t, "other chain", err, connect.CodeFailedPrecondition)
	_, err = h.push(lane.Push{})
	wantCode(t, "the session ended with it", err, connect.CodeFailedPrecondition)
	var site struct {
		Link    string   `json:"link_state"`
		Verdict string   `json:"verdict"`
		Reasons []string `json:"attention_reasons"`
	}
	r.mustAPI(http.MethodGet, "/api/v1/sites/yacht-1", nil, &site)
	if site.Link != "stalled" || site.Verdict != "diverged" || len(site.Reasons) == 0 || site.Reasons[0] != "hub is diverged" && site.Reasons[1] != "hub is diverged" {
		t.Errorf("site is %+v", site)
	}
	h.mustHello()
}

func TestHello_NoticesARestoredHub(t *testing.T) {
	r := start(t, Config{})
	r.addSite("yacht-1")
	h := r.hub("yacht-1")
	h.mustHello()
	h.grow(40)
	h.pushAll()
	lost := *h
	lost.lanes, lost.hashes, lost.acked = map[fleet.Lane][][]byte{}, map[fleet.Lane][]lane.Hash{}, map[fleet.Lane]fleet.Seq{}
	for _, l := range fleet.LogLanes() {
		lost.hashes[l] = []lane.Hash{{}}
	}
	w, err := lost.hello()
	if err != nil || w.Verdict != lane.VerdictBehind || w.Ticket != nil {
		t.Errorf("behind: %s, %v", w.Verdict, err)
	}
	_, err = h.push(lane.Push{})
	wantCode(t, "the session of before", err, connect.CodeFailedPrecondition)
	lost.epoch = "epoch-2"
	if w, err = lost.hello(); err != nil || w.Verdict != lane.VerdictOK {
		t.Errorf("new epoch: %s, %v", w.Verdict, err)
	}
	if w, err = h.hello(); err != nil || w.Verdict != lane.VerdictDiverged {
		t.Errorf("former epoch: %s, %v", w.Verdict, err)
	}
}

func TestTicket_BelongsToOneHubAndEndsWithTheNextHello(t *testing.T) {
	r := start(t, Config{})
	r.addSite("yacht-1")
	r.addSite("yacht-2")
	a, b := r.hub("yacht-1"), r.hub("yacht-2")
	a.mustHello()
	b.mustHello()
	old := a.ticket
	stolen := *b
	stolen.ticket = old
	_, err := stolen.push(lane.Push{})
	wantCode(t, "another hub's ticket", err, connect.CodeFailedPrecondition)
	waiting := make(chan error, 1)
	late := *a
	go func() {
		_, err := late.pull(time.Minute)
		waiting <- err
	}()
	a.mustHello()
	wantCode(t, "a call that waits with the old ticket", <-waiting, connect.CodeFailedPrecondition)
	stolen = *a
	stolen.ticket = old
	_, err = stolen.push(lane.Push{})
	wantCode(t, "old ticket", err, connect.CodeFailedPrecondition)
	if _, err := a.push(lane.Push{}); err != nil {
		t.Error(err)
	}
	if _, err := b.push(lane.Push{}); err != nil {
		t.Error(err)
	}
}

func TestPush_TakesWhatIsTooMuchInParts(t *testing.T) {
	r := start(t, Config{})
	r.addSite("yacht-1")
	h := r.hub("yacht-1")
	h.mustHello()
	h.grow(3000) // in one message: more than the engine takes in one transaction
	if calls := h.pushAll(); calls < 2 {
		t.Errorf("it took %d calls", calls)
	}
	if d, want := h.digest(), h.story.State().SyncDigest(); d != want {
		t.Errorf("digest is %s, want %s", d, want)
	}
	ids := make([]fleet.DeviceID, 6000)
	for i := range ids {
		ids[i] = "button-001"
	}
	h.states(fleet.Ready, ids...)
	if err := r.c.store.Err(); err != nil {
		t.Error(err)
	}
}

func TestPush_RefusesMessagesThatAreTooLarge(t *testing.T) {
	r := start(t, Config{})
	r.addSite("yacht-1")
	h := r.hub("yacht-1")
	h.mustHello()
	zeros := make([]byte, 5<<20) // a few kilobytes on the wire
	_, err := h.push(lane.Push{Batches: []lane.Batch{{Lane: fleet.LaneRequests, First: 1, Records: [][]byte{zeros}}}})
	wantCode(t, "5 MiB after decompression", err, connect.CodeResourceExhausted)
}

func TestPull_WaitsForAnOrder(t *testing.T) {
	r := start(t, Config{})
	r.addSite("yacht-1")
	h := r.hub("yacht-1")
	h.mustHello()
	h.device("watch-1", fleet.Watch)
	h.pushAll()
	type answer struct {
		m   *pb.PullResponse
		err error
	}
	got := make(chan answer, 1)
	go func() {
		m, err := h.pull(time.Minute)
		got <- answer{m, err}
	}()
	var c struct {
		ID    string `json:"command_id"`
		State string `json:"state"`
		Order uint64 `json:"order"`
	}
	code := r.api(http.MethodPost, "/api/v1/sites/yacht-1/devices/watch-1/command", map[string]any{"name": "locate"}, &c)
	if code != http.StatusAccepted || c.State != "queued" || c.Order != 1 {
		t.Fatalf("%d: %+v", code, c)
	}
	a := <-got
	if a.err != nil || len(a.m.Orders) != 1 || a.m.OrderHead != 1 || a.m.ConsoleTimeMs == 0 {
		t.Fatalf("%v, %v", a.m, a.err)
	}
	// Without wait_ms it answers at once; a second call replaces the first.
	if m, err := h.pull(0); err != nil || len(m.Orders) != 0 {
		t.Errorf("%v, %v", m, err)
	}
	first := make(chan answer, 1)
	go func() {
		m, err := h.pull(time.Minute)
		first <- answer{m, err}
	}()
	for replaced := false; !replaced; {
		if _, err := h.cl.Pull(t.Context(), connect.NewRequest(&pb.PullRequest{Ticket: h.ticket, OrderCursor: 1, WaitMs: 10})); err != nil {
			t.Fatal(err)
		}
		select {
		case a := <-first:
			if a.err != nil || len(a.m.Orders) != 0 {
				t.Errorf("the call that was replaced: %v, %v", a.m, a.err)
			}
			replaced = true
		default:
		}
	}
}

func TestPull_EndsWhenTheConsoleStops(t *testing.T) {
	r := start(t, Config{})
	r.addSite("yacht-1")
	h := r.hub("yacht-1")
	h.mustHello()
	events := r.c.link.Events()
	reader := events.Subscribe(events.Head())
	done := make(chan error, 1)
	go func() {
		_, err := h.pull(time.Minute)
		done <- err
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := reader.Next(ctx); err != nil { // the call has begun
		t.Fatal(err)
	}
	began := time.Now()
	r.stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("stopping took %s", took)
	}
	<-done
}

func request(t *testing.T, k *ecdsa.PrivateKey) []byte {
	t.Helper()
	csr, err := identity.Request(k, "hub")
	if err != nil {
		t.Fatal(err)
	}
	return csr
}

// siteRequest is what a hub asks for the authority of its site.
func siteRequest(t *testing.T, k *ecdsa.PrivateKey) []byte {
	t.Helper()
	name, err := identity.SiteAuthorityName("yacht-1", &k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := identity.RequestFor(k, name)
	if err != nil {
		t.Fatal(err)
	}
	return csr
}

func TestCertify_TheSitesAuthorityIsUnderTheFleetRootAndTheHubsCertificateIsRenewed(t *testing.T) {
	now := time.Now()
	r := start(t, Config{Now: func() time.Time { return now }, HubLink: manyEnrolments, Constraints: identity.ConstraintsCritical})
	r.addSite("yacht-1")
	c, k, site := r.claim("yacht-1"), newKey(t), newKey(t)
	m, err := r.newcomer(c).Enrol(t.Context(), connect.NewRequest(&pb.EnrolRequest{
		SiteId: "yacht-1", Claim: c.Secret, Csr: request(t, k), SiteCsr: siteRequest(t, site),
	}))
	if err != nil {
		t.Fatal(err)
	}
	check := func(chain [][]byte) {
		t.Helper()
		if len(chain) != 2 {
			t.Fatalf("%d certificates", len(chain))
		}
		ca, err := x509.ParseCertificate(chain[0])
		if err != nil {
			t.Fatal(err)
		}
		root, err := x509.ParseCertificate(chain[1])
		if err != nil {
			t.Fatal(err)
		}
		if err := ca.CheckSignatureFrom(root); err != nil || identity.Fingerprint(root) != c.FleetRoot {
			t.Error(err)
		}
		if !site.PublicKey.Equal(ca.PublicKey) || !ca.IsCA || !ca.MaxPathLenZero || !ca.PermittedDNSDomainsCritical ||
			len(ca.PermittedURIDomains) != 1 || ca.PermittedURIDomains[0] != identity.TrustDomain(ca) {
			t.Errorf("%+v", ca.PermittedURIDomains)
		}
	}
	check(m.Msg.SiteChain)
	h := r.enrolled("yacht-1", m.Msg, k)
	now = now.AddDate(0, 11, 0)
	renewed, err := h.cl.Certify(t.Context(), connect.NewRequest(&pb.CertifyRequest{Csr: request(t, k), SiteCsr: siteRequest(t, site)}))
	if err != nil {
		t.Fatal(err)
	}
	check(renewed.Msg.SiteChain)
	leaf, err := x509.ParseCertificate(renewed.Msg.HubChain[0])
	if err != nil || !leaf.NotAfter.After(now.AddDate(1, 11, 0)) {
		t.Errorf("ends at %s, %v", leaf.NotAfter, err)
	}
	_, err = h.cl.Certify(t.Context(), connect.NewRequest(&pb.CertifyRequest{Csr: request(t, newKey(t))}))
	wantCode(t, "another key", err, connect.CodePermissionDenied)
	_, err = h.cl.Certify(t.Context(), connect.NewRequest(&pb.CertifyRequest{SiteCsr: request(t, site)}))
	wantCode(t, "no site's request", err, connect.CodeInvalidArgument)
	_, err = r.newcomer(c).Certify(t.Context(), connect.NewRequest(&pb.CertifyRequest{Csr: request(t, k)}))
	wantCode(t, "nobody", err, connect.CodeUnauthenticated)
}
