# Passes on what it gets, unless the file "misbehave" beside its own ledger says otherwise: one process that finds it takes it
# away and does as it says.
import os
import sys
import time

OUT = os.dup(1)  # what gearstorm reads: the module puts standard error in its place

import gearstorm  # noqa: E402


class Pass(gearstorm.Bolt):
    def initialize(self, conf, context):
        self.order = sys.argv[1]
        self.looked = 0.0

    def process(self, tup):
        now = time.monotonic()
        if now - self.looked > 0.1:
            self.looked = now
            self.obey()
        self.emit(tup.values, anchors=[tup])
        self.ack(tup)

    def obey(self):
        try:
            with open(self.order) as f:
                what = f.read().strip()
            os.remove(self.order)
        except FileNotFoundError:
            return
        if what == "hang":
            while True:
                time.sleep(60)
        if what == "exit":
            os._exit(3)
        if what == "garbage":
            os.write(OUT, b"this is no message\n{]\nend\n")


Pass().run()
