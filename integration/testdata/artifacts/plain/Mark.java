package plain;

/** What a jar beside the topology's brings along. */
public class Mark {
    public static String after(String text) {
        return text + "!";
    }
}
