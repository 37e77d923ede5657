// Package integration runs gearstorm against the real parts: Storm's own Java client, streamparse's CLI, pystorm and
// storm.js bolts, on a cluster of real processes started by `gearstorm dev` on free loopback ports.
//
// It also breaks such clusters on purpose: daemons, workers and children are killed and stopped, and the ports and the
// commands are fed nonsense. testdata/numbers is the topology that tells whether anything was lost. Every process of a
// cluster carries clusterEnv, and a test fails if one of them is left when it ends.
//
// What the tests need is put under .tools by scripts/get-storm-client.sh and scripts/get-python.sh (`make test` calls
// them). A part that is missing is skipped with the reason; with CI=true a missing part fails.
//
// Each client command that passed prints a line `compat <client> <command> ok`, which is all that `make compat` shows.
package integration
