package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/obedio/obedio/shared/fleet"
)

// PasswordConfig says how passwords are hashed (argon2id) and what they must
// be. Zero fields take the defaults.
type PasswordConfig struct {
	// MemoryKiB is the memory of one computation; 19456 (19 MiB) by default.
	MemoryKiB uint32
	// Passes over that memory; 2 by default.
	Passes uint32
	// Lanes that may compute at once; 1 by default.
	Lanes uint8
	// AtOnce is how many passwords are hashed at a time; 2 by default.
	AtOnce int
	// Waiting is how many more may wait for their turn; 32 by default.
	Waiting int
	// MinLength of a new password in characters; 8 by default.
	MinLength int
}

const (
	maxPassword = 256 // bytes
	saltLen     = 16
	keyLen      = 32
)

func (c PasswordConfig) withDefaults() PasswordConfig {
	if c.MemoryKiB == 0 {
		c.MemoryKiB = 19 << 10
	}
	if c.Passes == 0 {
		c.Passes = 2
	}
	if c.Lanes == 0 {
		c.Lanes = 1
	}
	if c.AtOnce <= 0 {
		c.AtOnce = 2
	}
	if c.Waiting <= 0 {
		c.Waiting = 32
	}
	if c.MinLength <= 0 {
		c.MinLength = 8
	}
	return c
}

// passwords hashes and checks passwords, a bounded number at a time.
type passwords struct {
	cfg PasswordConfig
	// room has a place for each that computes or waits; turn for each that
	// computes.
	room, turn chan struct{}
	// dummy is checked when the user is unknown, so that it takes as long.
	dummy string
}

func newPasswords(c PasswordConfig) *passwords {
	c = c.withDefaults()
	p := &passwords{
		cfg:  c,
		room: make(chan struct{}, c.AtOnce+c.Waiting),
		turn: make(chan struct{}, c.AtOnce),
	}
	var salt [saltLen]byte
	var key [keyLen]byte
	rand.Read(salt[:])
	rand.Read(key[:])
	p.dummy = p.format(salt[:], key[:])
	return p
}

// checkNew reports as ErrInvalid a password that may not be chosen.
func (p *passwords) checkNew(password, folded string) error {
	n := utf8.RuneCountInString(password)
	switch {
	case !utf8.ValidString(password) || len(password) > maxPassword:
		return fmt.Errorf("%w: password: want at most %d bytes of UTF-8", fleet.ErrInvalid, maxPassword)
	case n < p.cfg.MinLength:
		return fmt.Errorf("%w: password has %d characters: want at least %d", fleet.ErrInvalid, n, p.cfg.MinLength)
	case strings.EqualFold(password, folded):
		return fmt.Errorf("%w: password is the username", fleet.ErrInvalid)
	}
	return nil
}

// hash returns the PHC form of a new hash of password.
func (p *passwords) hash(ctx context.Context, password string) (string, error) {
	leave, err := p.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	var salt [saltLen]byte
	rand.Read(salt[:])
	key := argon2.IDKey([]byte(password), salt[:], p.cfg.Passes, p.cfg.MemoryKiB, p.cfg.Lanes, keyLen)
	return p.format(salt[:], key), nil
}

// check reports whether password is that of the hash, and whether the hash
// was made with other parameters than today's and should be renewed.
func (p *passwords) check(ctx context.Context, password, phc string) (ok, renew bool, err error) {
	h, err := parsePHC(phc)
	if err != nil {
		return false, false, err
	}
	leave, err := p.enter(ctx)
	if err != nil {
		return false, false, err
	}
	defer leave()
	key := argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.lanes, uint32(len(h.key)))
	ok = subtle.ConstantTimeCompare(key, h.key) == 1
	renew = h.passes != p.cfg.Passes || h.memory != p.cfg.MemoryKiB || h.lanes != p.cfg.Lanes
	return ok, renew, nil
}

// enter waits for a turn. ErrUnavailable when too many wait already.
func (p *passwords) enter(ctx context.Context) (leave func(), err error) {
	select {
	case p.room <- struct{}{}:
	default:
		return nil, fmt.Errorf("check password: %w: %d sign-ins are waiting already", fleet.ErrUnavailable, cap(p.room))
	}
	select {
	case p.turn <- struct{}{}:
		return func() { <-p.turn; <-p.room }, nil
	case <-ctx.Done():
		<-p.room
		return nil, fmt.Errorf("wait for a turn to check a password: %w", ctx.Err())
	}
}

func (p *passwords) format(salt, key []byte) string {
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.cfg.MemoryKiB, p.cfg.Passes, p.cfg.Lanes, b.EncodeToString(salt), b.EncodeToString(key))
}

type phcHash struct {
	memory, passes uint32
	lanes          uint8
	salt, key      []byte
}

// parsePHC reads a hash in the PHC form, with bounds, so that a damaged store
// cannot make a sign-in take all memory.
func parsePHC(s string) (phcHash, error) {
	var h phcHash
	var version int
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return h, fmt.Errorf("password hash is not argon2id in the PHC form")
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return h, fmt.Errorf("password hash has version %q: want %d", parts[2], argon2.Version)
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.lanes); err != nil {
		return h, fmt.Errorf("read parameters of password hash: %w", err)
	}
	if h.memory < 8 || h.memory > 1<<20 || h.passes < 1 || h.passes > 64 || h.lanes < 1 || h.lanes > 16 {
		return h, fmt.Errorf("password hash has parameters out of bounds: m=%d t=%d p=%d", h.memory, h.passes, h.lanes)
	}
	var err error
	if h.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil || len(h.salt) < 8 || len(h.salt) > 64 {
		return h, fmt.Errorf("password hash has a bad salt")
	}
	if h.key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(h.key) < 16 || len(h.key) > 64 {
		return h, fmt.Errorf("password hash has a bad key")
	}
	return h, nil
}
