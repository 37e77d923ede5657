package gearstorm.jvmhost.storm;

import com.esotericsoftware.kryo.Kryo;
import com.esotericsoftware.kryo.io.Input;
import com.esotericsoftware.kryo.io.Output;
import gearstorm.jvmhost.Objects;
import gearstorm.jvmhost.Opaque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.apache.storm.Config;
import org.apache.storm.serialization.SerializationFactory;
import org.apache.storm.task.GeneralTopologyContext;
import org.apache.storm.tuple.TupleImpl;
import org.apache.storm.tuple.Values;

/**
 * Objects of classes that have no form outside Java, by the Kryo that Storm's configuration makes. What is not registered
 * there is serialized by Java: in Storm tuples within a worker are not serialized at all, and topologies rely on it.
 */
final class KryoObjects implements Objects {
    private static final Set<Class<?>> PLAIN = Set.of(ArrayList.class, Values.class, HashMap.class, LinkedHashMap.class);

    private static final ClassValue<Boolean> IS_PLAIN = new ClassValue<>() {
        @Override
        protected Boolean computeValue(Class<?> c) {
            String name = c.getName();
            return PLAIN.contains(c) || name.startsWith("java.util.Arrays$") || name.startsWith("java.util.ImmutableCollections$")
                || name.startsWith("java.util.Collections$") && !name.contains("Sorted");
        }
    };

    private final Map<String, Object> conf;
    private final Supplier<GeneralTopologyContext> context;
    private final Output out = new Output(1 << 10, -1);
    private Kryo writer; // used by one thread at a time
    private Kryo reader; // used by the channel's thread

    KryoObjects(Map<String, Object> conf, Supplier<GeneralTopologyContext> context) {
        this.context = context;
        this.conf = new HashMap<>(conf);
        this.conf.put(Config.TOPOLOGY_FALL_BACK_ON_JAVA_SERIALIZATION, true);
    }

    private Kryo kryo() {
        Kryo k = SerializationFactory.getKryo(conf);
        TupleSerializer tuples = new TupleSerializer(context);
        k.register(StormTuple.class, tuples);
        k.register(TupleImpl.class, tuples);
        return k;
    }

    @Override
    public boolean plain(Object listOrMap) {
        return IS_PLAIN.get(listOrMap.getClass());
    }

    @Override
    public Opaque wrap(Object o) {
        if (writer == null) {
            writer = kryo();
        }
        out.reset();
        try {
            writer.writeClassAndObject(out, o);
        } catch (RuntimeException e) {
            throw new IllegalArgumentException("an object of class " + o.getClass().getName() + " cannot be sent to another task:"
                + " register it in topology.kryo.register, or let it implement java.io.Serializable", e);
        } catch (StackOverflowError e) {
            throw new IllegalArgumentException("an object of class " + o.getClass().getName() + " cannot be sent to another task:"
                + " it holds itself, or what it holds nests too deep", e);
        }
        return new Opaque(o.getClass().getName(), Arrays.deepHashCode(new Object[] {o}) - 31, out.toBytes());
    }

    @Override
    public Object unwrap(Opaque o) {
        if (reader == null) {
            reader = kryo();
        }
        try {
            return reader.readClassAndObject(new Input(o.bytes()));
        } catch (RuntimeException e) {
            throw new IllegalArgumentException("an object of class " + o.className() + " cannot be read", e);
        }
    }
}
