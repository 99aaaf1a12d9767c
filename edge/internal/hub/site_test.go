package hub_test

import "testing"

func TestSite_ItsNameAndTimeZoneAreWhatAPersonSays(t *testing.T) {
	r := start(t)
	if s := r.want(200, "GET", "/system", nil).body; s["site_name"] != "yacht-1" || s["time_zone"] != nil {
		t.Errorf("%v %v", s["site_name"], s["time_zone"])
	}
	r.want(422, "PUT", "/system/site", map[string]any{"site_name": "  "})
	r.want(422, "PUT", "/system/site", map[string]any{"site_name": "M/Y Aurelia", "time_zone": "Europe/Nowhere"})
	r.want(422, "PUT", "/system/site", map[string]any{"site_name": "M/Y Aurelia", "time_zone": "../etc/passwd"})
	r.want(200, "PUT", "/system/site", map[string]any{"site_name": " M/Y Aurelia ", "time_zone": "Europe/Zagreb"})
	if s := r.want(200, "GET", "/system", nil).body; s["site_name"] != "M/Y Aurelia" || s["time_zone"] != "Europe/Zagreb" {
		t.Errorf("%v %v", s["site_name"], s["time_zone"])
	}
}
