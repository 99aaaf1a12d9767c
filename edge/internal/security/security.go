package security

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Entry is what the audit is told.
type Entry struct {
	Actor fleet.Actor
	// Action is noun.verb.
	Action, Target string
	Detail         map[string]string
}

// Config is what New needs.
type Config struct {
	// Write adds entries to the audit, all or none.
	Write func(context.Context, []Entry) error
	// Every is the least time between two entries about the same action and
	// subject; it doubles up to MostEvery while that goes on. 1 min, 1 h.
	Every, MostEvery time.Duration
	// MaxSubjects of one action are told apart; 200.
	MaxSubjects int
	// PerHour entries are written at the most; 120.
	PerHour int
	// RetryEvery is how soon a failed write is tried again; 5 s.
	RetryEvery time.Duration
	Logger     *slog.Logger
}

// Log gathers what happens, and writes it.
type Log struct {
	c    Config
	wake chan struct{} // of capacity 1: there is a new subject

	mu       sync.Mutex // guards all below
	subjects map[key]*subject
	perWord  map[string]int // subjects of each action
	hour     hour
}

type key struct{ action, target string }

// others stands for the subjects that are not told apart any more.
const others = "(others)"

// subject is one action of one subject that goes on, or was seen lately.
type subject struct {
	key
	actor fleet.Actor
	// count of what was not written yet, since when, and the facts of the newest:
	// name, value, ….
	count uint64
	since time.Time
	facts []string

	next  time.Time // when it is to be looked at
	pause time.Duration
}

// hour counts what is written in it.
type hour struct {
	began time.Time // zero before the first entry
	used  map[string]int
	all   int
	left  map[string]uint64 // what was left out, by action
}

// New returns a log; Run writes.
func New(c Config) *Log {
	c.Every = cmp.Or(c.Every, time.Minute)
	c.MostEvery = max(cmp.Or(c.MostEvery, time.Hour), c.Every)
	c.MaxSubjects = cmp.Or(c.MaxSubjects, 200)
	c.PerHour = cmp.Or(c.PerHour, 120)
	c.RetryEvery = cmp.Or(c.RetryEvery, 5*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Log{c: c, wake: make(chan struct{}, 1), subjects: map[key]*subject{}, perWord: map[string]int{}}
}

// Record writes what somebody did, at once.
func (l *Log) Record(ctx context.Context, by fleet.Actor, action, target string, detail map[string]string) error {
	return l.c.Write(ctx, []Entry{{by, action, target, detail}})
}

// note counts what happened at a time by the hub's clock. facts are name,
// value, …; those without value are left out.
func (l *Log) note(at time.Time, by fleet.Actor, action, target string, facts ...string) {
	target = clean(target)
	l.mu.Lock()
	defer l.mu.Unlock()
	k := key{action, target}
	s, ok := l.subjects[k]
	if !ok && l.perWord[action] >= l.c.MaxSubjects-1 {
		k.target = others
		s, ok = l.subjects[k]
	}
	if !ok {
		s = &subject{key: k, actor: by, next: time.Now(), pause: l.c.Every}
		l.subjects[k] = s
		l.perWord[action]++
		select {
		case l.wake <- struct{}{}:
		default: // who looks will see this one too
		}
	}
	if s.count == 0 {
		s.since = at
	}
	s.count++
	s.facts = append(s.facts[:0], facts...)
}

// Run writes what was noted, until ctx ends; then what is left.
func (l *Log) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return l.write(ctx, l.take(time.Now(), true))
		case <-timer.C:
		case <-l.wake:
		}
		if err := l.write(ctx, l.take(time.Now(), false)); err != nil {
			return err
		}
		timer.Reset(time.Until(l.nextLook(time.Now())))
	}
}

// nextLook is when something may be due.
func (l *Log) nextLook(now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := now.Add(time.Hour)
	for _, s := range l.subjects {
		if s.next.Before(at) {
			at = s.next
		}
	}
	if end := l.hour.began.Add(time.Hour); len(l.hour.left) > 0 && end.Before(at) {
		at = end
	}
	return at
}

// batch is what is to be written together.
type batch struct {
	entries []Entry
	// taken are the subjects that the entries speak of, as they were.
	taken []taken
	// hour is that which the batch closes.
	hour hour
}

type taken struct {
	*subject
	count uint64
	since time.Time
}

// take takes what is due; all that waits when it is the last time.
func (l *Log) take(now time.Time, last bool) batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b batch
	if over := !l.hour.began.IsZero() && now.Sub(l.hour.began) >= time.Hour; over || last {
		if len(l.hour.left) > 0 {
			b.hour = l.hour
			b.entries = append(b.entries, l.hour.closing())
		}
		if over {
			l.hour = hour{}
		} else {
			l.hour.left = nil
		}
	}
	for k, s := range l.subjects {
		switch {
		case s.count == 0 && !now.Before(s.next):
			delete(l.subjects, k)
			l.perWord[k.action]--
		case s.count == 0, now.Before(s.next) && !last:
		case !l.admit(k.action, now):
			l.hour.leave(k.action, s.count)
			s.count, s.next = 0, l.hour.began.Add(time.Hour)
		default:
			b.entries = append(b.entries, s.entry())
			b.taken = append(b.taken, taken{s, s.count, s.since})
			s.count, s.next = 0, now.Add(s.pause)
			s.pause = min(2*s.pause, l.c.MostEvery)
		}
	}
	if last && len(l.hour.left) > 0 { // what was left out just now
		b.entries = append(b.entries, l.hour.closing())
	}
	return b
}

// admit counts one more entry of the hour, if it may have one.
func (l *Log) admit(action string, now time.Time) bool {
	h := &l.hour
	if h.began.IsZero() {
		*h = hour{began: now, used: map[string]int{}}
	}
	if h.all >= l.c.PerHour || h.used[action] >= max(1, l.c.PerHour/2) {
		return false
	}
	h.all++
	h.used[action]++
	return true
}

func (h *hour) leave(action string, n uint64) {
	if h.left == nil {
		h.left = map[string]uint64{}
	}
	h.left[action] += n
}

// closing tells what was left out of an hour.
func (h *hour) closing() Entry {
	detail := map[string]string{}
	all := uint64(0)
	for action, n := range h.left {
		detail[action] = strconv.FormatUint(n, 10)
		all += n
	}
	detail["count"] = strconv.FormatUint(all, 10)
	return Entry{fleet.System("security"), Unwritten, "", detail}
}

func (s *subject) entry() Entry {
	detail := map[string]string{}
	for i := 0; i+1 < len(s.facts); i += 2 {
		if v := clean(s.facts[i+1]); v != "" {
			detail[s.facts[i]] = v
		}
	}
	if s.count > 1 {
		detail["count"] = strconv.FormatUint(s.count, 10)
		detail["since"] = s.since.UTC().Format(time.RFC3339)
	}
	return Entry{s.actor, s.action, s.target, detail}
}

// write writes a batch. What cannot be written for lack of room waits.
func (l *Log) write(ctx context.Context, b batch) error {
	if len(b.entries) == 0 {
		return nil
	}
	// What was taken is written, or known not to be: the end waits for it.
	err := l.c.Write(context.WithoutCancel(ctx), b.entries)
	if err == nil {
		return nil
	}
	l.giveBack(b)
	if !errors.Is(err, fleet.ErrFull) {
		return err
	}
	l.c.Logger.Warn("security events wait for room in the audit", "entries", len(b.entries), "error", err)
	return nil
}

// giveBack makes a batch as if it had not been taken.
func (l *Log) giveBack(b batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, t := range b.taken {
		t.subject.count += t.count
		t.subject.since = t.since
		t.next = now.Add(l.c.RetryEvery)
		if l.hour.used[t.action] > 0 {
			l.hour.used[t.action]--
			l.hour.all--
		}
	}
	for action, n := range b.hour.left {
		if l.hour.began.IsZero() {
			l.hour = hour{began: now, used: map[string]int{}}
		}
		l.hour.leave(action, n)
	}
}
