package gearstorm.jvmhost;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;

/** The connection on which the process answers the Go side's question whether it lives. */
final class Control {
    private static final int CHANNEL = 0;
    private static final byte PONG = 12;

    private final SocketChannel socket;

    private Control(SocketChannel socket) {
        this.socket = socket;
    }

    static Control open(String path, byte[] token) throws IOException {
        return new Control(Dial.dial(path, token, CHANNEL));
    }

    void answer() throws IOException {
        ByteBuffer b = ByteBuffer.allocate(5).order(ByteOrder.LITTLE_ENDIAN);
        b.putInt(1).put(PONG).flip();
        while (b.hasRemaining()) {
            socket.write(b);
        }
    }
}
