"""A bolt: what comes in goes out."""

import gearstorm


class Pass(gearstorm.BasicBolt):
    def process(self, tup):
        self.emit(tup.values)


Pass().run()
