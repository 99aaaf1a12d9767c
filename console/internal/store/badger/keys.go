package badger

import (
	"encoding/binary"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// The key layout, version 2; version 1 has no terms. What belongs to a site begins with its id, so
// that a site's rows lie together; what belongs to none begins with 0x00,
// which no site id contains. Segments and UUIDs contain neither 0x00 nor '/',
// which separate. Numbers have 8 bytes, big endian.
//
//	00 M name                     the store itself: format, identity, settings, the
//	                              newest entry of the audit
//	00 S site_id                  site, JSON
//	00 H hub_id                   hub, JSON
//	00 C hash                     claim by the hash of its secret, JSON
//	00 U site_id 00 hash          claim of a site that is not used: empty
//	00 A kind/…                   people: see account/accountkv
//	00 G chain/number             entry of the console's own audit, JSON; the number
//	                              has 20 digits
//	00 L chain                    newest entry of a chain: number and hash, JSON
//	00 I field value 00 site 00 device  term of a device, for the search, or of a
//	                              room: empty
//	00 X expires(ms) number site  order that no hub was offered: empty
//	00 D kind 00 name             document of the console, newest version, JSON
//	00 V kind 00 name 00 version  every version of it, JSON
//	00 J job_id                   job, JSON
//	00 T job_id 00 site 00 device target of a job, JSON; written with the site
//	00 N delivery_id              notification, JSON
//	00 O site 00 alert_id         alert that is open: empty
//	00 Y arrived(ms) site 00 id   alert in the order of arrival: empty
//
//	site 00 A alert_id            alert, as it is known ashore, JSON
//	site 00 B                     session of the hub, JSON
//	site 00 C                     cursor: epoch, positions of the lanes, JSON
//	site 00 D epoch 00 lane seq   dead letter, JSON
//	site 00 E kind 00 id          entity, JSON
//	site 00 F epoch               former epoch: where its lanes stood, JSON
//	site 00 G epoch 00 lane seq   gap that ends before seq, JSON
//	site 00 H epoch 00 lane seq   the chain's hash after a record
//	site 00 J epoch 00 lane seq   record in its wire form
//	site 00 K                     contact, JSON
//	site 00 M                     order marks, JSON
//	site 00 N                     counts, JSON
//	site 00 O request_id          request that has not ended: empty
//	site 00 P                     policy, JSON
//	site 00 Q number              order, JSON
//	site 00 R hour version part   rows of an hour of traffic, in their wire form;
//	                              version has 4 bytes, part 2
//	site 00 S device_id           newest device state, JSON
//	site 00 T hour                hour of traffic, JSON; hours since 1970 have 4
//	                              bytes, so a day is one range
//	site 00 U day                 bytes of the link on a day, JSON; days since 1970
//	                              have 4 bytes
//	site 00 W command_id          command ordered and not told of yet: number
//	site 00 Z command_id          cancel ordered and not answered yet: number
const (
	fleetMeta   = 'M'
	fleetSite   = 'S'
	fleetHub    = 'H'
	fleetClaim  = 'C'
	fleetUnused = 'U'
	fleetPeople = 'A'
	fleetDue    = 'X'
	fleetTerm   = 'I'

	fleetAudit     = 'G'
	fleetAuditHead = 'L'

	fleetDocument  = 'D'
	fleetVersion   = 'V'
	fleetJob       = 'J'
	fleetTarget    = 'T'
	fleetDelivery  = 'N'
	fleetOpenAlert = 'O'
	fleetArrival   = 'Y'

	siteAlert = 'A'
	siteUsage = 'U'

	siteSession = 'B'
	siteCursor  = 'C'
	siteLetter  = 'D'
	siteEntity  = 'E'
	siteFormer  = 'F'
	siteGap     = 'G'
	siteHash    = 'H'
	siteRecord  = 'J'
	siteContact = 'K'
	siteMarks   = 'M'
	siteCounts  = 'N'
	siteOpen    = 'O'
	sitePolicy  = 'P'
	siteOrder   = 'Q'
	siteRows    = 'R'
	siteState   = 'S'
	siteTraffic = 'T'
	siteWanted  = 'W'
	siteCancel  = 'Z'
)

const (
	formatVersion    = "2"
	formatBeforeTerm = "1"
)

// empty is the value of a key that says all by being there.
var empty = []byte{1}

// fleetKey names a row that belongs to no site.
func fleetKey(table byte, parts ...string) []byte { return join([]byte{0, table}, parts) }

// siteKey names a row of a site.
func siteKey(site fleet.SiteID, table byte, parts ...string) []byte {
	k := make([]byte, 0, len(site)+2+48)
	k = append(append(k, site...), 0, table)
	return join(k, parts)
}

func join(k []byte, parts []string) []byte {
	for i, p := range parts {
		if i > 0 {
			k = append(k, 0)
		}
		k = append(k, p...)
	}
	return k
}

func entityKey(site fleet.SiteID, r fleet.Ref) []byte {
	return siteKey(site, siteEntity, string(r.Kind), r.ID)
}

func entityPrefix(site fleet.SiteID, kind fleet.EntityKind) []byte {
	return append(siteKey(site, siteEntity, string(kind)), 0)
}

// lanePrefix begins the rows of a lane of an epoch.
func lanePrefix(site fleet.SiteID, table byte, e fleet.Epoch, l fleet.Lane) []byte {
	return append(siteKey(site, table, string(e)), 0, byte(l))
}

func number(k []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(k, n) }

// hourKey names an hour of traffic, by hours since 1970.
func hourKey(site fleet.SiteID, hour uint32) []byte {
	return binary.BigEndian.AppendUint32(siteKey(site, siteTraffic), hour)
}

func rowsKey(site fleet.SiteID, hour, version uint32, part int) []byte {
	k := binary.BigEndian.AppendUint32(siteKey(site, siteRows), hour)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32(k, version), uint16(part))
}

func orderKey(site fleet.SiteID, n uint64) []byte { return number(siteKey(site, siteOrder), n) }

func dueKey(site fleet.SiteID, expires time.Time, n uint64) []byte {
	return append(number(number(fleetKey(fleetDue), uint64(max(0, expires.UnixMilli()))), n), site...)
}

// parseDue reads what dueKey wrote.
func parseDue(k []byte) (at time.Time, n uint64, site fleet.SiteID, ok bool) {
	if len(k) < 2+16+1 {
		return at, 0, "", false
	}
	ms := binary.BigEndian.Uint64(k[2:])
	return time.UnixMilli(int64(ms)).UTC(), binary.BigEndian.Uint64(k[10:]), fleet.SiteID(k[18:]), true
}

// after is the first key behind all keys that begin with p.
func after(p []byte) []byte {
	end := append([]byte(nil), p...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
