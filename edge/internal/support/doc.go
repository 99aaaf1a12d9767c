// Package support gathers what somebody needs who is to help from afar: a zip
// with version, settings, state, metrics, the newest log lines, goroutines and
// statistics of the stores.
//
// What always holds: no secret and no person's name is in it. Settings are
// shown by a list of what may be shown, attributes of log lines are removed by
// their names, and what looks like a secret is removed from every text.
//
// Ring may be used from any goroutine.
package support
