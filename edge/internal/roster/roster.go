// Package roster knows the crew: people, their teams and watches, who is on
// duty when, and what one watch tells the next.
//
// What always holds: who is on duty follows from the shifts, in the site's time
// zone, and from overrides, at any moment and without the shore; a watch is
// worn by one person at most.
//
// On disk: policy documents of the kinds person, team, shift, override and
// handover. All methods may be called from any goroutine.
package roster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/obedio/obedio/edge/internal/document"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Config is what New needs.
type Config struct {
	Store   *store.Store
	Journal *journal.Journal
	// Now is the hub's time, and Zone the site's time zone.
	Now  func() time.Time
	Zone func() *time.Location
	// Watch finds a registered watch inside a decision; fleet.ErrNotFound.
	Watch func(tx *journal.Tx, id fleet.DeviceID) error
	// MaxDocuments: see document.Config.
	MaxDocuments int
}

// Roster is the crew of one site.
type Roster struct {
	c Config
	// People, Teams, Shifts are changed through the sets; watches and overrides
	// through the methods.
	People    *document.Set[Person]
	Teams     *document.Set[Team]
	Shifts    *document.Set[Shift]
	overrides *document.Set[Override]
	handover  *document.Set[Handover]
}

// New reads the crew.
func New(c Config) (*Roster, error) {
	r := &Roster{c: c}
	var errs [5]error
	r.People, errs[0] = document.NewSet(document.Config[Person]{
		Kind: fleet.DocumentPerson, Store: c.Store, Journal: c.Journal, Max: c.MaxDocuments, Check: Person.check, CheckIn: r.checkPerson,
		Leaving: r.leaves,
	})
	r.Teams, errs[1] = document.NewSet(document.Config[Team]{
		Kind: fleet.DocumentTeam, Store: c.Store, Journal: c.Journal, Max: c.MaxDocuments, Check: Team.check, Leaving: r.teamInUse,
	})
	r.Shifts, errs[2] = document.NewSet(document.Config[Shift]{
		Kind: fleet.DocumentShift, Store: c.Store, Journal: c.Journal, Max: c.MaxDocuments, Check: Shift.check, CheckIn: r.checkShift,
	})
	r.overrides, errs[3] = document.NewSet(document.Config[Override]{Kind: fleet.DocumentOverride, Store: c.Store, Journal: c.Journal})
	r.handover, errs[4] = document.NewSet(document.Config[Handover]{Kind: fleet.DocumentHandover, Store: c.Store, Journal: c.Journal})
	return r, errors.Join(errs[:]...)
}

// exists reports as fleet.ErrInvalid a document that is named and is not there.
func exists(tx *journal.Tx, kind fleet.DocumentKind, name string) error {
	d, found, err := fleet.Get[fleet.Document](tx, fleet.DocumentRef(kind, name))
	if err == nil && (!found || d.Removed) {
		err = fmt.Errorf("%w: %s %q does not exist", fleet.ErrInvalid, kind, name)
	}
	return err
}

func (r *Roster) checkPerson(tx *journal.Tx, id string, p Person) error {
	for _, t := range p.Teams {
		if err := exists(tx, fleet.DocumentTeam, t); err != nil {
			return err
		}
	}
	for _, other := range r.People.All() {
		switch {
		case other.Name == id:
		case p.Watch != "" && other.Value.Watch == p.Watch:
			return fmt.Errorf("%w: watch %s is worn by %s", fleet.ErrInvalid, p.Watch, other.Value.Name)
		case p.User != "" && other.Value.User == p.User:
			return fmt.Errorf("%w: the user is %s", fleet.ErrInvalid, other.Value.Name)
		}
	}
	if p.Watch == "" || r.c.Watch == nil {
		return nil
	}
	return r.c.Watch(tx, p.Watch)
}

func (r *Roster) checkShift(tx *journal.Tx, _ string, s Shift) error {
	for _, p := range s.People {
		if err := exists(tx, fleet.DocumentPerson, p); err != nil {
			return err
		}
	}
	return nil
}

// leaves refuses that a person goes who is in a shift: then nobody would be
// missed there.
func (r *Roster) leaves(_ *journal.Tx, person string) error {
	for _, s := range r.Shifts.All() {
		if slices.Contains(s.Value.People, person) {
			return fmt.Errorf("%w: %s is in the shift %s: take the person out of it first", fleet.ErrState, person, s.Value.Title)
		}
	}
	return nil
}

func (r *Roster) teamInUse(_ *journal.Tx, team string) error {
	for _, p := range r.People.All() {
		if slices.Contains(p.Value.Teams, team) {
			return fmt.Errorf("%w: %s is in the team %s: take everybody out of it first", fleet.ErrState, p.Value.Name, team)
		}
	}
	return nil
}

// Wear gives a watch to a person, and takes it from whoever wore it; no person:
// nobody wears it from now on. A person wears one watch.
func (r *Roster) Wear(ctx context.Context, by fleet.Actor, watch fleet.DeviceID, person string) error {
	return r.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		if r.c.Watch != nil {
			if err := r.c.Watch(tx, watch); err != nil {
				return err
			}
		}
		if person != "" {
			if err := exists(tx, fleet.DocumentPerson, person); err != nil {
				return err
			}
		}
		for _, p := range r.People.All() {
			now := p.Value
			switch {
			case p.Name == person && now.Watch != watch:
				now.Watch = watch
			case p.Name != person && now.Watch == watch:
				now.Watch = ""
			default:
				continue
			}
			w := document.Write{Kind: fleet.DocumentPerson, Name: p.Name, Version: p.Version}
			if err := document.Put(tx, by, w, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// Override puts a person on duty, or off it, until a time, whatever the shifts
// say; nil ends that.
func (r *Roster) Override(ctx context.Context, by fleet.Actor, person string, o *Override) error {
	return r.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		if err := exists(tx, fleet.DocumentPerson, person); err != nil {
			return err
		}
		old, found, err := fleet.Get[fleet.Document](tx, fleet.DocumentRef(fleet.DocumentOverride, person))
		if err != nil {
			return err
		}
		w := document.Write{Kind: fleet.DocumentOverride, Name: person, Version: old.Version, BuiltIn: true}
		if o == nil {
			if !found || old.Removed {
				return nil
			}
			return document.Remove(tx, by, w)
		}
		if err := o.check(tx.Now()); err != nil {
			return err
		}
		v := *o
		v.By = by.Name
		if v.By == "" {
			v.By = by.ID
		}
		return document.Put(tx, by, w, v)
	})
}

// board is the name of the one document of handover notes.
const board = "board"

// maxNotes are kept on the board.
const maxNotes = 30

// HandOver adds a note for the next watch.
func (r *Roster) HandOver(ctx context.Context, by fleet.Actor, text string) (Note, error) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxNote {
		return Note{}, fmt.Errorf("%w: a handover note has 1 to %d bytes, not %d", fleet.ErrInvalid, maxNote, len(text))
	}
	var n Note
	err := r.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		n = Note{ID: fleet.NewUUID[string](tx.Now()), At: tx.Now(), By: by, Text: text}
		return r.changeBoard(tx, by, func(h *Handover) error {
			h.Notes = append(h.Notes, n)
			h.Notes = h.Notes[max(0, len(h.Notes)-maxNotes):]
			return nil
		})
	})
	return n, err
}

// Done takes a note off the board; fleet.ErrNotFound.
func (r *Roster) Done(ctx context.Context, by fleet.Actor, note string) error {
	return r.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		return r.changeBoard(tx, by, func(h *Handover) error {
			before := len(h.Notes)
			h.Notes = slices.DeleteFunc(h.Notes, func(n Note) bool { return n.ID == note })
			if len(h.Notes) == before {
				return fmt.Errorf("%w: note %s", fleet.ErrNotFound, note)
			}
			return nil
		})
	})
}

func (r *Roster) changeBoard(tx *journal.Tx, by fleet.Actor, change func(*Handover) error) error {
	var h Handover
	now, err := r.handover.Get(board)
	if err == nil {
		h.Notes = slices.Clone(now.Value.Notes)
	}
	if err := change(&h); err != nil {
		return err
	}
	return document.Put(tx, by, document.Write{Kind: fleet.DocumentHandover, Name: board, Version: now.Version, BuiltIn: true}, h)
}

// Notes are those on the board, the newest first.
func (r *Roster) Notes() []Note {
	h, err := r.handover.Get(board)
	if err != nil {
		return []Note{}
	}
	notes := slices.Clone(h.Value.Notes)
	slices.Reverse(notes)
	return notes
}

// WornBy is who wears a watch; false when nobody does.
func (r *Roster) WornBy(watch fleet.DeviceID) (Member, bool) {
	return r.find(func(p Person) bool { return p.Watch == watch })
}

// OfUser is who a user of the hub is; false when that is no member of the crew.
func (r *Roster) OfUser(user string) (Member, bool) {
	return r.find(func(p Person) bool { return user != "" && p.User == user })
}

// Member returns a person; false when there is none of that id.
func (r *Roster) Member(id string) (Member, bool) {
	p, err := r.People.Get(id)
	return Member{ID: id, Person: p.Value}, err == nil
}

func (r *Roster) find(is func(Person) bool) (Member, bool) {
	for _, p := range r.People.All() {
		if is(p.Value) {
			return Member{ID: p.Name, Person: p.Value}, true
		}
	}
	return Member{}, false
}

// Now is the crew as it is at this moment.
func (r *Roster) Now() Crew { return r.At(r.c.Now()) }

// At is the crew as shifts and overrides have it at a time.
func (r *Roster) At(at time.Time) Crew {
	zone := time.UTC
	if r.c.Zone != nil {
		zone = r.c.Zone()
	}
	in := input{at: at.In(zone)}
	for _, p := range r.People.All() {
		in.people = append(in.people, Member{ID: p.Name, Person: p.Value})
	}
	for _, s := range r.Shifts.All() {
		in.shifts = append(in.shifts, s.Value)
	}
	in.overrides = map[string]Override{}
	for _, o := range r.overrides.All() {
		in.overrides[o.Name] = o.Value
	}
	return compute(in)
}
