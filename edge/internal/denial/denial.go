// Package denial remembers what the broker held against clients: what rights
// refused, who got no session, who met a limit. The same thing again only
// counts up, so a flood of denials costs one map lookup each and a bounded
// number of groups.
//
// Nothing is on disk: it is a picture of what goes on, and begins anew with the
// hub. What must be kept for years is in the audit log.
//
// What always holds: there are at most MaxGroups groups; the one that was
// quiet for longest is dropped first, and counted; one client fills at most
// PerClient of them, and clients that got no session a quarter in all, so that
// no client can push out what is known of the others. All methods may be
// called from any goroutine; Note does not block.
package denial

import (
	"cmp"
	"container/list"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/obedio/obedio/shared/feed"
)

// Config is what New needs.
type Config struct {
	// MaxGroups that are remembered; 1,000 by default.
	MaxGroups int
	// PerClient groups at most; what comes beyond counts in one group without
	// topic. 50 by default.
	PerClient int
	// AlertEvery is how often one group is told again while it goes on; 10 s by
	// default.
	AlertEvery time.Duration
}

// Kind says what sort of thing was held against a client.
type Kind string

// The kinds.
const (
	// Denied: rights said no.
	Denied Kind = "denied"
	// Refused: a connection got no session.
	Refused Kind = "refused"
	// Limited: a client met a limit.
	Limited Kind = "limited"
)

// Event is one thing that the broker held against a client.
type Event struct {
	At   time.Time
	Kind Kind
	// Client is the client id; for Refused only what the client said.
	Client, Username string
	// Action is publish_send, publish_receive, subscribe or unsubscribe; empty
	// where it is about none.
	Action string
	Topic  string
	// Reason is the rule, or the broker's word for why.
	Reason string
	// Remote is the address that it last came from.
	Remote string
	Detail string
}

// others stands for the topics, or clients, that are not told apart any more
// because there are too many of them.
const others = "(others)"

// Group is all events that are alike but for their time.
type Group struct {
	// ID grows with each new group.
	ID      uint64
	Last    Event // the newest one
	FirstAt time.Time
	Count   uint64
}

// Log remembers.
type Log struct {
	c      Config
	alerts *feed.Feed[Group]

	mu      sync.Mutex // guards all below
	groups  map[groupKey]*entry
	byUse   *list.List // of *entry, the one used last in front
	holding map[holder]int
	lastID  uint64
	dropped uint64
}

// groupKey is what events of one group have in common.
type groupKey struct {
	kind                          Kind
	client, action, topic, reason string
}

// holder is whose share of the groups a group counts for.
type holder struct {
	refused bool
	client  string
}

type entry struct {
	key    groupKey
	holder holder
	group  Group
	told   time.Time
	at     *list.Element
}

// New returns an empty log.
func New(c Config) *Log {
	c.MaxGroups = cmp.Or(c.MaxGroups, 1000)
	c.PerClient = min(cmp.Or(c.PerClient, 50), c.MaxGroups)
	c.AlertEvery = cmp.Or(c.AlertEvery, 10*time.Second)
	return &Log{
		c: c, alerts: feed.New[Group](256), groups: map[groupKey]*entry{}, byUse: list.New(), holding: map[holder]int{},
	}
}

// Alerts is the feed of groups that are new, or that go on after AlertEvery.
func (l *Log) Alerts() *feed.Feed[Group] { return l.alerts }

// Note remembers an event.
func (l *Log) Note(e Event) {
	for _, s := range []*string{&e.Client, &e.Username, &e.Topic, &e.Reason, &e.Remote, &e.Detail} {
		clip(s)
	}
	key := groupKey{e.Kind, e.Client, e.Action, e.Topic, e.Reason}
	l.mu.Lock()
	defer l.mu.Unlock()
	g, ok := l.groups[key]
	if !ok {
		g = l.begin(key, e)
	}
	g.group.Count++
	g.group.Last = e
	g.group.Last.Client, g.group.Last.Topic = g.key.client, g.key.topic
	l.byUse.MoveToFront(g.at)
	if g.told.IsZero() || e.At.Sub(g.told).Abs() >= l.c.AlertEvery {
		g.told = e.At
		l.alerts.Publish(g.group)
	}
}

// maxText is the most that is kept of a text that a client has chosen.
const maxText = 256

// clip cuts a text that is too long, and lets go of the rest of it.
func clip(s *string) {
	if len(*s) > maxText {
		*s = strings.ToValidUTF8((*s)[:maxText], "") + "…"
	}
}

// begin finds or makes the group of an event that no group has yet. The lock
// is held.
func (l *Log) begin(key groupKey, e Event) *entry {
	who, most := holder{client: e.Client}, l.c.PerClient
	if e.Kind == Refused {
		// They have not proven who they are: together they are one.
		who, most = holder{refused: true}, max(1, l.c.MaxGroups/4)
	}
	if l.holding[who] >= most-1 {
		key.topic = others
		if who.refused {
			key.client = others
		}
		if g, ok := l.groups[key]; ok {
			return g
		}
		if l.holding[who] >= most {
			l.drop(l.quietestOf(who))
		}
	}
	for len(l.groups) >= l.c.MaxGroups {
		l.drop(l.byUse.Back().Value.(*entry))
	}
	l.lastID++
	g := &entry{key: key, holder: who, group: Group{ID: l.lastID, FirstAt: e.At}}
	g.at = l.byUse.PushFront(g)
	l.groups[key] = g
	l.holding[who]++
	return g
}

// quietestOf is the group of a holder that was quiet for longest. It is looked
// for only when a holder is over its share with a reason that it has not had
// before, and reasons are few.
func (l *Log) quietestOf(who holder) *entry {
	for at := l.byUse.Back(); at != nil; at = at.Prev() {
		if g := at.Value.(*entry); g.holder == who {
			return g
		}
	}
	return l.byUse.Back().Value.(*entry)
}

func (l *Log) drop(g *entry) {
	l.byUse.Remove(g.at)
	delete(l.groups, g.key)
	if l.holding[g.holder]--; l.holding[g.holder] == 0 {
		delete(l.holding, g.holder)
	}
	l.dropped++
}

// Query says which groups to list; zero fields are not asked about.
type Query struct {
	Kind   Kind
	Client string
	Action string
	// Since: groups with an event at that time or later.
	Since time.Time
	// Before: groups with a lower id, for the next page.
	Before uint64
	Limit  int
}

// List returns groups, the newest group first.
func (l *Log) List(q Query) []Group {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Group
	for _, g := range l.groups {
		if (q.Kind == "" || q.Kind == g.key.kind) && (q.Client == "" || q.Client == g.key.client) &&
			(q.Action == "" || q.Action == g.key.action) && !g.group.Last.At.Before(q.Since) && (q.Before == 0 || g.group.ID < q.Before) {
			out = append(out, g.group)
		}
	}
	slices.SortFunc(out, func(a, b Group) int { return cmp.Compare(b.ID, a.ID) })
	if q.Limit > 0 && len(out) > q.Limit {
		out = out[:q.Limit]
	}
	return out
}

// Counts says how many groups there are and how many were dropped.
func (l *Log) Counts() (groups int, dropped uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.groups), l.dropped
}
