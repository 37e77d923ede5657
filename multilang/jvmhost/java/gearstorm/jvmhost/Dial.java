package gearstorm.jvmhost;

import java.io.EOFException;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;

/** How a connection to the Go side begins. */
final class Dial {
    private static final int VERSION = 5;

    private Dial() {}

    /** Connects channel id; the Go side has welcomed it. */
    static SocketChannel dial(String path, byte[] token, long id) throws IOException {
        SocketChannel s = SocketChannel.open(UnixDomainSocketAddress.of(path));
        ByteBuffer hello = ByteBuffer.allocate(14 + token.length).order(ByteOrder.LITTLE_ENDIAN);
        hello.put("GSJV".getBytes(StandardCharsets.US_ASCII)).putShort((short) VERSION).putLong(id).put(token).flip();
        writeAll(s, hello);
        ByteBuffer answer = ByteBuffer.allocate(7).order(ByteOrder.LITTLE_ENDIAN);
        while (answer.hasRemaining()) {
            if (s.read(answer) < 0) {
                throw new EOFException("the Go side closed the connection");
            }
        }
        if (answer.get(6) != 0) {
            throw new IOException("the Go side refused channel " + id + ": status " + answer.get(6) + ", its version is "
                + answer.getShort(4) + ", ours is " + VERSION);
        }
        return s;
    }

    static void writeAll(SocketChannel s, ByteBuffer b) throws IOException {
        while (b.hasRemaining()) {
            s.write(b);
        }
    }
}
