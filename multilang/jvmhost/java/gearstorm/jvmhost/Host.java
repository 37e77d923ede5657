package gearstorm.jvmhost;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.function.Supplier;

/** The process: opens channels as its standard input says, a thread each, and ends with it, or with the first error. */
public final class Host {
    private Host() {}

    /** Runs until the end of standard input. */
    public static void run(Supplier<Bolt> bolts) throws IOException {
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        String[] first = orders.readLine().split(" ");
        byte[] token = HexFormat.of().parseHex(first[1]);
        for (String line; (line = orders.readLine()) != null; ) {
            long id = Long.parseLong(line.substring("open ".length()));
            Thread t = new Thread(() -> channel(first[0], token, id, bolts.get()), "channel-" + id);
            t.setDaemon(true);
            t.start();
        }
        Runtime.getRuntime().halt(0);
    }

    private static void channel(String path, byte[] token, long id, Bolt bolt) {
        try {
            Channel channel = Channel.open(path, token, id);
            try {
                channel.run(bolt);
            } catch (IOException e) { // the connection has ended; whether that is a loss, the Go side knows
                System.err.println("channel " + id + " ended: " + e);
            }
        } catch (Throwable e) {
            e.printStackTrace();
            System.err.flush();
            Runtime.getRuntime().halt(1);
        }
    }
}
