package gearstorm.jvmhost.flux;

import gearstorm.jvmhost.flux.Definition.Arg;
import gearstorm.jvmhost.flux.Definition.Bean;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;

/** Makes the objects of a definition as Flux does: constructor or factory, then properties, then config methods. */
final class Maker {
    private final Map<String, Object> components = new HashMap<>();
    private final Consumer<String> warn;

    Maker(Consumer<String> warn) {
        this.warn = warn;
    }

    /** Where warnings about a class go: Storm's own are made so that any of their forms does. */
    private Consumer<String> warn(Class<?> type) {
        return type.getName().startsWith("org.apache.storm.") ? text -> { } : warn;
    }

    /** Makes an object that others refer to. */
    void component(Bean b) throws Mistake {
        components.put(b.id(), make(b));
    }

    Object make(Bean b) throws Mistake {
        try {
            Class<?> type = type(b);
            Object o = construct(b, type);
            if (o == null) {
                throw new Mistake(b.at(), type.getName() + "." + b.factory() + " returned null");
            }
            for (Definition.Property p : b.properties()) {
                set(p, o);
            }
            for (Definition.Method m : b.methods()) {
                configure(m, o);
            }
            return o;
        } catch (LinkageError e) { // while a class of an argument is looked at, or user code runs
            throw new Mistake(b.at(), "class " + b.className() + ": " + linkage(e));
        }
    }

    /** Makes an object that has to be of a type; role says what that makes of it. */
    <T> T make(Bean b, Class<T> wanted, String role) throws Mistake {
        Object o = make(b);
        if (!wanted.isInstance(o)) {
            throw new Mistake(b.at(), "class " + o.getClass().getName() + " is no " + role + ": it is no " + wanted.getName());
        }
        return wanted.cast(o);
    }

    private static Class<?> type(Bean b) throws Mistake {
        try {
            return Class.forName(b.className());
        } catch (ClassNotFoundException e) {
            throw new Mistake(b.at(), "class " + b.className() + " is not known: it is neither in Storm's jars nor in the topology's (--jar)");
        } catch (NoClassDefFoundError e) { // another one, or the right one in other letters
            throw new Mistake(b.at(), "class " + b.className() + " is not complete: " + linkage(e));
        }
    }

    private static String linkage(LinkageError e) {
        if (e instanceof UnsupportedClassVersionError) {
            return "it was compiled for a newer Java than " + Runtime.version().feature() + ", which runs here";
        }
        if (e instanceof ExceptionInInitializerError && e.getCause() != null) {
            return "its static initializer threw " + Mistake.told(e.getCause());
        }
        return e instanceof NoClassDefFoundError ? "class " + e.getMessage().replace('/', '.') + " is missing" : e.toString();
    }

    private Object construct(Bean b, Class<?> type) throws Mistake {
        if (b.factory() != null && b.args().isEmpty()) {
            return factory(b, type);
        }
        List<Object> values = values(b.args());
        if (Modifier.isAbstract(type.getModifiers())) {
            throw new Mistake(b.at(), "class " + type.getName() + " is abstract, so there are no objects of it");
        }
        List<Constructor<?>> all = new ArrayList<>(Arrays.asList(type.getDeclaredConstructors()));
        all.removeIf(c -> !Modifier.isPublic(c.getModifiers()));
        Call<Constructor<?>> call = Call.find(all, values, b.at() + ": the constructor of " + type.getName(), warn(type));
        if (call == null) {
            throw new Mistake(b.at(), "class " + type.getName() + " has no public constructor for these arguments: " + Call.whyNot(all, values));
        }
        String what = "the constructor of " + type.getName();
        return called(b.at(), what, () -> call.target().newInstance(call.args()));
    }

    private Object factory(Bean b, Class<?> type) throws Mistake {
        List<Object> values = values(b.factoryArgs());
        List<Method> all = named(type, b.factory());
        all.removeIf(m -> !Modifier.isStatic(m.getModifiers()));
        String what = type.getName() + "." + b.factory();
        Call<Method> call = Call.find(all, values, b.at() + ": " + what, warn(type));
        if (call == null) {
            throw new Mistake(b.at(), "class " + type.getName() + " has no static method " + b.factory() + " for these arguments: " + Call.whyNot(all, values));
        }
        return called(b.at(), what, () -> call.target().invoke(null, call.args()));
    }

    private static List<Method> named(Class<?> type, String name) {
        List<Method> all = new ArrayList<>(Arrays.asList(type.getMethods()));
        all.removeIf(m -> !m.getName().equals(name));
        return all;
    }

    /** Sets a property: by the first setter that takes the value, else as a public field. */
    private void set(Definition.Property p, Object o) throws Mistake {
        Object value = value(p.value());
        Class<?> type = o.getClass();
        String setter = "set" + p.name().substring(0, 1).toUpperCase(Locale.ROOT) + p.name().substring(1);
        List<Method> all = named(type, setter);
        for (Method m : all) {
            Call<Method> call = Call.find(List.of(m), List.of(value), setter, warn(type));
            if (call != null) {
                called(p.at(), type.getName() + "." + setter, () -> m.invoke(o, call.args()));
                return;
            }
        }
        Field field;
        try {
            field = type.getField(p.name());
        } catch (NoSuchFieldException e) {
            String why = all.isEmpty() ? "no " + setter + " and no public field of that name" : setter + " does not take it: " + Call.whyNot(all, List.of(value));
            throw new Mistake(p.at(), "property " + p.name() + " of " + type.getName() + " cannot be set: " + why);
        }
        try {
            field.set(o, Call.as(field.getType(), value));
        } catch (IllegalArgumentException | IllegalAccessException e) {
            throw new Mistake(p.at(), "property " + p.name() + " of " + type.getName() + " cannot be set: " + e.getMessage());
        }
    }

    private void configure(Definition.Method m, Object o) throws Mistake {
        Class<?> type = o.getClass();
        List<Object> values = values(m.args());
        List<Method> all = named(type, m.name());
        Call<Method> call = Call.find(all, values, m.at() + ": config method " + m.name() + " of " + type.getName(), warn(type));
        if (call == null) {
            throw new Mistake(m.at(), type.getName() + " has no config method " + m.name() + " for these arguments: " + Call.whyNot(all, values));
        }
        called(m.at(), type.getName() + "." + m.name(), () -> call.target().invoke(o, call.args()));
    }

    private List<Object> values(List<Arg> args) throws Mistake {
        List<Object> out = new ArrayList<>();
        for (Arg a : args) {
            out.add(value(a));
        }
        return out;
    }

    private Object value(Arg a) throws Mistake {
        if (a.ref() != null) {
            return components.get(a.ref());
        }
        if (a.refs() != null) {
            List<Object> list = new ArrayList<>();
            a.refs().forEach(id -> list.add(components.get(id)));
            return list;
        }
        if (a.value() == null) {
            throw new Mistake(a.at(), "an argument cannot be null");
        }
        return a.value();
    }

    /** User code. */
    interface Code {
        Object run() throws ReflectiveOperationException;
    }

    /** Runs user code; what it throws is a mistake at a place. */
    static Object called(String at, String what, Code code) throws Mistake {
        try {
            return code.run();
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof LinkageError link) {
                throw new Mistake(at, what + ": " + linkage(link));
            }
            throw new Mistake(at, what + " threw " + Mistake.told(e.getCause()));
        } catch (ReflectiveOperationException e) {
            throw new Mistake(at, what + " cannot be called: " + e.getMessage());
        }
    }
}
