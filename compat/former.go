package compat

import "fmt"

// What the supervisor keeps of earlier versions in a topology's directory when another one takes its place. The version of the code
// (TopologyPlan.code_version), in 20 digits, ends the names.
const (
	// FormerResources begins the names of directories, beside resources/, with what that was: tasks of this node may still work there. The number is
	// that of the last version with these files.
	FormerResources = ".former."
	// FormerCode begins the names of directories with stormcode.ser and stormconf.ser of an earlier version: a worker that was told to run
	// that one may not have read them yet.
	FormerCode = ".code."
)

// FormerName is the name of a directory with what was in a topology's directory at a version of the code. Names are in the order of versions.
func FormerName(prefix string, version int64) string { return fmt.Sprintf("%s%020d", prefix, version) }
