package storm

// windowContext is what a trigger tells the eviction policy.
type windowContext struct {
	reference int64 // the time as of which the window is
	count     int64 // how many tuples are not after reference; -1: not told
	slide     int64 // tuples from one window to the next; 0: not told
	interval  int64 // time from one window to the next, by the clock; 0: not told
}

// eviction says what is in a window and what leaves it: Storm's four policies. now is the processing time, which is all that counts before
// the first trigger.
type eviction interface {
	begin(c windowContext)
	added()
	now(ms int64)
	judge(e *windowEvent) verdict
	// save puts what the policy knows into m, load makes it the one that did.
	save(m *windowMarks)
	load(m *windowMarks)
}

// evictCount keeps the newest tuples (CountEvictionPolicy).
type evictCount struct {
	length  int64
	current int64
}

func (p *evictCount) begin(windowContext) {}
func (p *evictCount) now(int64)           {}
func (p *evictCount) added()              { p.current++ }

func (p *evictCount) save(m *windowMarks) { m.Current = p.current }
func (p *evictCount) load(m *windowMarks) { p.current = m.Current }

func (p *evictCount) judge(*windowEvent) verdict {
	if p.current > p.length {
		p.current--
		return expire
	}
	return process
}

// evictAge keeps tuples up to an age (TimeEvictionPolicy).
type evictAge struct {
	length    int64
	reference int64
	begun     bool
	drift     int64 // by how much more than the interval the last two windows were apart
}

func (p *evictAge) begin(c windowContext) {
	if c.interval > 0 {
		if !p.begun {
			p.drift = 1<<31 - 1 // the first window has all that there is
		} else {
			p.drift = c.reference - p.reference - c.interval
		}
	}
	p.reference, p.begun = c.reference, true
}

func (p *evictAge) added() {}

func (p *evictAge) now(ms int64) {
	if !p.begun {
		p.reference = ms
	}
}

func (p *evictAge) save(m *windowMarks) {
	m.Reference, m.Begun, m.Drift = p.reference, p.begun, p.drift
}
func (p *evictAge) load(m *windowMarks) {
	p.reference, p.begun, p.drift = m.Reference, m.Begun, m.Drift
}

func (p *evictAge) judge(e *windowEvent) verdict {
	switch age := p.reference - e.at; {
	case age >= p.length+p.drift:
		return expire
	case age < 0:
		return keep
	}
	return process
}

// evictEventAge is evictAge by the time of tuples (WatermarkTimeEvictionPolicy).
type evictEventAge struct {
	evictAge
	lag int64
}

func (p *evictEventAge) now(int64) {}

func (p *evictEventAge) judge(e *windowEvent) verdict {
	switch {
	case !p.begun:
		return keep
	case p.reference-e.at < -p.lag:
		return stop
	}
	return p.evictAge.judge(e)
}

// evictEventCount keeps the newest of the tuples that are not after the reference (WatermarkCountEvictionPolicy).
type evictEventCount struct {
	evictCount
	reference int64
	begun     bool
	processed int64
}

func (p *evictEventCount) begin(c windowContext) {
	p.reference, p.begun = c.reference, true
	if c.count >= 0 {
		p.current = c.count
	} else {
		p.current = p.processed + c.slide
	}
	p.processed = 0
}

func (p *evictEventCount) added() {}

func (p *evictEventCount) save(m *windowMarks) {
	p.evictCount.save(m)
	m.Reference, m.Begun, m.Processed = p.reference, p.begun, p.processed
}

func (p *evictEventCount) load(m *windowMarks) {
	p.evictCount.load(m)
	p.reference, p.begun, p.processed = m.Reference, m.Begun, m.Processed
}

func (p *evictEventCount) judge(e *windowEvent) verdict {
	if !p.begun || e.at > p.reference || p.processed >= p.current {
		return keep
	}
	v := p.evictCount.judge(e)
	if v == process {
		p.processed++
	}
	return v
}

func (w *windowConf) eviction(fromTuples bool) eviction {
	switch {
	case w.length.count > 0 && fromTuples:
		return &evictEventCount{evictCount: evictCount{length: int64(w.length.count)}}
	case w.length.count > 0:
		return &evictCount{length: int64(w.length.count)}
	case fromTuples:
		return &evictEventAge{evictAge: evictAge{length: w.length.ms}, lag: w.lag}
	}
	return &evictAge{length: w.length.ms}
}

// trigger says when there is a window: Storm's four trigger policies.
type trigger interface {
	// added is called when a tuple came, marked when time has come to a watermark, and ticked once every interval by the clock.
	added(q *windowQueue, now int64)
	marked(q *windowQueue, watermark int64)
	ticked(q *windowQueue, now int64)
	// save and load are those of eviction.
	save(m *windowMarks)
	load(m *windowMarks)
}

// everyCount is a window after so many tuples (CountTriggerPolicy).
type everyCount struct{ n, current int }

func (p *everyCount) added(q *windowQueue, now int64) {
	if p.current++; p.current >= p.n {
		q.trigger(windowContext{reference: now, count: -1})
		p.current = 0
	}
}

func (p *everyCount) marked(*windowQueue, int64) {}
func (p *everyCount) ticked(*windowQueue, int64) {}
func (p *everyCount) save(m *windowMarks)        { m.Count = p.current }
func (p *everyCount) load(m *windowMarks)        { p.current = m.Count }

// everyTime is a window in every interval of the clock (TimeTriggerPolicy).
type everyTime struct{ interval int64 }

func (p *everyTime) added(*windowQueue, int64)  {}
func (p *everyTime) marked(*windowQueue, int64) {}
func (p *everyTime) save(*windowMarks)          {}
func (p *everyTime) load(*windowMarks)          {}

func (p *everyTime) ticked(q *windowQueue, now int64) {
	q.trigger(windowContext{reference: now, count: -1, interval: p.interval})
}

// everyEventTime is a window for every interval of the tuples' time, once the watermark has passed it (WatermarkTimeTriggerPolicy).
type everyEventTime struct {
	interval int64
	end      int64 // of the next window
}

func (p *everyEventTime) added(*windowQueue, int64)  {}
func (p *everyEventTime) ticked(*windowQueue, int64) {}
func (p *everyEventTime) save(m *windowMarks)        { m.End = p.end }
func (p *everyEventTime) load(m *windowMarks)        { p.end = m.End }

func (p *everyEventTime) marked(q *windowQueue, watermark int64) {
	for p.end <= watermark {
		if q.trigger(windowContext{reference: p.end, count: int64(q.upTo(p.end))}) {
			p.end += p.interval
			continue
		}
		next := q.earliest(p.end, watermark)
		if next == none {
			return
		}
		if over := next % p.interval; over != 0 {
			next += p.interval - over
		}
		p.end = next
	}
}

// everyEventCount is a window at every n-th tuple that the watermark has passed (WatermarkCountTriggerPolicy).
type everyEventCount struct {
	n    int
	last int64
}

func (p *everyEventCount) added(*windowQueue, int64)  {}
func (p *everyEventCount) ticked(*windowQueue, int64) {}
func (p *everyEventCount) save(m *windowMarks)        { m.Last = p.last }
func (p *everyEventCount) load(m *windowMarks)        { p.last = m.Last }

func (p *everyEventCount) marked(q *windowQueue, watermark int64) {
	for _, at := range q.slides(p.last, watermark, p.n) {
		q.trigger(windowContext{reference: at, count: -1, slide: int64(p.n)})
		p.last = at
	}
}

func (w *windowConf) trigger(fromTuples bool) trigger {
	switch {
	case w.slide.count > 0 && fromTuples:
		return &everyEventCount{n: w.slide.count}
	case w.slide.count > 0:
		return &everyCount{n: w.slide.count}
	case fromTuples:
		return &everyEventTime{interval: w.slide.ms}
	}
	return &everyTime{interval: w.slide.ms}
}
