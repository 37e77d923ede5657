package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/doctor"
)

// confOptions are the -c options again, for a program.
func confOptions(c *cli.Context) []string {
	var out []string
	for _, s := range c.StringSlice("c") {
		out = append(out, "-c", s)
	}
	return out
}

// forProgram keeps arguments that begin with "-" from being taken for options.
func forProgram(args []string) []string {
	if len(args) == 0 {
		return nil
	}
	return append([]string{"--"}, args...)
}

const (
	describeTime  = time.Minute
	describeBytes = 64 << 20
)

// examineProgram asks a program written with gearstorm what it would submit.
func examineProgram(ctx context.Context, name string, f *os.File, args []string) (*doctor.Report, error) {
	info, err := buildinfo.Read(f)
	if err != nil || !builtWithGearstorm(info) {
		return nil, fmt.Errorf("%s is a program, but not one that was written in Go with gearstorm", name)
	}
	if at := buildSetting(info, "GOOS") + "/" + buildSetting(info, "GOARCH"); at != runtime.GOOS+"/"+runtime.GOARCH {
		return nil, fmt.Errorf("%s is built for %s, and what it would submit it says only there", name, at)
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, describeTime)
	defer cancel()
	stdout, stderr := &bounded{left: describeBytes}, &bounded{left: 64 << 10}
	cmd := exec.CommandContext(ctx, path, append([]string{"describe"}, args...)...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = stdout, stderr, time.Second
	if err := cmd.Run(); err != nil {
		why := strings.TrimSpace(stderr.String())
		if strings.Contains(why, `no command "describe"`) {
			return nil, fmt.Errorf("%s was built with a gearstorm that cannot describe topologies; build it again", name)
		}
		return nil, fmt.Errorf("ask %s what it would submit: %w: %s", name, err, why)
	}
	var d gearstorm.Description
	err = json.Unmarshal(stdout.Bytes(), &d)
	if err == nil && d.Topology == nil {
		err = errors.New("there is no topology in it")
	}
	if err != nil {
		return nil, fmt.Errorf("ask %s what it would submit: read its answer: %w", name, err)
	}
	cf, err := conf.ParseJSON(d.Conf)
	if err != nil {
		return nil, fmt.Errorf("ask %s what it would submit: %w", name, err)
	}
	r := doctor.Topology(d.Name, d.Topology, cf)
	r.Of, r.What = name, "program"
	return r, nil
}

const gearstormModule = "github.com/gearstorm/gearstorm"

// builtWithGearstorm tells programs of users from others, and from gearstorm itself.
func builtWithGearstorm(info *debug.BuildInfo) bool {
	if info.Main.Path == gearstormModule || strings.HasPrefix(info.Path, gearstormModule+"/") {
		return !strings.HasPrefix(info.Path, gearstormModule+"/cmd/")
	}
	return slices.ContainsFunc(info.Deps, func(m *debug.Module) bool { return m.Path == gearstormModule })
}

func buildSetting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// bounded keeps what is written up to a limit and then fails.
type bounded struct {
	bytes.Buffer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errors.New("more output than allowed")
	}
	return b.Buffer.Write(p)
}
