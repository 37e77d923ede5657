// Package lint holds the laws of the tree: which package may import which, and what pure packages may not touch. It has
// no code of its own; `go test ./internal/lint` fails on a breach and names the file.
//
// The layers stand in docs/architecture.md. A package may import packages of lower layers and of its own layer's
// exceptions in rules.go, never of a higher one.
package lint
