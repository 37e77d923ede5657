// Package freeport finds TCP ports for programs that are told theirs before they start.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports below those that the kernel gives to whoever asks for any, so that no connection or listener of somebody else takes one meanwhile.
const first, last = 12_000, 32_000

// Find returns n different ports that were free at the address a moment ago.
func Find(addr string, n int) ([]int, error) {
	var out []int
	for tries := 0; len(out) < n; tries++ {
		port := first + rand.IntN(last-first)
		l, err := net.Listen("tcp", net.JoinHostPort(addr, strconv.Itoa(port)))
		if err != nil {
			if tries > 100*n {
				return nil, fmt.Errorf("look for a free port: %w", err)
			}
			continue
		}
		defer l.Close() // all at once in the end, so that no port comes twice
		out = append(out, port)
	}
	return out, nil
}
