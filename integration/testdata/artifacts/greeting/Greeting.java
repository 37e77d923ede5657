package greeting;

/** What an artifact brings along; it needs another one. */
public class Greeting {
    public static String to(String whom) {
        return words.Words.HELLO + " " + whom;
    }
}
