package seeds

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/compat/conf"
)

func TestFind(t *testing.T) {
	mine := fmt.Sprintf(`{"nimbus":7001,"supervisor":8,"pid":%d}`, os.Getpid())
	for _, c := range []struct {
		name, at, env, ports string
		chosen               bool
		want                 []string
	}{
		{name: "told", at: "h:1", env: "e:2", ports: mine, want: []string{"h:1"}},
		{name: "variable", env: "e:2", ports: mine, want: []string{"e:2"}},
		{name: "dev of this folder", ports: mine, want: []string{"127.0.0.1:7001"}},
		{name: "configuration on purpose", ports: mine, chosen: true, want: []string{"a:6627", "[::1]:6627"}},
		{name: "configuration", want: []string{"a:6627", "[::1]:6627"}},
		{name: "dev is gone", ports: `{"nimbus":7,"pid":1073741824}`, want: []string{"a:6627", "[::1]:6627"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			t.Setenv(Env, c.env)
			if c.ports != "" {
				put(t, DevDir, c.ports)
			}
			got, err := Find(c.at, conf.Conf{"nimbus.seeds": []any{"a", "::1"}, "nimbus.thrift.port": int64(6627)}, c.chosen)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func TestFindRefusesAddresses(t *testing.T) {
	for _, at := range []string{"host", "host:", ":1", "host:0", "host:65536", "host:x", "a:1:2"} {
		if got, err := Find(at, conf.Defaults(), false); !errors.Is(err, ErrAddress) {
			t.Errorf("%q gave %v, %v", at, got, err)
		}
	}
	t.Setenv(Env, "nonsense")
	if _, err := Find("", conf.Defaults(), false); !errors.Is(err, ErrAddress) || !strings.Contains(err.Error(), Env) {
		t.Errorf("the error of a wrong variable is %v", err)
	}
}

func TestPorts(t *testing.T) {
	dir := t.TempDir()
	want := Ports{Nimbus: 7, Supervisor: 8, PID: os.Getpid()}
	remove, err := want.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := ReadPorts(dir); !ok || got != want {
		t.Errorf("read %v, %v; want %v", got, ok, want)
	}
	remove()
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%d files are left", len(left))
	}
	if _, ok := ReadPorts(dir); ok {
		t.Error("read from a file that is not there")
	}
	for _, text := range []string{`{"nimbus":7,"pid":1073741824}`, `{"nimbus":7}`, `{"nimbus":`, `{"nimbus":0,"pid":1}`,
		`{"nimbus":70000,"pid":1}`, mineWith(strings.Repeat(" ", maxPortsBytes))} {
		put(t, dir, text)
		if got, ok := ReadPorts(dir); ok {
			t.Errorf("%.40s was read as %v", text, got)
		}
	}
}

func mineWith(space string) string { return fmt.Sprintf(`{"nimbus":7,"pid":%d}%s`, os.Getpid(), space) }

func put(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, portsFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
