// Package access decides who may do what on the broker: roles with rules as
// in Mosquitto's dynamic security, compiled for one client into an immutable
// list, and Decide, which goes through that list. The first rule that applies
// decides; where none applies, the answer is no.
//
// Everything is pure. A *Rules may be used from any number of goroutines.
package access
