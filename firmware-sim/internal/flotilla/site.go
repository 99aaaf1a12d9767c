package flotilla

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// devicesInRoom is how many devices stand in one room.
const devicesInRoom = 4

// site is a made-up site: its rooms and devices, and how they are now. The
// number of a device says what it is and where it stands, so of most devices only
// the state is kept. A removed device keeps its place.
type site struct {
	id      fleet.SiteID
	name    string
	began   time.Time // when it was commissioned
	chance  *rand.Rand
	devices []cell
	first   int // so many devices there were at the beginning
	// changed are the devices that are not as they were at the beginning.
	changed map[int]fleet.Device
	version uint64 // of the newest state
}

// cell is the state of a device.
type cell struct {
	version  uint64
	since    uint32 // seconds since 1970
	presence uint8  // of presences
	battery  int8
	signal   int8 // dBm
}

// presences by their number in a cell.
var presences = [...]fleet.Presence{fleet.NeverSeen, fleet.Ready, fleet.Sleeping, fleet.Late, fleet.Lost, fleet.Retired}

const (
	neverSeen = iota
	ready
	sleeping
	late
	lost
	retired
)

// chanceOf is a stream of chance that the seed and the names alone determine.
func chanceOf(seed uint64, names ...string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(strings.Join(names, "\x00")))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// newSite makes up a site. missing is the share of its devices that are lost.
func newSite(seed uint64, id fleet.SiteID, devices int, missing float64, now time.Time) *site {
	s := &site{id: id, chance: chanceOf(seed, string(id)), devices: make([]cell, devices), first: devices, changed: map[int]fleet.Device{}}
	s.name = nameOf(s.chance, id)
	s.began = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC).Add(time.Duration(s.chance.IntN(180*24)) * time.Hour)
	for i := range s.devices {
		c := &s.devices[i]
		c.presence, c.battery, c.signal = ready, int8(25+s.chance.IntN(76)), int8(-45-s.chance.IntN(40))
		ago := time.Duration(s.chance.IntN(86400)) * time.Second
		switch p := s.chance.Float64(); {
		case p < missing:
			c.presence, ago = lost, ago+time.Hour
		case s.kind(i) == fleet.Watch && p > 0.8:
			c.presence, ago = sleeping, ago/24
		}
		if s.chance.IntN(40) == 0 {
			c.battery = int8(3 + s.chance.IntN(12))
		}
		c.since = uint32(now.Add(-ago).Unix())
		s.touch(i)
	}
	return s
}

// touch gives a state the next version.
func (s *site) touch(i int) {
	s.version++
	s.devices[i].version = s.version
}

// The words of which names are made.
var (
	vessels = []string{"M/Y", "M/Y", "M/Y", "S/Y", "M/V"}
	first   = []string{
		"Aurelia", "Meridian", "Calypso", "Halcyon", "Serena", "Polaris", "Amphitrite", "Bellona", "Celeste", "Dorado", "Elara", "Fortuna",
		"Galatea", "Hesperia", "Isola", "Juno", "Kestrel", "Lumen", "Mistral", "Nerida", "Octavia", "Pelagia", "Quietude", "Rosalind",
		"Solstice", "Tramontana", "Umbra", "Vela", "Westerly", "Xenia", "Ysolde", "Zephyr",
	}
	second = []string{"", "", "", " of the Isles", " II", " Blue", " Dawn", " Star", " Rose", " Wind", " Grace", " III", " Light", " Spirit"}
)

func nameOf(chance *rand.Rand, id fleet.SiteID) string {
	word := func(of []string) string { return of[chance.IntN(len(of))] }
	name := word(vessels) + " " + word(first) + word(second)
	// Names of vessels repeat; the number tells them apart.
	if n := strings.TrimLeft(string(id), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-"); n != "" {
		name += " " + n
	}
	return name
}

func (s *site) rooms() int { return (s.first + devicesInRoom - 1) / devicesInRoom }

func (s *site) roomID(i int) fleet.RoomID {
	switch {
	case i == 0:
		return "bridge"
	case i%12 == 11:
		return fleet.RoomID("deck-" + strconv.Itoa(1+i/12))
	default:
		return fleet.RoomID(fmt.Sprintf("cabin-%d%02d", 1+i/20, i%20))
	}
}

func (s *site) room(i int) fleet.Room {
	id := s.roomID(i)
	word, number, _ := strings.Cut(string(id), "-")
	name := strings.ToUpper(word[:1]) + word[1:]
	if number != "" {
		name += " " + number
	}
	return fleet.Room{
		ID: id, Name: name, Deck: "Deck " + strconv.Itoa(1+i/20), Position: uint32(1 + i%20), UpdatedAt: s.began, Version: 1,
	}
}

func (s *site) kind(i int) fleet.DeviceType {
	if d, ok := s.changed[i]; ok {
		return d.Type
	}
	return kindOf(i)
}

func kindOf(i int) fleet.DeviceType {
	switch {
	case i%10 == 9 && i%40 != 9:
		return fleet.Sensor
	case i%40 == 9:
		return fleet.Repeater
	case i%10 == 4 || i%10 == 8:
		return fleet.Watch
	default:
		return fleet.Button
	}
}

func (s *site) deviceID(i int) fleet.DeviceID {
	if d, ok := s.changed[i]; ok {
		return d.ID
	}
	return idOf(i)
}

func idOf(i int) fleet.DeviceID { return fleet.DeviceID(fmt.Sprintf("%s-%04d", kindOf(i), i+1)) }

// device is device i as it is registered now.
func (s *site) device(i int) fleet.Device {
	if d, ok := s.changed[i]; ok {
		return d
	}
	return s.original(i)
}

// original is device i as it was at the beginning.
func (s *site) original(i int) fleet.Device {
	kind := kindOf(i)
	return fleet.Device{
		ID: idOf(i), Type: kind, Room: s.roomID(i / devicesInRoom), Profile: string(kind),
		CreatedAt: s.began, UpdatedAt: s.began, Version: 1,
	}
}

// find returns the number of a device.
func (s *site) find(id fleet.DeviceID) (int, bool) {
	_, number, _ := strings.Cut(string(id), "-")
	if n, err := strconv.Atoi(number); err == nil && n >= 1 && n <= len(s.devices) && s.deviceID(n-1) == id {
		return n - 1, true
	}
	for i, d := range s.changed { // one that the console has made
		if d.ID == id {
			return i, true
		}
	}
	return 0, false
}

// put makes a device as it is told to be; one that is new gets a place.
func (s *site) put(d fleet.Device, now time.Time) {
	i, known := s.find(d.ID)
	if !known {
		i = len(s.devices)
		s.devices = append(slices.Clip(s.devices), cell{presence: neverSeen, battery: -1})
	}
	s.changed[i] = d
	c := &s.devices[i]
	switch {
	case d.Removed:
		c.presence, c.since = retired, uint32(now.Unix())
	case c.presence == retired || !known:
		c.presence, c.since = neverSeen, uint32(now.Unix())
	}
	s.touch(i)
}

// stateOf is the state of device i as it is told.
func (s *site) stateOf(i int, now time.Time) fleet.DeviceState {
	c := s.devices[i]
	d := fleet.DeviceState{
		ID: s.deviceID(i), Presence: presences[c.presence], Since: time.Unix(int64(c.since), 0).UTC(), Version: c.version,
	}
	switch c.presence {
	case neverSeen:
		return d
	case ready:
		d.LastSeen = fleet.Millis(now.Add(-time.Duration(i%50) * time.Second))
	default:
		d.LastSeen = d.Since
	}
	if c.battery >= 0 && s.kind(i) != fleet.Repeater {
		battery := int(c.battery)
		d.Battery = &battery
	}
	signal := int(c.signal)
	d.Signal, d.Firmware, d.BootID = &signal, "1.4."+strconv.Itoa(i%3), "b"+strconv.Itoa(i%7)
	return d
}

// drift changes some states, as an interval of device reports does.
func (s *site) drift(share float64, now time.Time) {
	for i := range s.devices {
		if s.chance.Float64() >= share {
			continue
		}
		c := &s.devices[i]
		switch c.presence {
		case neverSeen, lost, retired:
			continue
		case late, sleeping:
			c.presence, c.since = ready, uint32(now.Unix())
		default:
			if s.chance.IntN(30) == 0 {
				c.presence, c.since = late, uint32(now.Unix())
				if s.kind(i) == fleet.Watch {
					c.presence = sleeping
				}
			}
		}
		c.signal = max(-95, min(-40, c.signal+int8(s.chance.IntN(7)-3)))
		if c.battery > 2 && s.chance.IntN(20) == 0 {
			c.battery--
		}
		s.touch(i)
	}
}

// refresh makes the states of at most n devices new.
func (s *site) refresh(n int) {
	for i := range s.devices[:min(n, len(s.devices))] {
		s.touch(i)
	}
}

// commissioned are the records of the site's beginning: its rooms and devices.
func (s *site) commissioned() int { return s.rooms() + s.first }

// commission is record i of them. It is always the same.
func (s *site) commission(i int) fleet.Record {
	r := fleet.Record{At: s.began, ClockTrusted: true, Actor: fleet.System("registry")}
	if i < s.rooms() {
		r.Body = fleet.RoomChanged{Room: s.room(i)}
	} else {
		r.Body = fleet.DeviceChanged{Device: s.original(i - s.rooms())}
	}
	return r
}

// responsive reports whether a device answers now.
func (s *site) responsive(i int) bool {
	switch s.devices[i].presence {
	case ready, sleeping, late:
		return true
	}
	return false
}
