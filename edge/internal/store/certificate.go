package store

// PutCertificate stores the bytes (DER) of a device's certificate.
func (t *Tx) PutCertificate(serial string, der []byte) { t.set(key(tableCertificate, serial), der) }

// CertificateBytes returns what PutCertificate stored; false when there is
// nothing.
func CertificateBytes(s *Store, serial string) ([]byte, bool, error) {
	b, err := s.get(key(tableCertificate, serial))
	return b, b != nil, err
}
