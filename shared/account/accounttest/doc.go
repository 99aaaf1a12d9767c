// Package accounttest is the suite that every implementation of account.Store
// passes, and a store in memory for tests of what stands on one.
package accounttest
