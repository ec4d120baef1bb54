// The append contract, line by line, as a gRPC client sees it.

#include "tests/rpc/service.h"

namespace annals_test {
namespace {

using Metadata = std::map<std::string, std::string>;

class Append : public ::testing::Test {
 protected:
  // Appends the canonical events first_id to last_id.
  AppendResult Put(int64_t first_id, int64_t last_id) {
    return Appended(service_.Append(Arn(), PlainEvents(first_id, last_id)));
  }

  Reply Send(const std::vector<Event> &events) {
    std::vector<std::string> bytes;
    for (const Event &event : events) {
      bytes.push_back(event.Bytes());
    }
    return service_.Append(Arn(), bytes);
  }

  std::string Stored() {
    return service_.StoredFrames(Arn());
  }

  void ExpectRefused(const Reply &reply, const std::string &reason, const Metadata &metadata) {
    ExpectFailure(reply, GRPC_STATUS_INVALID_ARGUMENT, reason, metadata);
    EXPECT_EQ(reply.error.retry_ms, -1);
  }

  // Sends event 1 and another one as event 2, which must be refused, and both with it.
  void ExpectEventRefused(const std::string &event, const std::string &field) {
    SCOPED_TRACE(field);
    const Reply reply = service_.Append(Arn(), {PlainEvent(1).Bytes(), event});
    ExpectRefused(reply, "INVALID_EVENT", {{"event_index", "1"}, {"field", field}});
    ASSERT_EQ(reply.error.violations.size(), 1u);
    EXPECT_EQ(reply.error.violations[0].first, "events[1]" + (field.empty() ? "" : "." + field));
    EXPECT_EQ(Stored(), "");
  }

  Service service_;
};

void ExpectResult(const AppendResult &result, int64_t last, int appended, int already,
                  int adjusted) {
  EXPECT_EQ(result.last_event_id, last);
  EXPECT_EQ(result.appended, appended);
  EXPECT_EQ(result.already_stored, already);
  EXPECT_EQ(result.adjusted, adjusted);
}

TEST_F(Append, StoresEventsAndCountsThem) {
  ExpectResult(Put(1, 3), 3, 3, 0, 0);
  ExpectResult(Put(4, 4), 4, 1, 0, 0);
  EXPECT_EQ(Stored(), FramesOf(PlainEvents(1, 4)));
}

TEST_F(Append, AnswersInExactlyTheseBytes) {
  EXPECT_EQ(service_.Append(Arn(), PlainEvents(1, 3)).body, IntField(1, 3) + IntField(2, 3));
  EXPECT_EQ(service_.Append(Arn(), PlainEvents(1, 4)).body,
            IntField(1, 4) + IntField(2, 1) + IntField(3, 3));
  Event late = PlainEvent(5);
  late.seconds = 0;
  EXPECT_EQ(Send({late}).body, IntField(1, 5) + IntField(2, 1) + IntField(4, 1));
}

TEST_F(Append, NeedsAnEvent) {
  const Reply reply = service_.Append(Arn(), {});
  ExpectRefused(reply, "INVALID_REQUEST", {{"field", "events"}});
  ASSERT_EQ(reply.error.violations.size(), 1u);
  EXPECT_EQ(reply.error.violations[0].first, "events");
}

// --- ids ---

TEST_F(Append, BeginsWithExecutionStarted) {
  Event other = PlainEvent(1);
  other.type = PASS_ENTERED;
  other.details = "";
  ExpectRefused(Send({other}), "INVALID_EVENT", {{"event_index", "0"}, {"field", "type"}});
}

TEST_F(Append, BeginsWithIdOne) {
  ExpectFailure(Send({PlainEvent(2)}), GRPC_STATUS_FAILED_PRECONDITION, "EVENT_GAP",
                {{"expected_event_id", "1"}});
  EXPECT_EQ(Stored(), "");
}

TEST_F(Append, RefusesAGap) {
  Put(1, 3);
  for (int64_t id : {int64_t{5}, int64_t{1000}, INT64_MAX}) {
    Event event = PlainEvent(4);
    event.id = id;
    const Reply reply = Send({event});
    ExpectFailure(reply, GRPC_STATUS_FAILED_PRECONDITION, "EVENT_GAP",
                  {{"expected_event_id", "4"}});
    EXPECT_EQ(reply.error.retry_ms, -1);
  }
  EXPECT_EQ(Stored(), FramesOf(PlainEvents(1, 3)));
}

TEST_F(Append, RefusesIdsThatAreNone) {
  for (int64_t id : {int64_t{0}, int64_t{-1}, INT64_MIN}) {
    Event event = PlainEvent(1);
    event.id = id;
    event.previous_id = 0;
    ExpectRefused(Send({event}), "INVALID_EVENT", {{"event_index", "0"}, {"field", "id"}});
  }
}

TEST_F(Append, RefusesIdsThatDoNotFollowEachOther) {
  for (int64_t id : {int64_t{1}, int64_t{3}, int64_t{-2}}) {
    Event event = PlainEvent(2);
    event.id = id;
    event.previous_id = 0;
    ExpectEventRefused(event.Bytes(), "id");
  }
}

TEST_F(Append, TakesAnyEarlierEventAsThePreviousOne) {
  Put(1, 3);
  Event four = PlainEvent(4);
  four.previous_id = 1;
  Event five = PlainEvent(5);
  five.previous_id = 0;
  ExpectResult(Appended(Send({four, five})), 5, 2, 0, 0);
}

TEST_F(Append, RefusesPreviousIdsThatAreNotEarlier) {
  for (int64_t previous : {int64_t{-1}, int64_t{2}, int64_t{3}, INT64_MAX}) {
    Event event = PlainEvent(2);
    event.previous_id = previous;
    ExpectEventRefused(event.Bytes(), "previous_event_id");
  }
}

TEST_F(Append, TakesEventsBehindATerminalOne) {
  Put(1, 1);
  Event succeeded = PlainEvent(2);
  succeeded.type = EXECUTION_SUCCEEDED;
  succeeded.details = "";
  Event redriven = PlainEvent(3);
  redriven.type = EXECUTION_REDRIVEN;
  redriven.details = "";
  ExpectResult(Appended(Send({succeeded})), 2, 1, 0, 0);
  ExpectResult(Appended(Send({redriven, PlainEvent(4)})), 4, 2, 0, 0);
}

// --- retries ---

TEST_F(Append, TakesEqualEventsAsARetry) {
  Put(1, 5);
  ExpectResult(Put(1, 5), 5, 0, 5, 0);
  ExpectResult(Put(2, 4), 5, 0, 3, 0);
  ExpectResult(Put(5, 5), 5, 0, 1, 0);
  EXPECT_EQ(Stored(), FramesOf(PlainEvents(1, 5)));
}

TEST_F(Append, StoresTheNewTailBehindAnOverlap) {
  Put(1, 5);
  ExpectResult(Put(1, 7), 7, 2, 5, 0);
  ExpectResult(Put(7, 9), 9, 2, 1, 0);
  EXPECT_EQ(Stored(), FramesOf(PlainEvents(1, 9)));
}

TEST_F(Append, TakesTheSameEventInAnotherFormAsARetry) {
  Put(1, 2);
  const std::string other = BytesField(STATE_ENTERED_DETAILS, BytesField(1, "B")) + IntField(3, 2) +
                            IntField(4, 1) + IntField(2, PASS_ENTERED) +
                            BytesField(1, IntField(2, 0)) +
                            BytesField(STATE_ENTERED_DETAILS, BytesField(1, "A")) +
                            BytesField(1, IntField(1, kStartSeconds + 1));
  ExpectResult(Appended(service_.Append(Arn(), {other})), 2, 0, 1, 0);
}

TEST_F(Append, RefusesADifferentEventUnderAStoredId) {
  Put(1, 5);
  Event other = PlainEvent(3);
  other.details = BytesField(STATE_ENTERED_DETAILS, BytesField(1, "B"));
  Event later = PlainEvent(3);
  later.nanos = 1;
  Event from_elsewhere = PlainEvent(3);
  from_elsewhere.previous_id = 1;
  for (const Event &event : {other, later, from_elsewhere}) {
    const Reply reply = Send({PlainEvent(2), event, PlainEvent(4), PlainEvent(5), PlainEvent(6)});
    ExpectFailure(reply, GRPC_STATUS_ALREADY_EXISTS, "EVENT_CONFLICT",
                  {{"event_id", "3"}, {"expected_event_id", "6"}});
    EXPECT_EQ(reply.error.retry_ms, -1);
  }
  EXPECT_EQ(Stored(), FramesOf(PlainEvents(1, 5)));
}

// --- timestamps ---

TEST_F(Append, SetsATimestampThatIsLeftOut) {
  Event one = PlainEvent(1);
  one.seconds.reset();
  Event two = PlainEvent(2);
  two.seconds.reset();
  service_.SetTime(1800000000);
  ExpectResult(Appended(Send({one})), 1, 1, 0, 0);
  service_.SetTime(1700000000);  // a clock that steps back
  ExpectResult(Appended(Send({one, two})), 2, 1, 1, 0);
  one.seconds = 1800000000;
  two.seconds = 1800000000;
  EXPECT_EQ(Stored(), FramesOf({one.Bytes(), two.Bytes()}));
  ExpectResult(Appended(Send({one, two})), 2, 0, 2, 0);
}

TEST_F(Append, RaisesATimestampThatIsBeforeThePreviousOne) {
  Put(1, 2);
  Event three = PlainEvent(3);
  three.seconds = kStartSeconds;
  Event four = PlainEvent(4);
  four.seconds = 0;
  ExpectResult(Appended(Send({three, four})), 4, 2, 0, 2);
  three.seconds = four.seconds = kStartSeconds + 1;
  EXPECT_EQ(Stored(),
            FramesOf({PlainEvent(1).Bytes(), PlainEvent(2).Bytes(), three.Bytes(), four.Bytes()}));
  three.seconds = kStartSeconds;
  ExpectResult(Appended(Send({three})), 4, 0, 1, 1);
}

TEST_F(Append, RefusesTimestampsOfOtherTimes) {
  const std::pair<int64_t, int32_t> times[] = {
      {-1, 0}, {253402300800, 0}, {1700000001, -1}, {1700000001, 1000000000}};
  for (const auto &[seconds, nanos] : times) {
    Event event = PlainEvent(2);
    event.seconds = seconds;
    event.nanos = nanos;
    ExpectEventRefused(event.Bytes(), "timestamp");
  }
}

// --- what the first append may carry ---

AppendRequest FullRequest() {
  AppendRequest request;
  request.arn = Arn();
  request.events = PlainEvents(1, 1);
  request.state_machine_arn = "arn:aws:states:us-east-1:123456789012:stateMachine:Other";
  request.map_run_arn = "arn:aws:states:us-east-1:123456789012:mapRun:M/L:1";
  request.item_count = 7;
  request.trace_header = "Root=1-5759e988-bd862e3fe1be46a994272793";
  return request;
}

TEST_F(Append, LetsLaterAppendsRepeatWhatTheFirstOneSaid) {
  AppendRequest request = FullRequest();
  ExpectResult(Appended(service_.Append(request)), 1, 1, 0, 0);
  request.events = PlainEvents(1, 2);
  ExpectResult(Appended(service_.Append(request)), 2, 1, 1, 0);
  ExpectResult(Put(3, 3), 3, 1, 0, 0);
}

TEST_F(Append, DoesNotLetLaterAppendsChangeWhatTheFirstOneSaid) {
  Appended(service_.Append(FullRequest()));
  AppendRequest changes[4];
  changes[0].state_machine_arn = "arn:aws:states:us-east-1:123456789012:stateMachine:M";
  changes[1].map_run_arn = "another";
  changes[2].item_count = 8;
  changes[3].trace_header = "another";
  const char *fields[] = {"state_machine_arn", "map_run_arn", "item_count", "trace_header"};
  for (int i = 0; i < 4; i++) {
    changes[i].arn = Arn();
    changes[i].events = PlainEvents(2, 2);
    const Reply reply = service_.Append(changes[i]);
    ExpectRefused(reply, "INVALID_REQUEST", {{"field", fields[i]}});
    ASSERT_EQ(reply.error.violations.size(), 1u);
    EXPECT_EQ(reply.error.violations[0].first, fields[i]);
  }
  EXPECT_EQ(Stored(), FramesOf(PlainEvents(1, 1)));
}

TEST_F(Append, TakesTheStateMachineFromTheArnWhereNoneIsNamed) {
  Put(1, 1);
  AppendRequest request;
  request.arn = Arn();
  request.events = PlainEvents(2, 2);
  request.state_machine_arn = "arn:aws:states:us-east-1:123456789012:stateMachine:M";
  ExpectResult(Appended(service_.Append(request)), 2, 1, 0, 0);
}

TEST_F(Append, RefusesFieldsThatAreNotAllowed) {
  AppendRequest requests[6] = {FullRequest(), FullRequest(), FullRequest(),
                               FullRequest(), FullRequest(), FullRequest()};
  requests[0].state_machine_arn = Arn();
  requests[1].map_run_arn = std::string(2001, 'a');
  requests[2].item_count = -1;
  requests[3].trace_header = std::string(257, 'a');
  requests[4].trace_header = "\xc3\xa9";
  requests[5].map_run_arn = "\xff";
  const char *fields[] = {"state_machine_arn", "map_run_arn",  "item_count",
                          "trace_header",      "trace_header", "map_run_arn"};
  for (int i = 0; i < 6; i++) {
    ExpectRefused(service_.Append(requests[i]), "INVALID_REQUEST", {{"field", fields[i]}});
  }
  EXPECT_EQ(Stored(), "");
}

TEST_F(Append, RefusesUnknownFieldsOfTheRequest) {
  ExpectRefused(service_.client().Call(kAppendPath, FullRequest().Bytes() + IntField(8, 1)),
                "INVALID_REQUEST", {{"field", "request"}});
}

// --- names ---

TEST_F(Append, TakesArns) {
  for (const std::string &arn :
       {std::string("arn:aws:states:us-east-1:123456789012:execution:M:e"),
        std::string("arn:aws-cn:states:cn-north-1:123456789012:execution:M/L:e"),
        Arn(std::string(80, 'a')), Arn("\xe5\x90\x8d")}) {
    EXPECT_EQ(Appended(service_.Append(arn, PlainEvents(1, 1))).appended, 1) << arn;
  }
}

TEST_F(Append, RefusesArnsThatAreNone) {
  const std::string prefix = "arn:aws:states:us-east-1:123456789012:";
  for (const std::string &arn :
       {std::string(), std::string("e"), prefix + "execution:M", prefix + "execution:M:",
        prefix + "execution::e", prefix + "execution:M:e:f", prefix + "express:M:e:f",
        prefix + "stateMachine:M", prefix + "execution:M/:e", prefix + "execution:M/L/K:e",
        std::string("arn:gcp:states:us-east-1:123456789012:execution:M:e"),
        std::string("arn:aws:lambda:us-east-1:123456789012:execution:M:e"),
        std::string("arn:aws:states::123456789012:execution:M:e"),
        std::string("arn:aws:states:us-east-1:12345678901:execution:M:e"), Arn("a b"), Arn("a*"),
        Arn(std::string(81, 'a')), std::string(257, 'a')}) {
    SCOPED_TRACE(arn);
    ExpectRefused(service_.Append(arn, PlainEvents(1, 1)), "INVALID_ARN", {});
  }
}

// --- events ---

TEST_F(Append, RefusesUnknownFieldsOfEvents) {
  ExpectEventRefused(PlainEvent(2).Bytes() + IntField(79, 1), "");
  Event event = PlainEvent(2);
  event.details = BytesField(STATE_ENTERED_DETAILS, IntField(99, 1));
  ExpectEventRefused(event.Bytes(), "state_entered_event_details");
}

TEST_F(Append, RefusesMalformedEvents) {
  ExpectEventRefused("\x0b", "");
  ExpectEventRefused("\x80", "");
  ExpectEventRefused(PlainEvent(2).Bytes() + BytesField(3, "2"), "id");
}

TEST_F(Append, RefusesUnknownTypes) {
  for (int64_t type : {0, -1, 63, 2147483647}) {
    Event event = PlainEvent(2);
    event.type = type;
    ExpectEventRefused(event.Bytes(), "type");
  }
}

TEST_F(Append, RefusesTextThatIsNone) {
  for (const std::string &text : {std::string("a\0b", 3), std::string("\xff")}) {
    Event event = PlainEvent(2);
    event.details = BytesField(STATE_ENTERED_DETAILS, BytesField(2, text));
    ExpectEventRefused(event.Bytes(), "state_entered_event_details.input");
  }
}

TEST_F(Append, RefusesDetailsOfAnotherType) {
  Event event = PlainEvent(2);
  event.details = BytesField(STATE_EXITED_DETAILS, "");
  ExpectEventRefused(event.Bytes(), "state_exited_event_details");
  event = PlainEvent(2);
  event.type = PASS_EXITED;
  ExpectEventRefused(event.Bytes(), "state_entered_event_details");
}

TEST_F(Append, TakesEventsWithoutDetails) {
  Event event = PlainEvent(2);
  event.details = "";
  ExpectResult(Appended(Send({PlainEvent(1), event})), 2, 2, 0, 0);
  EXPECT_EQ(Stored(), FramesOf({PlainEvent(1).Bytes(), event.Bytes()}));
}

// --- limits ---

TEST_F(Append, TakesAThousandEventsAndNoMore) {
  ExpectRefused(service_.Append(Arn(), PlainEvents(1, 1001)), "LIMIT_EXCEEDED",
                {{"field", "events"}, {"limit", "1000"}});
  EXPECT_EQ(Stored(), "");
  ExpectResult(Put(1, 1000), 1000, 1000, 0, 0);
}

// An event of exactly that many bytes on the wire: the last of its inputs counts.
std::string EventOfSize(int64_t id, size_t size) {
  const std::string event = PlainEvent(id).Bytes();
  std::string padding;
  const auto build = [&] {
    return BytesField(STATE_ENTERED_DETAILS, BytesField(2, padding) + BytesField(2, "")) + event;
  };
  while (build().size() < size) {
    padding.append(std::max<size_t>((size - build().size()) / 2, 1), 'x');
  }
  return build();
}

TEST_F(Append, TakesEventsOfAMebibyteAndNoMore) {
  Put(1, 1);
  const size_t limit = 1 << 20;
  ASSERT_EQ(EventOfSize(2, limit).size(), limit);
  ExpectRefused(service_.Append(Arn(), {EventOfSize(2, 100), EventOfSize(3, limit + 1)}),
                "LIMIT_EXCEEDED",
                {{"event_index", "1"}, {"field", ""}, {"limit", std::to_string(limit)}});
  ExpectResult(Appended(service_.Append(Arn(), {EventOfSize(2, limit)})), 2, 1, 0, 0);
}

TEST_F(Append, TakesFourMebibytesAtOnceAndNoMore) {
  Put(1, 1);
  const size_t limit = 1 << 20;
  std::vector<std::string> events;
  for (int64_t id = 2; id <= 5; id++) {
    events.push_back(EventOfSize(id, limit));
  }
  events.push_back(EventOfSize(6, 100));
  ExpectRefused(service_.Append(Arn(), events), "LIMIT_EXCEEDED",
                {{"field", "events"}, {"limit", std::to_string(4 * limit)}});
  events.pop_back();
  ExpectResult(Appended(service_.Append(Arn(), events)), 5, 4, 0, 0);
}

TEST_F(Append, TakesAssignedVariablesOf256KibibytesAndNoMore) {
  const size_t limit = 256 * 1024;
  Event event = PlainEvent(2);
  event.type = PASS_EXITED;
  const auto variables = [&](size_t value_size) {
    return BytesField(
        STATE_EXITED_DETAILS,
        BytesField(4, BytesField(1, "a") + BytesField(2, "1")) +
            BytesField(4, BytesField(1, "b") + BytesField(2, std::string(value_size, '1'))));
  };
  event.details = variables(limit - 2);
  ExpectRefused(Send({PlainEvent(1), event}), "LIMIT_EXCEEDED",
                {{"event_index", "1"},
                 {"field", "state_exited_event_details.assigned_variables"},
                 {"limit", std::to_string(limit)}});
  event.details = variables(limit - 3);
  ExpectResult(Appended(Send({PlainEvent(1), event})), 2, 2, 0, 0);
}

TEST_F(Append, RefusesMembersOverTheModelsLength) {
  Event event = PlainEvent(2);
  event.details = BytesField(STATE_ENTERED_DETAILS, BytesField(1, std::string(81, 'n')));
  ExpectRefused(
      Send({PlainEvent(1), event}), "LIMIT_EXCEEDED",
      {{"event_index", "1"}, {"field", "state_entered_event_details.name"}, {"limit", "80"}});
  event.details = BytesField(STATE_ENTERED_DETAILS, BytesField(1, std::string(80, 'n')));
  ExpectResult(Appended(Send({PlainEvent(1), event})), 2, 2, 0, 0);
}

// --- the store ---

struct Outcome {
  annals_store_outcome outcome;
  int code;
  const char *reason;
  int retry_ms;
};

TEST_F(Append, TellsWhatTheStoreSays) {
  const Outcome outcomes[] = {
      {ANNALS_STORE_NO_SPACE, GRPC_STATUS_UNAVAILABLE, "NO_SPACE", 5000},
      {ANNALS_STORE_UNAVAILABLE, GRPC_STATUS_UNAVAILABLE, "WRITES_STOPPED", 5000},
      {ANNALS_STORE_UNKNOWN, GRPC_STATUS_UNAVAILABLE, "OUTCOME_UNKNOWN", 1000},
      {ANNALS_STORE_CORRUPT, GRPC_STATUS_DATA_LOSS, "DATA_CORRUPTED", -1},
  };
  Put(1, 2);
  AppendRequest request;
  request.arn = Arn();
  request.events = PlainEvents(2, 3);
  request.state_machine_arn = "arn:aws:states:us-east-1:123456789012:stateMachine:M";
  for (bool pending : {false, true}) {
    annals_faulty_store_set_pending(service_.store(), pending);
    for (unsigned operation :
         {ANNALS_FAULTY_TAIL, ANNALS_FAULTY_READ, ANNALS_FAULTY_GET, ANNALS_FAULTY_APPEND}) {
      for (const Outcome &outcome : outcomes) {
        SCOPED_TRACE(outcome.reason);
        service_.Fail(operation, outcome.outcome);
        const Reply reply = service_.Append(request);
        if (outcome.outcome == ANNALS_STORE_UNAVAILABLE && operation != ANNALS_FAULTY_APPEND) {
          ExpectFailure(reply, GRPC_STATUS_INTERNAL, "INTERNAL");
          continue;
        }
        std::map<std::string, std::string> metadata;
        if (outcome.outcome == ANNALS_STORE_CORRUPT) {
          metadata = {{"execution_arn", Arn()}};
        }
        ExpectFailure(reply, outcome.code, outcome.reason, metadata);
        EXPECT_EQ(reply.error.retry_ms, outcome.retry_ms);
      }
    }
  }
  ExpectResult(Appended(service_.Append(request)), 3, 1, 1, 0);
}

TEST_F(Append, MayBeRepeatedWhenItsOutcomeIsUnknown) {
  Put(1, 1);
  for (bool done : {false, true}) {
    const int64_t id = done ? 3 : 2;
    service_.Fail(ANNALS_FAULTY_APPEND, ANNALS_STORE_UNKNOWN, 1, done);
    ExpectFailure(service_.Append(Arn(), PlainEvents(id, id)), GRPC_STATUS_UNAVAILABLE,
                  "OUTCOME_UNKNOWN");
    ExpectResult(Put(id, id), id, done ? 0 : 1, done ? 1 : 0, 0);
  }
  EXPECT_EQ(Stored(), FramesOf(PlainEvents(1, 3)));
}

TEST_F(Append, TriesAgainWhenAnotherWriterWasFaster) {
  Put(1, 1);
  service_.Fail(ANNALS_FAULTY_APPEND, ANNALS_STORE_CONFLICT, 3);
  ExpectResult(Put(2, 2), 2, 1, 0, 0);
  service_.Fail(ANNALS_FAULTY_APPEND, ANNALS_STORE_CONFLICT, -1);
  const Reply reply = service_.Append(Arn(), PlainEvents(3, 3));
  ExpectFailure(reply, GRPC_STATUS_RESOURCE_EXHAUSTED, "OVERLOADED");
  EXPECT_EQ(reply.error.retry_ms, 1000);
}

}  // namespace
}  // namespace annals_test
