'use strict';
// top: keeps the running count of each word that it is told and writes the ten largest to top.json once a second.
// top.go does the same where there is no Node.

const fs = require('fs');
const path = require('path');
const { BasicBolt } = require('./gearstorm');

class Top extends BasicBolt {
  initialize(conf) {
    this.file = path.join(conf['wordcount.dir'], 'top.json');
    this.counts = new Map();
  }

  process(tuple) {
    this.counts.set(tuple.get('word'), tuple.get('count'));
  }

  tick() {
    const top = [...this.counts].map(([word, count]) => ({ word, count }))
      .sort((a, b) => b.count - a.count || (a.word < b.word ? -1 : 1)).slice(0, 10);
    this.counts = new Map(top.map(({ word, count }) => [word, count]));
    fs.writeFileSync(this.file + '.new', JSON.stringify(top));
    fs.renameSync(this.file + '.new', this.file);
  }
}

new Top().run();
