"""A bolt that answers: "fail" fails, "wait NAME" leaves a file of that name and does not come back, all else gets a mark."""

import os
import time

import gearstorm


class Answer(gearstorm.Bolt):
    def initialize(self, conf, context):
        self.dir = conf["test.dir"]

    def process(self, tup):
        args, return_info = tup.values
        if args == "fail":
            self.fail(tup)
            return
        if args.startswith("wait "):
            open(os.path.join(self.dir, args.split()[1]), "w").close()
            time.sleep(600)
        self.emit([args + "!", return_info], anchors=[tup])
        self.ack(tup)


Answer().run()
