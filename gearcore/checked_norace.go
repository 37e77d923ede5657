//go:build !race

package gearcore

const checked = false
