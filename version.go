package gearstorm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/pause"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// AwaitVersion asks again after a quarter of the time that it has waited, between these.
const (
	versionSoon  = 20 * time.Millisecond
	versionEvery = 200 * time.Millisecond
)

// versionWait is how long AwaitVersion waits at least, unless Options.Wait says something else.
const versionWait = 5 * time.Minute

// ErrWentBack is what AwaitVersion returns, wrapped, for a version that did not run and was given up.
var ErrWentBack = errors.New("the version before runs again")

// ErrUndecided is what AwaitVersion returns, wrapped, when it has waited long enough for a version that is neither in force nor given up.
var ErrUndecided = errors.New("it is neither in force nor given up")

// AwaitVersion waits until a version of a topology is in force and all of its tasks are at work; where something of it died meanwhile, until
// that has not happened for some seconds. Nimbus may still go back from it afterwards, as long as it is on trial
// (gearstorm.change.patience.secs). AwaitVersion fails when Nimbus has gone back to the version before (ErrWentBack), when somebody else has
// changed or killed the topology since, after Options.Wait (ErrUndecided), and when ctx ends.
func AwaitVersion(ctx context.Context, name string, version int64, o Options) error {
	failed := func(err error) error {
		return fmt.Errorf("wait for version %d of %s: %w", version, name, err)
	}
	c, err := connect(o.Nimbus)
	if err != nil {
		return failed(err)
	}
	defer c.Close()
	began, wait := time.Now(), o.Wait
	if wait <= 0 {
		wait = usualWait(ctx, c, name)
	}
	waiting, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("%w after %v", ErrUndecided, wait))
	defer cancel()
	for last := (sighting{name: name}); ; {
		over, err := last.look(waiting, c, version)
		if over {
			if err != nil {
				err = failed(err)
			}
			return err
		}
		if pause.For(waiting, pause.Growing(time.Since(began), versionSoon, versionEvery)) != nil {
			return failed(fmt.Errorf("%w: %s", context.Cause(waiting), last))
		}
	}
}

// usualWait is longer than Nimbus takes to go back from a version that does not run: patience twice, once for its tasks to start and once for
// those to take up their state.
func usualWait(ctx context.Context, c *client.Client, name string) time.Duration {
	const keyPatience = "gearstorm.change.patience.secs"
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	t, err := c.Nimbus().GetTopologySummaryByName(ctx, name)
	if err != nil {
		return versionWait
	}
	text, err := c.Nimbus().GetTopologyConf(ctx, t.ID)
	if err != nil {
		return versionWait
	}
	parsed, err := conf.ParseJSON([]byte(text))
	if err != nil {
		return versionWait
	}
	patience, err := parsed.SecsOr(keyPatience, 0)
	if err != nil {
		return versionWait
	}
	return max(versionWait, 2*patience)
}

// sighting is what was heard last of a version that is waited for.
type sighting struct {
	name    string
	version *stormrpc.TopologyVersion // nil: nothing so far
	silent  error                     // why Nimbus does not answer, nil: it does
}

// look asks for the version, and says whether the wait is over.
func (s *sighting) look(ctx context.Context, c *client.Client, version int64) (over bool, err error) {
	all, err := c.Gearstorm().GetTopologyVersions(ctx, s.name)
	switch {
	case ctx.Err() != nil:
		return false, nil
	case client.KindOf(err) == client.NotAlive:
		return true, errors.New("the topology has been killed meanwhile")
	case err != nil && !client.Retryable(err):
		return true, err
	}
	if s.silent = err; err != nil || len(all) == 0 {
		return false, nil
	}
	s.version = all[len(all)-1]
	switch last := s.version; {
	case last.Version == version:
		return !last.GetStarting(), nil
	case last.GetNote() != "":
		return true, fmt.Errorf("%w as version %d: %s", ErrWentBack, last.Version, last.GetNote())
	}
	return true, fmt.Errorf("version %d runs by now", s.version.Version)
}

// String says how things are and what can be done.
func (s sighting) String() string {
	const how = "`gearstorm info %[1]s` shows what is missing, `gearstorm history %[1]s` what becomes of it"
	switch {
	case s.silent != nil:
		return fmt.Sprintf("Nimbus does not answer (%s); the version is stored, workers go on, and `gearstorm history %s` says what became of it once Nimbus is back",
			client.Message(s.silent), s.name)
	case s.version == nil:
		return fmt.Sprintf("Nimbus has not answered; `gearstorm history %s` says what became of it", s.name)
	case s.version.GetOnTrial():
		return fmt.Sprintf("not all of its tasks are at work, and it is on trial still; "+how+", `gearstorm rollback %[1]s` takes it back", s.name)
	}
	return fmt.Sprintf("not all of its tasks are at work, and its trial is over, so it does not go back by itself; "+how+", `gearstorm rollback %[1]s` takes it back", s.name)
}
