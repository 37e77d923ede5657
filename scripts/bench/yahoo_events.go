package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// The Yahoo streaming benchmark, after its public description: events of advertisements come in over Kafka; views are counted by
// campaign, which Redis knows for each advertisement, in windows of ten seconds of event time; the counts go to Redis.
const (
	campaigns   = 100
	adsEach     = 10 // of a campaign
	windowMs    = 10_000
	lateEvery   = 50   // one in so many events is late,
	lateMs      = 5000 // by at most that
	eventBuffer = 320  // bytes, at least what an event takes
)

// campaignID and adID look like those of the original: texts of 36 letters.
func campaignID(i int) string { return fmt.Sprintf("c%07d-0000-4000-8000-%012d", i, i) }

func adID(i int) string { return fmt.Sprintf("a%07d-0000-4000-8000-%012d", i, i) }

// events makes events, and the sequential computation of what has to come out.
type events struct {
	rng   *rand.Rand
	ads   []string
	users []string
	sent  int64
	// views counts the views of each campaign in each window, and last is when the last of them was sent.
	views map[adWindow]int64
	last  map[adWindow]int64
}

// adWindow is a campaign's window of event time, by where it begins.
type adWindow struct {
	campaign int
	begin    int64
}

func newEvents(seed uint64) *events {
	e := &events{rng: rand.New(rand.NewPCG(seed, 1)), views: map[adWindow]int64{}, last: map[adWindow]int64{}}
	for i := range campaigns * adsEach {
		e.ads = append(e.ads, adID(i))
		e.users = append(e.users, fmt.Sprintf("u%07d-0000-4000-8000-%012d", i, i*7))
	}
	return e
}

var (
	adTypes    = [...]string{"banner", "modal", "sponsored-search", "mail", "mobile"}
	eventTypes = [...]string{"view", "click", "purchase"}
)

// next appends the next event, which is sent now.
func (e *events) next(dst []byte, now time.Time) []byte {
	r := e.rng.Uint64()
	ad := int(r % uint64(len(e.ads)))
	user := int(r >> 16 % uint64(len(e.users)))
	kind := eventTypes[r>>32%3]
	at := now.UnixMilli()
	sent := at
	if e.sent++; e.sent%lateEvery == 0 {
		at -= int64(r >> 40 % lateMs)
	}
	if kind == eventTypes[0] {
		w := adWindow{ad / adsEach, at / windowMs * windowMs}
		e.views[w]++
		e.last[w] = sent
	}
	dst = append(dst, `{"user_id":"`...)
	dst = append(dst, e.users[user]...)
	dst = append(dst, `","page_id":"`...)
	dst = append(dst, e.users[(user+1)%len(e.users)]...)
	dst = append(dst, `","ad_id":"`...)
	dst = append(dst, e.ads[ad]...)
	dst = append(dst, `","ad_type":"`...)
	dst = append(dst, adTypes[r>>48%uint64(len(adTypes))]...)
	dst = append(dst, `","event_type":"`...)
	dst = append(dst, kind...)
	dst = append(dst, `","event_time":"`...)
	dst = strconv.AppendInt(dst, at, 10)
	return append(dst, `","ip_address":"1.2.3.4"}`...)
}
