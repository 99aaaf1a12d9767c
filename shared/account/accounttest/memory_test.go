package accounttest_test

import (
	"testing"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/account/accounttest"
)

func TestMemory(t *testing.T) {
	accounttest.Run(t, func(*testing.T) account.Store { return accounttest.NewMemory() })
}
