package ackers

// fifo is a queue. The zero fifo is empty.
type fifo[T any] struct {
	items []T
	head  int
}

func (q *fifo[T]) len() int { return len(q.items) - q.head }
func (q *fifo[T]) peek() *T { return &q.items[q.head] }
func (q *fifo[T]) last() *T { return &q.items[len(q.items)-1] }
func (q *fifo[T]) clear()   { q.items, q.head = q.items[:0], 0 }

func (q *fifo[T]) push(v T) {
	if q.head > 32 && 2*q.head >= len(q.items) {
		q.items, q.head = q.items[:copy(q.items, q.items[q.head:])], 0
	}
	q.items = append(q.items, v)
}

func (q *fifo[T]) pop() T {
	v := q.items[q.head]
	if q.head++; q.head == len(q.items) {
		q.clear()
	}
	return v
}

func (q *fifo[T]) filter(keep func(T) bool) {
	items := q.items[:0]
	for _, v := range q.items[q.head:] {
		if keep(v) {
			items = append(items, v)
		}
	}
	q.items, q.head = items, 0
}
