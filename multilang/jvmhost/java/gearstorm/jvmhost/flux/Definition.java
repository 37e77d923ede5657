package gearstorm.jvmhost.flux;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** A definition as the Go side has read and checked it: references lead to components that stand before them. */
record Definition(
    String at,
    Map<String, Object> config,
    List<Bean> components,
    List<Vertex> spouts,
    List<Vertex> bolts,
    List<Stream> streams,
    List<Bean> hooks,
    Bean source,
    String sourceMethod) {

    /** An argument: a value, or components. */
    record Arg(String at, Object value, String ref, List<String> refs) {}

    record Property(String at, String name, Arg value) {}

    record Method(String at, String name, List<Arg> args) {}

    /** What an object is made of. */
    record Bean(String at, String id, String className, List<Arg> args, String factory, List<Arg> factoryArgs,
        List<Property> properties, List<Method> methods) {}

    /** A spout or bolt. One that needs no Java has no bean, but streams and a configuration. Loads of -1 are not given. */
    record Vertex(String at, String id, Bean bean, Map<String, Output> outputs, Map<String, Object> conf,
        int parallelism, int tasks, int onHeap, int offHeap, int cpu) {}

    record Output(List<String> fields, boolean direct) {}

    record Stream(String at, String from, String to, String stream, String grouping, List<String> fields, Bean custom) {}

    static Definition of(Object decoded) {
        Map<String, Object> m = map(decoded);
        return new Definition(text(m, "at"), map(m.get("config")), list(m, "components", Definition::bean), list(m, "spouts", Definition::vertex),
            list(m, "bolts", Definition::vertex), list(m, "streams", Definition::stream), list(m, "hooks", Definition::bean),
            bean(m.get("source")), text(m, "method"));
    }

    private static Bean bean(Object o) {
        if (o == null) {
            return null;
        }
        Map<String, Object> m = map(o);
        return new Bean(text(m, "at"), text(m, "id"), text(m, "class"), list(m, "args", Definition::arg), text(m, "factory"),
            list(m, "factoryArgs", Definition::arg), list(m, "properties", Definition::property), list(m, "methods", Definition::method));
    }

    private static Arg arg(Object o) {
        Map<String, Object> m = map(o);
        return new Arg(text(m, "at"), parsed(m.get("value")), text(m, "ref"), m.containsKey("refs") ? list(m, "refs", String.class::cast) : null);
    }

    /** A value in the maps and lists that Storm's parser makes, to their size: they may end up in serialized objects. */
    private static Object parsed(Object value) {
        if (value instanceof Map<?, ?> m) {
            Map<Object, Object> out = new LinkedHashMap<>(m.size());
            m.forEach((k, v) -> out.put(k, parsed(v)));
            return out;
        }
        if (value instanceof List<?> l) {
            List<Object> out = new ArrayList<>(l.size());
            l.forEach(e -> out.add(parsed(e)));
            return out;
        }
        return value;
    }

    private static Property property(Object o) {
        Map<String, Object> m = map(o);
        return new Property(text(m, "at"), text(m, "name"), arg(m.get("value")));
    }

    private static Method method(Object o) {
        Map<String, Object> m = map(o);
        return new Method(text(m, "at"), text(m, "name"), list(m, "args", Definition::arg));
    }

    private static Vertex vertex(Object o) {
        Map<String, Object> m = map(o);
        Map<String, Output> outputs = new HashMap<>();
        map(m.get("streams")).forEach((name, s) -> outputs.put(name, new Output(list(map(s), "fields", String.class::cast), (Boolean) map(s).get("direct"))));
        return new Vertex(text(m, "at"), text(m, "id"), bean(m.get("bean")), outputs, map(m.get("conf")), number(m, "parallelism"), number(m, "tasks"),
            number(m, "onHeap"), number(m, "offHeap"), number(m, "cpu"));
    }

    private static Stream stream(Object o) {
        Map<String, Object> m = map(o);
        return new Stream(text(m, "at"), text(m, "from"), text(m, "to"), text(m, "stream"), text(m, "grouping"), list(m, "fields", String.class::cast),
            bean(m.get("custom")));
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> map(Object o) {
        return o == null ? new HashMap<>() : (Map<String, Object>) o;
    }

    private static String text(Map<String, Object> m, String key) {
        return (String) m.get(key);
    }

    private static int number(Map<String, Object> m, String key) {
        return ((Number) m.get(key)).intValue();
    }

    private static <T> List<T> list(Map<String, Object> m, String key, Function<Object, T> each) {
        List<T> out = new ArrayList<>();
        if (m.get(key) != null) {
            for (Object o : (List<?>) m.get(key)) {
                out.add(each.apply(o));
            }
        }
        return out;
    }
}
