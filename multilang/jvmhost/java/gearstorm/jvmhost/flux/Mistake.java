package gearstorm.jvmhost.flux;

/** What is wrong with a definition, and where it says so. */
final class Mistake extends Exception {
    private static final long serialVersionUID = 1;

    Mistake(String at, String text) {
        super(at + ": " + text);
    }

    /** What user code threw, in a line: the exception, where it comes from, and its first cause. */
    static String told(Throwable e) {
        StringBuilder text = new StringBuilder(e.toString());
        if (e.getStackTrace().length > 0) {
            text.append(" (at ").append(e.getStackTrace()[0]).append(')');
        }
        Throwable cause = e;
        for (int depth = 0; cause.getCause() != null && depth < 32; depth++) {
            cause = cause.getCause();
        }
        return cause == e ? text.toString() : text + ", because of " + cause;
    }
}
