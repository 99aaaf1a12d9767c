// Package account says who acts, and what they may do: people (users, their
// sessions), the tablets on which crew sign in with a PIN, programs (API
// tokens), the first administrator (setup code) and the one table of roles and permissions for each of the two programs.
//
// What always holds: a password or a PIN exists only as an argon2id hash, and
// the secret of a session, a tablet or a token only as its SHA-256; a sign-in makes a
// new session and never takes one over; Policy.Can is the only function that
// grants anything; no more passwords are hashed at a time than Config says.
//
// Accounts is safe for use from every goroutine. It keeps nothing in memory
// but the setup code and the counters of failed sign-ins, both bounded.
// Storage is a port, Store; package accounttest is the suite that every
// implementation passes.
package account
