package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// wanted are the controllers that limits of workers need, in the order of messages.
var wanted = []string{"cpu", "memory", "pids"}

// host is what this machine has of control groups.
type host struct {
	// v1 are the mounts by controller.
	v1 map[string]string
	// v2 is the mount of version 2, "" without, and controllers what its root offers.
	v2          string
	controllers []string
	// own are the paths of this process: by controller, "" for version 2.
	own map[string]string
}

// readHost reads mounts and the groups of this process; root is "/" but in tests.
func readHost(root string) (host, error) {
	h := host{v1: map[string]string{}, own: map[string]string{}}
	mounts, err := readSmall(filepath.Join(root, "proc/self/mounts"))
	if err != nil {
		return h, err
	}
	s := bufio.NewScanner(strings.NewReader(mounts))
	for s.Scan() {
		h.mount(root, strings.Fields(s.Text()))
	}
	groups, err := readSmall(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return h, err
	}
	for line := range strings.Lines(groups) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		for _, c := range strings.Split(f[1], ",") {
			h.own[c] = filepath.Clean("/" + f[2])
		}
	}
	if h.v2 == "" {
		return h, nil
	}
	text, err := readSmall(filepath.Join(h.v2, "cgroup.controllers"))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	h.controllers = strings.Fields(text)
	return h, err
}

// mount takes in a line of the table of mounts: device, mount point, type, options. The first mount of each kind counts.
func (h *host) mount(root string, f []string) {
	if len(f) < 4 {
		return
	}
	point := filepath.Join(root, unescape(f[1]))
	switch f[2] {
	case "cgroup2":
		if h.v2 == "" {
			h.v2 = point
		}
	case "cgroup":
		for _, option := range strings.Split(f[3], ",") {
			if _, has := h.v1[option]; !has && slices.Contains(allV1, option) {
				h.v1[option] = point
			}
		}
	}
}

// allV1 are the controllers of version 1 that have a use here.
var allV1 = []string{"cpu", "cpuacct", "memory", "pids", "cpuset", "blkio"}

// unescape undoes the octal escapes of the mount table.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// unified says whether version 2 has more of the controllers.
func (h host) unified() bool {
	one, two := 0, 0
	for _, c := range wanted {
		if h.v1[c] != "" {
			one++
		}
		if slices.Contains(h.controllers, c) {
			two++
		}
	}
	return two > 0 && two >= one
}

// readSmall reads a file of the kernel, at most 1 MiB of it.
func readSmall(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return string(data), nil
}
