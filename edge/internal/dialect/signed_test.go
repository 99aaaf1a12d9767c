package dialect_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/obedio/obedio/edge/internal/dialect"
	"github.com/obedio/obedio/shared/fleet"
)

var signingKey = bytes.Repeat([]byte{7}, 32)

func TestSigned_WhatWasSignedIsTakenAndNothingElse(t *testing.T) {
	const name = "obedio/yacht-1/deck-3/button/btn-001/press"
	for _, payload := range []string{`{}`, `{"press_type":"single","sequence_id":1}`, " {\"a\":\"}\"}\n", `{"sig":"x","sig_seq":9}`} {
		p := dialect.Sign(signingKey, name, []byte(payload), 17)
		seq, err := dialect.CheckSigned(signingKey, name, p)
		if err != nil || seq != 17 {
			t.Fatalf("%s: %d, %v", p, seq, err)
		}
		if _, err := dialect.Decode(p, 1<<16); err != nil {
			t.Errorf("%s is not read: %v", p, err)
		}
		for what, c := range map[string]struct {
			key     []byte
			topic   string
			payload []byte
		}{
			"another key":        {bytes.Repeat([]byte{8}, 32), name, p},
			"another topic":      {signingKey, strings.Replace(name, "press", "status", 1), p},
			"cut off":            {signingKey, name, p[:len(p)-1]},
			"unsigned":           {signingKey, name, []byte(payload)},
			"nothing":            {signingKey, name, nil},
			"without a sequence": {signingKey, name, bytes.Replace(p, []byte(`"sig_seq":17,`), nil, 1)},
		} {
			if _, err := dialect.CheckSigned(c.key, c.topic, c.payload); !errors.Is(err, fleet.ErrForbidden) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		p := dialect.Sign(signingKey, name, []byte(`{"battery":80,"signal_strength":-60}`), rapid.Uint64Min(1).Draw(t, "seq"))
		i := rapid.IntRange(0, len(p)-1).Draw(t, "byte")
		b := rapid.Byte().Draw(t, "value")
		if p[i] == b || bytes.EqualFold([]byte{p[i]}, []byte{b}) {
			return // the same, or the same hexadecimal digit
		}
		p[i] = b
		if _, err := dialect.CheckSigned(signingKey, name, p); err == nil {
			t.Fatalf("taken although byte %d was changed: %s", i, p)
		}
	})
}
