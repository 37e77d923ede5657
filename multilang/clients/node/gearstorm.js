'use strict';
/*
 * gearstorm: write spouts and bolts in plain JavaScript. No dependencies, Node 18 or newer. Put gearstorm.js and gearstorm_state.js
 * beside your script (gearstorm does that for you) and run the script as a component of a topology.
 *
 *   const { BasicBolt } = require('./gearstorm');
 *
 *   class Split extends BasicBolt {
 *     process(tuple) {
 *       for (const word of tuple.get('sentence').split(' ')) this.emit([word]);
 *     }
 *   }
 *   new Split().run();
 *
 * and a spout:
 *
 *   class Numbers extends Spout {
 *     initialize(conf, context) { this.n = 0; }
 *     nextTuple() { this.n++; this.emit([this.n], { id: this.n }); }   // an id makes it reliable: ack(id) or fail(id) comes
 *   }
 *
 * What to know:
 * - Every method that you write may be async; a returned promise is waited for.
 * - BasicBolt is the one to start with: what you emit is tied ("anchored") to the tuple at hand, the tuple is acked when
 *   process() is done and failed when it throws or rejects; tuples are processed one after the other.
 *   Bolt leaves anchoring and acking to you and does not wait: use it to have many requests under way at once.
 * - console.log() is safe: it goes to the worker's log. Standard output itself is the way to the worker: a program that yours starts must not
 *   inherit it (no stdio: 'inherit', and { silent: true } for child_process.fork).
 * - A bolt under gearstorm may keep state by key, which outlives its process, also for a time, and set timers: see Bolt.state().
 * - Messages are JSON. Numbers beyond 2^53 lose digits, NaN and Infinity become null: send those as strings.
 */

const fs = require('fs');
const path = require('path');
const { StringDecoder } = require('string_decoder');
const { Key, HANDLES, declaration, value, list, map, timers } = require('./gearstorm_state');

const END = '\nend\n';

// Under gearstorm messages travel in batches: frames of a length and JSON, one list of items to here and operations one after
// the other from here. See multilang/batch.go of gearstorm.
const FRAMING = 'json1';
const [OP_EMIT, OP_EMIT_MORE, OP_FAIL, OP_MESSAGE, OP_STATE] = [0, 1, 2, 3, 4];
const TIMERS = -1; // the origin of timers
const FLUSH_CHARS = 64 * 1024;
const FLUSH_MS = 5;
const LEVELS = { trace: 0, debug: 1, info: 2, warn: 3, error: 4 };

/** Takes standard output away from everybody else: what is printed from here on goes to standard error. */
function takeStdout() {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  return write;
}

// Under gearstorm that happens at require, so that a console.log in the body of your script does no harm. The variable is
// not passed on: a program that yours starts has an output of its own.
const writeOut = process.env.GEARSTORM_MULTILANG ? takeStdout() : undefined;
delete process.env.GEARSTORM_MULTILANG;

/** One input tuple: values, the component, stream and task it came from, and its id in the protocol. */
class Tuple {
  constructor(id, origin, task, values) {
    this.id = id;
    this._origin = origin; // { component, stream, fields }
    this.task = task;
    this.values = values;
    this._settled = false;
    this._key = undefined;
  }

  get component() { return this._origin.component; }

  get stream() { return this._origin.stream; }

  /** get(0) is the first value, get('word') the value of the field that the emitter declared as "word". */
  get(key) {
    if (typeof key === 'number') return this.values[key];
    const at = this._origin.fields.get(key);
    if (at === undefined) throw new Error(`stream ${this.stream} of ${this.component} has no field ${key}`);
    return this.values[at];
  }

  /** True for the clock tuples that topology.tick.tuple.freq.secs asks for. */
  get isTick() {
    return this.stream === '__tick' && this.component === '__system';
  }
}

/** What spouts and bolts share: the pipe to the worker, logging, metrics. */
class Component {
  /** Called once before the first tuple. Open connections and set up state here. */
  initialize(conf, context) {}

  /** The number of this task, unique in the topology. */
  get taskId() { return this.context.taskid; }

  /** The name that this component has in the topology. */
  get componentId() { return this.context.componentid; }

  /** Writes to the worker's log. level: trace, debug, info, warn or error. */
  log(message, level = 'info') {
    this._send({ command: 'log', msg: String(message), level: LEVELS[level] ?? 2 });
  }

  /** Shows an error for this component in the UI. Processing goes on. */
  reportError(error) {
    this._send({ command: 'error', msg: String((error && error.stack) || error) });
  }

  /** Reports a metric: a number sets the gauge of that name. */
  metric(name, value) {
    this._send({ command: 'metrics', name, params: value });
  }

  /** Adds n to the counter of that name. */
  count(name, n = 1) {
    this._send({ command: 'metrics', name, params: { incr: n } });
  }

  /** Runs the component until the worker ends it. The last line of your script. */
  run() {
    this.conf = {};
    this.context = {};
    this._out = [];
    this._outSize = 0;
    this._flushed = 0;
    this._flushQueued = false;
    this._parts = [];
    this._messages = [];
    this._next = 0;
    this._waiting = [];
    this._busy = false;
    this._greeted = false;
    this._batch = false;
    this._text = ''; // of a batch
    this._have = 0; // bytes of a batch that came
    this._need = 4;
    this._origins = new Map();
    this._keys = new Map();
    this._changed = [];
    this._time = 0; // event time
    this._firstTime = 0;
    this._declared = Object.entries(this.constructor.states ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, s]) => ({ name, ...s }));
    this._write = writeOut || takeStdout();
    process.stdout.on('error', () => process.exit(0)); // the worker is gone
    this._decoder = new StringDecoder('utf8');
    process.stdin.on('data', (chunk) => (this._batch ? this._onBatch(chunk) : this._onData(this._decoder.write(chunk))));
    process.stdin.on('end', () => { this._flush(); process.exit(0); });
  }

  // --- the wire ---

  _send(message) {
    const text = JSON.stringify(message);
    this._write1(this._batch ? `[${OP_MESSAGE},${text}]` : text);
  }

  /** Queues one message. It leaves when the input at hand is used up, after 64 Ki characters, or after 5 ms of work. */
  _write1(text) {
    if (this._batch && this._outSize + text.length > FLUSH_CHARS) this._flush(); // a frame has one operation, or so much of several
    if (this._batch) this._text += text;
    else this._out.push(text);
    this._outSize += text.length;
    if (this._outSize >= FLUSH_CHARS || performance.now() - this._flushed > FLUSH_MS) {
      this._flush();
    } else if (!this._flushQueued) {
      this._flushQueued = true; // for what is sent from timers and promises
      setImmediate(() => { this._flushQueued = false; this._flush(); });
    }
  }

  /** Puts what has changed in states before all else: an ack is only after the changes of its tuple. */
  _tellChanges() {
    let text = '';
    for (const { key, index, told } of this._changed) {
      const [n, values] = told(key.contents[index], key.changes[index], this._declared[index]);
      key.changes[index] = undefined;
      text = this._framed(text, `[${OP_STATE},${key.number},${index},${n},${this._packed(index, values)}]`);
    }
    this._changed = [];
    this._text = this._framed(text, this._text);
  }

  /** Returns a frame with more in it, or more alone if that is too much for one; then the frame was written. */
  _framed(text, more) {
    if (text === '' || text.length + more.length <= FLUSH_CHARS) return text + more;
    this._writeFrame(text);
    return more;
  }

  _writeFrame(text) {
    const size = Buffer.byteLength(text);
    const frame = Buffer.allocUnsafe(4 + size);
    frame.writeUInt32LE(size);
    frame.write(text, 4);
    this._write(frame);
  }

  /** What cannot be told ends the process: nothing that comes after it may be told either, or there would be acks without the changes of their tuples. */
  _packed(index, values) {
    try {
      return JSON.stringify(values);
    } catch (error) {
      console.error(`state ${this._declared[index].name} has what cannot be kept: ${error.message}`);
      return process.exit(1);
    }
  }

  _flush() {
    if (this._changed.length > 0) this._tellChanges();
    if (this._text !== '') {
      this._writeFrame(this._text);
      this._text = '';
      this._outSize = 0;
    } else if (this._out.length > 0) {
      this._out.push('');
      const text = this._out.join(END);
      this._out = [];
      this._outSize = 0;
      this._write(text);
    }
    this._flushed = performance.now();
  }

  /** All messages of one chunk are parsed in one call: no JSON text contains END. */
  _onData(chunk) {
    const head = this._parts.length === 0 ? '' : this._parts[this._parts.length - 1].slice(-(END.length - 1));
    if ((head + chunk).lastIndexOf(END) < 0) {
      this._parts.push(head === '' ? chunk : this._parts.pop() + chunk);
      return;
    }
    const data = this._parts.join('') + chunk;
    const cut = data.lastIndexOf(END);
    this._parts = cut + END.length < data.length ? [data.slice(cut + END.length)] : [];
    for (const message of JSON.parse('[' + data.slice(0, cut).split(END).join(',') + ']')) {
      if (Array.isArray(message)) this._waiting.shift()(message);
      else this._messages.push(message);
    }
    if (!this._busy) this._drain();
  }

  /** Takes all whole frames of what came so far. */
  _onBatch(chunk) {
    this._parts.push(chunk);
    this._have += chunk.length;
    if (this._have < this._need) return;
    let data = this._parts.length === 1 ? chunk : Buffer.concat(this._parts);
    for (this._need = 4; data.length >= 4; data = data.subarray(this._need), this._need = 4) {
      this._need = 4 + data.readUInt32LE(0);
      if (data.length < this._need) break;
      for (const item of JSON.parse(data.toString('utf8', 4, this._need))) {
        if (item.length === 1) this._waiting.shift()(item[0]);
        else if (item.length === 3) this._addOrigin(item[0], item[1], item[2]);
        else this._messages.push(item);
      }
    }
    this._parts = data.length > 0 ? [data] : [];
    this._have = data.length;
    if (!this._busy) this._drain();
  }

  /** Handles queued messages in order; waits where a handler returned a promise. */
  async _drain() {
    this._busy = true;
    while (this._next < this._messages.length) {
      const message = this._messages[this._next++];
      if (this._next === this._messages.length) {
        this._messages = [];
        this._next = 0;
      }
      const waited = this._greeted ? this._handle(message) : this._handshake(message);
      if (waited !== undefined) await waited;
    }
    this._busy = false;
    this._flush();
  }

  async _handshake(hello) {
    this.conf = hello.conf || {};
    this.context = hello.context || {};
    if (hello.pidDir) fs.writeFileSync(path.join(hello.pidDir, String(process.pid)), '');
    this._greeted = true;
    const offer = hello.gearstorm;
    const why = this._declared.length > 0 && this._refused(offer);
    if (why) {
      console.error(why);
      process.exit(1);
    }
    if (offer && Array.isArray(offer.framings) && offer.framings.includes(FRAMING)) {
      const answer = { pid: process.pid, framing: FRAMING };
      if (this._declared.length > 0) answer.states = this._declared.map(declaration);
      this._send(answer);
      this._flush();
      this._batch = true;
      this._parts = [];
    } else {
      this._send({ pid: process.pid });
    }
    try {
      await this.initialize(this.conf, this.context);
    } catch (error) {
      this.reportError(error);
      this._flush();
      process.exit(1);
    }
  }

  /** Why the states of this component cannot be kept, undefined if they can. */
  _refused(offer) {
    const timed = this._declared.some(({ kind }) => kind === 'timers' || kind === 'clock');
    if (!(this instanceof Bolt && offer && offer.states && offer.framings.includes(FRAMING))) {
      return 'only bolts keep state, and this parent has to be gearstorm, with gearstorm.multilang.batch left on';
    }
    if (timed && this.onTimer === Bolt.prototype.onTimer) return 'a bolt with timers has a method onTimer(timer)';
    if ((timed && !offer.timers) || (this._declared.some(({ ttlMs }) => ttlMs) && !offer.ttl)) {
      return 'this parent is a gearstorm that knows no timers and times to live of components: it takes a newer one';
    }
    return undefined;
  }

  /** Notes what tuples with this origin are; in plain messages component and stream are their own name. */
  _addOrigin(key, component, stream) {
    const names = ((this.context['source->stream->fields'] || {})[component] || {})[stream] || [];
    const origin = { component, stream, fields: new Map(names.map((name, i) => [name, i])) };
    this._origins.set(key, origin);
    return origin;
  }

  /** anchors: the id of a tuple, an array of them, or undefined; id: of a spout's tuple, or undefined. */
  _emit(anchors, id, values, options) {
    if (!Array.isArray(values)) throw new TypeError('emit wants an array of values');
    const { stream, task } = options;
    const wanted = options.needTaskIds === true && task === undefined;
    if (this._batch) {
      const head = anchors === undefined ? 'null' : typeof anchors === 'number' ? anchors : JSON.stringify(anchors);
      if (stream === undefined && task === undefined && !wanted && id === undefined) {
        this._write1(`[${OP_EMIT},${head},${JSON.stringify(values)}]`);
      } else {
        const rest = JSON.stringify([stream ?? null, task ?? 0, wanted, id ?? null]).slice(1);
        this._write1(`[${OP_EMIT_MORE},${head},${JSON.stringify(values)},${rest}`);
      }
    } else {
      const message = { command: 'emit', id, stream, task };
      if (anchors !== undefined) message.anchors = Array.isArray(anchors) ? anchors : [anchors];
      if (!wanted) message.need_task_ids = false;
      message.tuple = values;
      this._send(message);
    }
    if (wanted) return new Promise((resolve) => this._waiting.push(resolve));
    return options.needTaskIds === true ? Promise.resolve([options.task]) : undefined;
  }
}

/**
 * A bolt that anchors, acks and fails by hand. process() is called for the next tuple without waiting for the promise of
 * the last: at most topology.shellbolt.max.pending tuples are under way. Every tuple must be acked or failed sooner or
 * later; one whose process() throws or rejects is failed for you and the error is shown in the UI.
 */
class Bolt extends Component {
  /** Called for every input tuple. */
  process(tuple) { throw new Error('write a process(tuple) method'); }

  /** Called for every tick (set topology.tick.tuple.freq.secs to get them). Ticks are acked for you. */
  tick(tuple) {}

  /**
   * Called when a moment that was set in a state of timers has come. timer has name (of the state), at (the moment) and key (an array of
   * the values of its key); this.state(timer) are the states of that key. It is acked for you, and what you emit is anchored to
   * nothing. If it throws, a topology with checkpoints goes back to the last one, as for a failed tuple; else the timer is gone.
   */
  onTimer(timer) {}

  /**
   * The watermark, before which nothing is expected any more, in milliseconds since 1970; undefined while there is none. Bolts with timers
   * or a ttl by event time are told it, others are not.
   */
  eventTime() { return this._time || undefined; }

  /**
   * The states of the key of a tuple, by name, to be used until its ack or fail. The key is made of the fields by which the input is
   * grouped. They are declared in the class:
   *
   *   class Count extends BasicBolt {
   *     static states = { total: value(0), last: list({ ttlMs: 60_000 }), places: map(), ends: timers() };
   *     process(tuple) {
   *       const { total, ends } = this.state(tuple);
   *       total.set(total.get() + 1);
   *       ends.set(tuple.get('at') + 60_000);
   *     }
   *     onTimer(timer) {
   *       this.emit([timer.key[0], this.state(timer).total.get()]);
   *     }
   *   }
   *
   * States outlive the process. In a topology with checkpoints (gearstorm.checkpoint.interval.ms) they are in them: after a failure of
   * anything they fit exactly what the sources emit again, and another number of tasks finds them again; the input is then to be grouped
   * by KeyGroups (KEY_GROUPS in YAML). Without checkpoints they live as long as the worker. What is kept is
   * texts, finite numbers, booleans, arrays and plain objects of these; anything else throws, since it would come back as something else.
   * All that a key has fits into one message (gearstorm.multilang.max.message.bytes, 16 MiB). Storm's
   * own workers know no states. value, list, map and timers (gearstorm_state.js) say what each can do.
   */
  state(tuple) {
    if (tuple._key === undefined) throw new Error('a tuple without a key: states are there for tuples that are grouped by fields');
    const found = {};
    this._declared.forEach((s, i) => { found[s.name] = new HANDLES[s.kind](this, tuple, i, s); });
    return found;
  }

  /**
   * Emits an array of values. Options:
   *   stream       the output stream; the default one if absent
   *   anchors      the input tuples this one comes from: when it is lost, they are replayed
   *   task         send it to exactly this task; the stream must be a direct one
   *   needTaskIds  true returns a promise of the tasks it went to. That costs a round trip: leave it out unless needed.
   */
  emit(values, options = {}) {
    const anchors = options.anchors && options.anchors.map((tuple) => {
      if (tuple._settled) throw new Error('cannot anchor on a tuple that is acked or failed already');
      return tuple.id;
    });
    return this._emit(anchors, undefined, values, options);
  }

  /** Tells the topology that the tuple is done. A second ack or fail of the same tuple does nothing. */
  ack(tuple) { this._settle('ack', tuple); }

  /** Tells the topology that the tuple is lost: the spout hears of it now, not after the message timeout. */
  fail(tuple) { this._settle('fail', tuple); }

  _settle(command, tuple) {
    if (tuple._settled) return;
    tuple._settled = true;
    if (!this._batch) this._write1(`{"command":"${command}","id":"${tuple.id}"}`);
    else if (command === 'ack') this._write1(`${tuple.id} `);
    else this._write1(`[${OP_FAIL},${tuple.id}]`);
  }

  _handle(m) {
    let tuple;
    if (this._batch) {
      if (m.length === 0) {
        this._write1('null');
        return undefined;
      }
      if (m.length === 2) { // "watermark"
        [, this._time] = m;
        this._firstTime = this._time && (this._firstTime || this._time);
        return undefined;
      }
      if (m[1] === TIMERS) return this._runTimer(m[0], m[3], this._keyOf(m[4], m[5]));
      tuple = new Tuple(m[0], this._origins.get(m[1]), m[2], m[3]);
      if (m.length === 6) tuple._key = this._keyOf(m[4], m[5]);
    } else {
      if (m.stream === '__heartbeat') {
        this._send({ command: 'sync' });
        return undefined;
      }
      const key = `${m.comp}\n${m.stream}`;
      tuple = new Tuple(m.id, this._origins.get(key) || this._addOrigin(key, m.comp, m.stream), m.task, m.tuple);
    }
    return tuple.isTick ? this._runTick(tuple) : this._runProcess(tuple);
  }

  /** The key in that place, which is another one than before if contents come with it. */
  _keyOf(number, contents) {
    if (number < 0) return undefined;
    if (contents !== null) this._keys.set(number, new Key(number, contents));
    return this._keys.get(number);
  }

  _runTimer(id, [index, at, ...key], state) {
    const timer = { id, name: this._declared[index].name, at, key, _key: state, _settled: false };
    return after(() => this.onTimer(timer), () => this.ack(timer), (error) => this._giveUp(timer, error));
  }

  _runTick(tuple) {
    return after(() => this.tick(tuple), () => this.ack(tuple), (error) => {
      this.reportError(error);
      this.ack(tuple);
    });
  }

  _runProcess(tuple) {
    after(() => this.process(tuple), () => {}, (error) => this._giveUp(tuple, error));
    return undefined;
  }

  _giveUp(tuple, error) {
    this.reportError(error);
    this.fail(tuple);
  }
}

/**
 * A bolt that anchors, acks and fails by itself: emit() ties what it sends to the tuple in process(), the tuple is acked
 * when process() is done and failed when it throws or rejects. To give a tuple up on purpose, throw.
 */
class BasicBolt extends Bolt {
  /** As Bolt.emit, anchored to the tuple at hand unless anchors are given. */
  emit(values, options = {}) {
    if (options.anchors !== undefined) return super.emit(values, options);
    const tuple = this._current;
    return this._emit(tuple && !tuple._settled ? tuple.id : undefined, undefined, values, options);
  }

  _runTimer(id, values, state) {
    this._current = undefined;
    return super._runTimer(id, values, state);
  }

  _runProcess(tuple) {
    this._current = tuple;
    return after(() => this.process(tuple), () => this.ack(tuple), (error) => this._giveUp(tuple, error));
  }
}

/**
 * A source of tuples. nextTuple() is called again and again: emit something and return, or return without emitting; then
 * the worker waits a little before it asks again.
 */
class Spout extends Component {
  /** Emit the next tuple, or a few, or none. */
  nextTuple() { throw new Error('write a nextTuple() method'); }

  /** The tuple that was emitted with this id is completely processed. */
  ack(id) {}

  /** The tuple that was emitted with this id was lost or failed: emit it again, or give it up. */
  fail(id) {}

  /** The topology was activated; called before the first nextTuple too. */
  activate() {}

  /** The topology was deactivated: nextTuple is not called until activate. */
  deactivate() {}

  /** Emits an array of values. Options: id (string or number; makes the tuple reliable), stream, task, needTaskIds. */
  emit(values, options = {}) {
    return this._emit(undefined, options.id, values, options);
  }

  _handle(m) {
    const [command, id] = this._batch ? m : [m.command, m.id];
    const call = {
      next: () => this.nextTuple(),
      ack: () => this.ack(id),
      fail: () => this.fail(id),
      activate: () => this.activate(),
      deactivate: () => this.deactivate(),
    }[command] || (() => {});
    const sync = () => this._write1(this._batch ? 'null' : '{"command":"sync"}');
    return after(call, sync, (error) => { this.reportError(error); sync(); });
  }
}

/** Calls f, then done or failed: at once if f is synchronous (returns undefined), else when its promise settles. */
function after(f, done, failed) {
  let result;
  try {
    result = f();
  } catch (error) {
    failed(error);
    return undefined;
  }
  if (result && typeof result.then === 'function') return result.then(done, failed);
  done();
  return undefined;
}

module.exports = { Bolt, BasicBolt, Spout, Tuple, value, list, map, timers };
