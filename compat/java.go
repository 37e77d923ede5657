package compat

// Keys of a node whose workers run components written in Java.
const (
	// JavaDirKey is the folder that `gearstorm setup java` fills; default: gearstorm/java in the user's cache.
	JavaDirKey = "gearstorm.java.dir"
	// JavaLibKey is the folder of Storm's worker jars; default: lib-worker of $STORM_HOME, else what setup has fetched.
	JavaLibKey = "gearstorm.java.lib"
)
