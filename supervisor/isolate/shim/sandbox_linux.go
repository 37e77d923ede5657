package shim

import (
	"fmt"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/landlock-lsm/go-landlock/landlock"
	lls "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

// administration is what no topology needs: changing what file systems there are, the kernel, the clock and the name of the
// machine, and looking into other processes.
var administration = []string{
	"mount", "umount2", "pivot_root", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
	"ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "setns", "open_by_handle_at",
	"bpf", "userfaultfd", "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module",
	"reboot", "swapon", "swapoff", "syslog", "acct", "quotactl", "settimeofday", "clock_settime", "sethostname", "setdomainname",
}

// rare is what few programs need: Kerberos may keep tickets in the kernel's keys, profilers count events of the processor,
// browsers make name spaces of their own.
var rare = []string{"keyctl", "add_key", "request_key", "perf_event_open", "unshare", "chroot", "io_uring_setup"}

// strictVersion is the first that lets files be moved between directories.
const strictVersion = 2

// LandlockVersion is the version of the kernel's sandbox of files, 0 if it has none.
func LandlockVersion() int {
	v, err := lls.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	return v
}

func sandbox(s isolate.Sandbox) error {
	var refused []string
	switch s.Profile {
	case "", isolate.SandboxNone:
		return nil
	case isolate.SandboxDefault:
		refused = administration
	case isolate.SandboxStrict:
		refused = append(append(refused, administration...), rare...)
	default:
		return fmt.Errorf("no sandbox is called %q", s.Profile)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up new privileges: %w", err)
	}
	if err := confine(s); err != nil {
		return fmt.Errorf("confine with landlock: %w", err)
	}
	err := seccomp.LoadFilter(seccomp.Filter{Policy: seccomp.Policy{
		DefaultAction: seccomp.ActionAllow,
		Syscalls:      []seccomp.SyscallGroup{{Names: known(refused), Action: seccomp.ActionErrno}},
	}})
	if err != nil {
		return fmt.Errorf("refuse system calls: %w", err)
	}
	return nil
}

// confine keeps signals, and tracing with all that the kernel treats like it, inside the worker. Workers of a host talk
// through abstract Unix sockets, so these stay open. A strict sandbox has files, too: in the same rule set, since one without
// files that another one is put on forbids to move files between directories.
func confine(s isolate.Sandbox) error {
	c := landlock.Config{Scoped: lls.ScopeSignal}
	if s.Profile != isolate.SandboxStrict {
		return c.BestEffort().RestrictScoped()
	}
	if v := LandlockVersion(); v < strictVersion {
		return fmt.Errorf("this kernel has version %d, gearstorm.sandbox %q needs %d (Linux 5.19)", v, isolate.SandboxStrict, strictVersion)
	}
	c.HandledAccessFS = landlock.V3.HandledAccessFS
	rules := pathRules(s.Read, landlock.ROFiles, landlock.RODirs)
	rules = append(rules, pathRules(s.Write, landlock.RWFiles, movable)...)
	return c.BestEffort().Restrict(rules...)
}

// movable lets files be moved between directories, which is refused else: libraries make a file and then move it into place.
func movable(dirs ...string) landlock.FSRule { return landlock.RWDirs(dirs...).WithRefer() }

// pathRules makes a rule for each path that exists: files and directories have different rights.
func pathRules(paths []string, file, dir func(...string) landlock.FSRule) []landlock.Rule {
	var out []landlock.Rule
	for _, p := range paths {
		var st unix.Stat_t
		if unix.Stat(p, &st) != nil {
			continue
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			out = append(out, dir(p))
		} else {
			out = append(out, file(p))
		}
	}
	return out
}

// known leaves out what this processor's kernel has never had.
func known(names []string) []string {
	var out []string
	for _, n := range names {
		p := seccomp.Policy{DefaultAction: seccomp.ActionAllow, Syscalls: []seccomp.SyscallGroup{{Names: []string{n}, Action: seccomp.ActionErrno}}}
		if _, err := p.Assemble(); err == nil {
			out = append(out, n)
		}
	}
	return out
}
