#include "client/table.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "client/aws_history.h"

namespace {

class Table : public ::testing::Test {
 protected:
  ~Table() override {
    annals_schema_free(schema_);
  }

  // One line for each event of a file.
  std::vector<std::string> Lines(const std::string &json, size_t width = 0) {
    GError *error = nullptr;
    struct annals_aws_history *history =
        annals_aws_history_parse(schema_, json.data(), json.size(), &error);
    EXPECT_NE(history, nullptr) << error->message;
    std::vector<std::string> lines;
    size_t count;
    const struct annals_client_event *events = annals_aws_history_events(history, &count);
    for (size_t i = 0; i < count; i++) {
      lines.push_back(Line(events[i], width));
    }
    annals_aws_history_free(history);
    return lines;
  }

  std::string Line(struct annals_client_event event, size_t width) {
    char *text = nullptr;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    EXPECT_TRUE(annals_table_write_event(schema_, event, width, out));
    fclose(out);
    std::string line(text, size);
    free(text);
    return line;
  }

  // The DETAIL column of an event of a type with details, both as AWS JSON.
  std::string Detail(const std::string &type, const std::string &details) {
    std::string line =
        Lines(R"([{"id":1,"timestamp":1,"type":")" + type + "\"," + details + "}]")[0];
    size_t at =
        sizeof("    ID  TIME                      TYPE                          PREVIOUS") - 1;
    return line.substr(at, line.size() - at - 1);
  }

  struct annals_schema *schema_ = annals_schema_new();
};

TEST_F(Table, ColumnsAlign) {
  EXPECT_EQ(Lines(R"([{"id":1,"timestamp":0,"type":"ExecutionStarted"},
                      {"id":2,"timestamp":1525283875.5809,"type":"LambdaFunctionScheduleFailed",
                       "previousEventId":1}])"),
            (std::vector<std::string>{
                "     1  1970-01-01T00:00:00.000Z  ExecutionStarted                     0\n",
                "     2  2018-05-02T17:57:55.580Z  LambdaFunctionScheduleFailed         1\n"}));
}

TEST_F(Table, WhatTellsMost) {
  EXPECT_EQ(Detail("PassStateEntered", R"("stateEnteredEventDetails":{"name":"A","input":"{}"})"),
            "  A");
  EXPECT_EQ(Detail("TaskFailed", R"("taskFailedEventDetails":{"resourceType":"sqs",
                    "resource":"send","error":"E","cause":"because"})"),
            "  send  E  because");
  EXPECT_EQ(Detail("MapIterationStarted", R"("mapIterationStartedEventDetails":{"name":"M"})"),
            "  M  #0");
  EXPECT_EQ(Detail("MapStateStarted", R"("mapStateStartedEventDetails":{"length":12})"),
            "  12 items");
  EXPECT_EQ(Detail("ExecutionRedriven", R"("executionRedrivenEventDetails":{"redriveCount":3})"),
            "  redrive 3");
  EXPECT_EQ(
      Detail("EvaluationFailed", R"("evaluationFailedEventDetails":{"state":"S","location":"L"})"),
      "  S  at L");
  EXPECT_EQ(Detail("ExecutionFailed", R"("executionFailedEventDetails":{})"), "");
}

TEST_F(Table, ControlCharactersBecomeBlanks) {
  EXPECT_EQ(Detail("ExecutionFailed",
                   R"("executionFailedEventDetails":{"cause":"a\nb\u001b[2J\u009bc"})"),
            "  a b [2J c");
}

TEST_F(Table, LinesAreCutToTheWidth) {
  const std::string json =
      R"([{"id":1,"timestamp":1,"type":"PassStateEntered","stateEnteredEventDetails":{"name":"茶茶"}}])";
  std::string whole = Lines(json)[0];
  EXPECT_EQ(whole.substr(whole.size() - 9), "  茶茶\n");
  // A character takes two columns: half of one is none.
  std::string start = whole.substr(0, whole.size() - 7);
  EXPECT_EQ(Lines(json, start.size() + 4)[0], whole);
  EXPECT_EQ(Lines(json, start.size() + 3)[0], start + "茶\n");
  EXPECT_EQ(Lines(json, start.size() + 2)[0], start + "茶\n");
  EXPECT_EQ(Lines(json, start.size() + 1)[0], start + "\n");
  EXPECT_EQ(Lines(json, 6)[0], "     1\n");
}

TEST_F(Table, HeaderIsCutToTheWidthToo) {
  for (size_t width : {0, 6, 80}) {
    char *text = nullptr;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    annals_table_write_header(width, out);
    fclose(out);
    const std::string whole =
        "    ID  TIME                      TYPE                          PREVIOUS  DETAIL\n";
    EXPECT_EQ(text, width == 6 ? "    ID\n" : whole) << width;
    free(text);
  }
}

TEST_F(Table, DamagedBytesAreRefused) {
  const uint8_t cut[] = {0x10, 0x80};
  const uint8_t odd_time[] = {0x0a, 0x01, 0xff};
  const uint8_t odd_details[] = {0x28, 0x01};
  FILE *out = fopen("/dev/null", "w");
  for (struct annals_client_event event :
       {annals_client_event{cut, sizeof cut}, annals_client_event{odd_time, sizeof odd_time},
        annals_client_event{odd_details, sizeof odd_details}}) {
    EXPECT_FALSE(annals_table_write_event(schema_, event, 0, out));
  }
  fclose(out);
}

TEST_F(Table, AllTypesHaveALine) {
  std::ifstream file("tests/data/histories/all_types.json");
  std::stringstream text;
  text << file.rdbuf();
  std::vector<std::string> lines = Lines(text.str(), 80);
  ASSERT_EQ(lines.size(), 62u);
  for (const std::string &line : lines) {
    EXPECT_EQ(line.find('?'), std::string::npos) << line;
  }
}

}  // namespace
