// Package conf holds Storm's configuration: the keys, their defaults and rules, and how the layers of a cluster and of a
// topology come together.
//
// A configuration is a flat map from key to value. Layers replace each other key by key, never deep, and keys nobody
// knows are kept, since user code reads them in the worker; only those that start with "gearstorm." are refused. Values
// have the kinds a Java client would see, which is what a hash, a validator and the JSON that goes back to a client
// depend on:
//
//	null     nil
//	Boolean  bool
//	Integer, Long, BigInteger  int64, or *big.Int when it does not fit
//	Double   float64 (4096.0 stays 4096.0 and never becomes 4096)
//	String   string
//	List     []any
//	Map      map[string]any
//
// The key table (keys.txt) and the defaults (defaults.yaml) are facts of Storm 2.8: conf/defaults.yaml, Config.java and
// DaemonConfig.java. Keys of our own start with "gearstorm.".
//
// Everything read here is bounded: files by [MaxFileBytes], JSON by [MaxJSONBytes], both by [MaxDepth] and [MaxNodes],
// the last counted after YAML aliases were followed. The package starts no goroutine and logs nothing; what a reader
// should be told comes back as a warning.
package conf
