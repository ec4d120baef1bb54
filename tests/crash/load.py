"""The load of the crash harness: processes that append and delete, and know what was acknowledged.

A Load is a process with several actors, each a thread with executions of its own. It runs until
the server dies, and checks what the next one has. All choices come from the seed.
"""

import multiprocessing
import random
import threading
import traceback
import zlib

import grpc

from annals.v1 import history_service_pb2
from annals.v1.history_event_pb2 import HistoryEventType
from annals.v1.history_service_pb2 import ExecutionStatus
from tests.e2e import annalsd
from tests.e2e.annalsd import CallError, HistoryEvent, passed, started

TURNS = ("FAILED", "SUCCEEDED", "ABORTED", "REDRIVEN")
TYPES = {HistoryEventType.Value("HISTORY_EVENT_TYPE_EXECUTION_" + turn): turn
         for turn in ("STARTED", *TURNS)}
LETTERS = "".join(random.Random(0).choices("abcdefghijklmnopqrstuvwxyz", k=1 << 18))
# What a call may fail with when the server dies or its disk fails: nothing is known then.
UNANSWERED = (None, "OUTCOME_UNKNOWN", "WRITES_STOPPED", "DRAINING")
CUT_OFF = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


def standing(history):
    """What events make of their execution: its status and redrives, and when they came about."""
    turns = [(TYPES[e.type], e.timestamp) for e in history if e.type in TYPES]
    last, time = turns[-1]
    running = last in ("STARTED", "REDRIVEN")
    redrives = [t for turn, t in turns if turn == "REDRIVEN"]
    return ("EXECUTION_STATUS_" + ("RUNNING" if running else last),
            None if running else time.ToNanoseconds(), len(redrives),
            redrives[-1].ToNanoseconds() if redrives else None)


def standing_of(execution):
    """The same of an execution that is listed or described."""
    return (ExecutionStatus.Name(execution.status),
            execution.stop_date.ToNanoseconds() if execution.HasField("stop_date") else None,
            execution.redrive_count,
            execution.redrive_date.ToNanoseconds() if execution.HasField("redrive_date") else None)


class Execution:
    """One ARN: what was acknowledged of it, and what was asked for without an answer."""

    def __init__(self, name, payload_max):
        self.arn = annalsd.arn(name)
        self.payload_max = payload_max
        self.life = 0
        self.events = []  # all that were sent, in this life
        self.acknowledged = 0
        self.unanswered = []  # how many events each append had
        self.deleting = False

    def make(self, event_id):
        if event_id == 1:
            return started(input='{"life":%d}' % self.life)
        chance = random.Random(zlib.crc32(b"%s %d %d" % (self.arn.encode(), self.life, event_id)))
        if chance.random() < 0.03:
            return HistoryEvent(id=event_id, previous_event_id=event_id - 1,
                                type="HISTORY_EVENT_TYPE_EXECUTION_" + chance.choice(TURNS),
                                timestamp=started().timestamp)
        begin = chance.randrange(len(LETTERS) - self.payload_max)
        return passed(event_id,
                      payload=LETTERS[begin:begin + chance.randrange(self.payload_max)])

    def next_events(self, count):
        first = len(self.events) + 1
        events = [self.make(i) for i in range(first, first + count)]
        self.events += events
        self.unanswered.append(count)
        return events

    def answered(self):
        """The oldest append without an answer has got one."""
        self.acknowledged += self.unanswered.pop(0)

    def deleted(self):
        self.life += 1
        self.events, self.acknowledged, self.unanswered = [], 0, []
        self.deleting = False

    def may_be_stored(self):
        """How many events a server may have that has lost nothing."""
        counts = [self.acknowledged]
        for count in self.unanswered:
            counts.append(counts[-1] + count)
        return counts + [0] if self.deleting else counts


def history_of(client, arn, **more):
    try:
        return client.history(arn, max_results=1000, **more)
    except CallError as error:
        if error.reason != "EXECUTION_DOES_NOT_EXIST":
            raise
        return []


def check_answer(answer, sent):
    # Behind a repeated one more may be stored.
    assert answer.last_event_id == sent[-1].id or answer.already_stored_count, answer
    assert answer.last_event_id >= sent[-1].id, answer
    assert answer.appended_count + answer.already_stored_count == len(sent), answer
    assert answer.already_stored_count in (0, len(sent)), answer
    assert answer.adjusted_timestamp_count == 0, answer


class ServerIsGone(Exception):
    """There is no answer, and nothing is known."""


class Actor:
    """Appends to its executions, one call after the other, and deletes what has become long."""

    def __init__(self, name, seed, executions=1, batch_max=1, payload_max=200, length_max=500):
        self.name = name
        self.random = random.Random(seed)
        self.batch_max = batch_max
        self.payload_max = payload_max
        self.length_max = length_max
        self.executions = [Execution("%s-%d" % (name, i), payload_max) for i in range(executions)]
        self.settled = []  # nothing more happens to them
        self.appends = self.acknowledged = self.deletions = self.cut_off = 0

    def call(self, function, *args):
        try:
            return function(*args)
        except CallError as error:
            if error.code in CUT_OFF and error.reason in UNANSWERED:
                raise ServerIsGone() from None
            raise

    def append(self, client, execution, sent):
        check_answer(self.call(client.append, execution.arn, sent), sent)
        execution.answered()
        self.appends += 1
        self.acknowledged += len(sent)

    def delete(self, client, execution):
        again, execution.deleting = execution.deleting, True
        request = history_service_pb2.DeleteExecutionRequest(execution_arn=execution.arn)
        try:
            self.call(client.call, "DeleteExecution", request.SerializeToString())
        except CallError as error:
            assert again and error.reason == "EXECUTION_DOES_NOT_EXIST", error
        execution.deleted()
        self.deletions += 1

    def settle(self, execution):
        self.settled.append(execution)
        at = self.executions.index(execution)
        self.executions[at] = Execution("%s-%d-%d" % (self.name, at, len(self.settled)),
                                        self.payload_max)

    def repeat(self, client):
        """What has had no answer is asked for again, the same."""
        for execution in self.executions:
            if execution.deleting:
                self.delete(client, execution)
            while execution.unanswered:
                first = execution.acknowledged
                self.append(client, execution,
                            execution.events[first:first + execution.unanswered[0]])

    def turn(self, client):
        execution = self.random.choice(self.executions)
        if execution.acknowledged > self.length_max:
            if len(self.settled) < 20 and self.random.random() < 0.3:
                self.settle(execution)
            else:
                self.delete(client, execution)
        else:
            self.append(client, execution,
                        execution.next_events(self.random.randint(1, self.batch_max)))

    def run(self, address, note):
        with annalsd.Client(address) as client:
            try:
                self.repeat(client)
                while True:
                    self.turn(client)
                    note()
            except ServerIsGone:
                self.cut_off += 1

    def check(self, client):
        """Compares with what is stored, and returns what that makes of the executions."""
        standings = {}
        for execution in self.executions + self.settled:
            stored = history_of(client, execution.arn,
                                reverse_order=self.random.random() < 0.2)
            if len(stored) > 1 and stored[0].id > stored[1].id:
                stored.reverse()
            if (len(stored) not in execution.may_be_stored() or
                    stored != execution.events[:len(stored)]):
                raise AssertionError("%s: %s may be stored, and there are %d: %s" % (
                    execution.arn, execution.may_be_stored(), len(stored),
                    [e.id for e in stored][:10]))
            if stored:
                standings[execution.arn] = standing(stored)
        return standings


class StreamActor(Actor):
    """Appends on one stream, several appends before the first answer."""

    IN_FLIGHT = 16

    def run(self, address, note):
        with annalsd.Client(address) as client:
            try:
                self.repeat(client)
                self.stream(client, note)
            except ServerIsGone:
                self.cut_off += 1

    def stream(self, client, note):
        room = threading.Semaphore(self.IN_FLIGHT)
        sent = []  # executions, in the order of their appends
        over = threading.Event()

        def requests():
            while not over.is_set():
                room.acquire()
                execution = self.random.choice(self.executions)
                if len(execution.events) > self.length_max:
                    # The stream ends here; the next one is begun with the execution deleted.
                    return
                events = execution.next_events(self.random.randint(1, self.batch_max))
                sent.append((execution, events))
                request = history_service_pb2.AppendHistoryEventsStreamRequest()
                request.append.execution_arn = execution.arn
                request.append.events.extend(events)
                yield request.SerializeToString()

        while True:
            call = client.channel.stream_stream(
                "/annals.v1.HistoryService/AppendHistoryEventsStream")(requests())
            try:
                for answer in call:
                    self.take(answer, *sent.pop(0))
                    room.release()
                    note()
            except grpc.RpcError as error:
                assert error.code() in CUT_OFF, error
                raise ServerIsGone() from None
            finally:
                over.set()
                room.release()
            assert not sent, sent
            over.clear()
            room = threading.Semaphore(self.IN_FLIGHT)
            for execution in self.executions:
                if len(execution.events) > self.length_max:
                    self.delete(client, execution)

    def take(self, answer, execution, events):
        answer = history_service_pb2.AppendHistoryEventsStreamResponse.FromString(answer)
        if answer.HasField("error"):
            failure = str(answer.error)
            assert any(reason in failure for reason in UNANSWERED if reason), failure
            raise ServerIsGone()
        check_answer(answer.appended, events)
        execution.answered()
        self.appends += 1
        self.acknowledged += len(events)


def make_actors(index, seed):
    chance = random.Random(seed)

    def actor(kind, name, **more):
        return kind("%s%d" % (name, index), chance.random(), **more)

    return [
        actor(Actor, "hot", length_max=3000),
        actor(Actor, "batches", batch_max=100, payload_max=400, length_max=2000),
        actor(Actor, "big", executions=2, batch_max=8, payload_max=100000, length_max=60),
        actor(Actor, "short", executions=10, batch_max=4, length_max=4),
        actor(StreamActor, "stream", executions=20, batch_max=3, payload_max=500, length_max=150),
    ] + [actor(Actor, "many-%d-" % i, executions=20, batch_max=5, payload_max=2000, length_max=150)
         for i in range(4)]


def serve(pipe, progress, index, seed):
    """The child's main: does what it is told until it is told nothing more."""
    actors = make_actors(index, seed)
    failures = []

    def note():
        with progress.get_lock():
            progress.value += 1

    def run_actor(actor, address):
        try:
            actor.run(address, note)
        except BaseException:  # pylint: disable=broad-except
            failures.append("%s: %s" % (actor.name, traceback.format_exc()))

    def run(address):
        threads = [threading.Thread(target=run_actor, args=(a, address)) for a in actors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise AssertionError("\n".join(failures))
        return {name: sum(getattr(a, name) for a in actors)
                for name in ("appends", "acknowledged", "deletions", "cut_off")}

    def check(address):
        standings = {}
        with annalsd.Client(address) as client:
            for actor in actors:
                standings.update(actor.check(client))
        return standings

    commands = {"run": run, "check": check}
    while True:
        command = pipe.recv()
        if command is None:
            return
        try:
            pipe.send((commands[command[0]](*command[1:]), None))
        except BaseException:  # pylint: disable=broad-except
            pipe.send((None, traceback.format_exc()))


class Load:
    """A process of actors."""

    def __init__(self, index, seed, progress):
        context = multiprocessing.get_context("spawn")
        self.pipe, end = context.Pipe()
        self.process = context.Process(target=serve, args=(end, progress, index, seed), daemon=True)
        self.process.start()
        end.close()

    def ask(self, *command):
        self.pipe.send(command)

    def answer(self):
        result, failure = self.pipe.recv()
        if failure:
            raise AssertionError(failure)
        return result

    def has_answer(self):
        return self.pipe.poll()

    def stop(self):
        try:
            self.pipe.send(None)
        except OSError:
            pass
        self.process.join(annalsd.WAIT_S)
