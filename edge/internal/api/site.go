package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// siteSetting is the name under which the store has what people say of the site.
const siteSetting = "site"

// SiteBody is what people may say of the site. Exported, as DeviceBody is.
type SiteBody struct {
	SiteName string `json:"site_name" minLength:"1" maxLength:"80" doc:"What people read as the site's name."`
	TimeZone string `json:"time_zone,omitempty" maxLength:"64" doc:"Of the IANA database, such as Europe/Zagreb; pages show times in it. Without, each shows its own."`
}

// loadSite takes what people have said of the site, in the place of the program's
// setting.
func (a *API) loadSite() error {
	s, found, err := store.Setting[SiteBody](a.Store, siteSetting)
	if err != nil {
		return fmt.Errorf("read the site's name: %w", err)
	}
	if !found {
		s.SiteName = a.SiteName
	}
	a.takeSite(s)
	return nil
}

func (a *API) takeSite(s SiteBody) {
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil || s.TimeZone == "" {
		zone = time.UTC
	}
	a.zone.Store(zone)
	a.site.Store(&s)
}

// Zone is the site's time zone; UTC until somebody has said which it is.
func (a *API) Zone() *time.Location { return a.zone.Load() }

func (a *API) siteRoute() {
	rest.Register(a.rest, rest.Route{
		OperationID: "set-site", Method: http.MethodPut, Path: "/api/v1/system/site", Permission: account.SystemWrite,
		Summary: "The site's name and time zone", Tags: []string{"system"},
	}, func(ctx context.Context, in *struct {
		Body SiteBody `nameHint:"Site"`
	}) (*struct{ Body SiteBody }, error) {
		s := in.Body
		if s.SiteName = strings.TrimSpace(s.SiteName); s.SiteName == "" {
			return nil, fmt.Errorf("%w: site_name is empty", fleet.ErrInvalid)
		}
		if _, err := time.LoadLocation(s.TimeZone); err != nil || s.TimeZone == "Local" {
			return nil, fmt.Errorf("%w: time_zone %q is not known here: want a name such as Europe/Zagreb", fleet.ErrInvalid, s.TimeZone)
		}
		err := a.Journal.Do(ctx, func(tx *journal.Tx) error {
			if err := tx.PutSetting(siteSetting, s); err != nil {
				return err
			}
			tx.Then(func() { a.takeSite(s) })
			return tx.Audit(actor(ctx), "site.changed", string(a.Identity.Site), map[string]string{
				"site_name": s.SiteName, "time_zone": cmp.Or(s.TimeZone, "none"),
			})
		})
		return &struct{ Body SiteBody }{s}, err
	})
}

// About is what people read as the site's name, and its time zone; UTC when
// nobody has said one.
func (a *API) About() (siteName string, zone *time.Location) {
	s := a.site.Load()
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		zone = time.UTC // it was checked; the machine's database may have shrunk
	}
	return s.SiteName, zone
}
