import gearstorm


class Mark(gearstorm.BasicBolt):
    def process(self, tup):
        text, return_info = tup.values
        self.emit([text + "!", return_info])


Mark().run()
