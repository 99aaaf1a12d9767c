// Package backup makes one file of all that a hub keeps, while the hub works,
// and brings it back.
//
// On disk, a backup is a tar of the data directory, compressed with zstd, and
// encrypted with age (https://age-encryption.org) unless somebody asked for a
// plain one. The stores are in it as they were at one moment; the socket, the
// ballast and other backups are not. Its last entry is the manifest: who, when,
// up to where, and every file's SHA-256. A file without it was cut off.
//
// A restore puts everything into DIR/.restore-new first, checks it against the
// manifest, and gives the store a new epoch. Then one rename, to DIR/.restore,
// decides: before it the old data are whole and untouched, after it the
// restore is finished by whoever comes next (Finish), however often it is
// killed. What was there before is moved to DIR/before-restore-…, never
// deleted.
package backup
