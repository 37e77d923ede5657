"""A bolt: writes each number to the file "seen" before it is acked."""

import os

import gearstorm


class Last(gearstorm.BasicBolt):
    def initialize(self, conf, context):
        self.fd = os.open(os.path.join(conf["test.dir"], "seen"), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def process(self, tup):
        os.write(self.fd, b"%d\n" % tup.values[0])


Last().run()
