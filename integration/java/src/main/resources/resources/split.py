"""Bolt: a word a tuple, anchored to the sentence."""

import storm


class Split(storm.BasicBolt):
    def process(self, tup):
        for word in tup.values[1].split():
            storm.emit([word])


Split().run()
