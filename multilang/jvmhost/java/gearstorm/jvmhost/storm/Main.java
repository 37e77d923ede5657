package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Host;
import gearstorm.jvmhost.Program;
import gearstorm.jvmhost.Work;
import java.nio.file.Path;

/** The Java process of a worker: runs the tasks of components that are written in Java. */
public final class Main implements Program {
    private Worker worker;

    private Main() {}

    public static void main(String[] args) throws Exception {
        Host.run(new Main());
    }

    @Override
    public void begin(Path dir) throws Exception {
        worker = new Worker(Setup.read(dir.resolve("setup")));
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
