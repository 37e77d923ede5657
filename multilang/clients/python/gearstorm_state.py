"""State of bolts by key: the part of gearstorm that is behind gearstorm.Value, List, Map, Timers and TTL. See there.

A bolt works on copies of what its keys have, which its worker keeps. They come with the first tuple of a key; changes go back in
front of the acks of the tuples that they are of, those of one frame put together. Nobody ever waits for an answer.
"""

import marshal
import time


_PLAIN = (int, str, float, bool, bytes)  # what every state can keep
_DEPTH = 60  # of lists and dicts in each other; the worker reads little more


def _is_text(value):
    """Whether a str is text: half of a surrogate pair, as in names of files that are no UTF-8, would come back as U+FFFD."""
    try:
        return value.isascii() or value.encode() is not None
    except UnicodeEncodeError:
        return False


def _plain(value):
    """Whether value holds no others and can be kept as it is."""
    kind = type(value)
    return value is None or kind in _PLAIN and (kind is not str or _is_text(value))


def _unkept(value, depth=1):
    """Says why value cannot be kept, None if it can: what would come back as something else is refused."""
    if _plain(value):
        return None
    kind = type(value)
    if kind is str:
        return "it has half of a surrogate pair, which would come back as U+FFFD: keep it as bytes (os.fsencode, of a file's name)"
    if depth > _DEPTH:
        return "it has lists or dicts in each other more than %d deep" % _DEPTH
    if kind is dict:
        for at in value:
            if not _plain(at):
                return "a %s is no key of a dict that can be kept" % type(at).__name__ if type(at) is not str else _unkept(at)
        value = value.values()
    elif kind is not list and kind is not tuple:
        return ("a %s would come back as something else; None, bool, int, float, str, bytes, list, tuple (as a list) and dict "
                "are kept" % kind.__name__)
    for part in value:
        if _plain(part):
            continue
        why = _unkept(part, depth + 1)
        if why is not None:
            return why
    return None


class Timer:
    """A timer that is due: what Bolt.on_timer gets.

    name  of the Timers that it was set in
    at    the moment that was set
    key   the values of its key, as a list; states are those of this key
    """

    __slots__ = ("id", "name", "at", "key", "_key", "_settled")

    def __init__(self, id, name, at, key):
        self.id = id
        self.name = name
        self.at = at
        self.key = key
        self._settled = False
        self._key = None


class TTL:
    """How long what a state holds lives after it was set: a Value, each entry of a Map, each element of a List.

        clicks = gearstorm.Value(0, ttl=gearstorm.TTL(60_000))

    ms          milliseconds
    event_time  count in event time (Bolt.event_time) and not by the clock, in a topology with gearstorm.event.time or checkpoints
    on_read     reading prolongs it too (noted once an eighth of it is over); not for a List
    """

    def __init__(self, ms, event_time=False, on_read=False):
        self.ms = ms
        self.event_time = event_time
        self.on_read = on_read

    def _now(self, bolt):
        return bolt._time if self.event_time else int(time.time() * 1000)

    def _end(self, bolt):
        """When what is set now ends."""
        return self._now(bolt) + self.ms

    def _over(self, bolt, end):
        """Whether that end has come. What was set before there was an event time lives from the first one on."""
        if self.event_time and end <= self.ms:
            end += bolt._first_time
        return end <= self._now(bolt)

    def _prolongs(self, bolt, end):
        return self.on_read and self._end(bolt) - end > self.ms / 8


class Key:
    """What the states of a component have for one key, in the order of the states, and which of it is not told yet."""

    __slots__ = ("number", "contents", "changes")

    def __init__(self, number, contents):
        self.number = number
        self.contents = contents
        self.changes = [None] * len(contents)


class State:
    """What the kinds of states share. Each is of the key of the tuple or timer at hand."""

    name = None
    _ttl = None
    _bolt = None
    _index = 0

    def __set_name__(self, owner, name):
        self.name = self.name or name

    def _key(self):
        bolt = self._bolt
        if bolt is None:
            raise RuntimeError("state %r belongs to no bolt that runs under gearstorm: make it an attribute of the class" % self.name)
        tup = bolt._at_hand
        if tup is None or tup._key is None:
            raise RuntimeError("state %r is asked for, and there is no tuple with a key at hand: states are there in process(), "
                               "for tuples that are grouped by fields, and in on_timer()" % self.name)
        if tup._settled:
            raise RuntimeError("state %r is asked for after the ack or fail of the tuple" % self.name)
        return tup._key

    def _changing(self, key):
        """The changes of the key that are not told yet."""
        change = key.changes[self._index]
        if change is None:
            change = key.changes[self._index] = self._change()
            self._bolt._changed.append((key, self._index, self))
        return change

    def _change(self):
        return True

    def _keepable(self, value):
        """Raises if value cannot be kept: later it would be too late to say so, as its tuple may be acked by then."""
        why = None if _plain(value) else _unkept(value)
        if why is not None:
            raise TypeError("state %r cannot keep %.200r: %s" % (self.name, value, why))

    def _declare(self):
        """The state as the handshake tells it."""
        ttl = self._ttl
        if ttl is None:
            return [self.name, self._kind]
        return [self.name, self._kind, {"ttl": ttl.ms, "event": ttl.event_time, "read": ttl.on_read}]


class Value(State):
    """A value by key. Declare it as an attribute of the class of a bolt; in process() it is that of the key of the tuple at hand,
    which is made of the fields by which the bolt's input is grouped:

        class Count(gearstorm.BasicBolt):
            total = gearstorm.Value(0)

            def process(self, tup):
                self.total.set(self.total.get() + 1)
                self.emit([tup["word"], self.total.get()])

    It outlives this process. In a topology with checkpoints (gearstorm.checkpoint.interval.ms) it is in them: after a failure of
    anything it fits exactly what the sources emit again, and another number of tasks finds it again; the input is then to be
    grouped by KeyGroups (KEY_GROUPS in YAML). Without checkpoints it lives as long as the worker. A value is None, a bool, int, float,
    str (without halves of surrogate pairs) or bytes, or a list, tuple (which comes back as a list) or dict of these; anything else raises,
    since it would come back as something else. One that you change in place has to be set again to be kept. All that a key has in its states fits into one
    message (gearstorm.multilang.max.message.bytes, 16 MiB); what would make it larger ends this process, and fails the tuples that it
    has. Storm's own workers know no states: there run() raises.

    default    what get() returns where there is none; called, if it can be. Each get() of a list or dict is another copy
    name       what it is called in checkpoints and `gearstorm state get`; the attribute's name if None
    ttl        how long it lives, a TTL; None: for ever
    """

    _kind = "value"

    def __init__(self, default=None, name=None, ttl=None):
        if type(default) in (list, dict) and _unkept(default) is None:  # what one key makes of it is nothing to the others
            packed = marshal.dumps(default, 2)
            default = lambda: marshal.loads(packed)
        self._default = default
        self.name = name
        self._ttl = ttl

    def get(self):
        """The value, or the default."""
        key = self._key()
        value = key.contents[self._index]
        if value is not None and self._ttl is not None:
            value = self._alive(key, *value)
        if value is None:
            return self._default() if callable(self._default) else self._default
        return value

    def _alive(self, key, value, end):
        if self._ttl._over(self._bolt, end):
            return None
        if self._ttl._prolongs(self._bolt, end):
            self.set(value)
        return value

    def set(self, value):
        """Makes value the value; None deletes it."""
        key = self._key()
        self._keepable(value)
        self._changing(key)
        if value is not None and self._ttl is not None:
            value = value, self._ttl._end(self._bolt)
        key.contents[self._index] = value

    def delete(self):
        """Removes the value."""
        self.set(None)

    def _told(self, key, change):
        value = key.contents[self._index]
        if value is not None and self._ttl is not None:
            value = value[0]
        return 0, () if value is None else (value,)


class _Elements:
    """The elements of a list, and what has changed since it was told: how many of the old ones went, how many new ones there are."""

    def __init__(self, content):
        self.items = content or []
        self.dropped = self.fresh = 0

    def live(self, state):
        return self.items

    def append(self, values, state):
        self.items.extend(values)
        self.fresh += len(values)

    def drop(self, n):
        old = min(n, len(self.items) - self.fresh)
        self.dropped += old
        self.fresh -= n - old
        del self.items[:n]

    def told(self):
        told = self.dropped, self.items[len(self.items) - self.fresh:]
        self.dropped = self.fresh = 0
        return told


class _AgingElements(_Elements):
    """Those of a list with a TTL. Elements have numbers that stay, since both sides let them end. The first one has number first,
    and the worker knows them from told_first on."""

    def __init__(self, content):
        _Elements.__init__(self, content and content[1::2])
        self.first = self.told_first = content[0] if content else 0
        self.ends = content[2::2] if content else []

    def live(self, state):
        n, ttl = 0, state._ttl
        while n < len(self.ends) and ttl._over(state._bolt, self.ends[n]):
            n += 1
        if n > 0:
            self.drop(n)
        return self.items

    def append(self, values, state):
        _Elements.append(self, values, state)
        self.ends.extend([state._ttl._end(state._bolt)] * len(values))

    def drop(self, n):
        del self.items[:n], self.ends[:n]
        self.first += n
        self.fresh = min(self.fresh, len(self.items))

    def told(self):
        n = len(self.items) - self.fresh
        told = self.first, [self.told_first, self.first + n] + self.items[n:]
        self.told_first, self.fresh = self.first, 0
        return told


class List(State):
    """A list by key, which grows at its end and shrinks at its front. See Value. With a TTL each element lives from when it came."""

    _kind = "list"

    def __init__(self, name=None, ttl=None):
        self.name = name
        self._ttl = ttl

    def _elements(self, key):
        elements = key.contents[self._index]
        if not isinstance(elements, _Elements):
            elements = key.contents[self._index] = (_Elements if self._ttl is None else _AgingElements)(elements)
        return elements

    def _live(self):
        return self._elements(self._key()).live(self)

    def __len__(self):
        return len(self._live())

    def __iter__(self):
        return iter(list(self._live()))

    def __getitem__(self, at):
        return self._live()[at]

    def append(self, *values):
        """Puts values behind the others."""
        key = self._key()
        for value in values:
            self._keepable(value)
        self._changing(key)
        self._elements(key).append(values, self)

    def drop_first(self, n=1):
        """Removes the first n elements, or all if there are no more; n is a whole number."""
        n = range(n).stop  # of an int, or of what can be one
        key = self._key()
        elements = self._elements(key)
        n = min(n, len(elements.live(self)))
        if n > 0:
            self._changing(key)
            elements.drop(n)

    def clear(self):
        """Removes all elements."""
        self.drop_first(len(self))

    def _told(self, key, change):
        return self._elements(key).told()


class Map(State):
    """A map by key, whose entries are kept one by one. Keys of entries are texts and whole numbers. See Value."""

    _kind = "map"

    def __init__(self, name=None, ttl=None):
        self.name = name
        self._ttl = ttl

    def _map(self, key):
        """The entries as they are kept; with a TTL of pairs of the value and its end."""
        items = key.contents[self._index]
        if type(items) is not dict:
            if not items:
                items = {}
            elif self._ttl is None:
                items = dict(zip(items[::2], items[1::2]))
            else:
                items = dict(zip(items[::3], zip(items[1::3], items[2::3])))
            key.contents[self._index] = items
        return items

    def _live(self):
        """The entries that there are."""
        items = self._map(self._key())
        if self._ttl is None:
            return items
        for at in [at for at, (_, end) in items.items() if self._ttl._over(self._bolt, end)]:
            del items[at]
        return {at: value for at, (value, _) in items.items()}

    def __len__(self):
        return len(self._live())

    def __iter__(self):
        return iter(list(self._live()))

    def __contains__(self, at):
        return self.get(at) is not None

    def __getitem__(self, at):
        value = self.get(at)
        if value is None:
            raise KeyError(at)
        return value

    def get(self, at, default=None):
        """The entry of at, or default."""
        key = self._key()
        value = self._map(key).get(at)
        if value is not None and self._ttl is not None:
            value = self._alive(key, at, *value)
        return default if value is None else value

    def _alive(self, key, at, value, end):
        if self._ttl._over(self._bolt, end):
            return None
        if self._ttl._prolongs(self._bolt, end):
            self.set(at, value)
        return value

    def items(self):
        """All entries, as pairs."""
        return list(self._live().items())

    def set(self, at, value):
        """Makes value the entry of at; None deletes it."""
        if type(at) is not str and (type(at) is not int or not -1 << 63 <= at < 1 << 63):
            raise TypeError("an entry of state %r has a text or a whole number of 64 bits as key, not %r" % (self.name, at))
        if type(at) is str and not _is_text(at):
            raise TypeError("%.200r is no key of an entry of state %r: %s" % (at, self.name, _unkept(at)))
        key = self._key()
        self._keepable(value)
        items = self._map(key)
        if value is not None:
            items[at] = value if self._ttl is None else (value, self._ttl._end(self._bolt))
        elif at in items:
            del items[at]
        else:
            return
        self._changing(key)[1].add(at)

    __setitem__ = set

    def delete(self, at):
        """Removes the entry of at, if there is one."""
        self.set(at, None)

    def __delitem__(self, at):
        if at not in self:
            raise KeyError(at)
        self.set(at, None)

    def clear(self):
        """Removes all entries."""
        key = self._key()
        change = self._changing(key)
        change[0] = 1
        change[1].clear()
        self._map(key).clear()

    def _change(self):
        return [0, set()]  # whether all went, and which were set or deleted since

    def _told(self, key, change):
        items, told = key.contents[self._index], []
        for at in change[1]:
            value = items.get(at)
            told += (at, value if value is None or self._ttl is None else value[0])
        return change[0], told


class Timers(State):
    """Moments by key at which Bolt.on_timer is called, in milliseconds since 1970. A key may have many; the same moment twice is once.

        class Session(gearstorm.BasicBolt):
            clicks = gearstorm.Value(0)
            ends = gearstorm.Timers()

            def process(self, tup):
                self.clicks.set(self.clicks.get() + 1)
                self.ends.set(tup["at"] + 60_000)

            def on_timer(self, timer):
                self.emit([timer.key[0], self.clicks.get()])
                self.clicks.delete()

    They are state as a Value is: in checkpoints, found again by another number of tasks.

    clock      by the clock of the machine; else by event time, when the watermark reaches the moment (at once if it has)
    name       as of a Value
    """

    def __init__(self, clock=False, name=None):
        self._kind = "clock" if clock else "timers"
        self.name = name

    def set(self, at):
        """Has on_timer called for this key at that moment."""
        at = self._moment(at)
        self._changing(self._key())[at] = True

    def delete(self, at):
        """Takes back what was set for that moment, if it is still to come."""
        at = self._moment(at)
        self._changing(self._key())[at] = False

    def _moment(self, at):
        moment = int(at)
        if not 0 <= moment <= 1 << 53:
            raise ValueError("timers %r: %r is no moment in milliseconds since 1970" % (self.name, at))
        return moment

    def _change(self):
        return {}

    def _told(self, key, change):
        return 0, [x for moment in change.items() for x in moment]
