"""Splits a sentence into words with gearstorm.py."""

import gearstorm


class Split(gearstorm.BasicBolt):
    def process(self, tup):
        for word in tup.values[0].split(" "):
            self.emit([word])


if __name__ == "__main__":
    Split().run()
