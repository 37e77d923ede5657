package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/internal/seeds"
)

// TestNimbusAt goes through the ways to name a Nimbus with a dev in this folder and a storm.yaml in $STORM_CONF_DIR.
func TestNimbusAt(t *testing.T) {
	for _, c := range []struct {
		name, args, env string
		dev             int // pid of the dev of this folder
		want            []string
	}{
		{"option", "--nimbus h:1", "e:2", os.Getpid(), []string{"h:1"}},
		{"variable", "", "e:2", os.Getpid(), []string{"e:2"}},
		{"dev before storm.yaml", "", "", os.Getpid(), []string{"127.0.0.1:7001"}},
		{"dead dev", "", "", 1 << 30, []string{"yaml-a:6700", "yaml-b:6700"}},
		{"no dev", "", "", 0, []string{"yaml-a:6700", "yaml-b:6700"}},
		{"a key of a topology does not hide the dev", "-c topology.workers=2", "", os.Getpid(), []string{"127.0.0.1:7001"}},
		{"a key of nimbus does", "-c nimbus.thrift.port=9", "", os.Getpid(), []string{"yaml-a:9", "yaml-b:9"}},
		{"seeds", `-c nimbus.seeds=["s","t"]`, "", os.Getpid(), []string{"s:6700", "t:6700"}},
		{"another file", "--config other.yaml", "", os.Getpid(), []string{"other:6627"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bare(t)
			confDir := t.TempDir()
			t.Setenv("STORM_CONF_DIR", confDir)
			t.Setenv(seeds.Env, c.env)
			write(t, filepath.Join(confDir, "storm.yaml"), "nimbus.seeds: [yaml-a, yaml-b]\nnimbus.thrift.port: 6700\n")
			write(t, "other.yaml", "nimbus.seeds: [other]\n")
			if c.dev > 0 {
				write(t, filepath.Join(seeds.DevDir, "ports.json"), fmt.Sprintf(`{"nimbus":7001,"pid":%d}`, c.dev))
			}
			got, err := at(t, c.args)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func TestNimbusAtRefuses(t *testing.T) {
	bare(t)
	for _, args := range []string{"--nimbus nonsense", "--nimbus h:0", "-c nonsense"} {
		if got, err := at(t, args); !errors.As(err, new(usageError)) {
			t.Errorf("%s gave %v, %v", args, got, err)
		}
	}
}

// at is what a command with these options asks.
func at(t *testing.T, args string) (found []string, err error) {
	t.Helper()
	app := newApp(false)
	app.Commands = []*cli.Command{{Name: "ask", Action: func(c *cli.Context) error {
		cf, err := loadConf(c)
		if err == nil {
			found, err = nimbusAt(c, cf)
		}
		return err
	}}}
	err = app.RunContext(t.Context(), flagsFirst(app, append([]string{"gearstorm", "ask"}, strings.Fields(args)...)))
	return found, err
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
