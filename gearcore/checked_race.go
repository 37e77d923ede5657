//go:build race

package gearcore

// checked makes tuples and values look whether their batch was recycled since they were made.
const checked = true
