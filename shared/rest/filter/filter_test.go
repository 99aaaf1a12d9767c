package filter_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest/filter"
)

var fields = filter.Fields{"state": filter.Text, "type": filter.Text, "room": filter.Text, "tag": filter.Text, "battery": filter.Number}

func thing(field string) []string {
	switch field {
	case "state":
		return []string{"lost"}
	case "type":
		return []string{"button"}
	case "room":
		return []string{"cabin-101"}
	case "tag":
		return []string{"spare", "Deck 2"}
	case "battery":
		return []string{"15"}
	case "":
		return []string{"btn-001", "Owner's cabin"}
	}
	return nil
}

func TestMatch(t *testing.T) {
	for in, want := range map[string]bool{
		"":                 true,
		"   ":              true,
		"state:lost":       true,
		"state:LOST":       true,
		"state:ready":      false,
		"state:ready,lost": true,
		"-state:lost":      false,
		"-state:ready":     true,
		"state:lost type:button room:cabin-1* battery:<20 -tag:broken cabin": true,
		"state:lost type:watch": false,
		"room:*101":             true,
		"room:c*-*1":            true,
		"room:*":                true,
		"room:cabin":            false,
		"room:cabin-101*101":    false,
		"tag:spare":             true,
		`tag:"deck 2"`:          true,
		"-tag:spare":            false,
		"battery:15":            true,
		"battery:<15":           false,
		"battery:<=15":          true,
		"battery:>=15.5":        false,
		"battery:>0":            true,
		"battery:1,15":          true,
		"-battery:<20":          false,
		"OWNER":                 true,
		`"owner's cab"`:         true,
		"owner's deck":          false,
		"-btn":                  false,
		"btn-001":               true,
	} {
		q, err := filter.Parse(in, fields)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if got := q.Match(thing); got != want {
			t.Errorf("%q matches: %v, want %v", in, got, want)
		}
	}
}

func TestMatch_UnknownNumberMatchesNoComparison(t *testing.T) {
	none := func(string) []string { return nil }
	for in, want := range map[string]bool{"battery:<20": false, "battery:>=0": false, "-battery:<20": true} {
		q, err := filter.Parse(in, fields)
		if err != nil {
			t.Fatal(err)
		}
		if q.Match(none) != want {
			t.Errorf("%q without a value: %v, want %v", in, !want, want)
		}
	}
}

func TestParse_SaysWhereItIsWrong(t *testing.T) {
	for in, want := range map[string]string{
		"colour:red":              `position 1: unknown field "colour": want one of battery, room, state, tag, type`,
		"state:lost -colour:red":  `position 13: unknown field "colour"`,
		"state:":                  "position 7: field state has no value",
		"state: lost":             "position 7: field state has no value",
		"state:lost,":             "position 12: field state has no value",
		"state:,lost":             "position 7: field state has no value",
		"battery:<low":            `position 10: field battery wants a number, not "low"`,
		"battery:<1,2":            "position 11: < takes one number",
		"battery:NaN":             "position 9: field battery wants a number",
		"-":                       "position 1: nothing follows the minus",
		"a - b":                   "position 3: nothing follows the minus",
		`room:"cabin 1`:           "position 6: the quotation does not end",
		`room:"a\n"`:              `position 8: after \ comes`,
		`""`:                      "position 1: an empty word",
		"a\xff":                   "not UTF-8",
		strings.Repeat("a", 1025): "longer than 1024 bytes",
		strings.Repeat("a ", 33):  "position 65: more than 32 terms",
	} {
		_, err := filter.Parse(in, fields)
		var e *filter.Error
		if !errors.As(err, &e) || !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %s", in, err, want)
		}
	}
}

func TestString_ReadsBackTheSame(t *testing.T) {
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{"state:", "battery:<", "-", ",", "*", `"`, `\`, " ", "tag:", "lost", "3", `""`, "é", ":"}),
		rapid.StringN(0, 3, 8),
	)
	rapid.Check(t, func(t *rapid.T) {
		in := strings.Join(rapid.SliceOf(piece).Draw(t, "pieces"), "")
		q, err := filter.Parse(in, fields)
		if err != nil {
			return
		}
		again, err := filter.Parse(q.String(), fields)
		if err != nil {
			t.Fatalf("%q is written as %q: %v", in, q, err)
		}
		if d := cmp.Diff(q, again, cmpopts.IgnoreFields(filter.Term{}, "Pos")); d != "" {
			t.Fatalf("%q is written as %q:\n%s", in, q, d)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"state:lost type:button room:cabin-1* battery:<20 -tag:spare word", `tag:"a \" b",c*`, "-", "battery:<"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := filter.Parse(s, fields)
		if err == nil {
			q.Match(thing)
			return
		}
		var e *filter.Error
		if !errors.As(err, &e) || e.Pos < 0 || e.Pos > len(s) {
			t.Errorf("%q: %v", s, err)
		}
	})
}
