package compat

// Keys of a node whose workers run components written in Java.
const (
	// JavaDirKey is the folder that `gearstorm setup java` fills; default: gearstorm/java in the user's cache.
	JavaDirKey = "gearstorm.java.dir"
	// JavaLibKey is the folder of Storm's worker jars; default: lib-worker of $STORM_HOME, else what setup has fetched.
	JavaLibKey = "gearstorm.java.lib"
	// JavaFilterKey are patterns in the form of jdk.serialFilter: classes that Java may deserialize in a worker beside the
	// topology's own, Storm's and plain ones of the JDK, or ("!") may not, and bounds. Where the node sets it, the topology has no say.
	JavaFilterKey = "gearstorm.java.serial.filter"
	// ShellInJavaKey, true in the conf of a component that is a ShellBolt or ShellSpout, has that run in the JVM, as Storm runs
	// it. Nimbus sets it for subclasses whose methods do more.
	ShellInJavaKey = "gearstorm.java.shell"
)
