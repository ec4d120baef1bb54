#include "client/aws_history.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <jansson.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "proto/aws_json.h"
#include "proto/canonical.h"

namespace {

using Json = std::unique_ptr<json_t, void (*)(json_t *)>;

std::string FileText(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

Json Load(const std::string &text) {
  json_error_t error;
  json_t *json = json_loadb(text.data(), text.size(), JSON_DECODE_ANY, &error);
  EXPECT_NE(json, nullptr) << error.text << ": " << text.substr(0, 200);
  return Json(json, json_decref);
}

std::string Dump(const json_t *json) {
  char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
  std::string result = text;
  free(text);
  return result;
}

// 1700000120 and 1700000120.0 are the same number.
bool Equal(json_t *a, json_t *b) {
  if (json_is_number(a) && json_is_number(b)) {
    return json_number_value(a) == json_number_value(b);
  }
  if (!json_is_object(a) || !json_is_object(b)) {
    return json_equal(a, b) != 0;
  }
  const char *key;
  json_t *value;
  json_object_foreach(a, key, value) {
    json_t *other = json_object_get(b, key);
    if (other == nullptr || !Equal(value, other)) {
      return false;
    }
  }
  return json_object_size(a) == json_object_size(b);
}

class AwsHistory : public ::testing::Test {
 protected:
  ~AwsHistory() override {
    annals_schema_free(schema_);
  }

  // Events as AWS JSON again, and the error's text.
  std::vector<std::string> Parse(const std::string &text, std::string *error_text) {
    GError *error = nullptr;
    struct annals_aws_history *history =
        annals_aws_history_parse(schema_, text.data(), text.size(), &error);
    std::vector<std::string> events;
    if (history == nullptr) {
      *error_text = std::string(annals_aws_error_reason(error->code)) + ": " + error->message;
      g_error_free(error);
      return events;
    }
    EXPECT_EQ(error, nullptr);
    error_text->clear();
    size_t count;
    const struct annals_client_event *views = annals_aws_history_events(history, &count);
    for (size_t i = 0; i < count; i++) {
      CheckCanonical(views[i]);
      events.push_back(JsonOf(views[i]));
    }
    annals_aws_history_free(history);
    return events;
  }

  std::string JsonOf(struct annals_client_event event) {
    struct annals_buffer out;
    annals_buffer_init(&out, 16 << 20);
    EXPECT_TRUE(annals_aws_json_append_event(schema_, event.data, event.size, true, &out));
    std::string text(reinterpret_cast<char *>(out.data), out.len);
    annals_buffer_clear(&out);
    return text;
  }

  // The server re-encodes what it is sent: to the very same bytes.
  void CheckCanonical(struct annals_client_event event) {
    struct annals_buffer out;
    struct annals_event_head head;
    struct annals_event_fault fault;
    annals_buffer_init(&out, 16 << 20);
    EXPECT_TRUE(annals_canonical_append(schema_, event.data, event.size, &out, &head, &fault))
        << fault.field << ": " << fault.text;
    EXPECT_EQ(std::string(reinterpret_cast<char *>(out.data), out.len),
              std::string(reinterpret_cast<const char *>(event.data), event.size));
    annals_buffer_clear(&out);
  }

  std::string ErrorOf(const std::string &text) {
    std::string error;
    EXPECT_EQ(Parse(text, &error).size(), 0u);
    return error;
  }

  // One event with id and type, and this behind.
  std::string ErrorOfMember(const std::string &member) {
    return ErrorOf(R"({"events":[{"id":7,"timestamp":1,"type":"TaskScheduled",)" + member + "}]}");
  }

  std::vector<int> IdsOf(const std::string &text) {
    std::string error;
    std::vector<int> ids;
    for (const std::string &event : Parse(text, &error)) {
      ids.push_back(static_cast<int>(json_integer_value(json_object_get(Load(event).get(), "id"))));
    }
    EXPECT_EQ(error, "") << text;
    return ids;
  }

  void ExpectRoundTrip(const std::string &path) {
    std::string text = FileText(path);
    Json document = Load(text);
    std::vector<json_t *> expected;
    size_t index;
    json_t *event;
    json_array_foreach(json_object_get(document.get(), "events"), index, event) {
      expected.push_back(event);
    }
    std::sort(expected.begin(), expected.end(), [](json_t *a, json_t *b) {
      return json_integer_value(json_object_get(a, "id")) <
             json_integer_value(json_object_get(b, "id"));
    });
    std::string error;
    std::vector<std::string> events = Parse(text, &error);
    ASSERT_EQ(error, "") << path;
    ASSERT_EQ(events.size(), expected.size()) << path;
    for (size_t i = 0; i < events.size(); i++) {
      Json got = Load(events[i]);
      EXPECT_TRUE(Equal(got.get(), expected[i])) << path << "\n"
                                                 << Dump(got.get()) << "\n"
                                                 << Dump(expected[i]);
    }
  }

  struct annals_schema *schema_ = annals_schema_new();
};

std::string Event(int id) {
  return R"({"timestamp":1700000000.5,"type":"TaskStateAborted","id":)" + std::to_string(id) +
         R"(,"previousEventId":)" + std::to_string(id - 1) + "}";
}

TEST_F(AwsHistory, AllTypesWithAllMembersComeBackEqual) {
  ExpectRoundTrip("tests/data/histories/all_types.json");
}

TEST_F(AwsHistory, RecordedHistoriesComeBackEqual) {
  const char *corpus = getenv("ANNALS_CORPUS");
  if (corpus == nullptr || corpus[0] == '\0') {
    GTEST_SKIP() << "ANNALS_CORPUS is not set";
  }
  size_t files = 0;
  for (const std::string &folder : {std::string(corpus), std::string(corpus) + "/extras"}) {
    DIR *dir = opendir(folder.c_str());
    if (dir == nullptr) {
      GTEST_SKIP() << folder << " is not there";
    }
    for (struct dirent *entry = readdir(dir); entry != nullptr; entry = readdir(dir)) {
      if (g_str_has_suffix(entry->d_name, ".json")) {
        ExpectRoundTrip(folder + "/" + entry->d_name);
        files++;
      }
    }
    closedir(dir);
  }
  EXPECT_GE(files, 100u);
}

TEST_F(AwsHistory, FormsOfAFile) {
  std::string one = R"({"events":[)" + Event(1) + "," + Event(2) + R"(],"nextToken":"x"})";
  std::string two =
      R"({"nextToken":null,"ResponseMetadata":{"a":[1]},"events":[)" + Event(3) + "]}";
  std::vector<int> all = {1, 2, 3};
  EXPECT_EQ(IdsOf("[" + one + "," + two + "]"), all);
  EXPECT_EQ(IdsOf("[" + two + " , \n" + one + "]\n"), all);
  EXPECT_EQ(IdsOf(one + "\n" + two + "\n"), all);
  EXPECT_EQ(IdsOf(one + two), all);
  EXPECT_EQ(IdsOf("\xef\xbb\xbf" + two + "\r\n" + one), all);
  EXPECT_EQ(IdsOf("[" + Event(3) + "," + Event(2) + "," + Event(1) + "]"), all);
  EXPECT_EQ(IdsOf(Event(1) + "\n" + Event(2) + "\n" + Event(3) + "\n"), all);
  EXPECT_EQ(IdsOf("[" + one + "]" + "[" + Event(3) + "]"), all);
  EXPECT_EQ(IdsOf(one + R"({"events":[]})"), (std::vector<int>{1, 2}));
  EXPECT_EQ(IdsOf("[" + Event(5) + "," + Event(6) + "]"), (std::vector<int>{5, 6}));
}

TEST_F(AwsHistory, OverlappingPagesAreFolded) {
  std::string one = R"({"events":[)" + Event(1) + "," + Event(2) + "]}";
  std::string two = R"({"events":[)" + Event(3) + "," + Event(2) + "]}";
  EXPECT_EQ(IdsOf(one + two + one), (std::vector<int>{1, 2, 3}));
}

TEST_F(AwsHistory, RepeatedEventInAnotherFormIsTheSame) {
  EXPECT_EQ(IdsOf(R"({"events":[
      {"id":1,"type":"ExecutionStarted","timestamp":1.52528387558E9,
       "executionStartedEventDetails":{"input":"{}","roleArn":null}},
      {"executionStartedEventDetails":{"input":"{}"},"previousEventId":0,"id":1,
       "timestamp":"2018-05-02T10:57:55.580000-07:00","type":"ExecutionStarted",
       "stateEnteredEventDetails":null}]})"),
            (std::vector<int>{1}));
}

TEST_F(AwsHistory, NullIsAbsent) {
  std::string error;
  std::vector<std::string> events = Parse(
      R"([{"id":1,"type":"TaskStateExited","timestamp":1,"previousEventId":null,
          "stateExitedEventDetails":{"name":"a","output":null,"outputDetails":null,
          "assignedVariables":{"b":"2","a":"","c":null}}}])",
      &error);
  ASSERT_EQ(error, "");
  EXPECT_EQ(events, (std::vector<std::string>{
                        R"({"timestamp":1,"type":"TaskStateExited","id":1,"previousEventId":0,)"
                        R"("stateExitedEventDetails":{"name":"a",)"
                        R"("assignedVariables":{"a":"","b":"2"}}})"}));
}

TEST_F(AwsHistory, FaultsOfMembers) {
  const std::string at = "events[0].";
  EXPECT_EQ(ErrorOfMember(R"("colour":1)"), "INVALID_EVENT: events[0].colour: unknown member");
  EXPECT_EQ(ErrorOfMember(R"("taskScheduledEventDetails":{"inpt":"x"})"),
            "INVALID_EVENT: events[0].taskScheduledEventDetails.inpt: unknown member");
  EXPECT_EQ(ErrorOfMember(R"("taskScheduledEventDetails":{"parameters":{}})"),
            "INVALID_EVENT: events[0].taskScheduledEventDetails.parameters: must be a string");
  EXPECT_EQ(ErrorOfMember(R"("taskScheduledEventDetails":"x")"),
            "INVALID_EVENT: events[0].taskScheduledEventDetails: must be an object");
  EXPECT_EQ(ErrorOfMember(R"("taskScheduledEventDetails":{"taskCredentials":{"roleArn":1}})"),
            "INVALID_EVENT: events[0].taskScheduledEventDetails.taskCredentials.roleArn: must be a "
            "string");
  EXPECT_EQ(ErrorOfMember(R"("taskScheduledEventDetails":{"timeoutInSeconds":1.5})"),
            "INVALID_EVENT: events[0].taskScheduledEventDetails.timeoutInSeconds: must be an "
            "integer");
  EXPECT_EQ(ErrorOfMember(R"("taskSucceededEventDetails":{})"),
            "INVALID_EVENT: events[0].taskSucceededEventDetails: does not belong to an event of "
            "type TaskScheduled");
  EXPECT_EQ(ErrorOfMember(R"("previousEventId":7)"),
            "INVALID_EVENT: events[0].previousEventId: must be 0 or more and below id, which is 7");
  EXPECT_EQ(ErrorOfMember(R"("previousEventId":-1)"),
            "INVALID_EVENT: events[0].previousEventId: must be 0 or more and below id, which is 7");
  EXPECT_EQ(ErrorOfMember(R"("mapStateStartedEventDetails":{"length":2147483648})"),
            "INVALID_EVENT: events[0].mapStateStartedEventDetails.length: 2147483648 does not fit "
            "into 32 bits");
  EXPECT_EQ(ErrorOfMember(R"("stateExitedEventDetails":{"assignedVariables":{"a":1}})"),
            "INVALID_EVENT: events[0].stateExitedEventDetails.assignedVariables: the value of 'a' "
            "must be a string");
  EXPECT_EQ(ErrorOfMember(R"("stateExitedEventDetails":{"outputDetails":{"truncated":0}})"),
            "INVALID_EVENT: events[0].stateExitedEventDetails.outputDetails.truncated: must be "
            "true or false");
}

TEST_F(AwsHistory, FaultsOfEvents) {
  EXPECT_EQ(ErrorOf(R"([{"timestamp":1,"type":"TaskStateAborted"}])"),
            "INVALID_EVENT: events[0].id: missing");
  EXPECT_EQ(ErrorOf("[" + Event(1) + R"(,{"timestamp":1,"id":2}])"),
            "INVALID_EVENT: events[1].type: missing");
  EXPECT_EQ(ErrorOf(R"([{"id":1,"type":"TaskStateAborted","timestamp":null}])"),
            "INVALID_EVENT: events[0].timestamp: missing");
  EXPECT_EQ(ErrorOf(R"([{"id":0,"type":"TaskStateAborted","timestamp":1}])"),
            "INVALID_EVENT: events[0].id: must be 1 or more");
  EXPECT_EQ(ErrorOf(R"([{"id":"1","type":"TaskStateAborted","timestamp":1}])"),
            "INVALID_EVENT: events[0].id: must be an integer");
  EXPECT_EQ(ErrorOf(R"([{"id":1,"type":"TaskStateaborted","timestamp":1}])"),
            "INVALID_EVENT: events[0].type: 'TaskStateaborted' is not an event type");
  EXPECT_EQ(ErrorOf(R"([{"id":1,"type":5,"timestamp":1}])"),
            "INVALID_EVENT: events[0].type: must be a string");
  EXPECT_EQ(ErrorOf(R"([{"id":1,"type":"TaskStateAborted","timestamp":true}])"),
            "INVALID_EVENT: events[0].timestamp: must be epoch seconds or ISO 8601 text");
  EXPECT_EQ(ErrorOf(R"([{"id":1,"type":"TaskStateAborted","timestamp":"2018-05-02"}])"),
            "INVALID_EVENT: events[0].timestamp: '2018-05-02' is not ISO 8601 with an offset, of "
            "1970 to 9999");
  EXPECT_EQ(ErrorOf(R"([{"id":1,"type":"TaskStateAborted","timestamp":-1}])"),
            "INVALID_EVENT: events[0].timestamp: is not within the years 1970 to 9999");
}

TEST_F(AwsHistory, FaultsBetweenEvents) {
  std::string other = Event(2);
  other.replace(other.find("000.5"), 5, "000.6");
  EXPECT_EQ(ErrorOf("[" + Event(1) + "," + Event(2) + "," + other + "]"),
            "EVENT_CONFLICT: events[2].id: 2 is also that of another event with a different "
            "content");
  EXPECT_EQ(ErrorOf("[" + Event(4) + "," + Event(1) + "," + Event(2) + "]"),
            "EVENT_GAP: events[0].id: 4 is the next after 2: events are missing");
  EXPECT_EQ(ErrorOf(R"({"events":[)" + Event(1) + R"(]}{"events":[)" + Event(3) + "]}"),
            "EVENT_GAP: pages[1].events[0].id: 3 is the next after 1: events are missing");
}

TEST_F(AwsHistory, LimitsOfTheModel) {
  std::string name(81, 'n');
  EXPECT_EQ(ErrorOf(R"([{"id":1,"type":"PassStateEntered","timestamp":1,)"
                    R"("stateEnteredEventDetails":{"name":")" +
                    name + R"("}}])"),
            "LIMIT_EXCEEDED: events[0].stateEnteredEventDetails.name: 81 bytes, at most 80 are "
            "allowed");
  std::string value(131072, 'v');
  EXPECT_EQ(ErrorOf(R"([{"id":1,"type":"PassStateExited","timestamp":1,)"
                    R"("stateExitedEventDetails":{"name":"n","assignedVariables":{"a":")" +
                    value + R"(","b":")" + value + R"("}}}])"),
            "LIMIT_EXCEEDED: events[0].stateExitedEventDetails.assignedVariables: 262146 bytes, at "
            "most 262144 are allowed");
}

TEST_F(AwsHistory, FaultsOfFiles) {
  EXPECT_EQ(ErrorOf(""), "INVALID_FILE: holds no events");
  EXPECT_EQ(ErrorOf(" \n"), "INVALID_FILE: holds no events");
  EXPECT_EQ(ErrorOf("[]"), "INVALID_FILE: holds no events");
  EXPECT_EQ(ErrorOf(R"({"events":[]})"), "INVALID_FILE: holds no events");
  EXPECT_EQ(ErrorOf("{}"), "INVALID_FILE: line 1: an object has no 'events'");
  EXPECT_EQ(ErrorOf(R"({"executions":[]})"), "INVALID_FILE: line 1: an object has no 'events'");
  EXPECT_EQ(ErrorOf("7"), "INVALID_FILE: line 1: neither a page of events nor an event");
  EXPECT_EQ(ErrorOf("[[]]"), "INVALID_FILE: line 1: neither a page of events nor an event");
  EXPECT_EQ(ErrorOf(R"({"events":{}})"), "INVALID_FILE: line 1: 'events' must be an array");
  EXPECT_EQ(ErrorOf(R"({"events":[7]})"), "INVALID_FILE: line 1: events[0] is not an object");
  EXPECT_EQ(ErrorOf(R"({"events":[],"events":[]})"),
            "INVALID_FILE: line 1: a page has 'events' twice");
  EXPECT_EQ(ErrorOf("{\"events\":[\n" + Event(1) + "\n" + Event(2) + "]}"),
            "INVALID_FILE: line 3: ',' or ']' is missing");
  EXPECT_EQ(ErrorOf("{\"events\":[\n" + Event(1)), "INVALID_FILE: line 2: ',' or ']' is missing");
  EXPECT_EQ(ErrorOf(R"({"events")"), "INVALID_FILE: line 1: ':' is missing");
  EXPECT_EQ(ErrorOf(R"({"nextToken":)"), "INVALID_FILE: line 1: the file ends too early");
  EXPECT_EQ(ErrorOf(R"({"nextToken":1)"), "INVALID_FILE: line 1: ',' or '}' is missing");
  EXPECT_EQ(ErrorOf(R"({"events":[],})"), "INVALID_FILE: line 1: a member's name is missing");
  EXPECT_EQ(ErrorOf("[" + Event(1) + ",]"),
            "INVALID_FILE: line 1: neither a page of events nor an event");
  EXPECT_EQ(ErrorOf("{7}"), "INVALID_FILE: line 1: a member's name is missing");
  EXPECT_EQ(ErrorOf("\n\n[{\"id\":1,\n\"id\":2}]"),
            "INVALID_FILE: line 4: duplicate object key near '\"id\"'");
  EXPECT_EQ(ErrorOf(std::string("[\0]", 3)),
            "INVALID_FILE: line 1: neither a page of events nor an event");
}

TEST_F(AwsHistory, NulCharactersAreRefused) {
  EXPECT_EQ(ErrorOfMember(R"("taskScheduledEventDetails":{"parameters":"a\u0000b"})").substr(0, 21),
            "INVALID_FILE: line 1:");
}

}  // namespace
