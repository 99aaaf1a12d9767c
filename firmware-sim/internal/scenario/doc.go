// Package scenario runs stories: scripts that people can read, with devices, a
// timeline and expectations.
//
// A script is YAML. Every step and every expectation has a type of its own; a
// key that it does not know is an error that names the line. Expectations are
// judged over evidence: what the devices' ledgers say, and what the hub says
// over REST. An expectation that found nothing to look at has failed.
//
// The times of a script are simulated time; what a wait step calls within is
// real time, because the hub's time is real.
package scenario
