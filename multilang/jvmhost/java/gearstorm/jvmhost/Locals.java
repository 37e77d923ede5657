package gearstorm.jvmhost;

import java.util.ArrayList;
import java.util.List;

/** The tasks that run in this process, with their inboxes. */
public final class Locals {
    private volatile Inbox[] byTask = {};
    private volatile boolean known;
    private volatile int bound = 8192;
    private volatile Inbox.Ending ending = row -> {};

    /** Says how many tuples may wait for a task, and what becomes of those that nobody executes. Called before a task begins. */
    public void configure(int bound, Inbox.Ending ending) {
        this.bound = bound;
        this.ending = ending;
    }

    /**
     * Says which tasks are local. Inboxes of those that were before stay. Those of others take nothing new and are returned, to be
     * closed.
     */
    synchronized List<Inbox> set(int[] tasks) {
        int max = -1;
        for (int t : tasks) {
            max = Math.max(max, t);
        }
        Inbox[] next = new Inbox[max + 1];
        for (int t : tasks) {
            Inbox was = find(t);
            next[t] = was != null ? was : new Inbox(this);
        }
        Inbox[] before = byTask;
        byTask = next;
        known = true;
        List<Inbox> left = new ArrayList<>();
        for (int t = 0; t < before.length; t++) {
            if (before[t] != null && find(t) == null) {
                left.add(before[t]);
            }
        }
        return left;
    }

    int bound() {
        return bound;
    }

    Inbox.Ending ending() {
        return ending;
    }

    /** Whether it was ever said which tasks are local. */
    boolean areKnown() {
        return known;
    }

    /** The inbox of a task, null if it is not local. */
    public Inbox find(int task) {
        Inbox[] all = byTask;
        return task >= 0 && task < all.length ? all[task] : null;
    }
}
