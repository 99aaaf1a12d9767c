package topic

import (
	"strings"
	"testing"
)

func TestMatch_FollowsTheStandard(t *testing.T) {
	for _, c := range []struct {
		filter, name string
		want         bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a", false}, {"a", "a/b", false}, {"a/b", "a/B", false},
		{"+", "a", true}, {"+", "a/b", false}, {"+/b", "a/b", true}, {"a/+", "a/b", true}, {"a/+", "a", false}, {"a/+/c", "a/b/c", true},
		{"#", "a", true}, {"#", "a/b/c", true}, {"a/#", "a", true}, {"a/#", "a/b/c", true}, {"a/#", "ab", false}, {"a/b/#", "a", false},
		{"+/#", "a", true}, {"+/+/#", "a", false}, {"+/+/#", "a/b", true},
		{"#", "$SYS/x", false}, {"+/x", "$SYS/x", false}, {"$SYS/#", "$SYS/x", true}, {"a/#", "a/$x", true},
	} {
		if got := Match(c.filter, c.name); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.filter, c.name, got)
		}
	}
}

// levels returns every sequence of at most depth of the given levels.
func levels(alphabet []string, depth int) []string {
	all, last := []string(nil), []string{""}
	for range depth {
		var next []string
		for _, before := range last {
			for _, level := range alphabet {
				next = append(next, strings.TrimPrefix(before+"/"+level, "/"))
			}
		}
		all, last = append(all, next...), next
	}
	return all
}

// TestCover_IsSetInclusion compares every pair of filters of up to four levels
// with the sets of names that they match. The names have one level more, and
// one letter more, than the filters: what differs at all differs there. Both
// letters with a $ are there, so that it is an ordinary letter below the first
// level and hidden from wildcards at it.
func TestCover_IsSetInclusion(t *testing.T) {
	names := levels([]string{"a", "b", "c", "$s"}, 5)
	var filters []string
	for _, f := range levels([]string{"a", "b", "+", "#", "$s"}, 4) {
		if i := strings.Index(f, "#"); i < 0 || i == len(f)-1 {
			filters = append(filters, f)
		}
	}
	sets := make([][]uint64, len(filters)) // of bits, one for each name
	for i, f := range filters {
		sets[i] = make([]uint64, len(names)/64+1)
		for j, n := range names {
			if Match(f, n) {
				sets[i][j/64] |= 1 << (j % 64)
			}
		}
	}
	pairs := 0
	for i, a := range filters {
		for j, b := range filters {
			want := true
			for w := range sets[i] {
				want = want && sets[j][w]&^sets[i][w] == 0
			}
			if got := Cover(a, b); got != want {
				t.Errorf("Cover(%q, %q) = %v", a, b, got)
			}
			pairs++
		}
	}
	t.Logf("%d filters, %d pairs, %d names", len(filters), pairs, len(names))
}

// TestMatch_AgreesWithALevelByLevelReading compares Match with the standard
// read naively, on every filter and name of a small alphabet.
func TestMatch_AgreesWithALevelByLevelReading(t *testing.T) {
	var naive func(filter, name []string) bool
	naive = func(filter, name []string) bool {
		switch {
		case len(filter) == 0:
			return len(name) == 0
		case filter[0] == "#":
			return true
		case len(name) == 0:
			return false
		}
		return (filter[0] == "+" || filter[0] == name[0]) && naive(filter[1:], name[1:])
	}
	for _, f := range levels([]string{"a", "b", "+", "#", "$s"}, 4) {
		if i := strings.Index(f, "#"); i >= 0 && i < len(f)-1 {
			continue
		}
		for _, n := range levels([]string{"a", "b", "$s"}, 5) {
			want := naive(strings.Split(f, "/"), strings.Split(n, "/"))
			if strings.HasPrefix(n, "$") && (f[0] == '+' || f[0] == '#') {
				want = false // [MQTT-4.7.2-1]
			}
			if got := Match(f, n); got != want {
				t.Fatalf("Match(%q, %q) = %v", f, n, got)
			}
		}
	}
}

func FuzzCover(f *testing.F) {
	for _, s := range [][3]string{{"#", "a", "a"}, {"+/#", "#", "a/b"}, {"a/#", "a", "a"}, {"+", "$s", "$s"}, {"a/+", "a/#", "a"}, {"$SYS/#", "$SYS/+", "$SYS/a"}, {"#", "$SYS/#", "$SYS/a"}} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, a, b, name string) {
		if !ValidFilter(a) || !ValidFilter(b) || CheckDelivered(name) != nil {
			return
		}
		_, a, _ = SplitShare(a)
		_, b, _ = SplitShare(b)
		if Cover(a, b) && Match(b, name) && !Match(a, name) {
			t.Fatalf("%q covers %q, but only the second matches %q", a, b, name)
		}
		if Cover(a, name) != Match(a, name) {
			t.Fatalf("%q, as a filter and as a name, against %q", name, a)
		}
		if !Cover(a, a) {
			t.Fatalf("%q does not cover itself", a)
		}
	})
}

func TestValid_NamesAndFilters(t *testing.T) {
	deep := strings.TrimSuffix(strings.Repeat("a/", MaxLevels), "/")
	for _, c := range []struct {
		s            string
		name, filter bool
	}{
		{"a", true, true}, {"a/b", true, true}, {"größe/日本", true, true}, {deep, true, true}, {strings.Repeat("x", MaxBytes), true, true},
		{"a b", true, true}, {"a/$b", true, true},
		{"+", false, true}, {"#", false, true}, {"a/+/b", false, true}, {"a/#", false, true},
		{"$share/g/a", false, true}, {"$SHARE/g/a/#", false, true}, {"$Share/g/+", false, true},
		{"", false, false}, {"/", false, false}, {"/a", false, false}, {"a/", false, false}, {"a//b", false, false},
		{"a+", false, false}, {"a/#/b", false, false}, {"a#", false, false}, {"#/a", false, false}, {"++", false, false},
		{"$SYS/x", false, true}, {"$SYS/#", false, true}, {"$SYS/+/x", false, true}, {"$SYS", false, false}, {"$SYS/", false, false},
		{"$SYS//x", false, false}, {"$sys/x", false, false}, {"$SYSTEM/x", false, false}, {"$CONTROL/x", false, false}, {"$", false, false}, {"$shared/a", false, false},
		{"$share", false, false}, {"$share/", false, false}, {"$share/g", false, false}, {"$share/g/", false, false},
		{"$share//a", false, false}, {"$share/+/a", false, false}, {"$share/g/$SYS/x", false, false}, {"$share/g/a//b", false, false},
		{"$share/g/$share/h/a", false, false},
		{"a\x00", false, false}, {"a\x1f", false, false}, {"a\x7f", false, false}, {"a\u0085", false, false}, {"\xff", false, false},
		{"a\ufffe", false, false}, {"a\ufdd0", false, false}, {"\xed\xa0\x80", false, false},
		{deep + "/a", false, false}, {strings.Repeat("x", MaxBytes+1), false, false},
	} {
		if got := ValidName(c.s); got != c.name {
			t.Errorf("ValidName(%q) = %v", c.s, got)
		}
		if got := ValidFilter(c.s); got != c.filter {
			t.Errorf("ValidFilter(%q) = %v", c.s, got)
		}
		if got, want := CheckDelivered(c.s) == nil, c.name || c.s == "$SYS/x"; got != want {
			t.Errorf("CheckDelivered(%q) = %v", c.s, got)
		}
	}
}

func TestSplitShare_InAnyLetterCase(t *testing.T) {
	for filter, want := range map[string][2]string{
		"$share/g/a/#": {"g", "a/#"}, "$SHARE/G/a": {"G", "a"}, "$sHaRe/g-1/+": {"g-1", "+"},
		"a/b": {"", "a/b"}, "$shared/g/a": {"", "$shared/g/a"}, "": {"", ""}, "$sha": {"", "$sha"},
	} {
		group, rest, err := SplitShare(filter)
		if err != nil || group != want[0] || rest != want[1] {
			t.Errorf("%q: %q, %q, %v", filter, group, rest, err)
		}
	}
}

func FuzzValid(f *testing.F) {
	for _, s := range []string{"a/b", "$share/g/#", "+/+", "a//b", "\xff", "a/\u0080", "#"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if ValidName(s) && !ValidFilter(s) {
			t.Fatalf("%q is a name and no filter", s)
		}
		if ValidName(s) && !Match(s, s) {
			t.Fatalf("%q does not match itself", s)
		}
		if _, rest, err := SplitShare(s); err == nil && ValidFilter(s) && !ValidFilter(rest) {
			t.Fatalf("%q is valid, %q is not", s, rest)
		}
	})
}
