"""Spout: SENTENCES numbered sentences, each replayed until it is acked. Written for storm.py as Storm ships it."""

import storm

WORDS = "the quick brown fox jumps over the lazy dog".split()
SENTENCES = 200


class Sentences(storm.Spout):
    def initialize(self, conf, context):
        self.todo = list(range(SENTENCES))

    def nextTuple(self):
        if self.todo:
            n = self.todo.pop(0)
            storm.emit([n, " ".join("%s%d" % (w, n) for w in WORDS)], id=n)

    def fail(self, id):
        self.todo.append(id)


Sentences().run()
