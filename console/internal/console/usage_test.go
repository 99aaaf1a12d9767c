package console

import (
	"net/http"
	"testing"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

func TestUsage_BytesOfTheSocketsAreCountedBySiteAndDay(t *testing.T) {
	r := start(t, Config{})
	for _, site := range []string{"a", "b"} {
		r.addSite(site)
	}
	a := r.hub("a")
	r.hub("b")
	a.mustHello()
	a.grow(50)
	a.pushAll()
	if err := r.c.link.StoreUsage(t.Context()); err != nil {
		t.Fatal(err)
	}
	type usage struct {
		Days []struct {
			Day string `json:"day"`
			In  uint64 `json:"bytes_in"`
			Out uint64 `json:"bytes_out"`
		} `json:"days"`
		In uint64 `json:"bytes_in"`
	}
	var first, again, other usage
	r.mustAPI(http.MethodGet, "/api/v1/sites/a/usage", nil, &first)
	if len(first.Days) != 1 || first.Days[0].In < 2000 || first.Days[0].Out < 1000 || first.In != first.Days[0].In {
		t.Fatalf("usage is %+v", first)
	}
	if err := r.c.link.StoreUsage(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.mustHello()
	if err := r.c.link.StoreUsage(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.mustAPI(http.MethodGet, "/api/v1/sites/a/usage", nil, &again)
	if more := again.In - first.In; more == 0 || more > first.In {
		t.Errorf("one more greeting is %d bytes after %d", more, first.In)
	}
	r.mustAPI(http.MethodGet, "/api/v1/sites/b/usage", nil, &other)
	if len(other.Days) != 0 {
		t.Errorf("a hub that has only enrolled has used %+v", other)
	}
	if code := r.api(http.MethodGet, "/api/v1/sites/a/usage?from=yesterday", nil, nil); code != http.StatusUnprocessableEntity {
		t.Errorf("a wrong day: %d", code)
	}
}

func TestForecast_SaysWhatEndsWhen(t *testing.T) {
	now := time.Now().UTC()
	r := start(t, Config{Now: func() time.Time { return now }})
	r.addSite("a")
	h := r.hub("a")
	h.mustHello()
	h.device("watch-1", "watch")
	h.device("watch-2", "watch")
	certificate := func(serial string, device fleet.DeviceID, ends time.Time) {
		h.append(fleet.Record{At: fleet.Millis(now), ClockTrusted: true, Actor: fleet.System("pki"), Body: fleet.CertificateChanged{Certificate: fleet.Certificate{
			Serial: serial, Kind: fleet.CertificateDevice, Device: device, Fingerprint: hex64(serial), Key: hex64("01"), Authority: hex64("02"),
			IssuedAt: fleet.Millis(now), NotBefore: fleet.Millis(now), NotAfter: fleet.Millis(ends), Version: 1,
		}}})
	}
	certificate("0a", "watch-1", now.AddDate(0, 0, 10))
	certificate("0b", "watch-2", now.AddDate(0, 0, 10)) // was renewed:
	certificate("0c", "watch-2", now.AddDate(1, 0, 0))
	h.pushAll()
	if err := r.c.certificates.ReadAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	var v struct {
		Items []struct {
			Kind     string `json:"kind"`
			DeviceID string `json:"device_id"`
		} `json:"items"`
		Total int `json:"total"`
		Weeks []struct{ Devices int }
	}
	r.mustAPI(http.MethodGet, "/api/v1/security/forecast?days=30", nil, &v)
	if v.Total != 1 || v.Items[0].DeviceID != "watch-1" || len(v.Weeks) != 5 || v.Weeks[1].Devices != 1 {
		t.Errorf("the forecast is %+v", v)
	}
	hub, err := r.c.store.Hub(t.Context(), h.id)
	if err != nil {
		t.Fatal(err)
	}
	now = hub.NotAfter.AddDate(0, 0, -10)
	if err := r.c.certificates.ReadAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.mustAPI(http.MethodGet, "/api/v1/security/forecast?days=30&kind=hub", nil, &v)
	if v.Total != 1 || v.Items[0].Kind != "hub" {
		t.Errorf("the forecast of hubs is %+v", v)
	}
}

// hex64 is a fingerprint that ends in s.
func hex64(s string) string {
	const zeros = "0000000000000000000000000000000000000000000000000000000000000000"
	return zeros[:64-len(s)] + s
}

func TestSyncHealth_CountsWhatIsWrong(t *testing.T) {
	r := start(t, Config{})
	r.addSite("a")
	r.addSite("b")
	h := r.hub("a")
	h.grow(20)
	h.mustHello()
	if _, err := r.c.fleet.Refresh(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	var v struct {
		Unknown int `json:"unknown"`
		Lanes   []struct {
			Backlog uint64 `json:"backlog"`
			Sites   int    `json:"sites"`
		} `json:"lanes"`
		Troubled []struct {
			SiteID string `json:"site_id"`
		} `json:"troubled"`
	}
	r.mustAPI(http.MethodGet, "/api/v1/sync", nil, &v)
	var waiting uint64
	for _, l := range v.Lanes {
		waiting += l.Backlog
	}
	if v.Unknown != 2 || waiting != 20 || len(v.Troubled) != 1 || v.Troubled[0].SiteID != "a" {
		t.Errorf("health is %+v", v)
	}
}
