package broker

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/fleet"
)

// Storage keeps what must survive a restart: sessions that outlive their
// connection, the messages in them, and retained messages. Its keys are text
// in which 0x00 separates.
type Storage interface {
	// Load calls fn with everything that is kept, before the broker runs.
	Load(fn func(key string, value []byte) error) error
	// Write runs fn, which sets values (nil removes one) and removes all keys with
	// a prefix, and applies what it did in that order, all or nothing. nil: it is
	// on disk.
	Write(ctx context.Context, fn func(set func(key string, value []byte), clear func(prefix string))) error
}

// Write is one change of what is kept.
type Write struct {
	Key string
	// Value replaces what is under Key; nil removes it.
	Value []byte
	// All, with no Value, removes everything whose key begins with Key.
	All bool
}

// The keys.
//
//	s client_id               session, JSON
//	m client_id 00 packet id  message of QoS 1 or 2 for the client
//	q client_id 00 packet id  id of a QoS 2 message of the client's that waits for PUBREL: empty
//	t topic                   retained message
const (
	keptSession  = "s"
	keptMessage  = "m"
	keptInbound  = "q"
	keptRetained = "t"
)

func keyOf(kind, client string, id uint16) string {
	return kind + client + "\x00" + string([]byte{byte(id >> 8), byte(id)})
}

// keeper writes to the Storage in groups: while one is written the next one
// gathers.
type keeper struct {
	storage Storage // nil: nothing is kept
	failed  func(error)

	mu    sync.Mutex // guards both
	next  *group
	ended bool // nothing is written any more

	wake chan struct{} // of capacity 1
}

// group is what is written at once.
type group struct {
	writes []Write
	at     map[string]int // of the last write of a key
	done   chan struct{}
	err    error // valid when done is closed
}

func newGroup() *group { return &group{at: make(map[string]int), done: make(chan struct{})} }

func newKeeper(s Storage, failed func(error)) *keeper {
	return &keeper{storage: s, failed: failed, next: newGroup(), wake: make(chan struct{}, 1)}
}

// later writes with the next group; nobody waits for it.
func (k *keeper) later(writes ...Write) { k.add(writes) }

// now writes and waits until it is on disk.
func (k *keeper) now(ctx context.Context, writes ...Write) error {
	if g := k.add(writes); g != nil {
		return g.written(ctx)
	}
	return nil
}

// written waits until the group is on disk.
func (g *group) written(ctx context.Context) error {
	select {
	case <-g.done:
		return g.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (k *keeper) add(writes []Write) *group {
	if k.storage == nil || len(writes) == 0 {
		return nil
	}
	k.mu.Lock()
	g := k.next
	for _, w := range writes {
		g.add(w)
	}
	ended := k.ended
	k.mu.Unlock()
	if ended {
		return notKept
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
	return g
}

// add appends a write. A later one of the same key takes the place of an
// earlier one, unless something was removed in between.
func (g *group) add(w Write) {
	if w.All {
		clear(g.at)
	} else if i, ok := g.at[w.Key]; ok {
		g.writes[i] = w
		return
	} else {
		g.at[w.Key] = len(g.writes)
	}
	g.writes = append(g.writes, w)
}

func (g *group) apply(set func(string, []byte), clear func(string)) {
	for _, w := range g.writes {
		if w.All {
			clear(w.Key)
		} else {
			set(w.Key, w.Value)
		}
	}
}

// run writes until ctx ends, and then what is left.
func (k *keeper) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			k.mu.Lock()
			k.ended = true // who comes from now on is told; who came before is flushed
			k.mu.Unlock()
			k.flush()
			return
		case <-k.wake:
			k.flush()
		}
	}
}

// notKept is the group of what comes when nothing is written any more.
var notKept = func() *group {
	g := newGroup()
	g.err = fmt.Errorf("%w: the broker stops", fleet.ErrUnavailable)
	close(g.done)
	return g
}()

func (k *keeper) flush() {
	k.mu.Lock()
	g := k.next
	if len(g.writes) == 0 {
		k.mu.Unlock()
		return
	}
	k.next = newGroup()
	k.mu.Unlock()
	// A write that has begun is carried to its end: its outcome must be known.
	if g.err = k.storage.Write(context.Background(), g.apply); g.err != nil {
		k.failed(g.err)
		k.removeLater(g)
	}
	close(g.done)
}

// removeLater puts what a failed group was to remove before what is written
// next: nobody would remove it again, and after a restart it would come back.
func (k *keeper) removeLater(failed *group) {
	k.mu.Lock()
	defer k.mu.Unlock()
	first := newGroup()
	for _, w := range failed.writes {
		if w.Value == nil {
			first.add(w)
		}
	}
	for _, w := range k.next.writes {
		first.add(w)
	}
	k.next.writes, k.next.at = first.writes, first.at
}

// kept is what the gate keeps of a session, as long as the library keeps the
// rest of it.
type kept struct {
	// owner says whose session it is; another identity under the same client id
	// does not inherit it.
	owner string
	// received are the packet ids of QoS 2 messages that wait for PUBREL; true for
	// those from before the hub's start. Only
	// the connection that holds the slot touches it.
	received map[uint16]bool
	// persistent: the session outlives its connection, and is on disk.
	persistent atomic.Bool
	// forgotten: Forget has ended it; no connection goes on with it.
	forgotten atomic.Bool

	mu    sync.Mutex // guards what follows
	sizes map[uint16]int
	bytes int
	// written are the filters that the client subscribed to under old topics, by
	// their standard form.
	written map[string]string
	// ended is when the last connection ended; zero while there is one.
	ended  time.Time
	expiry time.Duration // how long the session lives after that
}

func newKept(owner string) *kept {
	return &kept{owner: owner, received: make(map[uint16]bool), sizes: make(map[uint16]int)}
}

// messageOverhead is about what a message costs beside its payload.
const messageOverhead = 512

// reserve reports whether there is room for one more message.
func (k *kept) reserve(b *Broker, payload int) bool {
	size := payload + messageOverhead
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.bytes+size <= b.limits.MaxQueuedBytes && b.queued.Load()+int64(size) <= int64(b.limits.MaxQueuedTotal)
}

// hold counts a message in.
func (k *kept) hold(b *Broker, id uint16, payload int) {
	size := payload + messageOverhead
	k.mu.Lock()
	k.sizes[id] = size
	k.bytes += size
	k.mu.Unlock()
	b.queued.Add(int64(size))
}

// letGo counts a message out.
func (k *kept) letGo(b *Broker, id uint16) {
	k.mu.Lock()
	size := k.sizes[id]
	delete(k.sizes, id)
	k.bytes -= size
	k.mu.Unlock()
	b.queued.Add(int64(-size))
}

// letAllGo counts all messages out.
func (k *kept) letAllGo(b *Broker) {
	k.mu.Lock()
	size := k.bytes
	k.bytes = 0
	clear(k.sizes)
	k.mu.Unlock()
	b.queued.Add(int64(-size))
}

// keptOf returns what is kept of a client's session; nil when there is none.
func (b *Broker) keptOf(cl *mqtt.Client) *kept {
	if c := gate(cl); c != nil && !c.isClosed() {
		return c.kept
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sessions[cl.ID]
}

// settled forgets a message that is out of a session: acknowledged, expired or
// dropped.
func (b *Broker) settled(cl *mqtt.Client, id uint16) {
	k := b.keptOf(cl)
	if k == nil {
		return
	}
	k.letGo(b, id)
	if k.persistent.Load() {
		b.keeper.later(Write{Key: keyOf(keptMessage, cl.ID, id)})
	}
}

// storedSession is a session on disk.
type storedSession struct {
	Owner         string               `json:"owner"`
	Version       byte                 `json:"version"`
	ExpirySeconds uint32               `json:"expiry_s"`
	Ended         time.Time            `json:"ended,omitzero"`
	Subscriptions []storedSubscription `json:"subscriptions,omitempty"`
}

type storedSubscription struct {
	Filter            string `json:"filter"`
	Written           string `json:"written,omitempty"` // under old topics
	QoS               byte   `json:"qos"`
	Identifier        int    `json:"identifier,omitempty"`
	NoLocal           bool   `json:"no_local,omitempty"`
	RetainAsPublished bool   `json:"retain_as_published,omitempty"`
}

// storeSession has a session written as it is; nil when it is not one that
// stays. Of two at once the one that looks later is written later.
func (b *Broker) storeSession(cl *mqtt.Client, k *kept) *group {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.persistent.Load() {
		return nil
	}
	s := storedSession{Owner: k.owner, Version: cl.Properties.ProtocolVersion}
	s.ExpirySeconds, s.Ended = uint32(k.expiry/time.Second), k.ended
	for _, sub := range cl.State.Subscriptions.GetAll() {
		s.Subscriptions = append(s.Subscriptions, storedSubscription{
			Filter: sub.Filter, Written: k.written[sub.Filter], QoS: sub.Qos, Identifier: sub.Identifier, NoLocal: sub.NoLocal, RetainAsPublished: sub.RetainAsPublished,
		})
	}
	value, _ := json.Marshal(s) // of plain fields, which can always be written
	return b.keeper.add([]Write{{Key: keptSession + cl.ID, Value: value}})
}

// writeNoSession removes a session and all that belongs to it.
func writeNoSession(client string) []Write {
	return []Write{
		{Key: keptSession + client},
		{Key: keptMessage + client + "\x00", All: true},
		{Key: keptInbound + client + "\x00", All: true},
	}
}

// The forms of a stored message.
const (
	storedPublish = 1 // and the message
	storedPubrel  = 2 // the client has the message; the hub waits for PUBCOMP
)

// writeMessage is the write of a message for a client.
func writeMessage(client string, pk *packets.Packet) Write {
	return Write{Key: keyOf(keptMessage, client, pk.PacketID), Value: encodeMessage(pk)}
}

// encodeMessage is a message on disk: form, order and expiry (big endian),
// origin, and the PUBLISH packet as MQTT 5 writes it.
func encodeMessage(pk *packets.Packet) []byte {
	b := binary.BigEndian.AppendUint64([]byte{storedPublish}, uint64(pk.Created))
	b = binary.BigEndian.AppendUint64(b, uint64(pk.Expiry))
	b = append(b, pk.ProtocolVersion, byte(len(pk.Origin)))
	b = append(b, pk.Origin...)
	as5 := *pk
	as5.ProtocolVersion = frame.V5
	as5.Mods.AllowResponseInfo = true
	var buf bytes.Buffer
	if as5.PublishEncode(&buf) != nil {
		return nil // only a message without a packet id, of which there is none
	}
	return append(b, buf.Bytes()...)
}

// writePubrel is the write of what is left of a message of QoS 2 that the
// client has received.
func writePubrel(client string, id uint16) Write {
	return Write{Key: keyOf(keptMessage, client, id), Value: []byte{storedPubrel}}
}

var errStored = errors.New("stored message is damaged")

// decodeMessage is the opposite of encodeMessage. The packet id is that of the
// key.
func decodeMessage(v []byte) (pk packets.Packet, err error) {
	if len(v) < 19 || v[0] != storedPublish || len(v) < 19+int(v[18]) {
		return pk, errStored
	}
	order, expiry, version := int64(binary.BigEndian.Uint64(v[1:])), int64(binary.BigEndian.Uint64(v[9:])), v[17]
	origin, wire := string(v[19:19+int(v[18])]), v[19+int(v[18]):]
	h, more, err := frame.ParseHeader(wire)
	if err != nil || more || h.Type != frame.PUBLISH || h.Total() != len(wire) {
		return pk, errStored
	}
	if _, err := frame.ParseOutgoingPublish(h, wire[h.Size:]); err != nil {
		return pk, fmt.Errorf("%w: %w", errStored, err)
	}
	pk.ProtocolVersion = frame.V5
	pk.FixedHeader = packets.FixedHeader{Type: packets.Publish, Qos: h.QoS(), Retain: h.Retain()}
	if err := pk.PublishDecode(bytes.Clone(wire[h.Size:])); err != nil {
		return pk, fmt.Errorf("%w: %w", errStored, err)
	}
	pk.ProtocolVersion, pk.Created, pk.Expiry, pk.Origin = version, order, expiry, origin
	return pk, nil
}

// CheckStored says what is wrong with a value that the Storage has kept; nil
// when nothing is.
func CheckStored(key string, value []byte) error {
	if key == "" {
		return fmt.Errorf("%w: key", errStored)
	}
	kind, rest := key[:1], key[1:]
	switch kind {
	case keptSession:
		var s storedSession
		if err := json.Unmarshal(value, &s); err != nil {
			return fmt.Errorf("%w: %w", errStored, err)
		}
		return nil
	case keptRetained:
		_, err := decodeMessage(value)
		return err
	}
	client, id, ok := strings.Cut(rest, "\x00")
	switch {
	case !ok || client == "" || len(id) != 2:
		return fmt.Errorf("%w: key", errStored)
	case kind == keptInbound, kind == keptMessage && len(value) == 1 && value[0] == storedPubrel:
		return nil
	case kind == keptMessage:
		_, err := decodeMessage(value)
		return err
	}
	return fmt.Errorf("%w: key", errStored)
}

// restore takes over what the Storage has kept. What cannot be read is
// reported, and removed: one damaged message must not cost the others.
func (b *Broker) restore() error {
	if b.keeper.storage == nil {
		return nil
	}
	now := b.now()
	newest := b.order.Load()
	var damaged []Write
	err := b.keeper.storage.Load(func(key string, value []byte) error {
		order, err := b.restoreOne(key, value, now)
		if err != nil {
			b.log.Error("mqtt session data not restored", "key", key, "error", err)
			damaged = append(damaged, Write{Key: strings.Clone(key)})
		}
		newest = max(newest, order)
		return nil
	})
	if err != nil {
		return fmt.Errorf("restore mqtt sessions: %w", err)
	}
	b.order.Store(newest)
	b.keeper.later(damaged...)
	b.sweepSessions(now)
	return nil
}

// restoreOne takes over one value. They come in any order.
func (b *Broker) restoreOne(key string, value []byte, now time.Time) (order int64, err error) {
	if err := CheckStored(key, value); err != nil {
		return 0, err
	}
	kind, rest := key[:1], key[1:]
	switch kind {
	case keptSession:
		return 0, b.restoreSession(rest, value, now)
	case keptRetained:
		pk, err := decodeMessage(value)
		if err != nil {
			return 0, err
		}
		pk.PacketID = 0
		b.server.Topics.RetainMessage(pk)
		b.retained.set(pk.Origin, pk.TopicName, len(pk.Payload))
		return pk.Created, nil
	}
	client, id, _ := strings.Cut(rest, "\x00")
	packetID := uint16(id[0])<<8 | uint16(id[1])
	cl, k, err := b.restoredClient(client)
	if err != nil {
		return 0, err
	}
	switch {
	case kind == keptInbound:
		k.received[packetID] = true
	case len(value) == 1 && value[0] == storedPubrel:
		cl.State.Inflight.Set(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrel, Qos: 1}, PacketID: packetID})
		k.hold(b, packetID, 0)
	default:
		pk, err := decodeMessage(value)
		if err != nil {
			return 0, err
		}
		pk.PacketID = packetID
		markSent(&pk) // it may have been
		cl.State.Inflight.Set(pk)
		k.hold(b, packetID, len(pk.Payload))
		return pk.Created, nil
	}
	return 0, nil
}

// restoredClient returns the session of a client, made when its own row is
// still to come.
func (b *Broker) restoredClient(client string) (*mqtt.Client, *kept, error) {
	if client == "" {
		return nil, nil, fmt.Errorf("%w: key", errStored)
	}
	cl, ok := b.server.Clients.Get(client)
	if !ok {
		cl = b.server.NewClient(nil, "", client, false)
		b.server.Clients.Add(cl)
	}
	k := b.sessions[client]
	if k == nil {
		k = newKept("")
		k.persistent.Store(true)
		b.sessions[client] = k
	}
	return cl, k, nil
}

func (b *Broker) restoreSession(client string, value []byte, now time.Time) error {
	var s storedSession
	if err := json.Unmarshal(value, &s); err != nil {
		return fmt.Errorf("%w: %w", errStored, err)
	}
	cl, k, err := b.restoredClient(client)
	if err != nil {
		return err
	}
	cl.Properties.ProtocolVersion = s.Version
	cl.Properties.Props.SessionExpiryInterval = s.ExpirySeconds
	k.owner, k.expiry, k.ended = s.Owner, time.Duration(s.ExpirySeconds)*time.Second, s.Ended
	if k.ended.IsZero() || k.ended.After(now) {
		k.ended = now // it was connected when the hub went
	}
	for _, sub := range s.Subscriptions {
		v := packets.Subscription{
			Filter: sub.Filter, Qos: sub.QoS, Identifier: sub.Identifier, NoLocal: sub.NoLocal,
			RetainAsPublished: sub.RetainAsPublished, RetainHandling: 2,
		}
		b.server.Topics.Subscribe(client, v)
		b.subscribed(sub.Filter)
		cl.State.Subscriptions.Add(sub.Filter, v)
		if sub.Written != "" {
			k.write(sub.Filter, sub.Written)
		}
	}
	return nil
}
