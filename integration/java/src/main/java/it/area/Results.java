package it.area;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a topology found out, in the file that the conf's area.file names. It holds a line for each result: "+" before one that
 * counts as often as it is there, "=" before a key and a value, of which the last one counts.
 */
final class Results {
    static final String FILE = "area.file";

    private Results() {}

    /** Adds a result. */
    static void add(Map<String, Object> conf, Object... words) {
        write(conf, "+" + line(words));
    }

    /** Sets the result of a key, in place of what it was. */
    static void set(Map<String, Object> conf, String key, Object value) {
        write(conf, "=" + key + "\t" + value);
    }

    private static String line(Object... words) {
        StringBuilder s = new StringBuilder();
        for (Object w : words) {
            s.append(s.length() == 0 ? "" : " ").append(w);
        }
        return s.toString();
    }

    /** One write a line: several processes may append to the file. */
    private static void write(Map<String, Object> conf, String line) {
        byte[] text = (line + "\n").getBytes(StandardCharsets.UTF_8);
        try {
            Files.write(Path.of((String) conf.get(FILE)), text, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Reads the results of a file, sorted; none if there is no file yet. */
    static List<String> read(Path file) throws IOException {
        List<String> results = new ArrayList<>();
        Map<String, String> last = new TreeMap<>();
        try {
            for (String l : Files.readAllLines(file)) {
                if (l.startsWith("+")) {
                    results.add(l.substring(1));
                } else {
                    int tab = l.indexOf('\t');
                    last.put(l.substring(1, tab), l.substring(tab + 1));
                }
            }
        } catch (NoSuchFileException e) {
            return results;
        }
        last.forEach((key, value) -> results.add(key + " = " + value));
        Collections.sort(results);
        return results;
    }
}
