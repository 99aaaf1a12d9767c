// Package flotilla is a fleet of synthetic hubs in one process: for loading a
// console, and for looking at it at scale.
//
// Each hub has an identity of its own, which it got by a claim, and speaks the
// real hub link over mutual TLS: Enrol, Hello, Push and a Pull that waits. What
// it tells is made up from a seed: rooms and devices, states that change, calls
// that are opened, taken and completed, alerts, hours of traffic. What it is
// ordered it does, or says honestly why not.
//
// What always holds: a hub has one connection, whose every byte is counted; it
// keeps only what the console has not acknowledged; what it cannot give a
// console again (one that was restored) it says by a new epoch, as a hub with a
// new disk does. A hub is owned by one goroutine. Run may be called once.
package flotilla
