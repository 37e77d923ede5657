"""A bolt: counts words and tells the most frequent ones with every tick."""

import collections

import gearstorm


class Count(gearstorm.BasicBolt):
    def initialize(self, conf, context):
        self.counts = collections.Counter()

    def process(self, tup):
        self.counts[tup.values[0]] += 1

    def tick(self, tup):
        self.log("  ".join("%s %d" % wc for wc in self.counts.most_common(5)))


Count().run()
