//go:build !linux

package chaos

const linkPrefix = "gsc"

// Namespaces needs Linux.
func Namespaces(string) (Network, error) { return nil, ErrUncut }

// CanCut says that this process cannot make Namespaces.
func CanCut() error { return ErrUncut }

func removeLinks(string) error { return nil }
