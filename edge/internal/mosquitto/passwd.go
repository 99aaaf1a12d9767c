package mosquitto

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// account is a user with its password.
type account struct {
	user string
	cred store.Credential
	file string
	line int
}

// parsePasswd reads a password file. Lines that cannot be used are noted.
func parsePasswd(text string) (accounts []account, notes []Note) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		user, hash, ok := strings.Cut(line, ":")
		if !ok || user == "" {
			notes = append(notes, Note{File: "passwd", Line: n, Entry: "line", Problem: "not user:hash"})
			continue
		}
		cred, err := parseHash(strings.TrimSpace(hash))
		if err != nil {
			notes = append(notes, Note{File: "passwd", Line: n, Entry: "user " + user, Problem: err.Error()})
			continue
		}
		accounts = append(accounts, account{user: user, cred: cred, file: "passwd", line: n})
	}
	return accounts, notes
}

// parseHash reads $7$iterations$salt$hash (PBKDF2) and $6$salt$hash (SHA-512).
func parseHash(s string) (store.Credential, error) {
	parts := strings.Split(s, "$")
	var c store.Credential
	var salt, hash string
	switch {
	case len(parts) == 5 && parts[0] == "" && parts[1] == "7":
		n, err := strconv.Atoi(parts[2])
		if err != nil {
			return c, fmt.Errorf("%w: iterations %q", fleet.ErrInvalid, parts[2])
		}
		c.Algorithm, c.Iterations, salt, hash = store.PBKDF2SHA512, n, parts[3], parts[4]
	case len(parts) == 4 && parts[0] == "" && parts[1] == "6":
		c.Algorithm, salt, hash = store.SaltedSHA512, parts[2], parts[3]
	case len(parts) > 2 && parts[0] == "":
		return c, fmt.Errorf("%w: password hash of kind $%s$: want $6$ or $7$; set the password anew", fleet.ErrInvalid, parts[1])
	default:
		return c, fmt.Errorf("%w: not a password hash: has the file been through mosquitto_passwd -U?", fleet.ErrInvalid)
	}
	return decodeHash(c, salt, hash)
}

// decodeHash completes a credential and checks it.
func decodeHash(c store.Credential, salt, hash string) (store.Credential, error) {
	var err error
	if c.Salt, err = base64.StdEncoding.DecodeString(salt); err != nil {
		return c, fmt.Errorf("%w: salt is not base64", fleet.ErrInvalid)
	}
	if c.Verifier, err = base64.StdEncoding.DecodeString(hash); err != nil {
		return c, fmt.Errorf("%w: password hash is not base64", fleet.ErrInvalid)
	}
	return c, c.Check()
}

// saltBytes are those that Mosquitto takes.
const saltBytes = 12

// formatHash is the opposite of parseHash. fleet.ErrInvalid for a credential
// that Mosquitto cannot check.
func formatHash(c store.Credential) (string, error) {
	salt, hash := base64.StdEncoding.EncodeToString(c.Salt), base64.StdEncoding.EncodeToString(c.Verifier)
	switch {
	case len(c.Salt) != saltBytes:
		return "", fmt.Errorf("%w: salt of %d bytes, where Mosquitto takes %d: set the password anew", fleet.ErrInvalid, len(c.Salt), saltBytes)
	case c.Algorithm == store.PBKDF2SHA512:
		return fmt.Sprintf("$7$%d$%s$%s", c.Iterations, salt, hash), nil
	case c.Algorithm == store.SaltedSHA512:
		return fmt.Sprintf("$6$%s$%s", salt, hash), nil
	}
	return "", fmt.Errorf("%w: kept as PBKDF2 with SHA-256, which Mosquitto does not know: set the password anew", fleet.ErrInvalid)
}
