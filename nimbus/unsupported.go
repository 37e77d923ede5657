package nimbus

// Unsupported is a method of the services that Nimbus answers as if it did not exist.
type Unsupported struct {
	Method string
	Why    string
}

// UnsupportedMethods lists all such methods, in order of names. All of Storm's are there. The documentation of differences is
// checked against it.
func UnsupportedMethods() []Unsupported {
	return []Unsupported{{"syncWorker", "ours, not Storm's: a worker talks to the supervisor of its node"}}
}
