package store

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/obedio/obedio/shared/fleet"
)

// How devices of all sites are found: engines keep an index of terms, in the
// transaction that changes a device or its state. A term is a field, a value
// and the device that has it; terms sort by field, value, site and device, by
// their bytes. Only what picks out few devices is a term: how every second
// device is, is quickly found by looking.

// TermField is what a term is about.
type TermField byte

// The fields of terms.
const (
	// TermWord: the id, the room, the name and the legacy id, each from the
	// beginning of every word in it.
	TermWord TermField = 'w'
	// TermRoom: the name of a room, as TermWord; the place is the room and not a
	// device.
	TermRoom TermField = 'r'
	// TermState: the presence of devices that are not as they should be.
	TermState TermField = 's'
	// TermBattery: low batteries, as three digits.
	TermBattery TermField = 'b'
	// TermFirmware and TermTag are in lower case.
	TermFirmware TermField = 'f'
	TermTag      TermField = 't'
)

// LowBattery is the highest charge, in per cent, that is a term.
const LowBattery = 30

const (
	maxTermBytes = 64
	maxWords     = 16
)

// Term is one value that a device has.
type Term struct {
	Field TermField
	Value string
}

// DeviceTerms are the terms of a device with its newest state, nil for none,
// sorted and without duplicates. A device that was removed has none.
func DeviceTerms(d fleet.Device, s *StateRow) []Term {
	if d.Removed || d.ID == "" {
		return nil
	}
	var all []Term
	add := func(f TermField, v string) {
		if v = termText(v); v != "" {
			all = append(all, Term{f, v})
		}
	}
	for _, w := range DeviceWords(d) {
		add(TermWord, w)
	}
	for _, t := range d.Tags {
		add(TermTag, t)
	}
	presence := fleet.NeverSeen
	if s != nil {
		presence = s.Presence
		add(TermFirmware, s.Firmware)
		if s.Battery != nil && *s.Battery <= LowBattery {
			add(TermBattery, BatteryTerm(*s.Battery))
		}
	}
	if IndexedState(presence) {
		add(TermState, string(presence))
	}
	slices.SortFunc(all, func(a, b Term) int { return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Value, b.Value)) })
	return slices.Compact(all)
}

// OtherTerms reports whether a device has other terms with one state than with
// another; nil for none.
func OtherTerms(a, b *StateRow) bool {
	if a == nil || b == nil {
		return a != b
	}
	low := func(s *StateRow) int {
		if s.Battery == nil || *s.Battery > LowBattery {
			return -1
		}
		return *s.Battery
	}
	return a.Presence != b.Presence || a.Firmware != b.Firmware || low(a) != low(b)
}

// RoomTerms are the terms of a room.
func RoomTerms(r fleet.Room) []Term {
	if r.Removed || r.ID == "" {
		return nil
	}
	var all []Term
	for _, w := range words(r.Name) {
		if v := termText(w); v != "" {
			all = append(all, Term{TermRoom, v})
		}
	}
	slices.SortFunc(all, func(a, b Term) int { return cmp.Compare(a.Value, b.Value) })
	return slices.Compact(all)
}

// DeviceWords are the texts in whose beginnings a word is looked for, in lower
// case, but for those of the room's name.
func DeviceWords(d fleet.Device) []string {
	return words(string(d.ID), string(d.Room), d.Name, d.LegacyID)
}

// Words are those of DeviceWords and of the name of the room.
func (d FoundDevice) Words() []string { return append(DeviceWords(d.Device), words(d.RoomName)...) }

func words(texts ...string) []string {
	var all []string
	for _, text := range texts {
		text = strings.ToLower(text)
		inside := false
		for i, r := range text {
			letter := unicode.IsLetter(r) || unicode.IsDigit(r)
			if (i == 0 || letter && !inside) && len(all) < maxWords {
				all = append(all, text[i:])
			}
			inside = letter || r == '\''
		}
	}
	return all
}

// IndexedState reports whether devices with that presence are found by it.
func IndexedState(p fleet.Presence) bool { return p != fleet.Ready && p != fleet.Sleeping }

// BatteryTerm is a charge as a term.
func BatteryTerm(percent int) string { return fmt.Sprintf("%03d", min(max(percent, 0), 999)) }

// termText is v as terms have it: short, in lower case, without characters that
// separate.
func termText(v string) string {
	v = strings.ToLower(v)
	if len(v) > maxTermBytes {
		v = v[:maxTermBytes]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(v, ""))
}

// TermRange are the values from From on that are less than To.
type TermRange struct{ From, To string }

// Exactly is the range of one value.
func Exactly(v string) TermRange {
	v = termText(v)
	return TermRange{v, v + "\x01"}
}

// Beginning is the range of the values that begin with v.
func Beginning(v string) TermRange {
	v = termText(v)
	return TermRange{v, v + "\U0010ffff"}
}

func (r TermRange) has(v string) bool { return v >= r.From && v < r.To }

// DeviceCondition is a part of a query that terms can serve: one of the ranges
// of a field.
type DeviceCondition struct {
	Field  TermField
	Ranges []TermRange
	// Rooms: devices in a room whose name has a word in a range hold it as well.
	Rooms bool
}

// DeviceQuery says which devices are looked for, on all sites.
type DeviceQuery struct {
	// Conditions all hold of what is looked for. One of them leads the search,
	// that of which there are the fewest devices.
	Conditions []DeviceCondition
	// Sites, if not nil, are the only ones that are looked at, by id.
	Sites []fleet.SiteID
	// Match decides whether a device is one. It is called with whatever the
	// leading condition finds.
	Match func(FoundDevice) bool
	// Limit is how many are wanted, and Scan how many are looked at for them.
	Limit, Scan int
}

// FoundDevice is a device of any site with its newest state.
type FoundDevice struct {
	Site   fleet.SiteID
	Device fleet.Device
	// State is nil when the hub has told of none.
	State *StateRow
	// RoomName is what people call the device's room; empty when the hub has not
	// told of it.
	RoomName string
}

// DevicePlace is how far a search has come: behind a term of a device, or,
// without a field, behind a device of a site.
type DevicePlace struct {
	// Lead is the number of the condition that leads, from 1, and Field its field.
	Lead   int            `json:"l,omitempty"`
	Field  TermField      `json:"f,omitempty"`
	Value  string         `json:"v,omitempty"`
	Site   fleet.SiteID   `json:"s,omitempty"`
	Device fleet.DeviceID `json:"d,omitempty"`
}

// DevicePage is a page of a search.
type DevicePage struct {
	Devices []FoundDevice
	// Next is where to go on; nil when nothing is behind the page. A page may have
	// fewer devices than are wanted, even none, and have more behind it.
	Next *DevicePlace
	// Scanned is how many devices were looked at.
	Scanned int
}

// DeviceIndex is what an engine has to offer for SearchDevices, in one
// consistent state.
type DeviceIndex interface {
	// CountTerms counts terms of a range, up to most.
	CountTerms(f TermField, r TermRange, most int) (int, error)
	// Terms are the places of the terms of a range that are behind a place, in
	// their order, at most limit.
	Terms(r TermRange, behind DevicePlace, limit int) ([]DevicePlace, error)
	// Found reads the devices at places, in their order; those that are gone are
	// left out.
	Found(at []DevicePlace) ([]FoundDevice, error)
	// SiteDevices are the devices of a site behind one, at most limit, without
	// those that were removed; last is the last that was looked at, "" at the end.
	SiteDevices(site fleet.SiteID, behind fleet.DeviceID, limit int) (found []FoundDevice, last fleet.DeviceID, err error)
	// NextSite is the site behind one; false when there is none.
	NextSite(behind fleet.SiteID) (fleet.SiteID, bool, error)
	// CountDevices counts the registered devices of sites, up to most.
	CountDevices(sites []fleet.SiteID, most int) (int, error)
}

const (
	// planMost is how far terms are counted to choose the one that leads.
	planMost = 6400
	// searchStep is how many devices are read at once.
	searchStep = 200
)

// SearchDevices finds devices by an engine's index.
func SearchDevices(x DeviceIndex, q DeviceQuery, at DevicePlace) (DevicePage, error) {
	q.Conditions = slices.Clone(q.Conditions)
	for i, c := range q.Conditions {
		var err error
		if q.Conditions[i], err = withRooms(x, c); err != nil {
			return DevicePage{}, err
		}
	}
	s := &search{x: x, q: q, at: at}
	if at == (DevicePlace{}) {
		if err := s.plan(); err != nil {
			return DevicePage{}, err
		}
	} else if at.Field != 0 {
		if at.Lead < 1 || at.Lead > len(q.Conditions) || q.Conditions[at.Lead-1].Field != at.Field {
			return DevicePage{}, fmt.Errorf("%w: the cursor is that of another query", fleet.ErrInvalid)
		}
		s.lead = merged(q.Conditions[at.Lead-1])
	}
	var err error
	if s.lead.Field != 0 {
		err = s.byTerms()
	} else {
		err = s.bySites()
	}
	return s.page, err
}

// roomsMost are looked at for the name of one, and named.
const roomsMost = 500

// withRooms adds the rooms that people call so to a condition: their ids are
// words of the devices in them. On other sites a room of that id may be called
// otherwise; Match tells.
func withRooms(x DeviceIndex, c DeviceCondition) (DeviceCondition, error) {
	if !c.Rooms {
		return c, nil
	}
	ids := map[fleet.DeviceID]bool{}
	for _, r := range c.Ranges {
		rooms, err := x.Terms(r, DevicePlace{Field: TermRoom}, roomsMost)
		if err != nil {
			return c, err
		}
		for _, p := range rooms {
			ids[p.Device] = true
		}
	}
	c.Ranges = slices.Clone(c.Ranges)
	for id := range ids {
		c.Ranges = append(c.Ranges, Exactly(string(id)))
	}
	return c, nil
}

// search is one page on its way.
type search struct {
	x    DeviceIndex
	q    DeviceQuery
	at   DevicePlace
	lead DeviceCondition // without a field: by sites
	page DevicePage
}

// plan chooses what leads: what has the fewest devices. They are counted a
// little further each time, so that it costs no more than the fewest are. When
// all have many, the first condition leads.
func (s *search) plan() error {
	lead := func(i int) {
		s.lead, s.at.Lead = merged(s.q.Conditions[i]), i+1
	}
	if len(s.q.Conditions) > 0 {
		lead(0)
	}
	if len(s.q.Conditions) == 0 || len(s.q.Conditions) == 1 && s.q.Sites == nil {
		return nil
	}
	for most := 100; most <= planMost; most *= 8 {
		best := most
		if s.q.Sites != nil {
			n, err := s.x.CountDevices(s.q.Sites, most)
			if err != nil {
				return err
			}
			if n < best {
				s.lead, s.at.Lead, best = DeviceCondition{}, 0, n
			}
		}
		for i, c := range s.q.Conditions {
			n, err := s.count(merged(c), best)
			if err != nil {
				return err
			}
			if n < best {
				lead(i)
				best = n
			}
		}
		if best < most {
			return nil
		}
	}
	return nil
}

// count counts the terms of a condition, up to most.
func (s *search) count(c DeviceCondition, most int) (n int, err error) {
	for _, r := range c.Ranges {
		if n >= most {
			break
		}
		more, err := s.x.CountTerms(c.Field, r, most-n)
		if err != nil {
			return 0, err
		}
		n += more
	}
	return n, nil
}

// merged is c with its ranges in order, and none that overlap.
func merged(c DeviceCondition) DeviceCondition {
	all := slices.SortedFunc(slices.Values(c.Ranges), func(a, b TermRange) int { return cmp.Compare(a.From, b.From) })
	out := all[:0]
	for _, r := range all {
		if n := len(out); n > 0 && r.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, r.To)
		} else {
			out = append(out, r)
		}
	}
	return DeviceCondition{Field: c.Field, Ranges: out}
}

// sees reports whether a site is one that is looked at.
func (s *search) sees(id fleet.SiteID) bool {
	if s.q.Sites == nil {
		return true
	}
	_, found := slices.BinarySearch(s.q.Sites, id)
	return found
}

// full reports whether the page is complete; it goes on at the place.
func (s *search) full(at DevicePlace) bool {
	if len(s.page.Devices) < s.q.Limit && s.page.Scanned < s.q.Scan {
		return false
	}
	s.page.Next = &at
	return true
}

// byTerms follows the terms of the leading condition.
func (s *search) byTerms() error {
	s.at.Field = s.lead.Field
	for _, r := range s.lead.Ranges {
		if s.at.Value >= r.To {
			continue
		}
		for {
			step := s.step()
			places, err := s.x.Terms(r, s.at, step)
			if err != nil {
				return err
			}
			var seen []DevicePlace
			for _, p := range places {
				if s.sees(p.Site) {
					seen = append(seen, p)
				}
			}
			found, err := s.x.Found(seen)
			if err != nil {
				return err
			}
			byPlace := make(map[DevicePlace]FoundDevice, len(found))
			for _, d := range found {
				byPlace[DevicePlace{Site: d.Site, Device: d.Device.ID}] = d
			}
			for _, p := range places {
				if s.full(s.at) {
					return nil
				}
				p.Lead = s.at.Lead
				s.at = p
				s.page.Scanned++
				d, ok := byPlace[DevicePlace{Site: p.Site, Device: p.Device}]
				if ok && s.first(d, p.Value) && s.q.Match(d) {
					s.page.Devices = append(s.page.Devices, d)
				}
			}
			if len(places) < step {
				break
			}
		}
	}
	return nil
}

// first reports whether value is the first of the device's terms that the
// search comes by: it is shown there, and not again.
func (s *search) first(d FoundDevice, value string) bool {
	for _, t := range DeviceTerms(d.Device, d.State) {
		if t.Field == s.lead.Field && slices.ContainsFunc(s.lead.Ranges, func(r TermRange) bool { return r.has(t.Value) }) {
			return t.Value == value
		}
	}
	return false
}

// step is how many devices are read at once: not many more than are wanted.
func (s *search) step() int {
	return min(searchStep, max(1, s.q.Scan-s.page.Scanned), max(50, 2*(s.q.Limit-len(s.page.Devices))))
}

// bySites looks at the devices of one site after the other.
func (s *search) bySites() error {
	for site, behind := s.at.Site, s.at.Device; ; behind = "" {
		if site == "" || behind == "" { // not in the middle of one
			var more bool
			var err error
			if site, more, err = s.nextSite(site); err != nil || !more {
				return err
			}
		}
		for {
			found, last, err := s.x.SiteDevices(site, behind, s.step())
			if err != nil {
				return err
			}
			for _, d := range found {
				if s.full(DevicePlace{Site: site, Device: behind}) {
					return nil
				}
				s.page.Scanned++
				behind = d.Device.ID
				if s.q.Match(d) {
					s.page.Devices = append(s.page.Devices, d)
				}
			}
			if last == "" {
				break
			}
			if behind = last; s.full(DevicePlace{Site: site, Device: behind}) {
				return nil
			}
		}
		if s.full(DevicePlace{Site: site}) {
			return nil
		}
	}
}

// nextSite is the next one that is looked at.
func (s *search) nextSite(behind fleet.SiteID) (fleet.SiteID, bool, error) {
	if s.q.Sites == nil {
		return s.x.NextSite(behind)
	}
	i, found := slices.BinarySearch(s.q.Sites, behind)
	if found {
		i++
	}
	if i == len(s.q.Sites) {
		return "", false, nil
	}
	return s.q.Sites[i], true, nil
}
