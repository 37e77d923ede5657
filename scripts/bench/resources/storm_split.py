"""Splits a sentence into words with Storm's own storm.py, unchanged."""

import storm


class Split(storm.BasicBolt):
    def process(self, tup):
        for word in tup.values[0].split(" "):
            storm.emit([word])


if __name__ == "__main__":
    Split().run()
