// Package testdisk gives tests a disk that can be full.
package testdisk
