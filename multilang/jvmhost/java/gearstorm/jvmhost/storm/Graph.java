package gearstorm.jvmhost.storm;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/** What of a topology's shape tasks have to know that send to each other. */
final class Graph {
    private static final String ACKER = "__acker";

    private record StreamId(String component, String stream) {}

    private final Map<StreamId, Integer> streams = new HashMap<>(); // by place in the list that Go counts by
    private final Map<String, Set<String>> reached = new HashMap<>(); // by component: those behind it
    final boolean tracked; // the topology has ackers

    Graph(Version v) {
        Setup setup = v.setup;
        for (int i = 0; i < setup.streams().size(); i++) {
            Setup.Declared s = setup.streams().get(i);
            StreamId id = new StreamId(s.component(), s.stream());
            if (v.has(s) || !streams.containsKey(id)) { // else it is an earlier version's
                streams.put(id, i);
            }
        }
        tracked = setup.tasks().containsValue(ACKER);
        Map<String, Set<String>> targets = new HashMap<>();
        for (String component : Set.copyOf(setup.tasks().values())) {
            Set<String> next = targets.computeIfAbsent(component, c -> new HashSet<>());
            if (!component.equals(ACKER)) { // which never blocks, and is fed by everybody
                v.context.getTargets(component).values().forEach(byComponent -> next.addAll(byComponent.keySet()));
            }
        }
        targets.keySet().forEach(component -> reached.put(component, behind(component, targets)));
    }

    private static Set<String> behind(String component, Map<String, Set<String>> targets) {
        Set<String> all = new HashSet<>();
        ArrayDeque<String> next = new ArrayDeque<>();
        for (String at = component; at != null; at = next.poll()) {
            for (String c : targets.getOrDefault(at, Set.of())) {
                if (all.add(c)) {
                    next.add(c);
                }
            }
        }
        return all;
    }

    /** The place of a stream; -1 if nobody knows it. */
    int stream(String component, String name) {
        return streams.getOrDefault(new StreamId(component, name), -1);
    }

    /** Whether what from sends to a component can come back to it. */
    boolean inCycle(String from, String to) {
        return from.equals(to) || reached.getOrDefault(to, Set.of()).contains(from);
    }
}
