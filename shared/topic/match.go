package topic

import "strings"

// Match reports whether the filter matches the name, as MQTT defines it: + is
// one level, # is any number of levels at the end, the parent among them, and
// neither matches a first level that begins with $ [MQTT-4.7.2-1].
func Match(filter, name string) bool {
	if hidden(filter, name) {
		return false
	}
	for {
		f, fRest, fMore := strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		n, nRest, nMore := strings.Cut(name, "/")
		if f != "+" && f != n {
			return false
		}
		switch {
		case fMore && nMore:
			filter, name = fRest, nRest
		case fMore:
			return fRest == "#" // a/# matches a
		default:
			return !nMore
		}
	}
}

// Cover reports whether every name that the filter b matches is matched by the
// filter a too: the set of b lies in the set of a.
func Cover(a, b string) bool {
	if hidden(a, b) {
		return false
	}
	if b == "#" {
		return a == "#" || a == "+/#" // any name has a first level
	}
	for {
		x, xRest, xMore := strings.Cut(a, "/")
		if x == "#" {
			return true
		}
		y, yRest, yMore := strings.Cut(b, "/")
		if y == "#" || x != "+" && x != y {
			// Below the first level b's # takes in its parent and every depth:
			// only a # of a does the same.
			return false
		}
		switch {
		case xMore && yMore:
			a, b = xRest, yRest
		case xMore:
			return xRest == "#"
		default:
			return !yMore
		}
	}
}

// hidden reports whether the filter begins with a wildcard and the name, or
// the other filter, with a $.
func hidden(filter, name string) bool {
	return len(filter) > 0 && (filter[0] == '+' || filter[0] == '#') && len(name) > 0 && name[0] == '$'
}
