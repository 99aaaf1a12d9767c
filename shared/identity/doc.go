// Package identity is who is who on the link between hub and console: names
// in certificates, keys, and the TLS settings of each pair of parties. Only
// the standard library's cryptography is used. All functions may be called
// from any goroutine.
//
// The fleet root (P-384) signs the console's server certificate and the
// console authority; the console authority (P-256) signs the identities of
// hubs. A hub is exactly one URI:
//
//	spiffe://{trust domain}/hub/{hub_id}
//
// where the trust domain is made of the authority's key (TrustDomain), so that
// a name says by whom it was given.
package identity
