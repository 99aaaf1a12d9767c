// Package audit reads an audit, wherever a hub or the console keeps it: which
// chains there are, what was entered, and whether all of it is still what was
// written. What an entry is, and how one follows another, is in fleet.
//
// What always holds: nothing here writes; a list and an export see each entry
// once, whatever is appended meanwhile; inside a chain the numbers decide about
// the order, never the clock. Of two chains the one that the other continues
// comes first; between chains that do not continue each other the time of their
// first entries decides.
package audit
