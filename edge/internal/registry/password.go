package registry

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	"sync"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// chosenIterations for a password that a person chose: some 10 ms of a small
// board's core.
const chosenIterations = 10_000

// saltBytes are as many as Mosquitto takes, so that its files can be written.
const saltBytes = 12

// make returns the password and what is stored of it; "" and nil for none.
func (p Password) make() (string, *store.Credential) {
	plain, iterations := p.Chosen, chosenIterations
	if plain == "" {
		if !p.Generate {
			return "", nil
		}
		plain, iterations = generate(), 1
	}
	c := store.Credential{Algorithm: store.PBKDF2SHA512, Salt: make([]byte, saltBytes), Iterations: iterations}
	rand.Read(c.Salt) // never fails (crypto/rand)
	c.Verifier = derive(c, []byte(plain))
	return plain, &c
}

// derive returns what the verifier of a credential must be for a password; nil
// when it can be none.
func derive(c store.Credential, password []byte) []byte {
	var k []byte
	var err error
	switch c.Algorithm {
	case store.PBKDF2SHA256:
		k, err = pbkdf2.Key(sha256.New, string(password), c.Salt, c.Iterations, sha256.Size)
	case store.PBKDF2SHA512:
		k, err = pbkdf2.Key(sha512.New, string(password), c.Salt, c.Iterations, sha512.Size)
	case store.SaltedSHA512:
		h := sha512.New()
		h.Write(password)
		h.Write(c.Salt)
		k = h.Sum(nil)
	}
	if err != nil {
		return nil // only for lengths that FIPS mode forbids, which these are not
	}
	return k
}

// Identify returns the device that a user name and password belong to. The
// user name is the device id. fleet.ErrUnauthenticated when they do not fit,
// whatever the reason.
func (r *Registry) Identify(username string, password []byte) (fleet.Device, error) {
	refused := fmt.Errorf("%w: wrong user name or password", fleet.ErrUnauthenticated)
	id, err := fleet.ParseDeviceID(username)
	if err != nil || len(password) == 0 || len(password) > 128 {
		return fleet.Device{}, refused
	}
	cred, found, err := r.store.Credential(id)
	if err != nil {
		return fleet.Device{}, err
	}
	if !found || cred.Check() != nil {
		return fleet.Device{}, refused
	}
	if !r.proven.check(cred, password) {
		if subtle.ConstantTimeCompare(derive(cred, password), cred.Verifier) != 1 {
			return fleet.Device{}, refused
		}
		r.proven.add(cred, password)
	}
	d, err := r.Device(id)
	if err != nil {
		return fleet.Device{}, refused
	}
	return d, nil
}

// provenPasswords remembers, under a key that dies with the process, which
// passwords were right, so that a reconnect costs one HMAC.
type provenPasswords struct {
	key []byte
	mu  *sync.Mutex // guards tag
	tag map[[sha256.Size]byte][sha256.Size]byte
}

// maxProven entries; beyond it all are forgotten and proven again.
const maxProven = 4096

func newProvenPasswords() provenPasswords {
	key := make([]byte, 32)
	rand.Read(key) // never fails (crypto/rand)
	return provenPasswords{key: key, mu: new(sync.Mutex), tag: map[[sha256.Size]byte][sha256.Size]byte{}}
}

// sum binds the password to the credential, so that a changed one is new.
func (p provenPasswords) sum(c store.Credential, password []byte) (id, tag [sha256.Size]byte) {
	h := hmac.New(sha256.New, p.key)
	h.Write([]byte(c.Algorithm))
	h.Write(c.Salt)
	h.Write(c.Verifier)
	id = [sha256.Size]byte(h.Sum(nil))
	h.Write(password)
	return id, [sha256.Size]byte(h.Sum(nil))
}

func (p provenPasswords) check(c store.Credential, password []byte) bool {
	id, tag := p.sum(c, password)
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.tag[id]
	return ok && hmac.Equal(known[:], tag[:])
}

func (p provenPasswords) add(c store.Credential, password []byte) {
	id, tag := p.sum(c, password)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.tag) >= maxProven {
		clear(p.tag)
	}
	p.tag[id] = tag
}
