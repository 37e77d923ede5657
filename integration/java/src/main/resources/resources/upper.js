// Bolt: the word and its upper case. Written for storm.js as Storm ships it.
const storm = require('./storm');
const BasicBolt = storm.BasicBolt;

class Upper extends BasicBolt {
  process(tup, done) {
    const word = tup.values[0];
    this.emit({ tuple: [word, word.toUpperCase()], anchorTupleId: tup.id }, () => done());
  }
}

new Upper().run();
