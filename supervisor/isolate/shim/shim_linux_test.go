package shim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

// The test binary is also the shim, and the worker, which does what TEST_WORKER says and prints what came of it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case isolate.EntryCommand:
			os.Exit(Main(os.Args[2:]))
		case "sleep":
			time.Sleep(time.Hour)
		case "worker":
			os.Exit(testWorker(os.Getenv("TEST_WORKER")))
		}
	}
	goleak.VerifyTestMain(m)
}

func testWorker(role string) int {
	if _, err := isolate.ReadSpec(isolate.SpecFD); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	switch role {
	case "limits":
		var files, core unix.Rlimit
		unix.Getrlimit(unix.RLIMIT_NOFILE, &files)
		unix.Getrlimit(unix.RLIMIT_CORE, &core)
		fmt.Println(files.Cur, files.Max, core.Max)
	case "waits":
		for used := (unix.Rusage{}); used.Utime.Nano() < int64(50*time.Millisecond); unix.Getrusage(unix.RUSAGE_SELF, &used) {
		}
		time.Sleep(time.Hour)
	case "who":
		groups, _ := os.Getgroups()
		err := os.WriteFile("mine", nil, 0o600)
		fmt.Println(os.Getuid(), os.Geteuid(), os.Getgid(), groups, err)
		_, err = os.ReadFile(os.Getenv("TEST_CODE"))
		fmt.Println("read code:", err)
		fmt.Println("change code:", os.WriteFile(os.Getenv("TEST_CODE"), nil, 0o600) != nil)
		_, err = os.ReadFile(os.Getenv("TEST_SECRET"))
		fmt.Println("read secret:", err != nil)
	case "calls":
		tryCalls()
	case "files":
		for _, path := range strings.Split(os.Getenv("TEST_FILES"), ":") {
			_, err := os.ReadFile(path)
			fmt.Println("read", path, err == nil)
		}
		for _, dir := range strings.Split(os.Getenv("TEST_DIRS"), ":") {
			err := os.WriteFile(filepath.Join(dir, "made"), nil, 0o600)
			fmt.Println("write", dir, err == nil)
		}
		os.Mkdir("sub", 0o700)
		os.WriteFile("a", nil, 0o600)
		fmt.Println("move", os.Rename("a", "sub/a"))
	case "program":
		c := exec.Command("sh", "-c", os.Getenv("TEST_PROGRAM"))
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		if err := c.Run(); err != nil {
			fmt.Println(err)
			return 1
		}
	case "environment":
		fmt.Println(os.Getenv("TEST_VALUE"), os.Getenv(isolate.EnvWorker))
		fmt.Println(strings.Join(descriptors(), " "))
	}
	return 0
}

// descriptors lists what the descriptors of this process are, the runtime's own left out.
func descriptors() []string {
	var all []string
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, e := range fds {
		to, _ := os.Readlink("/proc/self/fd/" + e.Name())
		if strings.Contains(to, "memfd") || strings.HasPrefix(to, "pipe:") {
			all = append(all, to)
		}
	}
	return all
}

// tryCalls prints what is refused.
func tryCalls() {
	parent, _ := strconv.Atoi(os.Getenv("TEST_PARENT"))
	say := func(name string, err error) {
		fmt.Println(name, errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES))
	}
	say("mount", unix.Mount("none", "/mnt", "tmpfs", 0, ""))
	say("ptrace", unix.PtraceAttach(parent))
	_, err := unix.Open(fmt.Sprintf("/proc/%d/mem", parent), unix.O_RDONLY, 0)
	say("memory of the supervisor", err)
	say("signal", unix.Kill(parent, 0))
	say("clock", unix.Settimeofday(&unix.Timeval{Sec: 1}))
	say("host name", unix.Sethostname([]byte("x")))
	nnp, _ := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	fmt.Println("no new privileges", nnp == 1)
	// What workers need stays: own children, threads, sockets with and without a name, shared memory.
	c := exec.Command(os.Args[0], "sleep")
	err = c.Start()
	if err == nil {
		err = c.Process.Kill()
		c.Wait()
	}
	fmt.Println("child", err)
	l, err := net.Listen("unix", "@gearstorm-test-"+os.Getenv(isolate.EnvWorker))
	fmt.Println("socket", err)
	l.Close()
	_, err = net.Dial("unix", os.Getenv("TEST_SOCKET"))
	fmt.Println("socket of another process", err)
	_, err = unix.MemfdCreate("x", 0)
	fmt.Println("memory file", err)
	os.Mkdir("sub", 0o700)
	os.WriteFile("a", nil, 0o600)
	fmt.Println("move", os.Rename("a", "sub/a"))
	fmt.Println("temporary file", os.WriteFile(filepath.Join(os.TempDir(), "gearstorm-test-"+os.Getenv(isolate.EnvWorker)), nil, 0o600))
	os.Remove(filepath.Join(os.TempDir(), "gearstorm-test-"+os.Getenv(isolate.EnvWorker)))
}

func launchIn(dir, role string) isolate.Launch {
	return isolate.Launch{
		Spec: isolate.WorkerSpec{
			Topology: "t-1-1", Worker: filepath.Base(dir), Node: "n", Hostname: "localhost", Port: 6700, Supervisor: "localhost:1",
			CodeDir: filepath.Join(dir, "dist", "t-1-1"), WorkerDir: filepath.Join(dir, "workers", "w"), PidDir: filepath.Join(dir, "workers", "w", "pids"),
			LogPath: filepath.Join(dir, "logs", "t-1-1", "6700", "worker.log"), Plan: []byte("p"),
		},
		Binary: os.Args[0], Env: []string{"TEST_WORKER=" + role}, By: isolate.Rlimit{},
		Shim: isolate.Self(),
	}
}

func workDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), fmt.Sprintf("w-%d-", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// output runs a worker to its end and gives what it wrote.
func output(t *testing.T, l isolate.Launch) string {
	t.Helper()
	p, err := l.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	select {
	case <-p.Done():
	case <-time.After(time.Minute):
		p.Kill(context.Background(), 0)
		t.Fatal("worker did not end in a minute")
	}
	out, err := os.ReadFile(l.Spec.LogPath + ".out")
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(l.Spec.LogPath + ".err"); len(text) > 0 || p.Exit() != (isolate.Exit{Known: true}) {
		t.Errorf("%v, standard output:\n%s\nstandard error:\n%s", p.Exit(), out, text)
	}
	return string(out)
}

func TestLimitsOfAProcess(t *testing.T) {
	l := launchIn(workDir(t), "limits")
	l.Limits.NoFile = 64
	if got := output(t, l); got != "64 64 0\n" {
		t.Errorf("limits %q", got)
	}
}

func TestNothingButTheWorkersOwnIsInherited(t *testing.T) {
	l := launchIn(workDir(t), "environment")
	l.Env = append(l.Env, "TEST_VALUE=first", "TEST_VALUE=last", "LD_PRELOAD=")
	got := output(t, l)
	want := "last " + l.Spec.Worker + "\n"
	if !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q first", got, want)
	}
	// Whoever runs the tests may leave descriptors open for everybody.
	mine := descriptors()
	for _, d := range strings.Fields(strings.TrimPrefix(got, want)) {
		if !slices.Contains(mine, d) {
			t.Errorf("descriptor %s", d)
		}
	}
}

func TestWhatCannotBeEnteredIsToldAtTheLaunch(t *testing.T) {
	for name, set := range map[string]func(*isolate.Launch){
		"no such program": func(l *isolate.Launch) { l.Binary = "/none/such" },
		"no such profile": func(l *isolate.Launch) { l.Sandbox.Profile = "odd" },
	} {
		l := launchIn(workDir(t), "limits")
		set(&l)
		p, err := l.Start()
		if err == nil {
			p.Kill(context.Background(), 0)
			p.Release()
			t.Errorf("%s: the worker started", name)
			continue
		}
		if !strings.Contains(err.Error(), "/none/such") && !strings.Contains(err.Error(), "odd") {
			t.Errorf("%s: %v", name, err)
		}
	}
	l := launchIn(workDir(t), "limits")
	l.Shim, l.Sandbox.Profile = nil, isolate.SandboxDefault
	if _, err := l.Start(); err == nil {
		t.Error("a sandbox without a shim passes")
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: needs root")
	}
}

// openUp lets other users through to a directory of a test.
func openUp(t *testing.T, dir string) {
	t.Helper()
	for d := dir; strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWorkerRunsAsAnotherUser(t *testing.T) {
	needRoot(t)
	u, err := isolate.LookupUser("nobody")
	if err != nil {
		t.Fatal(err)
	}
	dir := workDir(t)
	openUp(t, dir)
	// The test binary is in a directory of root's.
	binary := filepath.Join(dir, "test")
	data, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(binary, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, profile := range []string{isolate.SandboxNone, isolate.SandboxDefault} {
		l := launchIn(dir, "who")
		l.Spec.LogPath = filepath.Join(dir, "logs", profile, "6700", "worker.log")
		code, secret := filepath.Join(l.Spec.CodeDir, "sub", "code"), filepath.Join(dir, "secret")
		for _, f := range []string{code, secret} {
			if err := os.MkdirAll(filepath.Dir(f), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(f, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		openUp(t, dir)
		l.Binary, l.User, l.Sandbox.Profile = binary, u, profile
		l.Env = append(l.Env, "TEST_CODE="+code, "TEST_SECRET="+secret)
		got := output(t, l)
		want := fmt.Sprintf("%d %d %d %v <nil>\nread code: <nil>\nchange code: true\nread secret: true\n", u.UID, u.UID, u.GID, u.Groups)
		if got != want {
			t.Errorf("%s: got %q, want %q", profile, got, want)
		}
		st, err := os.Stat(filepath.Join(l.Spec.WorkerDir, "mine"))
		if err != nil || st.Sys().(*syscall.Stat_t).Uid != uint32(u.UID) {
			t.Errorf("its file: %v", err)
		}
		for _, root := range []string{filepath.Dir(l.Spec.WorkerDir), filepath.Dir(filepath.Dir(l.Spec.LogPath)), l.Spec.CodeDir} {
			if st, err := os.Stat(root); err != nil || st.Sys().(*syscall.Stat_t).Uid != 0 || st.Mode().Perm()&0o022 != 0 {
				t.Errorf("%s: %v, %v", root, st.Mode(), err)
			}
		}
	}
}

func TestDirectoriesAreGivenWithoutFollowingLinks(t *testing.T) {
	needRoot(t)
	u, err := isolate.LookupUser("nobody")
	if err != nil {
		t.Fatal(err)
	}
	dir := workDir(t)
	l := launchIn(dir, "who")
	l.User = u
	victim := filepath.Join(dir, "victim")
	for _, d := range []string{victim, filepath.Dir(l.Spec.WorkerDir), l.Spec.CodeDir} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(victim, l.Spec.WorkerDir); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Start(); err == nil || !strings.Contains(err.Error(), "no directory") {
		t.Errorf("got %v", err)
	}
	if st, err := os.Stat(victim); err != nil || st.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("given away: %v", err)
	}
}

func TestUsersThatAreRefused(t *testing.T) {
	for name, want := range map[string]string{"": "no owner", "gearstorm-no-such-user": `"gearstorm-no-such-user"`, "root": "is root"} {
		if _, err := isolate.LookupUser(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := become(isolate.User{Name: "root"}); err == nil {
		t.Error("the shim becomes root")
	}
}

func TestSandboxRefusesAdministration(t *testing.T) {
	sock, err := net.Listen("unix", fmt.Sprintf("@gearstorm-test-%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	for profile, refused := range map[string]bool{isolate.SandboxDefault: true, isolate.SandboxStrict: true} {
		l := launchIn(workDir(t), "calls")
		l.Sandbox = isolate.Sandbox{Profile: profile, Read: []string{"/usr", "/bin", "/lib", "/lib64", "/etc", "/proc", "/dev", os.Args[0]}, Write: []string{"/tmp", l.Spec.WorkerDir, "/dev/null"}}
		l.Env = append(l.Env, fmt.Sprintf("TEST_PARENT=%d", os.Getpid()), "TEST_SOCKET="+sock.Addr().String())
		got := output(t, l)
		for _, name := range []string{"mount", "ptrace", "memory of the supervisor", "signal", "clock", "host name", "no new privileges"} {
			if v := LandlockVersion(); v < 6 && (name == "signal" || name == "memory of the supervisor" && profile == isolate.SandboxDefault) {
				t.Logf("NOT TESTED: %s: landlock has version %d, 6 is needed", name, v)
				continue
			}
			if want := fmt.Sprintln(name, refused); !strings.Contains(got, want) {
				t.Errorf("%s: no line %q in\n%s", profile, want, got)
			}
		}
		for _, name := range []string{"child", "socket", "socket of another process", "memory file", "move", "temporary file"} {
			if want := fmt.Sprintln(name, nil); !strings.Contains(got, want) {
				t.Errorf("%s: no line %q in\n%s", profile, want, got)
			}
		}
	}
}

func TestStrictSandboxHasNoOtherFiles(t *testing.T) {
	if v := LandlockVersion(); v < strictVersion {
		t.Skipf("SKIPPED, NOT TESTED: landlock has version %d", v)
	}
	dir := workDir(t)
	l := launchIn(dir, "files")
	open, closed := filepath.Join(dir, "open"), filepath.Join(dir, "closed")
	for _, d := range []string{open, closed} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d, "file"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l.Sandbox = isolate.Sandbox{Profile: isolate.SandboxStrict, Read: []string{"/usr", "/lib", "/lib64", "/proc", os.Args[0], open, "/none"}, Write: []string{l.Spec.WorkerDir}}
	l.Env = append(l.Env, "TEST_FILES="+open+"/file:"+closed+"/file", "TEST_DIRS="+open+":"+closed+":"+l.Spec.WorkerDir)
	want := fmt.Sprintf("read %s/file true\nread %s/file false\nwrite %s false\nwrite %s false\nwrite %s true\nmove <nil>\n", open, closed, open, closed, l.Spec.WorkerDir)
	if got := output(t, l); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// Programs of other languages start, make threads and temporary files, and talk.
func TestProgramsRunInTheDefaultSandbox(t *testing.T) {
	for name, program := range map[string]string{
		"python3": `python3 -c 'import threading,tempfile,socket,subprocess,multiprocessing
f=tempfile.NamedTemporaryFile(); f.write(b"x")
t=threading.Thread(target=print,args=("thread",)); t.start(); t.join()
socket.socketpair(); print(subprocess.check_output(["echo","child"]).decode(),end=""); print(multiprocessing.Lock() and "done")'`,
		"node": `node -e 'const fs=require("fs"),os=require("os"),c=require("child_process");
new (require("worker_threads").Worker)("1",{eval:true}).on("exit",()=>{console.log("thread"); console.log(c.execSync("echo child").toString().trim());
fs.rmSync(fs.mkdtempSync(os.tmpdir()+"/x"),{recursive:true}); console.log("done")})'`,
		"java": `java -XX:+UseSerialGC -version 2>&1 | grep -c . >/dev/null && echo thread && echo child && echo done`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				t.Skipf("SKIPPED, NOT TESTED: %v", err)
			}
			l := launchIn(workDir(t), "program")
			l.Sandbox.Profile = isolate.SandboxDefault
			l.Env = append(l.Env, "TEST_PROGRAM="+program)
			if got := output(t, l); !slices.Equal(strings.Fields(got), []string{"thread", "child", "done"}) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestUsageWithoutAGroup(t *testing.T) {
	l := launchIn(workDir(t), "waits")
	p, err := l.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	defer p.Kill(context.Background(), 0)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		u := p.Usage()
		if u.MemoryBytes > 1<<20 && u.Pids > 1 && u.CPUUser+u.CPUSystem > 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("usage %+v", u)
		}
	}
}
