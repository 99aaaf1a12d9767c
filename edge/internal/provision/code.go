package provision

import (
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/obedio/obedio/shared/fleet"
)

// crockford is the alphabet of Crockford's base 32; checks are its 37 check
// symbols (https://www.crockford.com/base32.html).
const (
	crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	checks    = crockford + "*~$=U"
	codeLen   = 11 // 55 random bits, before the check character
)

// newCode returns a short code as people see it: three groups of four, of which
// the last character checks the others.
func newCode() string {
	var b [codeLen]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	var s []byte
	for _, v := range b {
		s = append(s, crockford[v%32])
	}
	s = append(s, checkOf(string(s)))
	return string(s[:4]) + "-" + string(s[4:8]) + "-" + string(s[8:])
}

// checkOf is the check character of symbols of the alphabet: their number modulo
// 37.
func checkOf(s string) byte {
	n := 0
	for _, c := range s {
		n = (n*32 + strings.IndexRune(crockford, c)) % 37
	}
	return checks[n]
}

// parseCode takes what people type: any case, with or without hyphens and
// spaces, and the letters that look like digits. fleet.ErrInvalid for a code
// with a mistake in it.
func parseCode(s string) (string, error) {
	if len(s) > 64 {
		return "", fmt.Errorf("%w: the code is too long", fleet.ErrInvalid)
	}
	s = strings.NewReplacer("-", "", " ", "").Replace(strings.ToUpper(s))
	if len(s) != codeLen+1 {
		return "", fmt.Errorf("%w: the code has %d characters: want %d", fleet.ErrInvalid, len(s), codeLen+1)
	}
	body := strings.NewReplacer("I", "1", "L", "1", "O", "0").Replace(s[:codeLen])
	for _, c := range body {
		if !strings.ContainsRune(crockford, c) {
			return "", fmt.Errorf("%w: the code has a character that codes do not have", fleet.ErrInvalid)
		}
	}
	if checkOf(body) != s[codeLen] {
		return "", fmt.Errorf("%w: the code is mistyped: its last character does not fit the others", fleet.ErrInvalid)
	}
	return body, nil
}
