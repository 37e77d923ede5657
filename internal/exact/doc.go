// Package exact is a topology that shows whether its checkpoints count every record exactly once, whatever happens to its
// processes.
//
// Sources emit the records 0, 1, 2 and so on, each with a key that follows from its number, and with its number as event time. Counters count
// by key and pass on each record with the count that it made. Sinks hold back what they get until the checkpoint that contains it counts, and
// then make it a file named after its epoch; sources do the same with the position that they had. So the files alone tell (Check): for each
// epoch that is there, the records up to it are those before the positions of that epoch, each once, and the counts of a key are 1, 2, 3
// and so on. Nothing depends on what the cluster says of itself.
package exact
