package gearstorm.jvmhost.storm;

import java.util.HashMap;
import java.util.Map;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.LoggerContext;
import org.apache.logging.log4j.core.config.Configuration;
import org.apache.logging.log4j.core.config.LoggerConfig;

/** The levels of loggers that users have changed while the topology runs. When they end is the Go side's to say. */
final class Levels {
    private static final String ROOT = "ROOT";

    private final Map<String, Level> before = new HashMap<>(); // what was changed; null: the logger was not configured

    /** Takes all levels that are in force, by logger. Others go back to what they were. */
    void set(Map<String, String> inForce) {
        LoggerContext context = (LoggerContext) LogManager.getContext(false);
        Configuration config = context.getConfiguration();
        Map<String, Level> wanted = new HashMap<>();
        inForce.forEach((name, level) -> wanted.put(name.equalsIgnoreCase(ROOT) ? LogManager.ROOT_LOGGER_NAME : name, Level.valueOf(level)));
        before.entrySet().removeIf(e -> {
            if (wanted.containsKey(e.getKey())) {
                return false;
            }
            if (e.getValue() == null) {
                config.removeLogger(e.getKey());
            } else {
                config.getLoggerConfig(e.getKey()).setLevel(e.getValue());
            }
            return true;
        });
        wanted.forEach((name, level) -> {
            LoggerConfig logger = config.getLoggerConfig(name);
            boolean own = logger.getName().equals(name);
            if (!before.containsKey(name)) {
                before.put(name, own ? logger.getLevel() : null);
            }
            if (own) {
                logger.setLevel(level);
            } else {
                config.addLogger(name, new LoggerConfig(name, level, true));
            }
        });
        context.updateLoggers();
    }
}
