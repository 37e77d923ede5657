package gearcore

// Who may hold a batch of tuples, and when:
//
//	filled       by one outbox of the executor that emits, inside its run (the Lanes of that executor append to it too)
//	handed over  to the inbox of a local executor or to a link, which owns it from then on; the sender has no pointer left
//	consumed     by the executor that took it, row by row; its tasks see Tuples, which point into it
//	done         Batch.Done: where nobody can have kept a tuple (a link that has encoded them, an executor whose tasks are
//	             all NoRetain) the batch is Reset and goes to the engine's pool, to be filled again. Otherwise nobody
//	             calls Reset, and the garbage collector has it when the last Tuple is gone.
//
// So a Tuple or a view of its values that outlives the call is a mistake only in a component that declares NoRetain, and
// it would silently show another tuple. In builds with the race detector it does not: Reset starts a new generation and
// poisons the values, and tuples of an older one panic. Texts that a link reads into memory of its own (tasks that
// nobody listens to) are overwritten.

// RecycledError is what the use of a tuple of a recycled batch panics with in builds with the race detector.
const RecycledError = recycledError("gearcore: a tuple or value was used after its batch was recycled: a component that declares NoRetain may keep none of them beyond the call")

type recycledError string

func (e recycledError) Error() string { return string(e) }

// kindRecycled is the kind of values in recycled batches of builds with the race detector.
const kindRecycled Kind = 255

// mustLive panics if t is of an older generation of its batch.
func (t Tuple) mustLive() {
	if checked && t.gen != t.b.gen {
		panic(RecycledError)
	}
}

// mustLive panics if v was read from a recycled batch.
func (v Value) mustLive() {
	if checked && v.k == kindRecycled {
		panic(RecycledError)
	}
}

// PoisonText overwrites texts that are about to be used again, so that strings that were kept although NoRetain was declared
// show it. Only builds with the race detector do so.
func PoisonText(b []byte) {
	if !checked {
		return
	}
	for i := range b {
		b[i] = "<recycled>"[i%10]
	}
}

// poison ends a generation of b.
func (b *Batch) poison() {
	if !checked {
		return
	}
	b.gen++
	for i := range b.Vals {
		b.Vals[i] = Value{k: kindRecycled}
	}
}
