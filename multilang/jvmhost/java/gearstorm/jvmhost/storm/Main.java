package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Host;
import gearstorm.jvmhost.Program;
import gearstorm.jvmhost.Work;
import java.nio.file.Path;
import java.security.PrivilegedExceptionAction;
import java.util.List;
import javax.security.auth.Subject;

/** The Java process of a worker: runs the tasks of components that are written in Java. */
public final class Main implements Program {
    private final Credentials credentials;
    private final Levels levels = new Levels();
    private Worker worker;
    private List<Integer> tasks; // of the worker, as told last; null: not told

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
            default -> throw new IllegalArgumentException("nothing is known of " + name);
        }
    }

    private void setTasks(List<Integer> ids) {
        tasks = ids;
        if (worker != null) {
            worker.setTasks(ids);
        }
    }

    @Override
    public void begin(Path dir) throws Exception {
        Setup setup = Setup.read(dir.resolve("setup"));
        Filter.install(setup.conf().get(Filter.KEY));
        credentials.begin(setup.conf());
        worker = new Worker(setup, credentials);
        if (tasks != null) {
            worker.setTasks(tasks);
        }
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
