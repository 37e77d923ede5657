# Passes records on, and adds to each that it came through Python.
import gearstorm


class Pass(gearstorm.BasicBolt):
    def process(self, tup):
        self.emit([tup[0], tup[1] + " python"])


Pass().run()
