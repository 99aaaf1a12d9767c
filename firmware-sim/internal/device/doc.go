// Package device has simulated devices: buttons, watches, repeaters and
// sensors that speak MQTT as real firmware does, its faults included.
//
// A device knows only what it is told over MQTT, and what it was given when it
// was provisioned. Whatever it does or learns it writes into its Ledger: facts
// only, as an oracle for whoever judges the hub. A fact is written when it
// happens, never because it was expected.
//
// One goroutine, Run, owns all state of a device; the exported methods may be
// called from any goroutine and take effect in the order of their calls. What
// the device decides by chance it draws from streams that its seed and its id
// determine, one stream for each kind of decision.
package device
