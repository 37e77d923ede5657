'use strict';
/*
 * State of bolts by key: the part of gearstorm that is behind Bolt.states. See Bolt.state().
 *
 * A bolt works on copies of what its keys have, which its worker keeps. They come with the first tuple of a key; changes go back in
 * front of the acks of the tuples that they are of, those of one frame put together. Nobody ever waits for an answer.
 */

/** What the states of a component have for one key, in the order of the states, and which of it is not told yet. */
class Key {
  constructor(number, contents) {
    this.number = number;
    this.contents = contents;
    this.changes = new Array(contents.length);
  }
}

const DEPTH = 60; // of arrays and objects in each other; the worker reads little more

const HALF = /\p{Surrogate}/u;

/** Says why text cannot be kept, undefined if it can. */
function unkeptText(text) {
  return HALF.test(text) ? 'it has half of a surrogate pair, which would come back as U+FFFD' : undefined;
}

/** Says why value cannot be kept, undefined if it can: what would come back as something else is refused. */
function unkept(value, depth) {
  switch (typeof value) {
    case 'string': return unkeptText(value);
    case 'boolean': return undefined;
    case 'number': return Number.isFinite(value) ? undefined : `${value} is no number that can be kept`;
    case 'object': return value === null ? undefined : unkeptIn(value, depth);
    default: return `${typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`} cannot be kept`;
  }
}

/** Is unkept for an array or object. */
function unkeptIn(value, depth) {
  if (depth > DEPTH) return `it has arrays or objects in each other more than ${DEPTH} deep`;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const why = unkept(value[i], depth + 1);
      if (why !== undefined) return why;
    }
    return undefined;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    const name = value.constructor?.name || 'object of a class';
    return `a ${name} would come back as something else; texts, numbers, booleans, null, arrays and plain objects are kept`;
  }
  for (const at of Object.keys(value)) {
    if (value[at] === undefined) continue; // absent, then as now
    const why = unkeptText(at) ?? unkept(value[at], depth + 1);
    if (why !== undefined) return why;
  }
  return undefined;
}

/** What the handles of states share: each is of the key of one tuple. */
class Handle {
  constructor(bolt, tuple, index, declared) {
    this._bolt = bolt;
    this._tuple = tuple;
    this._index = index;
    this._declared = declared;
  }

  get _key() {
    if (this._tuple._settled) throw new Error(`state ${this._declared.name} is asked for after the ack or fail of the tuple`);
    return this._tuple._key;
  }

  get _content() { return this._key.contents[this._index]; }

  set _content(content) { this._key.contents[this._index] = content; }

  /** The changes of the key that are not told yet. */
  _changing() {
    const key = this._key;
    let change = key.changes[this._index];
    if (change === undefined) {
      change = this._change();
      key.changes[this._index] = change;
      this._bolt._changed.push({ key, index: this._index, told: this.constructor.told });
    }
    return change;
  }

  _change() { return true; }

  /** Throws if value cannot be kept: later it would be too late to say so, as its tuple may be acked by then. */
  _keepable(value) {
    if (value === undefined) return;
    const why = unkept(value, 1);
    if (why !== undefined) throw new TypeError(`state ${this._declared.name} cannot keep that: ${why}`);
  }

  /** Whether what is kept has an end. */
  get _ages() { return this._declared.ttlMs !== undefined; }

  _now() { return this._declared.eventTime ? this._bolt._time : Date.now(); }

  /** When what is set now ends. */
  _end() { return this._now() + this._declared.ttlMs; }

  /** Whether that end has come. What was set before there was an event time lives from the first one on. */
  _over(end) {
    const { eventTime, ttlMs } = this._declared;
    return (eventTime && end <= ttlMs ? end + this._bolt._firstTime : end) <= this._now();
  }

  /** Whether being read prolongs the life of what ends then. */
  _prolongs(end) { return this._declared.onRead === true && this._end() - end > this._declared.ttlMs / 8; }
}

/** A value of the key. One that you change in place has to be set again to be kept. */
class ValueHandle extends Handle {
  /** The value, or the default. */
  get() {
    let value = this._content;
    if (value !== null && this._ages) {
      const [kept, end] = value;
      value = this._over(end) ? null : kept;
      if (value !== null && this._prolongs(end)) this.set(value);
    }
    if (value !== null) return value;
    const { initial } = this._declared;
    if (typeof initial === 'function') return initial();
    return unkept(initial, 1) === undefined ? structuredClone(initial) : initial; // what one key makes of it is nothing to the others
  }

  /** Makes value the value; null and undefined delete it. */
  set(value) {
    const gone = value === null || value === undefined;
    this._keepable(value);
    this._changing();
    this._content = gone ? null : this._ages ? [value, this._end()] : value;
  }

  delete() { this.set(null); }

  static told(content, change, { ttlMs }) {
    if (content === null) return [0, []];
    return [0, [ttlMs === undefined ? content : content[0]]];
  }
}

/** The elements of a list, and what has changed since it was told: how many of the old ones went, how many new ones there are. */
class Elements {
  constructor(content) {
    this.items = content ?? [];
    this.dropped = 0;
    this.fresh = 0;
  }

  live() { return this.items; }

  append(values) {
    for (const value of values) this.items.push(value ?? null);
    this.fresh += values.length;
  }

  drop(n) {
    const old = Math.min(n, this.items.length - this.fresh);
    this.dropped += old;
    this.fresh -= n - old;
    this.items.splice(0, n);
  }

  told() {
    const told = [this.dropped, this.items.slice(this.items.length - this.fresh)];
    this.dropped = 0;
    this.fresh = 0;
    return told;
  }
}

/**
 * Those of a list with a ttl. Elements have numbers that stay, since both sides let them end. The first one has number first, and
 * the worker knows them from toldFirst on.
 */
class AgingElements extends Elements {
  constructor(content) {
    super(content && content.filter((_, i) => i % 2 === 1));
    this.first = content ? content[0] : 0;
    this.toldFirst = this.first;
    this.ends = content ? content.filter((_, i) => i > 0 && i % 2 === 0) : [];
  }

  live(handle) {
    let n = 0;
    while (n < this.ends.length && handle._over(this.ends[n])) n++;
    if (n > 0) this.drop(n);
    return this.items;
  }

  append(values, handle) {
    super.append(values);
    for (let i = 0; i < values.length; i++) this.ends.push(handle._end());
  }

  drop(n) {
    this.items.splice(0, n);
    this.ends.splice(0, n);
    this.first += n;
    this.fresh = Math.min(this.fresh, this.items.length);
  }

  told() {
    const n = this.items.length - this.fresh;
    const told = [this.first, [this.toldFirst, this.first + n, ...this.items.slice(n)]];
    this.toldFirst = this.first;
    this.fresh = 0;
    return told;
  }
}

/** A list of the key, which grows at its end and shrinks at its front. With a ttl each element lives from when it came. */
class ListHandle extends Handle {
  get _elements() {
    let elements = this._content;
    if (!(elements instanceof Elements)) {
      elements = this._ages ? new AgingElements(elements) : new Elements(elements);
      this._content = elements;
    }
    return elements;
  }

  get _live() { return this._elements.live(this); }

  get length() { return this._live.length; }

  get(at) { return this._live[at]; }

  [Symbol.iterator]() { return [...this._live].values(); }

  /** Puts values behind the others. */
  append(...values) {
    for (const value of values) this._keepable(value);
    this._changing();
    this._elements.append(values, this);
  }

  /** Removes the first n elements, or all if there are no more. */
  dropFirst(n = 1) {
    const count = Math.min(Math.trunc(n), this.length);
    if (!(count > 0)) return;
    this._changing();
    this._elements.drop(count);
  }

  clear() { this.dropFirst(Infinity); }

  static told(content) { return content.told(); }
}

/** A map of the key, whose entries are kept one by one. Keys of entries are texts and whole numbers. */
class MapHandle extends Handle {
  /** The entries as they are kept; with a ttl of the value and its end. */
  get _map() {
    let items = this._content;
    if (!(items instanceof Map)) {
      const flat = items ?? [];
      items = new Map();
      if (this._ages) for (let i = 0; i < flat.length; i += 3) items.set(flat[i], [flat[i + 1], flat[i + 2]]);
      else for (let i = 0; i < flat.length; i += 2) items.set(flat[i], flat[i + 1]);
      this._content = items;
    }
    return items;
  }

  /** The entries that there are. */
  get _live() {
    const items = this._map;
    if (!this._ages) return items;
    const live = new Map();
    for (const [at, [value, end]] of items) {
      if (this._over(end)) items.delete(at);
      else live.set(at, value);
    }
    return live;
  }

  get size() { return this._live.size; }

  has(at) { return this.get(at) !== undefined; }

  get(at) {
    const kept = this._map.get(at);
    if (kept === undefined || !this._ages) return kept;
    const [value, end] = kept;
    if (this._over(end)) return undefined;
    if (this._prolongs(end)) this.set(at, value);
    return value;
  }

  entries() { return [...this._live].values(); }

  [Symbol.iterator]() { return this.entries(); }

  /** Makes value the entry of at; null and undefined delete it. */
  set(at, value) {
    if (typeof at !== 'string' && !Number.isSafeInteger(at)) {
      throw new TypeError(`an entry of state ${this._declared.name} has a text or a whole number as key, not ${at}`);
    }
    this._keepable(at);
    this._keepable(value);
    if (value !== null && value !== undefined) this._map.set(at, this._ages ? [value, this._end()] : value);
    else if (!this._map.delete(at)) return;
    this._changing().entries.add(at);
  }

  delete(at) { this.set(at, null); }

  clear() {
    const change = this._changing();
    change.cleared = 1;
    change.entries.clear();
    this._map.clear();
  }

  _change() { return { cleared: 0, entries: new Set() }; }

  static told(content, { cleared, entries }, { ttlMs }) {
    const values = [];
    for (const at of entries) {
      const kept = content.get(at) ?? null;
      values.push(at, kept === null || ttlMs === undefined ? kept : kept[0]);
    }
    return [cleared, values];
  }
}

/** Moments of the key at which Bolt.onTimer is called, in milliseconds since 1970. The same moment twice is once. */
class TimersHandle extends Handle {
  /** Has onTimer called for this key at that moment. */
  set(at) { this._mark(at, true); }

  /** Takes back what was set for that moment, if it is still to come. */
  delete(at) { this._mark(at, false); }

  _mark(at, set) {
    const moment = Math.trunc(at);
    if (!(moment >= 0 && moment <= 2 ** 53)) throw new RangeError(`timers ${this._declared.name}: ${at} is no moment in milliseconds since 1970`);
    this._changing().set(moment, set);
  }

  _change() { return new Map(); }

  static told(content, change) { return [0, [...change].flat()]; }
}

const HANDLES = { value: ValueHandle, list: ListHandle, map: MapHandle, timers: TimersHandle, clock: TimersHandle };

/**
 * Declares a value by key, for Bolt.states: get() is initial where there is none, another copy each time; a function is called for it.
 * Options give it an end:
 *   ttlMs      how long it lives after it was set, in milliseconds; each entry of a map and each element of a list by itself
 *   eventTime  true counts in event time (Bolt.eventTime), in a topology with gearstorm.event.time or checkpoints; else by the clock
 *   onRead     true has reading prolong it too (noted once an eighth of it is over); not for a list
 */
const value = (initial = null, options = {}) => ({ kind: 'value', initial, ...options });

/** Declares a list by key, for Bolt.states. options as of value. */
const list = (options = {}) => ({ kind: 'list', ...options });

/** Declares a map by key, for Bolt.states. options as of value. */
const map = (options = {}) => ({ kind: 'map', ...options });

/**
 * Declares timers by key, for Bolt.states: by event time, when the watermark reaches the moment (at once if it has), or with
 * { clock: true } by the clock of the machine.
 */
const timers = ({ clock = false } = {}) => ({ kind: clock ? 'clock' : 'timers' });

/** A state as the handshake tells it. */
function declaration({ name, kind, ttlMs, eventTime = false, onRead = false }) {
  return ttlMs === undefined ? [name, kind] : [name, kind, { ttl: ttlMs, event: eventTime, read: onRead }];
}

module.exports = { Key, HANDLES, declaration, value, list, map, timers };
