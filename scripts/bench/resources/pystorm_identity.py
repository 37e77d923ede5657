"""identity with pystorm, unchanged."""

import sys

from pystorm import Bolt


class Identity(Bolt):
    def process(self, tup):
        self.emit(tup.values)


if __name__ == "__main__":
    Identity(serializer=sys.argv[-1]).run()
