"""Bolt: appends "component task value value" lines to the file named by it.out in the conf."""

import storm


class Write(storm.BasicBolt):
    def initialize(self, conf, context):
        self.task = context["taskid"]
        self.out = open(conf["it.out"], "a", buffering=1)

    def process(self, tup):
        self.out.write("%s %d %s\n" % (tup.component, self.task, " ".join(str(v) for v in tup.values)))


Write().run()
