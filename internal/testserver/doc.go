// Package testserver is what fixtures of real servers share: where their jars are, free ports, processes that can be killed and started
// again, and that the kernel ends with this process, however that ends (on Linux).
package testserver
