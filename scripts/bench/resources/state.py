"""Emits what it gets and counts it by key, with gearstorm.py."""

import gearstorm


class Count(gearstorm.BasicBolt):
    total = gearstorm.Value(0)

    def process(self, tup):
        self.total.set(self.total.get() + 1)
        self.emit(tup.values)


if __name__ == "__main__":
    Count().run()
