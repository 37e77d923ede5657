package gearstorm.jvmhost.storm;

import java.io.ObjectInputFilter;
import java.util.Set;

/**
 * What may be in a stream of Java serialization that this process reads: classes of the topology, of Storm and of what both
 * bring along, the plain ones of the JDK, and no more of anything than bounds allow. Patterns of the conf decide before that. What is
 * refused is an exception that names it: the JDK alone would say nothing but "REJECTED".
 */
final class Filter implements ObjectInputFilter {
    static final String KEY = "gearstorm.java.serial.filter";

    private static final int MAX_DEPTH = 1_000;
    private static final long MAX_REFERENCES = 20_000_000;
    private static final long MAX_ARRAY = 1 << 27;

    private static final Set<String> PACKAGES = Set.of(
        "java.lang", "java.lang.invoke", "java.math", "java.net", "java.nio.charset", "java.sql", "java.text", "java.time",
        "java.time.chrono", "java.time.format", "java.time.temporal", "java.time.zone", "java.util", "java.util.concurrent",
        "java.util.concurrent.atomic", "java.util.concurrent.locks", "java.util.function", "java.util.logging", "java.util.regex", "java.io",
        "javax.security.auth", "javax.security.auth.kerberos", "javax.security.auth.x500"); // the last ones: tickets among credentials

    private final ObjectInputFilter own; // of the conf; may be null

    private Filter(ObjectInputFilter own) {
        this.own = own;
    }

    /**
     * Puts the filter in force for all streams of the process, unless an option of the JVM has set one. Patterns are those of
     * jdk.serialFilter; null or empty: none.
     */
    static void install(Object patterns) {
        if (ObjectInputFilter.Config.getSerialFilter() != null) {
            return;
        }
        ObjectInputFilter own = null;
        if (patterns instanceof String p && !p.isBlank()) {
            try {
                own = ObjectInputFilter.Config.createFilter(p);
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException(KEY + " is no list of patterns as jdk.serialFilter has: " + p, e);
            }
        }
        ObjectInputFilter.Config.setSerialFilter(new Filter(own));
    }

    /** Is thrown at what the filter refuses; the stream makes it the cause of its own exception. */
    static final class Refused extends RuntimeException {
        private static final long serialVersionUID = 1;

        Refused(String message) {
            super(message);
        }
    }

    @Override
    public Status checkInput(FilterInfo info) {
        if (own != null) {
            Status s = own.checkInput(info);
            if (s == Status.REJECTED) {
                throw new Refused(what(info) + " is refused by " + KEY);
            }
            if (s == Status.ALLOWED) {
                return s;
            }
        }
        if (info.depth() > MAX_DEPTH || info.references() > MAX_REFERENCES || info.arrayLength() > MAX_ARRAY) {
            throw new Refused(what(info) + " is more than the deserialization filter allows (depth " + info.depth() + " of " + MAX_DEPTH + ", "
                + info.references() + " of " + MAX_REFERENCES + " references, array of " + info.arrayLength() + " of " + MAX_ARRAY
                + "); " + KEY + " may allow it");
        }
        Class<?> c = info.serialClass();
        if (c == null) {
            return Status.UNDECIDED;
        }
        while (c.isArray()) {
            c = c.getComponentType();
        }
        if (!allowed(c)) {
            throw new Refused("class " + c.getName() + " is refused by the deserialization filter: it belongs neither to the topology nor to Storm"
                + " nor to the plain classes of Java; if the topology needs it, name it in " + KEY + " (\"" + c.getName() + "\")");
        }
        return Status.ALLOWED;
    }

    private static boolean allowed(Class<?> c) {
        if (c.isPrimitive()) {
            return true;
        }
        if (c.getClassLoader() != null && c.getClassLoader() != ClassLoader.getPlatformClassLoader()) {
            return true; // from the class path
        }
        return PACKAGES.contains(c.getPackageName());
    }

    private static String what(FilterInfo info) {
        return info.serialClass() == null ? "a stream" : "class " + info.serialClass().getName();
    }
}
