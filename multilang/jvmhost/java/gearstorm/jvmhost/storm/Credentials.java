package gearstorm.jvmhost.storm;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import javax.security.auth.Subject;
import org.apache.storm.ICredentialsListener;
import org.apache.storm.security.auth.ClientAuthUtils;
import org.apache.storm.security.auth.IAutoCredentials;

/**
 * The topology's credentials: components that listen hear of them before they are prepared and with every change, and the
 * plug-ins of topology.auto-credentials put them into the Subject that all code of the process runs with.
 */
final class Credentials {
    private final Subject subject;
    private Collection<IAutoCredentials> plugins; // null before begin

    private final List<Component> listeners = new ArrayList<>(); // guarded by this
    private Map<String, String> now = Map.of(); // guarded by this

    Credentials(Subject subject) {
        this.subject = subject;
    }

    /** Makes the plug-ins, with what is known so far. */
    void begin(Map<String, Object> conf) {
        plugins = ClientAuthUtils.getAutoCredentials(conf);
        ClientAuthUtils.populateSubject(subject, plugins, get());
    }

    synchronized Map<String, String> get() {
        return now;
    }

    /** Takes others. It and begin are called by one thread. */
    void set(Map<String, String> others) {
        List<Component> to;
        synchronized (this) {
            now = others;
            to = List.copyOf(listeners);
        }
        if (plugins != null) {
            ClientAuthUtils.updateSubject(subject, plugins, others);
        }
        to.forEach(this::tell);
    }

    /** Has a component that was given some hear of all that come after those. */
    void listen(Component c, Map<String, String> given) {
        boolean changed;
        synchronized (this) {
            listeners.add(c);
            changed = now != given;
        }
        if (changed) {
            tell(c);
        }
    }

    synchronized void forget(Component c) {
        listeners.remove(c);
    }

    private void tell(Component c) {
        c.channel.aside(() -> {
            try {
                ((ICredentialsListener) c.object).setCredentials(get());
            } catch (Exception e) { // it goes on with those it had
                c.reportError(e);
            }
        });
    }
}
