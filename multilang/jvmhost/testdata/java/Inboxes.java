package gearstorm.jvmhost;

import java.util.ArrayList;
import java.util.List;

/** Has tuples wait for a task that no channel executes and that then is not local any more, and says which are lost. */
public final class Inboxes {
    private Inboxes() {}

    public static void main(String[] args) {
        List<Object> lost = new ArrayList<>();
        Locals locals = new Locals();
        locals.configure(4, lost::add);
        locals.set(new int[] {1, 2});
        Inbox in = locals.find(1);
        in.add(parcel("a", "b", "c"));
        in.add(parcel("d", "e"));
        in.next().at = 1; // the task has ended behind its first tuple
        System.out.println(in.isFull() + " " + locals.set(new int[] {1, 2}).size());
        locals.set(new int[] {2}).forEach(Inbox::close);
        System.out.println(in.isFull() + " " + lost.stream().sorted().toList());
        in.add(parcel("f"));
        System.out.println(in.isEmpty() + " " + lost.size() + " " + (locals.find(1) == null));
    }

    private static Parcel parcel(Object... rows) {
        Parcel p = new Parcel();
        System.arraycopy(rows, 0, p.rows, 0, p.n = rows.length);
        return p;
    }
}
