"""split: a line in, its words out. A word is a run of ASCII letters, digits and underscores; so says text.go too."""

import os
import re

import gearstorm

words = re.compile(r"\w+", re.ASCII).findall


class Split(gearstorm.BasicBolt):
    def initialize(self, conf, context):
        # For the demo, which kills components to see what gets lost.
        name = "split-%d.pid" % self.task_id
        with open(os.path.join(conf["wordcount.dir"], name), "w") as f:
            f.write(str(os.getpid()))

    def process(self, tup):
        file, line, text = tup.values
        for index, word in enumerate(words(text)):
            self.emit([file, line, index, word])


if __name__ == "__main__":
    Split().run()
