// Package load measures a hub from outside: many connections that publish at a
// steady rate, and how long the hub takes to acknowledge, or to give a button
// its receipt.
//
// It speaks MQTT 3.1.1 by a client of its own, which does as little as it can,
// so that what is measured is the hub. Latency counts from the write of a
// message to the read of its answer; how far the generator itself fell behind
// its plan is told beside it. Run may be called from any goroutine.
package load
