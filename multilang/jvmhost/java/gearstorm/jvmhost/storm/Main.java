package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Host;
import gearstorm.jvmhost.Program;
import gearstorm.jvmhost.Work;
import java.security.PrivilegedExceptionAction;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import javax.security.auth.Subject;

/** The Java process of a worker: runs the tasks of components that are written in Java. */
public final class Main implements Program {
    private static final String VERSION = "version."; // begins the names of values about versions of the topology

    private final Credentials credentials;
    private final Levels levels = new Levels();
    private final SortedMap<Long, Setup> versions = new TreeMap<>(); // told before begin
    private Worker worker; // null before begin
    private List<Integer> tasks = List.of(); // of the worker, as told last

    private Main(Subject subject) {
        credentials = new Credentials(subject);
    }

    public static void main(String[] args) throws Exception {
        Subject subject = new Subject();
        Subject.doAs(subject, (PrivilegedExceptionAction<Void>) () -> { // as Storm does: threads inherit it
            Host.run(new Main(subject));
            return null;
        });
    }

    @Override
    public void told(String name, byte[] value) {
        switch (name) {
            case "levels" -> levels.set(Setup.texts(value));
            case "credentials" -> credentials.set(Setup.texts(value));
            case "tasks" -> setTasks(Setup.ids(Host.decode(value)));
            default -> {
                if (!name.startsWith(VERSION)) {
                    throw new IllegalArgumentException("nothing is known of " + name);
                }
                setVersion(Long.parseLong(name.substring(VERSION.length())), value);
            }
        }
    }

    private void setVersion(long number, byte[] value) {
        if (value.length == 0) {
            worker.versions.forget(number);
        } else if (worker == null) {
            versions.put(number, Setup.read(value));
        } else {
            worker.add(Setup.read(value));
        }
    }

    private void setTasks(List<Integer> ids) {
        tasks = ids;
        if (worker != null) {
            worker.setTasks(ids);
        }
    }

    @Override
    public void begin() throws Exception {
        Setup newest = versions.get(versions.lastKey());
        Filter.install(newest.conf().get(Filter.KEY));
        credentials.begin(newest.conf());
        worker = new Worker(newest, credentials);
        worker.setTasks(tasks);
        versions.values().forEach(worker::add);
        versions.clear();
        worker.shareTasks();
        worker.begin();
    }

    @Override
    public Work work() {
        return new TaskWork(worker);
    }

    @Override
    public void end() {
        worker.end();
    }
}
