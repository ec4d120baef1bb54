#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "annals/v1/history_event.pb-c.h"
#include "tests/proto/codec_test_support.h"

namespace {

using annals_test::Schema;

/* AWS's spelling of the 62 types, in AWS's order. */
const char *const kTypes[] = {"ActivityFailed",
                              "ActivityScheduled",
                              "ActivityScheduleFailed",
                              "ActivityStarted",
                              "ActivitySucceeded",
                              "ActivityTimedOut",
                              "ChoiceStateEntered",
                              "ChoiceStateExited",
                              "ExecutionAborted",
                              "ExecutionFailed",
                              "ExecutionStarted",
                              "ExecutionSucceeded",
                              "ExecutionTimedOut",
                              "FailStateEntered",
                              "LambdaFunctionFailed",
                              "LambdaFunctionScheduled",
                              "LambdaFunctionScheduleFailed",
                              "LambdaFunctionStarted",
                              "LambdaFunctionStartFailed",
                              "LambdaFunctionSucceeded",
                              "LambdaFunctionTimedOut",
                              "MapIterationAborted",
                              "MapIterationFailed",
                              "MapIterationStarted",
                              "MapIterationSucceeded",
                              "MapStateAborted",
                              "MapStateEntered",
                              "MapStateExited",
                              "MapStateFailed",
                              "MapStateStarted",
                              "MapStateSucceeded",
                              "ParallelStateAborted",
                              "ParallelStateEntered",
                              "ParallelStateExited",
                              "ParallelStateFailed",
                              "ParallelStateStarted",
                              "ParallelStateSucceeded",
                              "PassStateEntered",
                              "PassStateExited",
                              "SucceedStateEntered",
                              "SucceedStateExited",
                              "TaskFailed",
                              "TaskScheduled",
                              "TaskStarted",
                              "TaskStartFailed",
                              "TaskStateAborted",
                              "TaskStateEntered",
                              "TaskStateExited",
                              "TaskSubmitFailed",
                              "TaskSubmitted",
                              "TaskSucceeded",
                              "TaskTimedOut",
                              "WaitStateAborted",
                              "WaitStateEntered",
                              "WaitStateExited",
                              "MapRunAborted",
                              "MapRunFailed",
                              "MapRunStarted",
                              "MapRunSucceeded",
                              "ExecutionRedriven",
                              "MapRunRedriven",
                              "EvaluationFailed"};

TEST(Schema, SpellsAllTypesAsAwsDoes) {
  Schema schema;
  ASSERT_EQ(std::size(kTypes), 62U);
  for (int i = 0; i < 62; i++) {
    const annals_event_type *type = annals_schema_type(schema.get(), i + 1);
    ASSERT_NE(type, nullptr);
    EXPECT_STREQ(type->aws_name, kTypes[i]);
    EXPECT_EQ(annals_schema_type_named(schema.get(), kTypes[i]), type);
  }
  EXPECT_EQ(annals_schema_type(schema.get(), 0), nullptr);
  EXPECT_EQ(annals_schema_type(schema.get(), 63), nullptr);
  EXPECT_EQ(annals_schema_type(schema.get(), INT64_MIN), nullptr);
  EXPECT_EQ(annals_schema_type_named(schema.get(), "passStateEntered"), nullptr);
}

/* Every ...StateEntered and ...StateExited share their details, 12 types have none, and all others
 * have the member named after them. */
TEST(Schema, GivesEachTypeItsDetails) {
  Schema schema;
  int without = 0;
  std::set<uint32_t> used;
  for (const char *name : kTypes) {
    const annals_event_type *type = annals_schema_type_named(schema.get(), name);
    const annals_field *details =
        annals_message_field(annals_schema_event(schema.get()), type->details);
    std::string text(name);
    if (details == nullptr) {
      without++;
      continue;
    }
    EXPECT_TRUE(details->details);
    used.insert(details->number);
    std::string expected = text + "EventDetails";
    if (g_str_has_suffix(name, "StateEntered")) {
      expected = "StateEnteredEventDetails";
    } else if (g_str_has_suffix(name, "StateExited")) {
      expected = "StateExitedEventDetails";
    }
    expected[0] = static_cast<char>(g_ascii_tolower(expected[0]));
    EXPECT_EQ(details->json_name, expected);
  }
  EXPECT_EQ(without, 12);
  EXPECT_EQ(used.size(), 37U);
}

TEST(Schema, TellsWhatATypeMakesOfItsExecution) {
  Schema schema;
  const std::map<std::string, annals_status> expected = {
      {"ExecutionStarted", ANNALS_STATUS_RUNNING},     {"ExecutionRedriven", ANNALS_STATUS_RUNNING},
      {"ExecutionSucceeded", ANNALS_STATUS_SUCCEEDED}, {"ExecutionFailed", ANNALS_STATUS_FAILED},
      {"ExecutionTimedOut", ANNALS_STATUS_TIMED_OUT},  {"ExecutionAborted", ANNALS_STATUS_ABORTED}};
  for (const char *name : kTypes) {
    auto it = expected.find(name);
    EXPECT_EQ(annals_schema_type_named(schema.get(), name)->status,
              it == expected.end() ? ANNALS_STATUS_UNCHANGED : it->second)
        << name;
  }
}

/* The JSON name that protobuf gives a field by its rule is AWS's: here, that of the seed members.
 */
TEST(Schema, NamesMembersAsAwsDoes) {
  Schema schema;
  const annals_message *event = annals_schema_event(schema.get());
  EXPECT_STREQ(annals_message_field_named(event, "previousEventId")->name, "previous_event_id");
  const annals_field *scheduled = annals_message_field_named(event, "taskScheduledEventDetails");
  ASSERT_NE(scheduled, nullptr);
  for (const char *name : {"resourceType", "resource", "region", "parameters", "timeoutInSeconds",
                           "heartbeatInSeconds", "taskCredentials"}) {
    EXPECT_NE(annals_message_field_named(scheduled->message, name), nullptr) << name;
  }
  EXPECT_EQ(scheduled->message->field_count, 7U);
  EXPECT_EQ(annals_message_field_named(event, "nothing"), nullptr);
  EXPECT_EQ(annals_message_field(event, 79), nullptr);
  EXPECT_EQ(annals_message_field(event, 1000000), nullptr);
}

/* A row of event_members.def with a misspelt name would be a rule that nobody obeys. */
TEST(Schema, FindsEveryRuleOfTheMemberTable) {
  Schema schema;
  struct Rule {
    const char *message;
    const char *field;
    size_t bytes_max;
  };
  const Rule rules[] = {
#define ANNALS_EVENT_MEMBER(message, field, bytes_max, written, kind) {#message, #field, bytes_max},
#include "proto/event_members.def"
#undef ANNALS_EVENT_MEMBER
  };
  std::map<std::pair<std::string, std::string>, size_t> seen;
  const annals_message *event = annals_schema_event(schema.get());
  std::set<const annals_message *> todo = {event};
  std::set<const annals_message *> done;
  while (!todo.empty()) {
    const annals_message *message = *todo.begin();
    todo.erase(message);
    done.insert(message);
    for (size_t i = 0; i < message->field_count; i++) {
      const annals_field *field = &message->fields[i];
      seen[{message->name, field->name}] = field->bytes_max;
      if (field->message != nullptr && done.count(field->message) == 0) {
        todo.insert(field->message);
      }
    }
  }
  for (const Rule &rule : rules) {
    auto it = seen.find({rule.message, rule.field});
    ASSERT_NE(it, seen.end()) << rule.message << "." << rule.field;
    EXPECT_EQ(it->second, rule.bytes_max);
  }
}

TEST(Schema, FindsEveryRuleOfTheTableOfExecutions) {
  Schema schema;
  const struct {
    const char *message;
    const char *field;
  } rules[] = {
#define ANNALS_EXECUTION_MEMBER(message, field) {#message, #field},
#include "proto/execution_members.def"
#undef ANNALS_EXECUTION_MEMBER
  };
  for (const auto &rule : rules) {
    const annals_message *message = annals_schema_message(schema.get(), rule.message);
    bool found = false;
    for (size_t i = 0; i < message->field_count; i++) {
      const annals_field &field = message->fields[i];
      found = found || (strcmp(field.name, rule.field) == 0 && field.always);
    }
    EXPECT_TRUE(found) << rule.message << "." << rule.field;
  }
}

TEST(Schema, SpellsValuesAsAwsDoes) {
  Schema schema;
  const struct {
    const char *message;
    const char *member;
    std::vector<std::string> names;
  } expected[] = {
      {"ExecutionListItem",
       "status",
       {"RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"}},
      {"DescribeExecutionResponse",
       "redriveStatus",
       {"REDRIVABLE", "NOT_REDRIVABLE", "REDRIVABLE_BY_MAP_RUN"}},
  };
  for (const auto &each : expected) {
    const annals_names *names =
        annals_message_field_named(annals_schema_message(schema.get(), each.message), each.member)
            ->names;
    EXPECT_EQ(names->count, each.names.size() + 1);
    for (size_t i = 0; i < each.names.size(); i++) {
      const int32_t number = static_cast<int32_t>(i + 1);
      EXPECT_EQ(annals_names_get(names, number)->text, each.names[i]);
      EXPECT_EQ(annals_names_number(names, each.names[i].c_str()), number);
    }
    EXPECT_EQ(annals_names_get(names, 0), nullptr);
    EXPECT_EQ(annals_names_get(names, -1), nullptr);
    EXPECT_EQ(annals_names_get(names, static_cast<int64_t>(each.names.size()) + 1), nullptr);
    EXPECT_EQ(annals_names_number(names, "UNSPECIFIED"), 0);
    EXPECT_EQ(annals_names_number(names, ""), 0);
  }
}

/* Every string that AWS's model bounds is bounded here. */
TEST(Schema, BoundsEveryString) {
  Schema schema;
  const annals_message *event = annals_schema_event(schema.get());
  for (size_t i = 0; i < event->field_count; i++) {
    const annals_field *details = &event->fields[i];
    for (size_t j = 0; details->details && j < details->message->field_count; j++) {
      const annals_field *field = &details->message->fields[j];
      if (field->kind == ANNALS_KIND_STRING || field->kind == ANNALS_KIND_STRING_MAP) {
        EXPECT_GT(field->bytes_max, 0U) << details->name << "." << field->name;
      }
    }
  }
}

}  // namespace
