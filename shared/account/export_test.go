package account

import "testing"

// Grant changes the table of a test's own policy.
func (p *Policy) Grant(_ testing.TB, role Role, actions ...Action) {
	for _, a := range actions {
		p.grants[role][a] = true
	}
}
