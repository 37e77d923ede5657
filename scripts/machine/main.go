// Command machine runs test binaries in an emulated machine with a kernel of its own, for what the kernel at hand does not
// have: `machine -kernel vmlinuz a.test b.test`. The machine's first process is this program again; it mounts what tests
// need (control groups of version 2), runs the binaries, and switches the machine off. Their output is copied to standard
// output; the exit status is 0 if all of them passed.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// passed is the last line of a machine in which every binary passed.
const passed = "machine: all passed"

func main() {
	if os.Getpid() == 1 {
		boot()
		return
	}
	kernel := flag.String("kernel", "", "the kernel's `file`")
	limit := flag.Duration("timeout", 4*time.Minute, "how long the machine may run")
	flag.Parse()
	if err := run(*kernel, flag.Args(), *limit); err != nil {
		fmt.Fprintln(os.Stderr, "machine:", err)
		os.Exit(1)
	}
}

func run(kernel string, binaries []string, limit time.Duration) error {
	dir, err := os.MkdirTemp("", "gearstorm-machine-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	image := filepath.Join(dir, "initramfs")
	if err := pack(image, binaries); err != nil {
		return fmt.Errorf("make file system of the machine: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c := exec.CommandContext(ctx, "qemu-system-x86_64", "-kernel", kernel, "-initrd", image, "-m", "768", "-smp", "2", "-accel", "tcg,thread=multi",
		"-cpu", "max", "-nographic", "-no-reboot", "-monitor", "none", "-nic", "none", "-append", "console=ttyS0 quiet panic=-1 cgroup_no_v1=all rdinit=/init")
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		return fmt.Errorf("start machine: %w", err)
	}
	ok := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := strings.TrimRight(lines.Text(), "\r")
		fmt.Println(line)
		ok = ok || line == passed
	}
	err = c.Wait()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("the machine ran for over %v", limit)
	case err != nil:
		return err
	case !ok:
		return errors.New("tests failed")
	}
	return nil
}

// pack writes the file system that the kernel unpacks at its start: this program as /init, the binaries in /tests, and the
// users that tests look up.
func pack(path string, binaries []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		return err
	}
	a := archive{w: z}
	for _, d := range []string{"proc", "sys", "dev", "tmp", "etc", "tests"} {
		a.add(d, 0o040755, nil)
	}
	a.add("etc/passwd", 0o100644, []byte("root:x:0:0::/:/\nnobody:x:65534:65534::/:/\n"))
	a.add("etc/group", 0o100644, []byte("root:x:0:\nnogroup:x:65534:\n"))
	for name, from := range programs(self, binaries) {
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		a.add(name, 0o100755, data)
	}
	a.add("TRAILER!!!", 0, nil)
	return errors.Join(a.err, z.Close())
}

func programs(self string, binaries []string) map[string]string {
	all := map[string]string{"init": self}
	for _, b := range binaries {
		all["tests/"+filepath.Base(b)] = b
	}
	return all
}

// archive writes the "newc" format of cpio.
type archive struct {
	w   io.Writer
	err error
	n   int
}

func (a *archive) add(name string, mode int, data []byte) {
	a.n++
	links := 1
	var b bytes.Buffer
	b.WriteString("070701")
	for _, v := range []int{a.n, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0} {
		fmt.Fprintf(&b, "%08X", v)
	}
	b.WriteString(name + "\x00")
	b.Write(make([]byte, (4-b.Len()%4)%4))
	b.Write(data)
	b.Write(make([]byte, (4-len(data)%4)%4))
	if a.err == nil {
		_, a.err = a.w.Write(b.Bytes())
	}
}
