package state

// limits are the sizes by which a Store decides how to write checkpoints. Tests make them small.
type limits struct {
	// A cycle begins when the segments take slack more than half again what lives, or are more than files.
	slack int64
	files int
	// cycleLeast bytes, and cycleShare bytes for each that has changed, are written again with a Freeze.
	cycleLeast, cycleShare int64
	// Segments smaller than tail, or than that share of the whole, are written again with the next piece, until together they are as
	// large: so tiny checkpoints do not leave as many files.
	tail, tailShare int64
	// inline is up to where a state is kept in the Part itself, without a file.
	inline int64
	// segment is where a segment ends and the next begins, so that several are read at once and tasks with few groups read less.
	segment int64
	// sweep is how many slots of a table with a TTL are looked at with each Freeze.
	sweep int
	// growth is after how many new entries the size in memory is looked at.
	growth int
}

var defaultLimits = limits{
	slack: 4 << 20, files: 128,
	cycleLeast: 64 << 10, cycleShare: 4,
	tail: 256 << 10, tailShare: 32,
	inline:  8 << 10,
	segment: 32 << 20,
	sweep:   1 << 14,
	growth:  256,
}
