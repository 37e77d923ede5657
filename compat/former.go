package compat

// FormerResources begins the names of directories, beside a topology's resources/, into which the supervisor moves those of earlier versions
// that tasks of this node may still work in.
const FormerResources = ".former."
