// Command wordcount counts the words of many files with a topology of three languages, and proves that none got lost.
//
//	lines (Go)  ->  split (Python)  ->  count (Go, by word)  ->  top (Node, or Go)
//
//	wordcount demo                          on the gearstorm dev of this folder: with a live table and a verdict
//	wordcount demo -local                   the same in this process, without a cluster
//	wordcount demo -kill count              kills a process half way; spout, split, count or worker
//	wordcount run FILE...                   the topology alone, in this process
//	wordcount submit FILE...                the topology alone, on a cluster
//
// The last line of demo is words=N distinct=M lost=L duplicated=D build_s=B run_s=S, and its exit status is 1 if a word
// got lost.
package main

import (
	"embed"
	"os"

	"github.com/gearstorm/gearstorm"
)

//go:embed resources
var files embed.FS

// program is the topology as a program.
var program = gearstorm.Program{Name: "wordcount", Define: define, Resources: files}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "demo" {
		os.Exit(demoMain(os.Args[2:]))
	}
	gearstorm.Main(program)
}
