package conf

import (
	"errors"
	"testing"
)

func TestValidateTopology(t *testing.T) {
	for _, tc := range []struct {
		name string
		conf Conf
		want string
	}{
		{"fine", Conf{"topology.workers": int64(2), "topology.debug": true, "sudo_user": nil, "storm.workers.list": []any{"a"}}, ""},
		{"whole double is an Integer", Conf{"topology.workers": 2.0}, ""},
		{"null is fine", Conf{"topology.acker.executors": nil, "topology.tasks": nil}, ""},
		{"keys of daemons are not looked at", Conf{"ui.port": "x"}, ""},
		{"text for an Integer", Conf{"topology.workers": "2"}, "Field TOPOLOGY_WORKERS must be an Integer within type range. (topology.workers: 2)"},
		{"zero workers", Conf{"topology.workers": int64(0)}, "Field TOPOLOGY_WORKERS must be a Positive Number (topology.workers: 0)"},
		{"zero ackers", Conf{"topology.acker.executors": int64(0)}, ""},
		{"negative ackers", Conf{"topology.acker.executors": int64(-1)}, "Field TOPOLOGY_ACKER_EXECUTORS must be a Positive Number (topology.acker.executors: -1)"},
		{"over the int range", Conf{"topology.max.spout.pending": int64(1) << 40}, "Field TOPOLOGY_MAX_SPOUT_PENDING must be an Integer within type range. (topology.max.spout.pending: 1099511627776)"},
		{"text for a boolean", Conf{"topology.debug": "yes"}, "Field TOPOLOGY_DEBUG must be of type class java.lang.Boolean. Object: yes actual type: class java.lang.String (topology.debug: yes)"},
		{"number for a string", Conf{"topology.name": int64(5)}, "Field TOPOLOGY_NAME must be of type class java.lang.String. Object: 5 actual type: class java.lang.Integer (topology.name: 5)"},
		{"null where it is forbidden", Conf{"topology.message.timeout.secs": nil}, "Field TOPOLOGY_MESSAGE_TIMEOUT_SECS cannot be null! Actual value: null (topology.message.timeout.secs: null)"},
		{"accepted values", Conf{"topology.logging.sensitivity": "S9"}, "Field TOPOLOGY_LOGGING_SENSITIVITY is not an accepted value. Value: S9 Accepted values: [S0, S1, S2, S3] (topology.logging.sensitivity: S9)"},
		{"list of strings", Conf{"topology.kryo.decorators": []any{"a", int64(1)}}, "Each element of the list TOPOLOGY_KRYO_DECORATORS must be a java.lang.String. (1) (topology.kryo.decorators: [a, 1])"},
		{"no list", Conf{"topology.kryo.decorators": "a"}, "Field TOPOLOGY_KRYO_DECORATORS must be an Iterable but was a class java.lang.String (topology.kryo.decorators: a)"},
		{"string or strings", Conf{"topology.users": "a", "topology.groups": []any{"g"}}, ""},
		{"map of strings", Conf{"topology.environment": map[string]any{"A": int64(1)}}, "Each value in the map TOPOLOGY_ENVIRONMENT must be a java.lang.String. (1) (topology.environment: {A=1})"},
		{"no map", Conf{"topology.environment": "A=1"}, "Field TOPOLOGY_ENVIRONMENT must be a Map (topology.environment: A=1)"},
		{"kryo", Conf{"topology.kryo.register": []any{"a", map[string]any{"b": "c"}}}, ""},
		{"kryo no list", Conf{"topology.kryo.register": map[string]any{}}, "Field TOPOLOGY_KRYO_REGISTER must be an Iterable containing only Strings or Maps of Strings (topology.kryo.register: {})"},
		{"kryo element", Conf{"topology.kryo.register": []any{int64(1)}}, "Each element of the list TOPOLOGY_KRYO_REGISTER must be a String or a Map of Strings (topology.kryo.register: [1])"},
		{"metrics consumer", Conf{"topology.metrics.consumer.register": []any{map[string]any{"class": "x"}}}, "Field TOPOLOGY_METRICS_CONSUMER_REGISTER list entry must have map entry with key: parallelism.hint (topology.metrics.consumer.register: [{class=x}])"},
		{"blob map", Conf{"topology.blobstore.map": map[string]any{"k": map[string]any{"localname": "x"}}}, ""},
		{"blob map value", Conf{"topology.blobstore.map": map[string]any{"k": "x"}}, "Field TOPOLOGY_BLOBSTORE_MAP must be a Map (topology.blobstore.map: {k=x})"},
		{"ras constraints old form", Conf{"topology.ras.constraints": []any{[]any{"a", "b"}}}, ""},
		{"ras constraints", Conf{"topology.ras.constraints": map[string]any{"a": map[string]any{"maxNodeCoLocationCnt": int64(1), "incompatibleComponents": []any{"b"}}}}, ""},
		{"ras constraint kind", Conf{"topology.ras.constraints": map[string]any{"a": map[string]any{"x": int64(1)}}}, `Field TOPOLOGY_RAS_CONSTRAINTS, component a, has unsupported constraintType "x", expecting one of ["maxNodeCoLocationCnt", "incompatibleComponents"] (topology.ras.constraints: {a={x=1}})`},
		{"pacemaker", Conf{"pacemaker.auth.method": "X"}, `Field PACEMAKER_AUTH_METHOD must be one of "NONE", "DIGEST", or "KERBEROS" (pacemaker.auth.method: X)`},
		{"hash mode", Conf{"gearstorm.hash.mode": "md5"}, "Field gearstorm.hash.mode is not an accepted value. Value: md5 Accepted values: [java, value] (gearstorm.hash.mode: md5)"},
		{"all at once", Conf{"topology.workers": int64(0), "topology.tasks": "x"}, "Field TOPOLOGY_TASKS must be an Integer within type range. (topology.tasks: x); Field TOPOLOGY_WORKERS must be a Positive Number (topology.workers: 0)"},
		{"secrets are not shown", Conf{"storm.zookeeper.topology.auth.payload": int64(12345)}, "Field STORM_ZOOKEEPER_TOPOLOGY_AUTH_PAYLOAD must be of type class java.lang.String (storm.zookeeper.topology.auth.payload: *****)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.conf.ValidateTopology()
			if tc.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var ie *InvalidError
			if !errors.As(err, &ie) || err.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestValidateDaemon(t *testing.T) {
	for _, tc := range []struct {
		name string
		conf Conf
		bad  bool
	}{
		{"ports", Conf{"supervisor.slots.ports": []any{int64(6700)}}, false},
		{"same port twice", Conf{"supervisor.slots.ports": []any{int64(6700), int64(6700)}}, true},
		{"port zero", Conf{"supervisor.slots.ports": []any{int64(0)}}, true},
		{"pools", Conf{"resource.aware.scheduler.user.pools": map[string]any{"u": map[string]any{"cpu": int64(1), "memory": 2.0}}}, false},
		{"pool without memory", Conf{"resource.aware.scheduler.user.pools": map[string]any{"u": map[string]any{"cpu": int64(1)}}}, true},
		{"impersonation", Conf{"nimbus.impersonation.acl": map[string]any{"u": map[string]any{"hosts": []any{}, "groups": []any{}}}}, false},
		{"impersonation without groups", Conf{"nimbus.impersonation.acl": map[string]any{"u": map[string]any{"hosts": []any{}}}}, true},
		{"isolation machines", Conf{"isolation.scheduler.machines": map[string]any{"t": "x"}}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := tc.conf.ValidateDaemon(); (err != nil) != tc.bad {
				t.Errorf("error %v, want one: %v", err, tc.bad)
			}
		})
	}
}
