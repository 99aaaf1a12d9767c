package api

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/obedio/obedio/console/internal/fleetview"
	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/rest"
	"github.com/obedio/obedio/shared/rest/filter"
)

// searchDevices is a page of devices of all sites that the subject sees. What
// the index of the store can serve of the filter leads the search; how far one
// page looks is bounded, so that a filter that matches nothing does not read the
// whole fleet in one call: the cursor leads on. by says whether words are those
// of the search, which are looked for where words begin, or those of a list,
// which are looked for anywhere, by site and id.
func (a *API) searchDevices(ctx context.Context, in rest.PageInput, text string, byWords bool) (*devicesOutput, error) {
	q, err := filter.Parse(text, fleetview.DeviceFields())
	if err != nil {
		return nil, err
	}
	at, err := rest.DecodeCursor[store.DevicePlace](in.Cursor)
	if err != nil {
		return nil, err
	}
	query := store.DeviceQuery{Limit: in.Limit, Scan: a.ScanMost}
	if query.Sites, err = a.sitesOf(ctx, q); err != nil {
		return nil, err
	}
	if byWords {
		query.Conditions = conditions(q)
	}
	match := deviceMatch(q, byWords)
	query.Match = func(d store.FoundDevice) bool { return match(d, shownDevice(d)) }
	found, err := a.Store.SearchDevices(ctx, query, at)
	if err != nil {
		return nil, err
	}
	page := rest.Page[siteDevice]{Items: make([]siteDevice, 0, len(found.Devices))}
	for _, d := range found.Devices {
		page.Items = append(page.Items, shownDevice(d))
	}
	if found.Next != nil {
		next := rest.EncodeCursor(*found.Next)
		page.NextCursor = &next
	}
	return &devicesOutput{Body: page}, nil
}

// shownDevice shows a device that was found.
func shownDevice(d store.FoundDevice) siteDevice {
	var state fleet.DeviceState
	out := siteDevice{}
	if d.State != nil {
		state = d.State.DeviceState
		if at := d.State.AsOf; !at.IsZero() {
			out.AsOf = &at
		}
	}
	out.Device = resource.DeviceOf(d.Site, d.Device, d.RoomName, state)
	return out
}

// deviceMatch says whether a device matches a filter.
func deviceMatch(q filter.Query, byWords bool) func(store.FoundDevice, siteDevice) bool {
	if !byWords {
		return func(_ store.FoundDevice, shown siteDevice) bool { return q.Match(shown.Field) }
	}
	var words, rest []filter.Term
	for _, t := range q.Terms {
		if t.Field == "" {
			words = append(words, t)
		} else {
			rest = append(rest, t)
		}
	}
	fields := filter.Query{Terms: rest}
	return func(d store.FoundDevice, shown siteDevice) bool {
		if !fields.Match(shown.Field) {
			return false
		}
		if len(words) == 0 {
			return true
		}
		have := d.Words()
		for _, t := range words {
			has := slices.ContainsFunc(t.Values, func(v filter.Value) bool {
				return slices.ContainsFunc(have, func(w string) bool { return strings.HasPrefix(w, v.Parts[0]) })
			})
			if has == t.Not {
				return false
			}
		}
		return true
	}
}

// sitesOf are the sites that a filter is about, of those that the subject
// sees; nil for all.
func (a *API) sitesOf(ctx context.Context, q filter.Query) ([]fleet.SiteID, error) {
	var sites []fleet.SiteID
	all := a.Accounts.Policy().Sees(rest.SubjectOf(ctx), account.AllSites)
	if !all {
		sites = slices.Clone(rest.SubjectOf(ctx).Sites)
	}
	for _, t := range q.Terms {
		if t.Field != "site" {
			continue
		}
		if all {
			var err error
			if sites, err = a.allSites(ctx); err != nil {
				return nil, err
			}
			all = false
		}
		one := filter.Query{Terms: []filter.Term{t}}
		sites = slices.DeleteFunc(sites, func(id fleet.SiteID) bool {
			return !one.Match(func(string) []string { return []string{string(id)} })
		})
	}
	if all {
		return nil, nil
	}
	slices.Sort(sites)
	if sites = slices.Compact(sites); sites == nil {
		sites = []fleet.SiteID{} // none, and not all
	}
	return sites, nil
}

// allSites are the ids of all sites.
func (a *API) allSites(ctx context.Context) (ids []fleet.SiteID, err error) {
	for behind := fleet.SiteID(""); ; {
		page, err := a.Store.Sites(ctx, behind, 1000)
		if err != nil {
			return nil, err
		}
		for _, s := range page {
			ids = append(ids, s.ID)
			behind = s.ID
		}
		if len(page) < 1000 {
			return ids, nil
		}
	}
}

// conditions are the terms of a filter that the store's index can serve. Any of
// them holds for whatever matches the filter.
func conditions(q filter.Query) (all []store.DeviceCondition) {
	for _, t := range q.Terms {
		if t.Not {
			continue
		}
		c := store.DeviceCondition{}
		var served bool
		switch t.Field {
		case "":
			c.Field, c.Rooms, served = store.TermWord, true, true
			for _, v := range t.Values {
				c.Ranges = append(c.Ranges, store.Beginning(v.Parts[0]))
			}
		case "id", "room":
			c.Field = store.TermWord
			c.Ranges, served = textRanges(t.Values)
		case "firmware":
			c.Field = store.TermFirmware
			c.Ranges, served = textRanges(t.Values)
		case "tag":
			c.Field = store.TermTag
			c.Ranges, served = textRanges(t.Values)
		case "state":
			c.Field = store.TermState
			c.Ranges, served = textRanges(t.Values)
			served = served && !slices.ContainsFunc(fleet.Presences(), func(p fleet.Presence) bool {
				return !store.IndexedState(p) && t.Matches(string(p))
			})
		case "battery":
			c.Field = store.TermBattery
			c.Ranges, served = chargeRanges(t)
		}
		if served {
			all = append(all, c)
		}
	}
	return all
}

// textRanges are the ranges of values; false when one of them begins with a
// star.
func textRanges(values []filter.Value) (all []store.TermRange, served bool) {
	for _, v := range values {
		switch {
		case len(v.Parts) == 1:
			all = append(all, store.Exactly(v.Parts[0]))
		case v.Parts[0] != "":
			all = append(all, store.Beginning(v.Parts[0]))
		default:
			return nil, false
		}
	}
	return all, true
}

// chargeRanges are the ranges of charges; false when others than low ones are
// among them.
func chargeRanges(t filter.Term) (all []store.TermRange, served bool) {
	upto := func(below float64) bool {
		if below > store.LowBattery+1 {
			return false
		}
		all = append(all, store.TermRange{From: store.BatteryTerm(0), To: store.BatteryTerm(int(math.Max(0, below)))})
		return true
	}
	switch t.Op {
	case filter.Less:
		served = upto(math.Ceil(t.Values[0].Number))
	case filter.LessEqual:
		served = upto(math.Floor(t.Values[0].Number) + 1)
	case filter.Equal:
		for _, v := range t.Values {
			if n := v.Number; n < 0 || n > store.LowBattery || n != math.Trunc(n) {
				return nil, false
			}
			all = append(all, store.Exactly(store.BatteryTerm(int(v.Number))))
		}
		served = true
	case filter.Greater, filter.GreaterEqual:
	}
	return all, served
}
