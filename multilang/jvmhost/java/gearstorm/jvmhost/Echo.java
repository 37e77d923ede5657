package gearstorm.jvmhost;

import java.util.Arrays;

/** Emits every tuple again on every output, anchored, and acks it. Where it knows the tasks it groups by all fields. */
public final class Echo implements Bolt {
    private Channel channel;
    private int[][][] choices; // by output and position of the task, each an array of that task

    public static void main(String[] args) throws Exception {
        Host.run(() -> Bolt.work(new Echo()));
    }

    @Override
    public void prepare(Channel channel) {
        this.channel = channel;
        choices = new int[channel.outputs().length][][];
        for (int i = 0; i < choices.length; i++) {
            choices[i] = Arrays.stream(channel.outputs()[i].tasks).mapToObj(t -> new int[] {t}).toArray(int[][]::new);
        }
    }

    @Override
    public void execute(Tuple tuple) throws Exception {
        for (int i = 0; i < choices.length; i++) {
            channel.emit(i, route(choices[i], tuple), tuple.values, tuple);
        }
        channel.ack(tuple);
    }

    private static int[] route(int[][] tasks, Tuple tuple) {
        if (tasks.length == 0) {
            return null;
        }
        return tasks[Math.floorMod(Arrays.deepHashCode(tuple.values.toArray()), tasks.length)];
    }
}
