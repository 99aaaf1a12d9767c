package pki

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/identity"
)

const (
	crlSetting = "crl_number"
	// A list is made anew each day, and good for a week, for clients that fetch
	// it seldom.
	crlEvery = day
	crlLife  = 7 * day
)

// crls makes and keeps the lists of revoked certificates.
type crls struct {
	mu   sync.Mutex // guards what follows
	made map[string]madeList
}

type madeList struct {
	number uint64
	at     time.Time
	der    []byte
}

// bump gives the next list a new number, in the decision that revokes.
func (c *crls) bump(tx *journal.Tx) error {
	n, _, err := store.TxSetting[uint64](tx.Tx, crlSetting)
	if err != nil {
		return fmt.Errorf("read the number of the revocation list: %w", err)
	}
	return tx.PutSetting(crlSetting, n+1)
}

// RevocationList returns the site's list of revoked certificates (RFC 5280, 5,
// DER), signed by the authority that issues. Its number grows with each
// revocation; a list is at most a day old.
func (p *PKI) RevocationList() ([]byte, error) {
	n, _, err := store.Setting[uint64](p.c.Store, crlSetting)
	if err != nil {
		return nil, fmt.Errorf("read the number of the revocation list: %w", err)
	}
	issuer := p.issuer()
	key, err := identity.KeyID(&issuer.key.PublicKey)
	if err != nil {
		return nil, err
	}
	now, _ := p.c.Clock.Now()
	p.crls.mu.Lock()
	defer p.crls.mu.Unlock()
	if made, ok := p.crls.made[key]; ok && made.number == n && now.Sub(made.at).Abs() < crlEvery {
		return made.der, nil
	}
	list := &x509.RevocationList{
		// Days count too, so that a list that was only made anew has a higher
		// number than the one before (RFC 5280, 5.2.3).
		Number:     new(big.Int).Add(new(big.Int).Lsh(new(big.Int).SetUint64(n), 32), big.NewInt(now.Unix()/int64(crlEvery/time.Second))),
		ThisUpdate: now.UTC().Add(-time.Hour), NextUpdate: now.UTC().Add(crlLife),
	}
	for _, c := range p.known.revoked(key) {
		serial, err := hex.DecodeString(c.Serial)
		if err != nil {
			return nil, fmt.Errorf("certificate %s: %w", c.Serial, err)
		}
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: new(big.Int).SetBytes(serial), RevocationTime: c.RevokedAt, ReasonCode: c.Reason.Code(),
		})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, issuer.cert, issuer.key)
	if err != nil {
		return nil, fmt.Errorf("sign the revocation list: %w", err)
	}
	if p.crls.made == nil {
		p.crls.made = map[string]madeList{}
	}
	p.crls.made[key] = madeList{number: n, at: now, der: der}
	return der, nil
}
