// Package testserver is what fixtures of real servers in a JVM share: where their jars are, free ports, and children that the kernel
// ends with this process, however that ends (on Linux).
package testserver
