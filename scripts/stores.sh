#!/usr/bin/env bash
# make stores: the checkpoint stores in real servers, which are killed (kill -9) in commits and under a topology that checks itself: HDFS (jars
# by Maven into .tools/hdfs) and Ceph with its S3 gateway (Debian's packages, which have to be installed). One line a result; what is missing
# fails. ONLY=hdfs or ONLY=ceph runs one of the two. The whole log is kept in .tools/stores.log.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .tools
case ${ONLY:-all} in
  hdfs) tests='^TestHDFS$' ;;
  ceph) tests='^TestCeph$' ;;
  all) tests='^Test(HDFS|Ceph)$' ;;
  *) echo "ONLY=$ONLY: want hdfs or ceph" >&2; exit 2 ;;
esac
[ "${ONLY:-}" = ceph ] || scripts/get-hdfs.sh
set +e # the status of the tests counts, not that of grep
CI=true go test -tags long -count=1 -p 1 -timeout 30m -v -run "$tests" ./gearcore/checkpoint/webhdfs ./gearcore/checkpoint/s3 ./worker 2>&1 |
  tee .tools/stores.log | grep --line-buffered '^store '
status=${PIPESTATUS[0]}
set -e
if [ "$status" != 0 ]; then
  grep -E '^ *--- FAIL|^ *[a-z0-9_]*\.go:[0-9]+' .tools/stores.log | head -20 >&2
  echo "make stores: FAILED, see .tools/stores.log" >&2
fi
exit "$status"
