package main

import (
	"slices"
	"strings"
	"testing"
)

func TestFlagsMayStandAnywhere(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"storm kill wc -w 0", "storm kill -w 0 -- wc"},
		{"storm kill -w 0 wc", "storm kill -w 0 -- wc"},
		{"storm kill a b --wait-time-secs=5", "storm kill -w=5 -- a b"},
		{"storm rebalance wc -n 2 -e split=3 -e count=4", "storm rebalance -n 2 -e split=3 -e count=4 -- wc"},
		{"storm list -c nimbus.thrift.port=1", "storm -c nimbus.thrift.port=1 list"},
		{"gearstorm list --nimbus h:1 -o json", "gearstorm --nimbus h:1 list -o json"},
		{"storm rebalance wc -e a=1 --executor b=2", "storm rebalance -e a=1 -e b=2 -- wc"},
		{"storm list --storm_config_opts=a=b", "storm -c=a=b list"},
		{"storm monitor wc -storm_config_opts a=b -m x", "storm -c a=b monitor -m x -- wc"},
		{"storm blobstore set-acl k -storm_config_opts=a=b", "storm -c=a=b blobstore set-acl -- k"},
		{"storm kill wc -w5", "storm kill -w 5 -- wc"},
		{"storm rebalance wc -n2 -ea=3", "storm rebalance -n 2 -e a=3 -- wc"},
		{"gearstorm run t.yaml -- -x --y", "gearstorm run -- t.yaml -x --y"},
		{"gearstorm", "gearstorm"},
		{"gearstorm --help", "gearstorm help"},
		{"gearstorm -h", "gearstorm help"},
		{"gearstorm --version", "gearstorm version"},
		{"gearstorm list --help", "gearstorm list --help"},
		{"gearstorm nosuch -w", "gearstorm -w nosuch"},
		{"gearstorm nosuch kill", "gearstorm nosuch kill"},
		{"storm blobstore create k --file f -a o::r --nimbus h:1", "storm --nimbus h:1 blobstore create -f f -a o::r -- k"},
		{"storm blobstore -x create", "storm blobstore -x create"},
		{"storm blobstore replication --update -r 2 k", "storm blobstore replication --update -r 2 -- k"},
		{"storm blobstore nosuch k", "storm blobstore -- nosuch k"},
		{"storm jar x.jar C -e --sleep 5 a -c k=v --jars y.jar", "storm -c k=v jar --jars y.jar -- x.jar C -e --sleep 5 a"},
		{"storm jar --artifacts=g:a:1 x.jar C -- --jars", "storm jar --artifacts=g:a:1 -- x.jar C --jars"},
		{"storm jar -e x.jar C", "storm jar -e -- x.jar C"},
		{"storm local x.jar C --local-ttl 5 -n", "storm local --local-ttl 5 -- x.jar C -n"},
		{"storm shell dir cmd -i --input=x", "storm shell -- dir cmd -i --input=x"},
	} {
		app := newApp(false)
		if got := flagsFirst(app, strings.Fields(c.in)); !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s became %s, want %s", c.in, strings.Join(got, " "), c.want)
		}
	}
}
