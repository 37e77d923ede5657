import storm


class Answer(storm.BasicBolt):
    def process(self, tup):
        storm.emit([tup.values[0].upper(), tup.values[1]])


Answer().run()
