#!/usr/bin/env bash
# Puts a Kafka broker (jars only) under .tools/kafka, for tests against the real one; see get-server.sh.
exec "$(dirname "$0")/get-server.sh" kafka Kafka
