// Package clustersim holds tests that run whole clusters inside one process under virtual time.
package clustersim
