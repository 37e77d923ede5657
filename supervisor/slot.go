package supervisor

import "time"

// phase is where a slot stands. The names are Storm's (Slot.java).
type phase int

const (
	empty phase = iota
	waitingForBlobs
	waitingForWorker
	running
	kill
	killAndRelaunch
)

var phaseNames = [...]string{
	"EMPTY", "WAITING_FOR_BLOB_LOCALIZATION", "WAITING_FOR_WORKER_START", "RUNNING", "KILL", "KILL_AND_RELAUNCH",
}

func (p phase) String() string { return phaseNames[p] }

// slot is the state of one slot: a value, changed by step alone. Every instance of time in it comes from step's argument.
//
//	            plan               localized           first report
//	EMPTY ─────────────> WAITING_ ───────────> WAITING_ ───────────> RUNNING
//	  ^                  FOR_BLOB_  <──────────FOR_WORKER_               │
//	  │                  LOCALIZATION  exited   START                    │ exited: back to WAITING_FOR_BLOB_LOCALIZATION
//	  │                       ^                    │ start timeout       │ report timeout, new code
//	  │                       │                    v                     v
//	  │                       └──── exited ──── KILL_AND_RELAUNCH <──────┤
//	  └──── exited, nothing to run ──── KILL <── plan names another topology or none
//
// A failure (the blobs, the launch, the worker's death, silence) costs a pause in WAITING_FOR_BLOB_LOCALIZATION: none the
// first time, then doubling up to policy.MaxPause. A worker that ran for policy.Good, or five times as long as the pause that is
// due, makes up for all failures before it, one that ended in order already after policy.FirstWait.
//
// A worker that is silent is suspected before it is killed: see silence.go.
type slot struct {
	Phase phase
	// Want is the topology the plan gives to this slot, "" for none; Have is the one whose code is held, "" for none.
	Want, Have string
	// Worker is the process, from its launch to its end.
	Worker string
	// Attempt numbers localizations; results of older ones are ignored. Localizing says that one is in progress, CodeMissing
	// that the last one failed.
	Attempt                 int
	Localizing, CodeMissing bool
	// Failures in a row. Restarts since Have was taken up, and how the last worker ended that should not have.
	Failures, Restarts int
	LastExit           string
	// Since is when the worker was launched or adopted.
	Since time.Time
	// Silence is how long Worker may go without a report.
	Silence time.Duration
	// Quiet is for how long it has, counted up to Checked. Suspected says that this is too long, Suspicion what was found.
	Quiet     time.Duration
	Checked   time.Time
	Suspected bool
	Suspicion string
	// Renewing says that the worker is killed to start again with newer code, which is nothing wrong.
	Renewing bool
	// Deadline is when step wants a tick, zero for never.
	Deadline time.Time
}

// policy holds the times a slot goes by.
type policy struct {
	Start     time.Duration // from launch to first report (supervisor.worker.start.timeout.secs)
	FirstWait time.Duration // pause after the second failure in a row
	MaxPause  time.Duration
	Good      time.Duration // how long a worker has to run at most to make up for failures
}

// pause is how long to wait after the nth failure in a row.
func (p policy) pause(n int) time.Duration {
	if n <= 1 {
		return 0
	}
	d := p.FirstWait
	for ; n > 2 && d < p.MaxPause; n-- {
		d *= 2
	}
	return min(d, p.MaxPause)
}

// good is how long a worker has to run to make up for the failures before it, when its end would be the nth in a row: so
// long that pauses take no more than a sixth of a slot's time.
func (p policy) good(n int) time.Duration { return min(p.Good, 5*p.pause(n)) }

// What can happen to a slot.
type (
	// planned says what is to run here, "" for nothing, and why if that is not what Nimbus planned.
	planned struct{ Topology, Why string }
	// localized ends an attempt to bring the topology's code here. Silence comes with the code.
	localized struct {
		Attempt int
		Silence time.Duration
		Failure string
	}
	// reachable says that Nimbus, where code comes from, answers again.
	reachable struct{}
	// launched ends a launch.
	launched struct {
		Worker  string
		Failure string
	}
	// adopted says at the start that a worker of an earlier supervisor runs here.
	adopted struct {
		Topology, Worker string
		Silence          time.Duration
		Restarts         int
		LastExit         string
	}
	// reported is a sign of life.
	reported struct{ Worker string }
	// inspected says what a silent worker looks like from outside.
	inspected struct{ Worker, Found string }
	// renew says that there is newer code than the worker runs.
	renew struct{ Worker string }
	// exited says that the worker and all it started have ended; Clean, that it meant to.
	exited struct {
		Worker string
		How    string
		Clean  bool
	}
	// unkillable says that the worker still runs after all that was tried.
	unkillable struct {
		Worker  string
		Failure string
	}
	// tick says that Deadline has come.
	tick struct{}
)

// What step wants done.
type (
	// localize brings code here and ends in localized.
	localize struct {
		Attempt  int
		Topology string
	}
	// abandon ends the current localization, whose result does not matter any more.
	abandon struct{}
	// release gives the code of a topology up.
	release struct{ Topology string }
	// launch starts a worker and ends in launched.
	launch struct{ Topology string }
	// inspect looks at a silent worker's process and ends in inspected.
	inspect struct {
		Worker string
		Limit  time.Duration // what its silence may last
	}
	// end kills the worker, which ends in exited or unkillable.
	end struct{ Worker, Why string }
	// complain tells the topology's users and the log.
	complain struct{ Topology, Text string }
	// note tells the log alone.
	note struct{ Text string }
)
