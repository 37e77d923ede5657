"""gearstorm: write spouts and bolts in plain Python.

One file, standard library only, Python 3.8 or newer. Put it beside your script (gearstorm does that for you) and run the
script as a component of a topology. A whole bolt:

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
* One component instance is one process with one thread: no locks needed, and a slow process() slows only its own task.
* print() is safe. It goes to the worker's log, as does everything else written to standard output or standard error.
* Messages are JSON. A tuple holds None, bool, int, float, str, lists and dicts with str keys.
"""

import json
import logging
import os
import sys
import time
import traceback
from collections import deque

__all__ = ["Bolt", "BasicBolt", "Spout", "Tuple", "LogHandler"]

_END = b"\nend\n"
_READ_BYTES = 256 * 1024
_FLUSH_BYTES = 64 * 1024
_FLUSH_SECONDS = 0.005
_LEVELS = {"trace": 0, "debug": 1, "info": 2, "warn": 3, "warning": 3, "error": 4, "critical": 4}


def _not_json(value):
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError("a tuple cannot hold bytes: encode them first, for example with base64.b64encode(data).decode()")
    raise TypeError("a tuple cannot hold a %s: %r" % (type(value).__name__, value))


def _make_encoder():
    """Returns value -> JSON text. json.dumps builds an encoder object for every call; keeping one halves the cost."""
    slow = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"), default=_not_json)
    try:
        fast = json.encoder.c_make_encoder(
            None, _not_json, json.encoder.encode_basestring, None, ":", ",", False, False, True)
        join = "".join
        if join(fast(["x", 1, {"k": [None, True, 0.5]}], 0)) == '["x",1,{"k":[null,true,0.5]}]':
            return lambda value: join(fast(value, 0))
    except Exception:  # not CPython, or an interpreter that changed its private encoder
        pass
    return slow.encode


_encode = _make_encoder()


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

    __slots__ = ("id", "component", "stream", "task", "values", "_fields", "_settled")

    def __init__(self, id, component, stream, task, values, fields=None):
        self.id = id
        self.component = component
        self.stream = stream
        self.task = task
        self.values = values
        self._fields = fields
        self._settled = False

    def __getitem__(self, key):
        if isinstance(key, str):
            if self._fields is None or key not in self._fields:
                raise KeyError("stream %r of %r has no field %r (it has %s)" % (
                    self.stream, self.component, key, sorted(self._fields or ())))
            return self.values[self._fields[key]]
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


class LogHandler(logging.Handler):
    """Sends records of the logging module to the worker's log with their level. run() installs one on the root logger."""

    def __init__(self, component):
        logging.Handler.__init__(self)
        self._component = component

    def emit(self, record):
        try:
            if record.levelno < logging.DEBUG:
                level = 0
            else:
                level = min(record.levelno // 10, 4)
            self._component.log(self.format(record), level)
        except Exception:
            self.handleError(record)


class _Component:
    """What spouts and bolts share: the pipe to the worker, logging, metrics."""

    conf = {}      #: the topology's configuration, merged for this component
    context = {}   #: where this component stands in the topology; see task_id and component_id

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
        self._send({"command": "sync"})
        self._flush()

    def run(self):
        """Runs the component until the worker ends it. The last line of your script."""
        self._open()
        try:
            self._handshake()
            try:
                self.initialize(self.conf, self.context)
            except Exception:
                self.report_error(traceback.format_exc())
                self._flush()
                sys.exit(1)
            self._loop()
        except _WorkerGone:
            pass  # nothing is left to do and nobody is left to tell

    # --- the wire ---

    def _open(self):
        """The state is made here and not in __init__, so that a subclass may forget to call ours."""
        self._in_fd, self._out_fd = _pipes or _take_pipes()
        self._out = []
        self._out_size = 0
        self._flushed = 0.0
        self._tail = b""
        self._commands = deque()
        self._task_ids = deque()

    def _handshake(self):
        hello = self._next_command()
        self.conf = hello.get("conf") or {}
        self.context = hello.get("context") or {}
        pid = os.getpid()
        if hello.get("pidDir"):
            open(os.path.join(hello["pidDir"], str(pid)), "w").close()
        self._send({"pid": pid})
        self._flush()
        root = logging.getLogger()
        if not root.handlers:
            root.addHandler(LogHandler(self))
            if root.level == logging.WARNING:
                root.setLevel(logging.INFO)

    def _read(self):
        """Reads what is there, at least one whole message. All messages of one read are parsed in one call."""
        if self._out:
            self._flush()
        data = self._tail
        while True:
            chunk = os.read(self._in_fd, _READ_BYTES)
            if not chunk:
                raise _WorkerGone
            seen = max(0, len(data) - len(_END))
            data = data + chunk if data else chunk
            cut = data.rfind(_END, seen)
            if cut >= 0:
                break
        self._tail = data[cut + len(_END):]
        for message in json.loads(b"[" + data[:cut].replace(_END, b",") + b"]"):
            if type(message) is list:
                self._task_ids.append(message)
            else:
                self._commands.append(message)

    def _next_command(self):
        while not self._commands:
            self._read()
        return self._commands.popleft()

    def _next_task_ids(self):
        while not self._task_ids:
            self._read()
        return self._task_ids.popleft()

    def _send(self, message):
        self._write(_encode(message))

    def _write(self, text):
        """Queues one message. It leaves when the input at hand is used up, after 64 KiB, or after 5 ms of work."""
        self._out.append(text)
        self._out_size += len(text)
        if self._out_size >= _FLUSH_BYTES or time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self._flush()

    def _flush(self):
        if self._out:
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

    def _emit(self, head, values, stream, task, need_task_ids):
        if not isinstance(values, (list, tuple)):
            raise TypeError("emit wants a list of values, not %r" % (values,))
        if stream is not None:
            head += ',"stream":' + _encode(stream)
        if task is not None:
            head += ',"task":%d' % task
        if not need_task_ids or task is not None:
            self._write(head + ',"need_task_ids":false,"tuple":' + _encode(values) + "}")
            return None if not need_task_ids else [task]
        self._write(head + ',"tuple":' + _encode(values) + "}")
        return self._next_task_ids()


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

    def emit(self, values, stream=None, anchors=(), task=None, need_task_ids=False):
        """Emits a list of values.

        stream         the output stream; the default one if None
        anchors        the input tuples this one comes from: when it is lost, they are replayed
        task           send it to exactly this task; the stream must be a direct one
        need_task_ids  True returns the list of tasks it went to. That costs a round trip to the worker: leave it alone
                       unless you use the answer.
        """
        if anchors:
            ids = []
            for tup in anchors:
                if tup._settled:
                    raise ValueError("cannot anchor on %r: it is acked or failed already" % tup)
                ids.append(tup.id)
            head = '{"command":"emit","anchors":' + _encode(ids)
        else:
            head = '{"command":"emit"'
        return self._emit(head, values, stream, task, need_task_ids)

    def ack(self, tup):
        """Tells the topology that tup is done. A second ack or fail of the same tuple does nothing."""
        self._settle("ack", tup)

    def fail(self, tup):
        """Tells the topology that tup is lost: the spout hears of it now, not after the message timeout."""
        self._settle("fail", tup)

    def _settle(self, command, tup):
        if not tup._settled:
            tup._settled = True
            self._write('{"command":"' + command + '","id":"' + tup.id + '"}')

    def _handle(self, tup):
        try:
            self.process(tup)
        except Exception:
            self.report_error(traceback.format_exc())
            self.fail(tup)

    def _handle_tick(self, tup):
        try:
            self.tick(tup)
        except Exception:
            self.report_error(traceback.format_exc())
        self.ack(tup)

    def _loop(self):
        fields = {}
        for component, streams in (self.context.get("source->stream->fields") or {}).items():
            for stream, names in streams.items():
                fields[component, stream] = {name: i for i, name in enumerate(names)}
        commands = self._commands
        while True:
            while not commands:
                self._read()
            m = commands.popleft()
            component, stream = m["comp"], m["stream"]
            if stream == "__heartbeat":
                self._send({"command": "sync"})
                continue
            tup = Tuple(m["id"], component, stream, m["task"], m["tuple"], fields.get((component, stream)))
            if stream == "__tick":
                self._handle_tick(tup)
            else:
                self._handle(tup)


class BasicBolt(Bolt):
    """A bolt that anchors, acks and fails by itself: emit() ties what it sends to the tuple in process(), the tuple is acked
    when process() returns and failed when it raises. See the top of this file for an example.

    To give a tuple up on purpose, call self.fail(tup) and return, or raise.
    """

    _head = '{"command":"emit"'

    def emit(self, values, stream=None, anchors=None, task=None, need_task_ids=False):
        """As Bolt.emit, anchored to the tuple at hand unless anchors are given."""
        if anchors is not None:
            return Bolt.emit(self, values, stream, anchors, task, need_task_ids)
        return self._emit(self._head, values, stream, task, need_task_ids)

    def _settle(self, command, tup):
        Bolt._settle(self, command, tup)
        self._head = BasicBolt._head  # nothing can be anchored to a settled tuple

    def _handle(self, tup):
        self._head = '{"command":"emit","anchors":["' + tup.id + '"]'
        try:
            self.process(tup)
            self.ack(tup)
        except Exception:
            self.report_error(traceback.format_exc())
            self.fail(tup)


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
        head = '{"command":"emit"'
        if id is not None:
            head += ',"id":' + _encode(id)
        return self._emit(head, values, stream, task, need_task_ids)

    def _loop(self):
        calls = {
            "next": lambda id: self.next_tuple(),
            "ack": lambda id: self.ack(id),
            "fail": lambda id: self.fail(id),
            "activate": lambda id: self.activate(),
            "deactivate": lambda id: self.deactivate(),
        }
        sync = _encode({"command": "sync"})
        while True:
            m = self._next_command()
            try:
                call = calls.get(m["command"])
                if call is not None:
                    call(m.get("id"))
            except Exception:
                self.report_error(traceback.format_exc())
            self._write(sync)
