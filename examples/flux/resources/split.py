"""A bolt: one tuple for each word, anchored to the sentence; acked when process returns."""

import gearstorm


class Split(gearstorm.BasicBolt):
    def process(self, tup):
        for word in tup.values[0].split():
            self.emit([word])


Split().run()
