package account

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// SecretHash is the SHA-256 of the secret of a session or token. The secrets
// are 256 random bits, so a plain hash cannot be searched.
type SecretHash [sha256.Size]byte

// TokenPrefix begins every API token, so that one is recognised where it
// should not be (a log, a repository).
const TokenPrefix = "obd_"

// MarshalText writes h as 64 hexadecimal digits.
func (h SecretHash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads what MarshalText has written.
func (h *SecretHash) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return fmt.Errorf("secret hash has %d digits: want %d", len(text), hex.EncodedLen(len(h)))
	}
	if _, err := hex.Decode(h[:], text); err != nil {
		return fmt.Errorf("decode secret hash: %w", err)
	}
	return nil
}

func newSecret() string {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// HashSecret returns the form in which a secret is stored and looked up. The
// look-up is by this hash, so comparing takes no secret-dependent time.
func HashSecret(secret string) SecretHash { return sha256.Sum256([]byte(secret)) }

// secretLen is the length of newSecret's text.
const secretLen = 43

func plausibleSession(s string) bool { return len(s) == secretLen }

func plausibleToken(s string) bool {
	return len(s) == len(TokenPrefix)+secretLen && strings.HasPrefix(s, TokenPrefix)
}
