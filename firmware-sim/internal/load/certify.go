package load

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/device"
	"github.com/obedio/obedio/firmware-sim/internal/hubapi"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
)

// Authority certifies the clients of a broker that is not a hub.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// ReadAuthority reads a file with a certificate and its key, both PEM.
func ReadAuthority(file string) (*Authority, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(b, b)
	if err != nil {
		return nil, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("want an ECDSA key")
	}
	return &Authority{pair.Leaf, key}, nil
}

func (a *Authority) certify(id fleet.DeviceID, pub *ecdsa.PublicKey) (certificate, anchors string, err error) {
	serial, err := identity.NewSerial()
	if err != nil {
		return "", "", err
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: string(id)}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 1, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, a.cert, pub, a.key)
	return string(identity.PEM(der)), string(identity.PEM(a.cert.Raw)), err
}

// certify gives each device a certificate; nil when they need none. It is not
// what is measured, so the devices do not join one by one.
func (l *load) certify(ctx context.Context, devices []hubapi.Imported) ([]*tls.Config, error) {
	if !l.c.TLS {
		return nil, nil
	}
	all := make([]*tls.Config, len(devices))
	errs := make([]error, len(devices))
	gate := make(chan struct{}, 16)
	var wg sync.WaitGroup
	for i, d := range devices {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			all[i], errs[i] = l.secure(ctx, d.DeviceID)
		})
	}
	wg.Wait()
	return all, errors.Join(errs...)
}

func (l *load) secure(ctx context.Context, id fleet.DeviceID) (*tls.Config, error) {
	key, err := identity.NewKey()
	if err != nil {
		return nil, err
	}
	var certificate, anchors string
	if l.c.Authority != nil {
		certificate, anchors, err = l.c.Authority.certify(id, &key.PublicKey)
	} else {
		var csr []byte
		if csr, err = device.Request(key, string(id)); err == nil {
			certificate, anchors, err = l.c.API.Certify(ctx, id, csr)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("certify %s: %w", id, err)
	}
	block, _ := pem.Decode([]byte(certificate))
	if block == nil {
		return nil, fmt.Errorf("certify %s: no certificate in the answer", id)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(anchors))
	return &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: identity.SiteServerName, RootCAs: roots,
		Certificates: []tls.Certificate{{Certificate: [][]byte{block.Bytes}, PrivateKey: key}},
	}, nil
}
