"""Bolt: a word a tuple, anchored to the sentence. Its first process ends at sentence 100."""

import os

import storm


class Split(storm.BasicBolt):
    def initialize(self, conf, context):
        self.mark = os.path.join(conf["it.dir"], "ended")

    def process(self, tup):
        if tup.values[0] == 100 and not os.path.exists(self.mark):
            open(self.mark, "w").close()
            os._exit(1)
        for word in tup.values[1].split():
            storm.emit([word])


Split().run()
