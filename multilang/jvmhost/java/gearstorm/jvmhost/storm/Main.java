package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Host;
import gearstorm.jvmhost.Program;
import gearstorm.jvmhost.Work;
import java.nio.file.Path;
import java.security.PrivilegedExceptionAction;
import javax.security.auth.Subject;

/** The Java process of a worker: runs the tasks of components that are written in Java. */
public final class Main implements Program {
    private final Credentials credentials;
    private final Levels levels = new Levels();
    private Worker worker;

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
            default -> throw new IllegalArgumentException("nothing is known of " + name);
        }
    }

    @Override
    public void begin(Path dir) throws Exception {
        Setup setup = Setup.read(dir.resolve("setup"));
        Filter.install(setup.conf().get(Filter.KEY));
        credentials.begin(setup.conf());
        worker = new Worker(setup, credentials);
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
