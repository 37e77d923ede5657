"""identity: emits what it gets, with gearstorm.py."""

import gearstorm


class Identity(gearstorm.BasicBolt):
    def process(self, tup):
        self.emit(tup.values)


if __name__ == "__main__":
    Identity().run()
