#include "server/ops/log.h"

#include <gtest/gtest.h>
#include <jansson.h>

#include <string>
#include <vector>

namespace {

/* GLib's, because GCC 12 warns inside of std::regex under ASan. */
std::string replaced(const std::string &text, const char *pattern, const char *with) {
  g_autoptr(GRegex) regex = g_regex_new(pattern, static_cast<GRegexCompileFlags>(0),
                                        static_cast<GRegexMatchFlags>(0), nullptr);
  g_autofree char *out =
      g_regex_replace_literal(regex, text.data(), static_cast<gssize>(text.size()), 0, with,
                              static_cast<GRegexMatchFlags>(0), nullptr);
  return out;
}

class Log : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    annals_log_start(ANNALS_LOG_INFO);
  }
  void SetUp() override {
    annals_log_set_level(ANNALS_LOG_INFO);
    testing::internal::CaptureStderr();
    capturing_ = true;
  }
  void TearDown() override {
    if (capturing_) {
      testing::internal::GetCapturedStderr();
    }
  }
  /* What was logged, with the time replaced. */
  std::string logged() {
    capturing_ = false;
    return replaced(testing::internal::GetCapturedStderr(),
                    "\"time\":\"\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z\"",
                    "\"time\":T");
  }
  static void write(annals_log_level level, const char *message,
                    const std::vector<annals_log_field> &fields = {}) {
    annals_log_write(level, message, fields.data(), fields.size());
  }

 private:
  bool capturing_ = false;
};

annals_log_field text(const char *key, const char *value) {
  return {key, value, 0, false};
}

annals_log_field number(const char *key, int64_t value) {
  return {key, nullptr, value, true};
}

TEST_F(Log, WritesOneObjectPerLineWithFieldsInOrder) {
  write(ANNALS_LOG_INFO, "call failed",
        {text("reason", "INVALID_ARN"), number("duration_us", -12), number("bytes", INT64_MAX),
         text("absent", nullptr)});
  write(ANNALS_LOG_ERROR, "bad");
  EXPECT_EQ(logged(),
            "{\"time\":T,\"level\":\"info\",\"message\":\"call failed\",\"reason\":\"INVALID_ARN\","
            "\"duration_us\":-12,\"bytes\":9223372036854775807}\n"
            "{\"time\":T,\"level\":\"error\",\"message\":\"bad\"}\n");
}

TEST_F(Log, DropsWhatIsBelowTheLevel) {
  annals_log_set_level(ANNALS_LOG_WARNING);
  write(ANNALS_LOG_DEBUG, "d");
  write(ANNALS_LOG_INFO, "i");
  write(ANNALS_LOG_WARNING, "w");
  write(ANNALS_LOG_ERROR, "e");
  EXPECT_EQ(logged(),
            "{\"time\":T,\"level\":\"warning\",\"message\":\"w\"}\n"
            "{\"time\":T,\"level\":\"error\",\"message\":\"e\"}\n");
}

TEST_F(Log, EscapesAndMendsText) {
  write(ANNALS_LOG_INFO, "a\"b\n", {text("key", "\xff\x01\xc3\xa9")});
  EXPECT_EQ(logged(),
            "{\"time\":T,\"level\":\"info\",\"message\":\"a\\\"b\\n\","
            "\"key\":\"\xef\xbf\xbd\\u0001\xc3\xa9\"}\n");
}

TEST_F(Log, CutsLongTextAndStaysJson) {
  std::string quotes(100000, '"');
  std::string accents;
  for (int i = 0; i < 1000; i++) {
    accents += "a\xc3\xa9";
  }
  std::vector<annals_log_field> fields(ANNALS_LOG_FIELDS_MAX, text("k", quotes.c_str()));
  fields[0] = text("accents", accents.c_str());
  write(ANNALS_LOG_INFO, quotes.c_str(), fields);
  std::string line = logged();
  json_t *root = json_loadb(line.data(), line.size(), 0, nullptr);
  /* The time has been replaced by something that is not JSON. */
  EXPECT_EQ(root, nullptr);
  line.replace(line.find(":T"), 2, ":\"T\"");
  root = json_loadb(line.data(), line.size(), 0, nullptr);
  ASSERT_NE(root, nullptr);
  EXPECT_EQ(json_string_length(json_object_get(root, "message")),
            size_t{ANNALS_LOG_TEXT_BYTES_MAX});
  json_decref(root);
}

TEST_F(Log, TakesGLibsOwnMessages) {
  g_log("SomeDomain", G_LOG_LEVEL_WARNING, "of GLib's");
  g_log("SomeDomain", G_LOG_LEVEL_DEBUG, "too low");
  EXPECT_EQ(logged(),
            "{\"time\":T,\"level\":\"warning\",\"message\":\"of GLib's\","
            "\"domain\":\"SomeDomain\"}\n");
}

TEST_F(Log, ReadsLevels) {
  annals_log_level level = ANNALS_LOG_DEBUG;
  EXPECT_TRUE(annals_log_level_parse("warning", &level));
  EXPECT_EQ(level, ANNALS_LOG_WARNING);
  EXPECT_FALSE(annals_log_level_parse("Warning", &level));
  EXPECT_FALSE(annals_log_level_parse("", &level));
  EXPECT_EQ(level, ANNALS_LOG_WARNING);
}

}  // namespace
