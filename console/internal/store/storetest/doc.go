// Package storetest is the conformance suite of package store: every engine
// passes it. It is for tests only.
package storetest
