package kafka

import (
	"container/heap"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// flight is the records of a partition that were emitted and are not done, in the order of their offsets.
type flight struct {
	records []*flown
	next    int64 // the offset to commit: all before it are done
}

// flown is one of them.
type flown struct {
	record *kgo.Record
	of     *partition
	id     int64
	tries  int
	done   bool
	due    time.Time // of the next try, while it waits for one
}

func (f *flight) add(r *flown) { f.records = append(f.records, r) }

// pass takes a record that is not emitted.
func (f *flight) pass(r *kgo.Record) {
	f.add(&flown{record: r, done: true})
	f.settle()
}

// settle moves the offset to commit behind all records that are done and follow each other.
func (f *flight) settle() {
	n := 0
	for n < len(f.records) && f.records[n].done {
		f.next = f.records[n].record.Offset + 1
		n++
	}
	clear(f.records[:n])
	if f.records = f.records[n:]; len(f.records) == 0 {
		f.records = nil
	}
}

// pause returns how long a record waits that was emitted that many times.
func (o *SourceOptions) pause(tries int) time.Duration {
	d := o.RetryFirst
	for range tries - 1 {
		if d *= 2; d >= o.RetryMost {
			return o.RetryMost
		}
	}
	return d
}

// retries are records that wait for another try, the first one due in front.
type retries []*flown

func (r retries) Len() int           { return len(r) }
func (r retries) Less(i, j int) bool { return r[i].due.Before(r[j].due) }
func (r retries) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *retries) Push(x any)        { *r = append(*r, x.(*flown)) }
func (r *retries) Pop() any {
	old := *r
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*r = old[:len(old)-1]
	return last
}

// take returns a record that is due, nil if none is.
func (r *retries) take(now time.Time) *flown {
	if len(*r) == 0 || (*r)[0].due.After(now) {
		return nil
	}
	return heap.Pop(r).(*flown)
}

func (r *retries) add(f *flown) { heap.Push(r, f) }
