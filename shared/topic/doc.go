// Package topic is the grammar of the topics that pass the broker: it parses
// and builds them, says which names and filters are valid, and answers whether
// a filter matches a name or covers another filter.
//
// Every function is pure and safe for any goroutine. Names are checked once at
// the border (Parse, CheckName, CheckFilter) and trusted after; Match and Cover
// want valid arguments, and answer something harmless for others.
package topic
