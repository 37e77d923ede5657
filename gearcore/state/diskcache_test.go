package state

import "testing"

// The cache of the disks is one for all that use it at a time, and goes with the last of them.
func TestBlockCacheIsShared(t *testing.T) {
	var b blockCache
	first, second := b.take(), b.take()
	if first != second || first.MaxSize() != diskCache {
		t.Errorf("caches %p and %p, of %d bytes", first, second, first.MaxSize())
	}
	b.leave()
	if third := b.take(); third != first {
		t.Error("it went with the first of two users")
	}
	b.leave()
	if b.leave(); b.cache != nil || b.users != 0 {
		t.Errorf("with %d users there is a cache", b.users)
	}
	if again := b.take(); again == nil {
		t.Error("there is none for the next user")
	}
	b.leave()
}
