package gearstorm.jvmhost.storm;

import com.esotericsoftware.kryo.Kryo;
import com.esotericsoftware.kryo.Serializer;
import com.esotericsoftware.kryo.io.Input;
import com.esotericsoftware.kryo.io.Output;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.apache.storm.task.GeneralTopologyContext;
import org.apache.storm.tuple.MessageId;
import org.apache.storm.tuple.TupleImpl;

/** A tuple that is a value of another one, as late ones of windows are. What is read has no tree. */
final class TupleSerializer extends Serializer<TupleImpl> {
    private final Supplier<GeneralTopologyContext> context;

    TupleSerializer(Supplier<GeneralTopologyContext> context) {
        this.context = context;
    }

    @Override
    public void write(Kryo kryo, Output out, TupleImpl t) {
        out.writeString(t.getSourceComponent());
        out.writeInt(t.getSourceTask());
        out.writeString(t.getSourceStreamId());
        kryo.writeObject(out, new ArrayList<>(t.getValues()));
    }

    @Override
    @SuppressWarnings("unchecked")
    public TupleImpl read(Kryo kryo, Input in, Class<? extends TupleImpl> type) {
        String component = in.readString();
        int task = in.readInt();
        String stream = in.readString();
        List<Object> values = kryo.readObject(in, ArrayList.class);
        return new TupleImpl(context.get(), values, component, task, stream, MessageId.makeUnanchored());
    }
}
