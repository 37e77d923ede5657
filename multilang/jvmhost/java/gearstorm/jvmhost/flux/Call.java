package gearstorm.jvmhost.flux;

import java.lang.reflect.Array;
import java.lang.reflect.Executable;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * A constructor or method that takes the values of a definition. Flux's rules say which: a boolean goes to a boolean, any number
 * to any kind of number, a text to a constant of an enum, a list to an array, and each object to its own type. Of several
 * that would do, the last one is called.
 */
record Call<E extends Executable>(E target, Object[] args) {
    /** Thrown for a value that a type does not take. */
    private static final class Unfit extends Exception {
        private static final long serialVersionUID = 1;

        Unfit(String text) {
            super(text, null, false, false);
        }
    }

    /**
     * Finds the one of several to call with values, null if there is none. what names it in warnings, which go to warn.
     */
    static <E extends Executable> Call<E> find(List<E> all, List<Object> values, String what, Consumer<String> warn) {
        Call<E> found = null;
        int fit = 0;
        for (E e : all) {
            try {
                found = new Call<>(e, convert(e.getParameterTypes(), values));
                fit++;
            } catch (Unfit no) {
                // another one may do
            }
        }
        if (fit > 1) {
            warn.accept(what + " takes these arguments in " + fit + " forms, of which the last is called: " + signature(found.target));
        }
        return found;
    }

    /** Says why none of several takes values. */
    static String whyNot(List<? extends Executable> all, List<Object> values) {
        List<? extends Executable> close = all.stream().filter(e -> e.getParameterCount() == values.size()).toList();
        if (close.size() == 1) {
            try {
                convert(close.get(0).getParameterTypes(), values);
            } catch (Unfit e) {
                return signature(close.get(0)) + ": " + e.getMessage();
            }
        }
        String given = values.stream().map(Call::kind).collect(Collectors.joining(", ", "(", ")"));
        String there = all.stream().limit(8).map(Call::signature).sorted().collect(Collectors.joining(", "));
        return "given is " + given + ", there " + (all.isEmpty() ? "is none" : "is " + there);
    }

    private static Object[] convert(Class<?>[] types, List<Object> values) throws Unfit {
        if (types.length != values.size()) {
            throw new Unfit("it takes " + types.length + " arguments, not " + values.size());
        }
        Object[] out = new Object[types.length];
        for (int i = 0; i < out.length; i++) {
            try {
                out[i] = convert(types[i], values.get(i));
            } catch (Unfit e) {
                throw new Unfit("argument " + (i + 1) + ": " + e.getMessage());
            }
        }
        return out;
    }

    /** Makes a value one of a type. Throws IllegalArgumentException with the reason if there is none. */
    static Object as(Class<?> type, Object value) {
        try {
            return convert(type, value);
        } catch (Unfit e) {
            throw new IllegalArgumentException(e.getMessage());
        }
    }

    private static Object convert(Class<?> type, Object v) throws Unfit {
        if (type.isInstance(v) || type == boolean.class && v instanceof Boolean) {
            return v;
        }
        if (v instanceof Number n && (Number.class.isAssignableFrom(type) || type.isPrimitive())) {
            return number(type, n);
        }
        if (v instanceof String s && type.isEnum()) {
            for (Object constant : type.getEnumConstants()) {
                if (((Enum<?>) constant).name().equals(s)) {
                    return constant;
                }
            }
            throw new Unfit(s + " is none of " + Arrays.stream(type.getEnumConstants()).limit(16).map(c -> ((Enum<?>) c).name()).collect(Collectors.joining(", ")));
        }
        if (v instanceof List<?> list && type.isArray()) {
            Object array = Array.newInstance(type.getComponentType(), list.size());
            for (int i = 0; i < list.size(); i++) {
                if (list.get(i) == null && type.getComponentType().isPrimitive()) {
                    throw new Unfit("element " + (i + 1) + " is null");
                }
                Array.set(array, i, list.get(i) == null ? null : convert(type.getComponentType(), list.get(i)));
            }
            return array;
        }
        throw new Unfit("a " + kind(v) + " is no " + type.getSimpleName());
    }

    private static Object number(Class<?> type, Number n) throws Unfit {
        if (type == double.class || type == Double.class) {
            return n.doubleValue();
        }
        if (type == float.class || type == Float.class) {
            return n.floatValue();
        }
        BigInteger whole = n instanceof BigInteger b ? b : new BigDecimal(n.toString()).toBigInteger();
        if (type == BigInteger.class) {
            return whole;
        }
        if (type == BigDecimal.class) {
            return new BigDecimal(n.toString());
        }
        try {
            if (type == long.class || type == Long.class) {
                return whole.longValueExact();
            }
            if (type == int.class || type == Integer.class) {
                return whole.intValueExact();
            }
            if (type == short.class || type == Short.class) {
                return whole.shortValueExact();
            }
            if (type == byte.class || type == Byte.class) {
                return whole.byteValueExact();
            }
        } catch (ArithmeticException e) {
            throw new Unfit(n + " does not fit a " + type.getSimpleName());
        }
        throw new Unfit("a " + kind(n) + " is no " + type.getSimpleName());
    }

    static String signature(Executable e) {
        return Arrays.stream(e.getParameterTypes()).map(Class::getSimpleName).collect(Collectors.joining(", ", "(", ")"));
    }

    /** How a value is called in errors. */
    private static String kind(Object v) {
        if (v == null) {
            return "null";
        }
        if (v instanceof List<?> l) {
            return l.isEmpty() ? "List" : "List of " + kind(l.get(0));
        }
        return v instanceof Map ? "Map" : v.getClass().getSimpleName();
    }

    static <T> List<T> listOf(T[] array) {
        return new ArrayList<>(Arrays.asList(array));
    }
}
