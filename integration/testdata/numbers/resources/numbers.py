"""A spout: 0, 1, 2 ... until a file "stop" appears. What failed is emitted again; a new process goes on with what was not
acked. "acked" lists the acked numbers, "failed" those that failed, "emitted" appears after the stop and holds how many there were."""

import collections
import os
import time

import gearstorm

RATE = 300.0


class Numbers(gearstorm.Spout):
    def initialize(self, conf, context):
        self.dir = conf["test.dir"]
        self.acked = set()
        path = os.path.join(self.dir, "acked")
        if os.path.exists(path):
            with open(path) as f:
                self.acked = {int(line) for line in f if line.endswith("\n")}
        self.log_fd = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self.n = 0
        self.again = collections.deque()
        self.next_at = time.time()
        self.stopped = False

    def next_tuple(self):
        if self.again:
            id = self.again.popleft()
            self.emit([id], id=id)
            return
        if self.stopped or time.time() < self.next_at:
            return
        self.next_at = max(self.next_at + 1 / RATE, time.time() - 0.1)
        while self.n in self.acked:
            self.n += 1
        if self.n % 20 == 0 and os.path.exists(os.path.join(self.dir, "stop")) and self.n > max(self.acked, default=-1):
            self.stopped = True
            with open(os.path.join(self.dir, "emitted.new"), "w") as f:
                f.write("%d\n" % self.n)
            os.rename(os.path.join(self.dir, "emitted.new"), os.path.join(self.dir, "emitted"))
            return
        self.emit([self.n], id=self.n)
        self.n += 1

    def ack(self, id):
        self.acked.add(id)
        os.write(self.log_fd, b"%d\n" % id)

    def fail(self, id):
        with open(os.path.join(self.dir, "failed"), "a") as f:
            f.write("%d\n" % id)
        self.again.append(id)


Numbers().run()
