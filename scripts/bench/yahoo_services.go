package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gearstorm/gearstorm/internal/kafkatest"
	"github.com/gearstorm/gearstorm/internal/redistest"
)

// services are the Kafka broker and the Redis server that both systems work with.
type services struct {
	kafka  *kafkatest.Broker
	redis  *redistest.Server
	client *redis.Client
}

// kept bounds what the broker keeps of a partition, which is in memory, to some 8 million events: a system that is further behind has lost anyway.
var kept = map[string]string{
	"log.retention.bytes": "2147483648", "log.segment.bytes": "268435456", "log.retention.check.interval.ms": "5000",
}

// startServices starts both.
func startServices(ctx context.Context) (s *services, err error) {
	s = &services{}
	if s.redis, err = redistest.Start(ctx); err != nil {
		return nil, err
	}
	s.client = redis.NewClient(&redis.Options{Addr: s.redis.Addr()})
	if s.kafka, err = kafkatest.Start(ctx, kafkatest.Config{Measured: true, Properties: kept}); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, errors.Join(prefer(s.kafka.PID()), prefer(s.redis.PID()))
}

// preferred is the nice value of the services: what a system measures up to is not to be how long they wait for its threads.
const preferred = -10

// prefer gives all threads of a process, and what they start, a higher priority, where that is allowed.
func prefer(pid int) error {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, t := range threads {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		switch err := syscall.Setpriority(syscall.PRIO_PROCESS, tid, preferred); {
		case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
			return nil
		case err != nil && !errors.Is(err, syscall.ESRCH):
			return fmt.Errorf("priority of thread %d: %w", tid, err)
		}
	}
	return err
}

func (s *services) stop() error {
	if s.kafka != nil {
		s.kafka.Stop()
	}
	err := s.client.Close()
	s.redis.Stop()
	return err
}

// prepare empties Redis but for the campaigns of advertisements, and makes a topic.
func (s *services) prepare(ctx context.Context, topic string, partitions int) error {
	if err := s.client.FlushAll(ctx).Err(); err != nil {
		return err
	}
	var pairs []string
	for ad := range campaigns * adsEach {
		pairs = append(pairs, "ad:"+adID(ad), campaignID(ad/adsEach))
	}
	if err := s.client.MSet(ctx, pairs).Err(); err != nil {
		return err
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(s.kafka.Addr()))
	if err != nil {
		return err
	}
	defer c.Close()
	made, err := kadm.NewClient(c).CreateTopic(ctx, int32(partitions), 1, nil, topic)
	return errors.Join(err, made.Err)
}

// drop removes a topic, so that what is on disk stays small.
func (s *services) drop(ctx context.Context, topic string) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(s.kafka.Addr()))
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = kadm.NewClient(c).DeleteTopics(ctx, topic)
	return err
}

// outcome is what Redis has of a window.
type outcome struct{ seen, updated int64 }

// outcomes reads all windows.
func (s *services) outcomes(ctx context.Context) (map[adWindow]outcome, error) {
	ids := map[string]int{}
	for i := range campaigns {
		ids[campaignID(i)] = i
	}
	out := map[adWindow]outcome{}
	keys, err := s.client.Keys(ctx, "window:*").Result()
	if err != nil {
		return nil, err
	}
	p := s.client.Pipeline()
	cmds := make([]*redis.SliceCmd, len(keys))
	for i, k := range keys {
		cmds[i] = p.HMGet(ctx, k, "seen", "updated")
	}
	if _, err := p.Exec(ctx); err != nil && len(keys) > 0 {
		return nil, err
	}
	for i, k := range keys {
		part := strings.Split(k, ":")
		campaign, known := ids[part[1]]
		if len(part) != 3 || !known {
			return nil, fmt.Errorf("redis has %q, which is no window", k)
		}
		begin, err := strconv.ParseInt(part[2], 10, 64)
		vals := cmds[i].Val()
		seen, err2 := number(vals[0])
		updated, err3 := number(vals[1])
		if err := errors.Join(err, err2, err3); err != nil {
			return nil, fmt.Errorf("redis has %q = %v: %w", k, vals, err)
		}
		out[adWindow{campaign, begin}] = outcome{seen, updated}
	}
	return out, nil
}

func number(v any) (int64, error) {
	s, _ := v.(string)
	return strconv.ParseInt(s, 10, 64)
}
