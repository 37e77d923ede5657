package words;

/** What an artifact needs. */
public class Words {
    public static final String HELLO = new String("hello"); // no constant that the compiler would copy
}
