"""gearstorm: write spouts and bolts in plain Python.

Standard library only, Python 3.8 or newer, in one file but for state, since it is copied beside scripts. Put gearstorm.py and gearstorm_state.py beside your script (gearstorm does that for
you) and run the script as a component of a topology. A whole bolt:

    import gearstorm

    class Split(gearstorm.BasicBolt):
        def process(self, tup):
            for word in tup["sentence"].split():
                self.emit([word])

    if __name__ == "__main__":
        Split().run()

and a whole spout:

    class Numbers(gearstorm.Spout):
        def initialize(self, conf, context):
            self.n = 0

        def next_tuple(self):
            self.n += 1
            self.emit([self.n], id=self.n)      # an id makes the tuple reliable: ack(id) or fail(id) comes back

What to know:

* BasicBolt is the one to start with: what you emit is tied ("anchored") to the tuple at hand, the tuple is acked when
  process() returns and failed when it raises. Bolt leaves all three to you.
* One component instance is one process with one thread: no locks needed, and a slow process() slows only its own task. Threads and
  processes that you start may use the logging module, whose records get to the worker's log as text, and nothing of this one.
* print() is safe. It goes to the worker's log, as does everything else written to standard output or standard error.
* A bolt under gearstorm may keep state by key, which outlives its process (see Value), also for a time (TTL), and set timers (Timers).
* A tuple holds None, bool, int, float, str, lists and dicts with str keys. Under gearstorm, where messages travel in batches
  and not as JSON, also bytes.
"""

# A child is soon at work: what takes long to load (json, logging and traceback, which all load re) is loaded where it is needed,
# which is mostly never. With them a start takes three times as much of a processor.
import _thread
import marshal
import os
import sys
import time

try:
    from _collections import deque
except ImportError:  # not CPython
    from collections import deque

from gearstorm_state import TTL, Key, List, Map, State, Timer, Timers, Value

__all__ = ["Bolt", "BasicBolt", "Spout", "Tuple", "Value", "List", "Map", "Timers", "Timer", "TTL", "LogHandler"]

__version__ = "0.1.0"

_END = b"\nend\n"
_READ_BYTES = 256 * 1024
_FLUSH_BYTES = 64 * 1024
_FRAME_BYTES = 128 * 1024
_FLUSH_SECONDS = 0.005
_LEVELS = {"trace": 0, "debug": 1, "info": 2, "warn": 3, "warning": 3, "error": 4, "critical": 4}


def _not_json(value):
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError("a tuple cannot hold bytes: encode them first, for example with base64.b64encode(data).decode()")
    raise TypeError("a tuple cannot hold a %s: %r" % (type(value).__name__, value))


def _make_encoder():
    """Returns value -> JSON text. json.dumps builds an encoder object for every call; keeping one halves the cost."""
    try:
        from _json import encode_basestring, make_encoder
        fast = make_encoder(None, _not_json, encode_basestring, None, ":", ",", False, False, True)
        join = "".join
        if join(fast(["x", 1, {"k": [None, True, 0.5]}], 0)) == '["x",1,{"k":[null,true,0.5]}]':
            return lambda value: join(fast(value, 0))
    except Exception:  # not CPython, or an interpreter that changed its private encoder
        pass
    import json
    return json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"), default=_not_json).encode


def _make_decoder():
    """Returns JSON text -> value: the scanner of json without the package around it."""
    def slow(text):
        import json
        return json.loads(text)

    class Rules:
        strict = True
        object_hook = object_pairs_hook = None
        parse_float, parse_int = float, int
        parse_constant = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}.__getitem__

    try:
        from _json import make_scanner
        scan = make_scanner(Rules)
        if scan('{"k":["x",1,0.5,null,true]}', 0) != ({"k": ["x", 1, 0.5, None, True]}, 27):
            return slow
    except Exception:  # as above
        return slow

    def fast(text):
        text = text.strip(" \t\r\n")
        try:
            value, end = scan(text, 0)
        except (StopIteration, ValueError):
            end = -1
        return value if end == len(text) else slow(text)  # which says what is wrong

    return fast


_encode = _make_encoder()
_decode = _make_decoder()

# Under gearstorm messages travel in batches, packed with the marshal module: several times as fast as JSON. Operations of a
# component are these tuples, a bare id (an ack) or None (a sync); see multilang/batch.go of gearstorm.
_EMIT, _EMIT_MORE, _FAIL, _MESSAGE, _STATE = range(5)
_FRAMING = "marshal1"
_TIMERS = -1  # the origin of timers
_dumps, _loads = marshal.dumps, marshal.loads
_FLAT = frozenset((type(None), bool, int, float, str, bytes, bytearray, memoryview))
_flat = _FLAT.issuperset
_LISTS = frozenset((list, tuple, set, frozenset))


def _crosses(values):
    """Whether marshal makes of values what they are. Of whatever has a buffer, as the numbers of numpy, it makes bytes without a word."""
    for value in values:
        kind = type(value)
        if kind in _LISTS:
            if not _flat(map(type, value)) and not _crosses(value):
                return False
        elif kind is dict:
            if not _flat(map(type, value)) or not _flat(map(type, value.values())) and not _crosses(value.values()):
                return False
        elif kind not in _FLAT:
            return False
    return True


def _pack(operation):
    try:
        if _crosses(operation):
            return _dumps(operation, 2)
    except ValueError:  # nested too deep
        pass
    return _dumps(_decode(_encode(operation)), 2)  # a subclass of dict, str or the like: what JSON makes of it


def _frames(operations):
    """Yields the parts of frames of operations: the worker takes as much in a frame as in one operation, or _FRAME_BYTES of several."""
    frame, size = [], 0
    for operation in operations:
        if frame and size + len(operation) > _FRAME_BYTES:
            yield size.to_bytes(4, "little")
            yield from frame
            frame, size = [], 0
        frame.append(operation)
        size += len(operation)
    yield size.to_bytes(4, "little")
    yield from frame


def _can_batch(hello):
    """Whether the parent offers batches, and this interpreter's marshal is the one that both sides mean."""
    offer = hello.get("gearstorm")
    if not isinstance(offer, dict) or _FRAMING not in (offer.get("framings") or ()):
        return False
    try:
        return (_dumps((1, "\u00e9", 0.5, -1 << 40), 2)
                == b"(\x04\0\0\0i\1\0\0\0u\2\0\0\0\xc3\xa9g\0\0\0\0\0\0\xe0?l\xfd\xff\xff\xff\0\0\0\0\0\4"
                and _loads(b")\2z\1xa\1\0\0\0y") == ("x", "y"))
    except Exception:
        return False


def _take_pipes():
    """Takes the protocol's pipes away from everybody else: what is printed from here on goes to standard error."""
    fds = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    sys.stdout.flush()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)
    return fds


# Under gearstorm the pipes are taken at import, so that a print in the body of your script does no harm. The variable is not
# passed on: a program that yours starts has pipes of its own.
_pipes = _take_pipes() if os.environ.pop("GEARSTORM_MULTILANG", None) else None


class Tuple:
    """One input tuple.

    values     the list of values
    component  the id of the component that emitted it
    stream     the stream it came on, usually "default"
    task       the task that emitted it
    id         the name of this delivery in the protocol; opaque

    tup[0] is the first value, tup["word"] the value of the field that the emitter declared as "word".
    """

    __slots__ = ("id", "_origin", "task", "values", "_settled", "_key")

    def __init__(self, id, origin, task, values):
        self.id = id
        self._origin = origin  # component, stream, {field: position}
        self.task = task
        self.values = values
        self._settled = False
        self._key = None

    @property
    def component(self):
        return self._origin[0]

    @property
    def stream(self):
        return self._origin[1]

    def __getitem__(self, key):
        if isinstance(key, str):
            fields = self._origin[2]
            if key not in fields:
                raise KeyError("stream %r of %r has no field %r (it has %s)" % (
                    self.stream, self.component, key, sorted(fields)))
            return self.values[fields[key]]
        return self.values[key]

    def __len__(self):
        return len(self.values)

    def __iter__(self):
        return iter(self.values)

    def __repr__(self):
        return "Tuple(%s/%s %r)" % (self.component, self.stream, self.values)

    @property
    def is_tick(self):
        """True for the clock tuples that topology.tick.tuple.freq.secs asks for."""
        return self.stream == "__tick" and self.component == "__system"


class _WorkerGone(BaseException):
    """The worker closed the pipe. Not an Exception, so that a process() that catches everything does not catch this."""


class _StateUntold(BaseException):
    """A change of state cannot be told to the worker. Not an Exception, as _WorkerGone: nothing that comes after it may be told either,
    or there would be acks without the changes of their tuples."""


def _trace():
    """The exception at hand, as text."""
    import traceback
    return traceback.format_exc()


def __getattr__(name):
    """LogHandler, which loads logging."""
    if name != "LogHandler":
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    import logging

    class LogHandler(logging.Handler):
        """Sends records of the logging module to the worker's log with their level, those of other threads and processes than that of
        run() by standard error. run() installs one on the root logger."""

        def __init__(self, component):
            logging.Handler.__init__(self)
            self._component = component

        def emit(self, record):
            try:
                if self._component._home != (os.getpid(), _thread.get_ident()):  # the pipe is not theirs to write to
                    sys.stderr.write("%s: %s\n" % (record.levelname, self.format(record)))
                    sys.stderr.flush()
                    return
                if record.levelno < logging.DEBUG:
                    level = 0
                else:
                    level = min(record.levelno // 10, 4)
                self._component.log(self.format(record), level)
            except Exception:
                self.handleError(record)

    LogHandler.__qualname__ = name
    return globals().setdefault(name, LogHandler)


class _OnImport:
    """Calls then() as soon as the module name is imported, whenever that is: a finder in front of the others, and the loader around the
    module's own."""

    def __init__(self, name, then):
        self._name = name
        self._then = then

    def find_spec(self, name, path=None, target=None):
        if name == self._name:
            for finder in sys.meta_path:
                find = getattr(finder, "find_spec", None)
                spec = find(name, path, target) if find and finder is not self else None
                if spec is not None:
                    self._loader, spec.loader = spec.loader, self
                    return spec
        return None

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        sys.meta_path.remove(self)
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._then()


class _Component:
    """What spouts and bolts share: the pipe to the worker, logging, metrics."""

    conf = {}      #: the topology's configuration, merged for this component
    context = {}   #: where this component stands in the topology; see task_id and component_id
    _home = None   # the process and the thread of run()

    # --- for you to override ---

    def initialize(self, conf, context):
        """Called once before the first tuple. Open connections and set up state here, not in __init__."""

    # --- for you to call ---

    @property
    def task_id(self):
        """The number of this task, unique in the topology."""
        return self.context.get("taskid")

    @property
    def component_id(self):
        """The name that this component has in the topology."""
        return self.context.get("componentid")

    def log(self, message, level="info"):
        """Writes to the worker's log. level: trace, debug, info, warn or error."""
        if not isinstance(level, int):
            level = _LEVELS.get(level, 2)
        self._send({"command": "log", "msg": str(message), "level": level})

    def report_error(self, message):
        """Shows an error for this component in the UI. Processing goes on."""
        self._send({"command": "error", "msg": str(message)})

    def metric(self, name, value):
        """Reports a metric: a number sets the gauge of that name."""
        self._send({"command": "metrics", "name": name, "params": value})

    def count(self, name, n=1):
        """Adds n to the counter of that name."""
        self._send({"command": "metrics", "name": name, "params": {"incr": n}})

    def keep_alive(self):
        """Call this now and then in work that takes longer than topology.subprocess.timeout.secs: a component that is
        silent for that long is taken for hung and restarted."""
        self.log("busy", "trace")  # any message will do; a "sync" would end the command at hand
        self._flush()

    def run(self):
        """Runs the component until the worker ends it. The last line of your script."""
        self._open()
        try:
            self._handshake()
            try:
                self.initialize(self.conf, self.context)
            except Exception:
                self.report_error(_trace())
                self._flush()
                sys.exit(1)
            self._loop()
        except _WorkerGone:
            pass  # nothing is left to do and nobody is left to tell

    # --- the wire ---

    def _open(self):
        """The state is made here and not in __init__, so that a subclass may forget to call ours."""
        self._home = os.getpid(), _thread.get_ident()
        self._in_fd, self._out_fd = _pipes or _take_pipes()
        self._out = []
        self._out_size = 0
        self._flushed = 0.0
        self._tail = b""
        self._batch = False
        self._commands = deque()
        self._origins = {}
        self._task_ids = deque()
        self._changed = []
        self._keys = {}
        self._at_hand = None
        self._time = self._first_time = 0
        self._states = self._declared()

    def _declared(self):
        """The states of the class, which are this component's from now on."""
        found = {}
        for owner in reversed(type(self).__mro__):
            found.update((name, s) for name, s in vars(owner).items() if isinstance(s, State))
        states = sorted(found.values(), key=lambda s: s.name)
        for i, state in enumerate(states):
            state._bolt, state._index = self, i
        return states

    def _handshake(self):
        hello = self._next_command()
        self.conf = hello.get("conf") or {}
        self.context = hello.get("context") or {}
        pid = os.getpid()
        if hello.get("pidDir"):
            open(os.path.join(hello["pidDir"], str(pid)), "w").close()
        if self._states:
            if not isinstance(self, Bolt):
                raise TypeError("only bolts keep state")
            self._check_offer(hello["gearstorm"] if _can_batch(hello) else {})
        if _can_batch(hello):
            answer = {"pid": pid, "framing": _FRAMING}
            if self._states:
                answer["states"] = [s._declare() for s in self._states]
            self._send(answer)
            self._flush()
            self._batch = True
            self._tail = bytearray(self._tail)
        else:
            self._send({"pid": pid})
            self._flush()
        if "logging" in sys.modules:
            self._take_logging()
        else:
            sys.meta_path.insert(0, _OnImport("logging", self._take_logging))

    def _take_logging(self):
        """Sends to the worker's log what is logged, unless the script has put it in order already."""
        import logging
        root = logging.getLogger()
        if not root.handlers:
            root.addHandler(__getattr__("LogHandler")(self))
            if root.level == logging.WARNING:
                root.setLevel(logging.INFO)

    def _check_offer(self, offer):
        """Raises where the parent cannot keep the states of this component."""
        timers = any(isinstance(s, Timers) for s in self._states)
        if timers and type(self).on_timer is Bolt.on_timer:
            raise TypeError("a bolt with Timers has a method on_timer(self, timer)")
        if not offer.get("states"):
            raise RuntimeError("this parent keeps no state for its components: run it under gearstorm, "
                               "with gearstorm.multilang.batch left on")
        if timers and not offer.get("timers") or any(s._ttl for s in self._states) and not offer.get("ttl"):
            raise RuntimeError("this parent is a gearstorm that knows no timers and TTLs of components: it takes a newer one")

    def _read(self):
        """Reads what is there, at least one whole message or batch. All that came at once is parsed in one call."""
        if self._out:
            self._flush()
        if self._batch:
            self._read_batch()
            return
        data = self._tail
        while True:
            chunk = self._read_chunk()
            seen = max(0, len(data) - len(_END))
            data = data + chunk if data else chunk
            cut = data.rfind(_END, seen)
            if cut >= 0:
                break
        self._tail = data[cut + len(_END):]
        for message in _decode(str(b"[" + data[:cut].replace(_END, b",") + b"]", "utf-8", "surrogatepass")):
            if type(message) is list:
                self._task_ids.append(message)
            else:
                self._commands.append(message)

    def _read_batch(self):
        data = self._tail
        while len(data) < 4:
            data += self._read_chunk()
        end = 4 + int.from_bytes(data[:4], "little")
        while len(data) < end:
            data += self._read_chunk()
        with memoryview(data) as view, view[4:end] as batch:
            items = _loads(batch)
        del data[:end]
        commands = self._commands
        for item in items:
            n = len(item)
            if n == 1:
                self._task_ids.append(item[0])
            elif n == 3:
                self._add_origin(*item)
            else:
                commands.append(item)

    def _read_chunk(self):
        chunk = os.read(self._in_fd, _READ_BYTES)
        if not chunk:
            raise _WorkerGone
        return chunk

    def _next_command(self):
        while not self._commands:
            self._read()
        return self._commands.popleft()

    def _next_task_ids(self):
        while not self._task_ids:
            self._read()
        return self._task_ids.popleft()

    def _send(self, message):
        self._write(_pack((_MESSAGE, message)) if self._batch else _encode(message))

    def _write(self, message):
        """Queues one message, bytes in batches, else text. It leaves when the input at hand is used up, after 64 KiB, or
        after 5 ms of work."""
        self._out.append(message)
        self._out_size += len(message)
        if self._out_size >= _FLUSH_BYTES or time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self._flush()

    def _tell_changes(self):
        """Puts what has changed in states before all else: an ack is only after the changes of its tuple."""
        told = []
        for key, index, state in self._changed:
            n, values = state._told(key, key.changes[index])
            try:
                told.append(_pack((_STATE, key.number, index, n, values)))
            except (TypeError, ValueError, RecursionError) as e:
                raise _StateUntold("state %r has what cannot be kept: %s" % (state.name, e)) from None
            key.changes[index] = None
        self._changed = []
        self._out[:0] = told

    def _flush(self):
        if self._changed:
            self._tell_changes()
        if self._out:
            if self._batch:
                data = b"".join(self._out)
                if len(data) <= _FRAME_BYTES:
                    data = memoryview(len(data).to_bytes(4, "little") + data)
                else:
                    data = memoryview(b"".join(_frames(self._out)))
            else:
                self._out.append("")
                data = memoryview("\nend\n".join(self._out).encode("utf-8", "replace"))
            self._out = []
            self._out_size = 0
            try:
                while data:
                    data = data[os.write(self._out_fd, data):]
            except BrokenPipeError:
                raise _WorkerGone from None
        self._flushed = time.monotonic()

    def _emit(self, anchors, id, values, stream, task, need_task_ids):
        """anchors: the id of a tuple, a list of them, or None; id: of a spout's tuple, or None."""
        if not isinstance(values, (list, tuple)):
            raise TypeError("emit wants a list of values, not %r" % (values,))
        wanted = need_task_ids and task is None
        if self._batch:
            if stream is None and task is None and not wanted and id is None:
                self._write(_pack((_EMIT, anchors, values)))
            else:
                self._write(_pack((_EMIT_MORE, anchors, values, stream, task or 0, wanted, id)))
        else:
            head = '{"command":"emit"'
            if anchors is not None:
                head += ',"anchors":["' + anchors + '"]' if type(anchors) is str else ',"anchors":' + _encode(anchors)
            if id is not None:
                head += ',"id":' + _encode(id)
            if stream is not None:
                head += ',"stream":' + _encode(stream)
            if task is not None:
                head += ',"task":%d' % task
            if not wanted:
                head += ',"need_task_ids":false'
            self._write(head + ',"tuple":' + _encode(values) + "}")
        if wanted:
            return self._next_task_ids()
        return [task] if need_task_ids else None


class Bolt(_Component):
    """A bolt that anchors, acks and fails by hand.

        class Join(gearstorm.Bolt):
            def process(self, tup):
                self.emit([tup[0]], anchors=[tup])
                self.ack(tup)

    Every tuple must be acked or failed sooner or later, at once or after later tuples came. A tuple that process() raises
    on is failed for you and the error is shown in the UI.
    """

    def process(self, tup):
        """Called for every input tuple."""
        raise NotImplementedError("write a process(self, tup) method")

    def tick(self, tup):
        """Called for every tick (set topology.tick.tuple.freq.secs to get them). Ticks are acked for you."""

    def on_timer(self, timer):
        """Called when a moment that was set in Timers has come, with a Timer, which is acked for you; what you emit is anchored to
        nothing. A topology with checkpoints goes back to the last one if it raises, as for a failed tuple; else the timer is gone."""

    def event_time(self):
        """The watermark, before which nothing is expected any more, in milliseconds since 1970; None while there is none. Bolts with
        Timers or a TTL by event time are told it, others are not."""
        return self._time or None

    def emit(self, values, stream=None, anchors=(), task=None, need_task_ids=False):
        """Emits a list of values.

        stream         the output stream; the default one if None
        anchors        the input tuples this one comes from: when it is lost, they are replayed
        task           send it to exactly this task; the stream must be a direct one
        need_task_ids  True returns the list of tasks it went to. That costs a round trip to the worker: leave it alone
                       unless you use the answer.
        """
        ids = None
        if anchors:
            ids = []
            for tup in anchors:
                if tup._settled:
                    raise ValueError("cannot anchor on %r: it is acked or failed already" % tup)
                ids.append(tup.id)
        return self._emit(ids, None, values, stream, task, need_task_ids)

    def ack(self, tup):
        """Tells the topology that tup is done. A second ack or fail of the same tuple does nothing."""
        if not tup._settled:
            tup._settled = True
            self._write(_dumps(tup.id, 2) if self._batch else '{"command":"ack","id":"' + tup.id + '"}')

    def fail(self, tup):
        """Tells the topology that tup is lost: the spout hears of it now, not after the message timeout."""
        if not tup._settled:
            tup._settled = True
            self._write(_dumps((_FAIL, tup.id), 2) if self._batch else '{"command":"fail","id":"' + tup.id + '"}')

    def _handle(self, tup):
        try:
            self.process(tup)
        except Exception:
            self.report_error(_trace())
            self.fail(tup)

    def _handle_timer(self, timer):
        self._at_hand = timer
        try:
            self.on_timer(timer)
            self.ack(timer)
        except Exception:
            self.report_error(_trace())
            self.fail(timer)

    def _advance(self, time):
        self._time = time
        self._first_time = time and (self._first_time or time)

    def _handle_tick(self, tup):
        try:
            self.tick(tup)
        except Exception:
            self.report_error(_trace())
        self.ack(tup)

    def _key(self, number, contents):
        """The key in that place, which is another one than before if contents come with it."""
        if number < 0:
            return None
        if contents is None:
            return self._keys[number]
        key = self._keys[number] = Key(number, contents)
        return key

    def _add_origin(self, number, component, stream):
        """Notes what tuples with this origin are; in plain messages component and stream are their own number."""
        names = ((self.context.get("source->stream->fields") or {}).get(component) or {}).get(stream) or ()
        origin = self._origins[number] = (component, stream, {name: i for i, name in enumerate(names)})
        return origin

    def _loop(self):
        commands, origins, stateful = self._commands, self._origins, bool(self._states)
        while True:
            while not commands:
                self._read()
            m = commands.popleft()
            if self._batch:
                if not m:
                    self._write(_dumps(None, 2))
                    continue
                if stateful:
                    if len(m) == 2:  # "watermark"
                        self._advance(m[1])
                        continue
                    id, origin, task, values, number, contents = m
                    key = self._key(number, contents)
                    if origin == _TIMERS:
                        timer = Timer(id, self._states[values[0]].name, values[1], values[2:])
                        timer._key = key
                        self._handle_timer(timer)
                        continue
                else:
                    id, origin, task, values = m
                    key = None
                origin = origins[origin]
            else:
                id, task, values, key = m["id"], m["task"], m["tuple"], None
                of = m["comp"], m["stream"]
                if of[1] == "__heartbeat":
                    self._send({"command": "sync"})
                    continue
                origin = origins.get(of) or self._add_origin(of, *of)
            tup = Tuple(id, origin, task, values)
            tup._key = key
            self._at_hand = tup
            if origin[1] == "__tick":
                self._handle_tick(tup)
            else:
                self._handle(tup)


class BasicBolt(Bolt):
    """A bolt that anchors, acks and fails by itself: emit() ties what it sends to the tuple in process(), the tuple is acked
    when process() returns and failed when it raises. See the top of this file for an example.

    To give a tuple up on purpose, call self.fail(tup) and return, or raise.
    """

    _current = None  # the tuple at hand

    def emit(self, values, stream=None, anchors=None, task=None, need_task_ids=False):
        """As Bolt.emit, anchored to the tuple at hand unless anchors are given."""
        if anchors is not None:
            return Bolt.emit(self, values, stream, anchors, task, need_task_ids)
        tup = self._current
        if tup is None or tup._settled:  # nothing can be anchored to a settled tuple
            anchor = None
        else:
            anchor = tup.id
        if self._batch and stream is None and task is None and not need_task_ids and type(values) is list and _flat(map(type, values)):
            self._write(_dumps((_EMIT, anchor, values), 2))  # what _emit does, in fewer calls
            return None
        return self._emit(anchor, None, values, stream, task, need_task_ids)

    def _handle(self, tup):
        self._current = tup
        try:
            self.process(tup)
            self.ack(tup)
        except Exception:
            self.report_error(_trace())
            self.fail(tup)

    def _handle_timer(self, timer):
        self._current = None
        Bolt._handle_timer(self, timer)


class Spout(_Component):
    """A source of tuples.

    next_tuple() is called again and again. Emit something and return, or return without emitting: then the worker waits a
    little before it asks again. Never block in it for long: acks and fails wait meanwhile.
    """

    def next_tuple(self):
        """Emit the next tuple, or a few, or none."""
        raise NotImplementedError("write a next_tuple(self) method")

    def ack(self, id):
        """The tuple that was emitted with this id is completely processed."""

    def fail(self, id):
        """The tuple that was emitted with this id was lost or failed: emit it again, or give it up."""

    def activate(self):
        """The topology was activated; called before the first next_tuple too."""

    def deactivate(self):
        """The topology was deactivated: next_tuple is not called until activate."""

    def emit(self, values, id=None, stream=None, task=None, need_task_ids=False):
        """Emits a list of values. With an id (a string or a number of your choice) ack(id) or fail(id) is called later;
        without one the tuple is sent once and forgotten. The other arguments are those of Bolt.emit."""
        return self._emit(None, id, values, stream, task, need_task_ids)

    def _loop(self):
        calls = {
            "next": lambda id: self.next_tuple(),
            "ack": lambda id: self.ack(id),
            "fail": lambda id: self.fail(id),
            "activate": lambda id: self.activate(),
            "deactivate": lambda id: self.deactivate(),
        }
        sync = _dumps(None, 2) if self._batch else _encode({"command": "sync"})
        while True:
            m = self._next_command()
            try:
                name, id = m if self._batch else (m["command"], m.get("id"))
                call = calls.get(name)
                if call is not None:
                    call(id)
            except Exception:
                self.report_error(_trace())
            self._write(sync)
