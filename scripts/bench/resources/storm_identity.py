"""identity with Storm's own storm.py, unchanged."""

import storm


class Identity(storm.BasicBolt):
    def process(self, tup):
        storm.emit(tup.values)


if __name__ == "__main__":
    Identity().run()
