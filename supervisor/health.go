package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

const (
	// healthInterval is how often the health checks run (Supervisor.java: every 30 s).
	healthInterval = 30 * time.Second
	// maxHealthOutput bounds what is looked at of what a check writes, maxHealthLine what is told of it.
	maxHealthOutput = 64 << 10
	maxHealthLine   = 200
)

// watchHealth runs the health checks now and every healthInterval. While one fails the node is unfit: its workers end and it
// offers no slots.
func (s *Supervisor) watchHealth(ctx context.Context) {
	for was := ""; ; {
		why := s.checkHealth(ctx)
		if ctx.Err() != nil {
			return
		}
		switch {
		case why != "" && was == "":
			s.cfg.Log.Error("node is unhealthy, its workers end until it is healthy again", "err", why)
		case why == "" && was != "":
			s.cfg.Log.Info("node is healthy again")
		}
		s.plans.setUnfit(why)
		was = why
		select {
		case <-time.After(s.cfg.HealthInterval):
		case <-ctx.Done():
			return
		}
	}
}

// checkHealth runs the scripts in order and says what the first bad one found, "" if all is well.
func (s *Supervisor) checkHealth(ctx context.Context) string {
	if s.cfg.HealthDir == "" {
		return ""
	}
	scripts, refused := healthScripts(s.cfg.HealthDir)
	if text := fmt.Sprint(refused); refused != nil && text != s.healthRefused {
		s.healthRefused = text
		s.cfg.Log.Warn("health checks are not run", "err", refused)
	}
	for _, script := range scripts {
		if why := s.runCheck(ctx, script); why != "" || ctx.Err() != nil {
			return why
		}
	}
	return ""
}

// healthScripts lists the files that are run: regular, executable, and nobody's to change but root's, this user's and its group's. No
// directory means no checks. The error names what lies there and is not run.
func healthScripts(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("storm.health.check.dir: %w", err)
	}
	if err := trusted(dir); err != nil {
		return nil, fmt.Errorf("storm.health.check.dir: %w", err)
	}
	var scripts []string
	var refused []error
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := e.Info()
		switch {
		case err != nil:
			refused = append(refused, err)
		case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
			// not meant to be run
		default:
			if err := trusted(path); err != nil {
				refused = append(refused, err)
				continue
			}
			scripts = append(scripts, path)
		}
	}
	return scripts, errors.Join(refused...)
}

// trusted tells whether only root, this user and this process's group can have written a file or directory.
func trusted(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs neither to root nor to this user", path)
	case info.Mode().Perm()&0o002 != 0:
		return fmt.Errorf("%s can be written by everybody", path)
	case info.Mode().Perm()&0o020 != 0 && int(st.Gid) != os.Getegid():
		return fmt.Errorf("%s can be written by group %d, which is not this process's: run chmod g-w %s", path, st.Gid, path)
	}
	return nil
}

// runCheck runs one script and gives what is wrong: it did not end in time, ended with an exit code, or wrote a line that
// begins with ERROR (HealthChecker.java).
func (s *Supervisor) runCheck(ctx context.Context, script string) string {
	name := filepath.Base(script)
	timed, cancel := context.WithTimeout(ctx, s.cfg.HealthTimeout)
	defer cancel()
	out, err := isolate.RunScript(timed, script, maxHealthOutput)
	switch {
	case ctx.Err() != nil:
		return ""
	case timed.Err() != nil && s.cfg.HealthIgnoreTimeout:
		return ""
	case timed.Err() != nil:
		return fmt.Sprintf("health check %s did not end within %v", name, s.cfg.HealthTimeout)
	}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "ERROR") {
			return fmt.Sprintf("health check %s says: %s", name, cut(strings.TrimSpace(line), maxHealthLine))
		}
	}
	if err != nil {
		return fmt.Sprintf("health check %s: %v", name, err)
	}
	return ""
}
