#!/usr/bin/env bash
# Puts HDFS (jars only: name node, data node and HttpFS gateway) under .tools/hdfs, for tests against the real one; see get-server.sh.
exec "$(dirname "$0")/get-server.sh" hdfs HDFS
