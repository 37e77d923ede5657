package gearstorm.jvmhost;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.concurrent.ConcurrentLinkedQueue;

/** Reads what comes for a channel and cuts it into frames. How much there can be, the Go side bounds. */
final class Reader extends Thread {
    private static final int MAX_FRAME = 4 << 20;
    private static final int GRANT = 3;
    private static final int SPARES = 4;

    private final SocketChannel socket;
    private final Channel channel;
    private final ConcurrentLinkedQueue<In> frames = new ConcurrentLinkedQueue<>();
    private final ArrayDeque<In> spares = new ArrayDeque<>(); // guarded by itself
    private final ByteBuffer raw = ByteBuffer.allocateDirect(256 << 10);
    private byte[] in = new byte[256 << 10]; // what was read and is no whole frame yet
    private int have;

    Reader(SocketChannel socket, Channel channel, long id) {
        super("reader-" + id);
        this.socket = socket;
        this.channel = channel;
        setDaemon(true);
    }

    @Override
    public void run() {
        try {
            for (int n; (n = read()) >= 0; ) {
                int credit = take(n);
                channel.came(credit);
            }
        } catch (IOException e) { // the connection has ended
        } catch (RuntimeException | OutOfMemoryError e) {
            Host.die(e);
        } finally {
            channel.ended();
        }
    }

    private int read() throws IOException {
        raw.clear();
        return socket.read(raw);
    }

    /** The next frame, null if none has come; back gives it back. */
    In poll() {
        return frames.poll();
    }

    boolean isEmpty() {
        return frames.isEmpty();
    }

    void back(In f) {
        synchronized (spares) {
            if (spares.size() < SPARES) {
                spares.push(f);
            }
        }
    }

    private In spare() {
        synchronized (spares) {
            return spares.isEmpty() ? new In() : spares.pop();
        }
    }

    /** Queues the frames that are whole with the n bytes that were read, and returns the credit that came. */
    private int take(int n) {
        raw.flip();
        if (in.length - have < n) {
            in = Arrays.copyOf(in, have + n);
        }
        raw.get(in, have, n);
        have += n;
        int at = 0, credit = 0;
        while (have - at >= 4) {
            int len = in[at] & 0xFF | (in[at + 1] & 0xFF) << 8 | (in[at + 2] & 0xFF) << 16 | (in[at + 3] & 0xFF) << 24;
            if (len <= 0 || len > MAX_FRAME) {
                throw new IllegalStateException("frame of " + len + " bytes");
            }
            if (have - at - 4 < len) {
                break;
            }
            In f = spare();
            f.set(in, at + 4, len);
            if (in[at + 4] == GRANT) {
                f.u8();
                credit += (int) f.uvarint();
                back(f);
            } else {
                frames.add(f);
            }
            at += 4 + len;
        }
        System.arraycopy(in, at, in, 0, have - at);
        have -= at;
        return credit;
    }
}
