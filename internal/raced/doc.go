// Package raced says to tests whether the race detector watches them, which makes them some twenty times slower: what a test repeats for
// chance, rather than for goroutines that meet, need not be repeated there as often.
package raced
