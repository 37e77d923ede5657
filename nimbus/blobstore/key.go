package blobstore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
)

// MaxKeyBytes is how long a key may be.
const MaxKeyBytes = 1024

// keyPattern is Storm's rule (BlobStore.java): letters and digits of any script, underscore, space, tab, dot, hyphen.
var keyPattern = regexp.MustCompile(`^[\pL\pM\pN\p{Pc} \t.\-]+$`)

// CheckKey tells whether key may name a blob; the error is ErrBadKey.
func CheckKey(key string) error {
	if len(key) > MaxKeyBytes {
		return fmt.Errorf("%w: %d bytes, allowed are %d", ErrBadKey, len(key), MaxKeyBytes)
	}
	if key == "." || key == ".." || !keyPattern.MatchString(key) {
		return fmt.Errorf("%w: %q", ErrBadKey, key)
	}
	return nil
}

// dirOf is the directory of a key below blobs/. A hash keeps it short and free of what file systems treat specially.
func dirOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "blobs/" + hex.EncodeToString(sum[:])
}
