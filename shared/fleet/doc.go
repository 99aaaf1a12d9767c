// Package fleet is the vocabulary of the product and its pure rules: what a
// device, a press, a request, a command, a record and an order are, and how
// state follows from records.
//
// Nothing in it reads a clock, a disk or a network. Values are parsed once at
// the border (ParseDeviceID …) and trusted after. Hub and console run the same
// fold, Apply, over the same records, and so come to the same state.
//
// The package imports the standard library only.
package fleet
