// Command testsum reads `go test -json` from standard input and prints one line a package, the output of what failed,
// the name and reason of every skipped test, and last `N passed, N failed, N skipped`. It exits with 1 if anything
// failed, and with CI=true also if anything was skipped: a part that did not run proves nothing.
//
// With -broken FILE, packages whose process was ended by a failed check of the race detector in itself (golang/go#78156, which
// programs that use testing/synctest see now and then) are not failed but written to FILE, to be run again.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// event is one line of `go test -json` (go doc test2json).
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

// tally is what was seen so far.
type tally struct {
	passed, failed, skipped int
	output                  map[string][]string // by package and test
	build                   map[string][]string // by import path: compiler output
	inFail                  map[string]bool     // packages with a failed test
	rerun                   bool                // packages that the race detector broke are in broken, not failed
	broken                  []string
}

func main() {
	t := newTally()
	file := flag.String("broken", "", "`FILE` for packages that the race detector broke")
	flag.Parse()
	t.rerun = *file != ""
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 0, 1<<16), 16<<20)
	for in.Scan() {
		var e event
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			fmt.Println(in.Text())
			continue
		}
		t.add(e)
	}
	if err := in.Err(); err != nil {
		fmt.Println("testsum: read test output:", err)
		t.failed++
	}
	if t.rerun {
		if err := os.WriteFile(*file, []byte(strings.Join(t.broken, "\n")), 0o600); err != nil {
			fmt.Println("testsum:", err)
			t.failed++
		}
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
	if t.failed > 0 || t.passed == 0 || t.skipped > 0 && os.Getenv("CI") == "true" {
		os.Exit(1)
	}
}

func newTally() *tally {
	return &tally{output: map[string][]string{}, build: map[string][]string{}, inFail: map[string]bool{}}
}

func (t *tally) add(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		t.build[e.ImportPath] = append(t.build[e.ImportPath], e.Output)
	case "build-fail":
		fmt.Print("FAIL build ", e.ImportPath, "\n", strings.Join(t.build[e.ImportPath], ""))
	case "output":
		t.output[key] = append(t.output[key], e.Output)
	case "pass", "fail", "skip":
		t.end(e, key)
		delete(t.output, key)
	}
}

// brokenByDetector says whether a test of a package that has no end printed what the race detector says before it gives up.
func (t *tally) brokenByDetector(pkg string) bool {
	for key, lines := range t.output {
		if strings.HasPrefix(key, pkg+" ") && strings.Contains(strings.Join(lines, ""), "ThreadSanitizer: CHECK failed") {
			return true
		}
	}
	return false
}

// printCut prints what tests of a package had said that have no end: what a panic or a race prints is said by one of them.
func (t *tally) printCut(pkg string) {
	for _, key := range slices.Sorted(maps.Keys(t.output)) {
		if test, ok := strings.CutPrefix(key, pkg+" "); ok && test != "" {
			fmt.Printf("FAIL %s %s did not end\n%s", pkg, test, strings.Join(t.output[key], ""))
		}
	}
}

func (t *tally) end(e event, key string) {
	if e.Test == "" {
		if e.Action != "skip" { // a package without tests is no skipped test
			fmt.Printf("%-4s %s %.1fs\n", strings.ToUpper(e.Action), e.Package, e.Elapsed)
		}
		if e.Action == "fail" && !t.inFail[e.Package] {
			if t.rerun && t.brokenByDetector(e.Package) {
				fmt.Println("     the race detector broke down in it, it is run again")
				t.broken = append(t.broken, e.Package)
				return
			}
			t.failed++ // it did not build, or its process ended before its tests had
			fmt.Print(strings.Join(t.output[key], ""))
			t.printCut(e.Package)
		}
		return
	}
	switch e.Action {
	case "pass":
		t.passed++
	case "fail":
		t.failed++
		t.inFail[e.Package] = true
		fmt.Printf("FAIL %s %s\n%s", e.Package, e.Test, strings.Join(t.output[key], ""))
	case "skip":
		t.skipped++
		fmt.Printf("SKIP %s %s\n%s", e.Package, e.Test, strings.Join(t.output[key], ""))
	}
}
