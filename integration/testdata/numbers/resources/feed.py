"""A spout: ten tuples a second that nobody tracks."""

import time

import gearstorm


class Feed(gearstorm.Spout):
    def initialize(self, conf, context):
        self.next_at = time.time()

    def next_tuple(self):
        if time.time() >= self.next_at:
            self.next_at = time.time() + 0.1
            self.emit([1])


Feed().run()
