package gearstorm.jvmhost.storm;

import java.io.InvalidClassException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Says in a sentence what mostly is wrong, and what helps, when an object of the topology cannot be made. */
final class Why {
    private static final Pattern NEWER = Pattern.compile("^(\\S+) .*class file version (\\d+)", Pattern.DOTALL);
    private static final int FIRST_JAVA = 44; // what the version of a class file is above that of its Java

    private Why() {}

    static String of(Throwable e) {
        for (Throwable c = e; c != null; c = c.getCause()) {
            if (c instanceof Filter.Refused) {
                return c.getMessage();
            }
            if (c instanceof ClassNotFoundException || c instanceof NoClassDefFoundError && !String.valueOf(c.getMessage()).contains(" ")) {
                return "class " + String.valueOf(c.getMessage()).replace('/', '.')
                    + " is neither in the topology's jar nor in its dependencies nor in topology.classpath";
            }
            if (c instanceof UnsupportedClassVersionError) {
                return newer(String.valueOf(c.getMessage()));
            }
            if (c instanceof InvalidClassException && !(c.getCause() instanceof Filter.Refused)) {
                return c.getMessage() + "; the class on the node is another one than that of the submitted object";
            }
            if (c instanceof ExceptionInInitializerError) {
                return "a class of it cannot be initialized: " + c.getCause();
            }
        }
        return String.valueOf(e.getMessage());
    }

    private static String newer(String message) {
        String worker = System.getProperty("java.version") + " (" + System.getProperty("java.home") + ")";
        Matcher m = NEWER.matcher(message);
        if (!m.find()) {
            return message + "; the worker's Java is " + worker;
        }
        int version = Integer.parseInt(m.group(2));
        return "class " + m.group(1).replace('/', '.') + " was compiled for Java " + (version - FIRST_JAVA) + " (class file version " + version
            + "), and the worker's Java is " + worker + ": compile it with --release " + Runtime.version().feature()
            + " or less, or let JAVA_HOME of the nodes' supervisors name a newer Java";
    }
}
