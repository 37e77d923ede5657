// Package doctor says before anything is deployed what of a topology runs, where, and what does not: component by
// component for a [Topology], for Flux YAML ([YAML]) and, class by class, for a [Jar].
//
// A jar is only read. Which of its classes become components is known once its main class has run, so a jar's report
// lists the classes that can be components and that a main class reaches; what a component is called and how often it
// runs is not in it. Classes are told by their superclasses and interfaces, through the jar, through Storm's own jars if
// the caller has them, and else through a table of Storm's names (stock.go).
//
// Where something runs is decided in one place, [Where], and that asks the compiler that a submit asks: it cannot
// promise what a submit would refuse, or refuse what would run.
//
// Files are hostile: a jar's entries and unpacked bytes are bounded by [Limits].
package doctor
