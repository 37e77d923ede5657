import gearstorm


class Greet(gearstorm.BasicBolt):
    def process(self, tup):
        self.emit(["Hello, %s!" % tup["name"]])


Greet().run()
