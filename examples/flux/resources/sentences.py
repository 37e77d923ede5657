"""A spout: ten sentences a second, each emitted again if it fails."""

import itertools
import time

import gearstorm

SENTENCES = [
    "the cow jumped over the moon",
    "an apple a day keeps the doctor away",
    "four score and seven years ago",
    "snow white and the seven dwarfs",
]


class Sentences(gearstorm.Spout):
    def initialize(self, conf, context):
        self.ids = itertools.count()
        self.pending = {}
        self.next_at = time.time()

    def next_tuple(self):
        if time.time() < self.next_at:
            return
        self.next_at += 0.1
        id = next(self.ids)
        self.pending[id] = SENTENCES[id % len(SENTENCES)]
        self.emit([self.pending[id]], id=id)

    def ack(self, id):
        del self.pending[id]

    def fail(self, id):
        self.emit([self.pending[id]], id=id)


Sentences().run()
