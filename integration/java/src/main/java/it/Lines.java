package it;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;

/** Appends lines to files in the folder that the conf's it.dir names: what tests read. */
final class Lines {
    private Lines() {}

    static void append(Map<String, Object> conf, String file, String line) {
        Path path = Path.of((String) conf.get("it.dir"), file);
        synchronized (Lines.class) {
            try {
                Files.write(path, (line + "\n").getBytes(StandardCharsets.UTF_8), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
