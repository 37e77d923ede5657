package it;

import java.io.Serializable;

/** A class that only Java knows. */
public record Point(int x, int y) implements Serializable {
}
