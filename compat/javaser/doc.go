// Package javaser reads what Java serialization wrote, without a JVM and without ever making an instance of a class: a
// stream becomes a tree of plain values. Of the jars they belong to it looks at the classes (package classfile).
//
// [Parse] gives the object model of any stream. [Recognize] looks for the few classes of Storm that can be run natively:
// shell bolts and spouts (and subclasses, and those inside Storm's wrappers), the stock partial key grouping, the ends of DRPC topologies.
// [Overrides] says whether such a subclass changes what the stock class does.
//
// Input is hostile: bytes come from whoever may submit a topology. Everything is bounded by the constants here, counts
// are checked against the bytes left before anything is allocated for them, and no input panics.
//
// The grammar is that of the Java Object Serialization Specification, chapter 6, protocol version 2. Not read, because
// streams of version 2 do not need them: externalizable data of version 1, TC_RESET and TC_EXCEPTION.
package javaser
