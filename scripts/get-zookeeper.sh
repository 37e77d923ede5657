#!/usr/bin/env bash
# Puts a ZooKeeper server (jars only) under .tools/zookeeper, for tests against the real one; see get-server.sh.
exec "$(dirname "$0")/get-server.sh" zookeeper ZooKeeper
