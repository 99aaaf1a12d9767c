// Package pki is the authority of a site: it certifies the hub's server and the
// site's devices, says which certificates count, and takes them back.
//
// On disk, in DIR/pki: site-ca-NAME and server, each with a .key (PKCS #8, PEM,
// mode 0600) and a .crt (PEM), where NAME is made of the authority's key; and
// site-ca-fleet.crt, the same authority as the fleet root has certified it, and
// the root. The store says which authorities count: one, or two while the devices
// of one that is running out have not all been renewed.
//
// What always holds: the authority's key is born here and never leaves but in a
// backup; a key that is missing, unreadable or not of its certificate is an error
// that names the file, and never a reason to make another authority; a device is
// exactly one URI that its certificate names, as a whole (identity.DeviceURI),
// checked at full and at resumed handshakes and once more at CONNECT; each
// certificate of a device is a record of the journal, and one that is not, or that
// was revoked, does not count, whoever signed it.
//
// The name of a site, its trust domain, is the hash of the authority's key, so it
// is known before any fleet is, and the fleet root certifies the same key.
//
// Only the standard library's cryptography is used. All methods may be called
// from any goroutine; Run from one.
package pki
