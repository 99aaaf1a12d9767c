package alert

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Window is a time in which sites are expected to be away. It is the body of a
// document.
type Window struct {
	// Sites are the sites; Tag means those that have it. One of both.
	Sites []fleet.SiteID `json:"sites,omitempty" maxItems:"1000" nullable:"false" doc:"These sites."`
	Tag   string         `json:"tag,omitempty" maxLength:"64" doc:"Or those with this tag."`
	From  time.Time      `json:"from"`
	To    time.Time      `json:"to"`
	Note  string         `json:"note,omitempty" maxLength:"256" doc:"Why, for people."`
}

// maxWindow is the longest that a site may be expected to be away.
const maxWindow = 400 * 24 * time.Hour

// Check reports as fleet.ErrInvalid what is wrong with a window.
func (w Window) Check() error {
	switch {
	case (len(w.Sites) == 0) == (w.Tag == ""):
		return fmt.Errorf("%w: name sites, or a tag, one of both", fleet.ErrInvalid)
	case !w.To.After(w.From):
		return fmt.Errorf("%w: to %s: want a time after from", fleet.ErrInvalid, w.To.Format(time.RFC3339))
	case w.To.Sub(w.From) > maxWindow:
		return fmt.Errorf("%w: the window is longer than %d days: retire the site instead", fleet.ErrInvalid, int(maxWindow.Hours()/24))
	}
	for _, id := range w.Sites {
		if _, err := fleet.ParseSiteID(string(id)); err != nil {
			return err
		}
	}
	return nil
}

// Windows are the times in which sites are expected to be away, kept in memory.
type Windows struct {
	store store.Documents

	mu     sync.Mutex // guards all below
	bySite map[fleet.SiteID][]Window
	byTag  map[string][]Window
}

// NewWindows reads them.
func NewWindows(ctx context.Context, s store.Documents) (*Windows, error) {
	w := &Windows{store: s}
	return w, w.Reload(ctx)
}

// Reload reads the windows anew.
func (w *Windows) Reload(ctx context.Context) error {
	bySite, byTag := map[fleet.SiteID][]Window{}, map[string][]Window{}
	for after := ""; ; {
		page, err := w.store.Documents(ctx, store.DocumentWindow, after, 500)
		if err != nil {
			return fmt.Errorf("read windows: %w", err)
		}
		for _, d := range page {
			after = d.Name
			var one Window
			if err := json.Unmarshal(d.Body, &one); err != nil {
				return fmt.Errorf("decode window %s: %w", d.Name, err)
			}
			for _, id := range one.Sites {
				bySite[id] = append(bySite[id], one)
			}
			if one.Tag != "" {
				byTag[one.Tag] = append(byTag[one.Tag], one)
			}
		}
		if len(page) < 500 {
			break
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bySite, w.byTag = bySite, byTag
	return nil
}

// Planned says until when a site is expected to be away at a time.
func (w *Windows) Planned(s store.Site, now time.Time) (until time.Time, planned bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	look := func(all []Window) {
		for _, one := range all {
			if !now.Before(one.From) && now.Before(one.To) && one.To.After(until) {
				until, planned = one.To, true
			}
		}
	}
	look(w.bySite[s.ID])
	for _, tag := range s.Settings.Tags {
		look(w.byTag[tag])
	}
	return until, planned
}
