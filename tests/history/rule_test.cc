#include <gtest/gtest.h>

#include <string>

extern "C" {
#include "server/history/rule.h"
}

namespace {

bool Allows(const std::string &text, const std::string &action, const std::string &arn) {
  g_autoptr(GError) error = nullptr;
  annals_rule *rule = annals_rule_parse(text.c_str(), &error);
  EXPECT_NE(rule, nullptr) << text << ": " << error->message;
  bool allows = annals_rule_allows(rule, action.c_str(), arn.c_str());
  annals_rule_free(rule);
  return allows;
}

bool Matches(const std::string &pattern, const std::string &arn) {
  return Allows("* on " + pattern, "states:ListExecutions", arn);
}

std::string Refusal(const std::string &text) {
  g_autoptr(GError) error = nullptr;
  EXPECT_EQ(annals_rule_parse(text.c_str(), &error), nullptr) << text;
  EXPECT_TRUE(g_error_matches(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE)) << text;
  return error != nullptr ? error->message : "";
}

TEST(Rule, ArnsMatchAsAWhole) {
  EXPECT_TRUE(Matches("arn:aws:states:a", "arn:aws:states:a"));
  EXPECT_FALSE(Matches("arn:aws:states:a", "arn:aws:states:ab"));
  EXPECT_FALSE(Matches("arn:aws:states:ab", "arn:aws:states:a"));
  EXPECT_FALSE(Matches("arn:aws:states:a", "Arn:aws:states:a"));
  EXPECT_FALSE(Matches("arn:aws:states:a", ""));
}

TEST(Rule, AStarStandsForAnything) {
  EXPECT_TRUE(Matches("*", ""));
  EXPECT_TRUE(Matches("*", "arn:aws:states:a"));
  EXPECT_TRUE(Matches("arn:*:b", "arn:aws:states:x:b"));
  EXPECT_TRUE(Matches("arn:*:b", "arn::b"));
  EXPECT_FALSE(Matches("arn:*:b", "arn:b"));
  EXPECT_TRUE(Matches("arn:*ab", "arn:aab"));
  EXPECT_TRUE(Matches("arn:*a*b*", "arn:xaxbx"));
  EXPECT_FALSE(Matches("arn:*a*b*", "arn:xbxax"));
  EXPECT_TRUE(Matches("arn:a***", "arn:a"));
  EXPECT_TRUE(Matches("arn:*:execution:Orders:*", "arn:aws:states:r:1:execution:Orders:n"));
  EXPECT_FALSE(Matches("arn:*:execution:Orders:*", "arn:aws:states:r:1:execution:Orders2:n"));
}

TEST(Rule, AQuestionMarkStandsForOneCharacter) {
  EXPECT_TRUE(Matches("arn:?", "arn:x"));
  EXPECT_TRUE(Matches("arn:?", "arn:\xc3\xaf"));
  EXPECT_FALSE(Matches("arn:?", "arn:"));
  EXPECT_FALSE(Matches("arn:?", "arn:xy"));
  EXPECT_TRUE(Matches("arn:*??c", "arn:abc"));
  EXPECT_FALSE(Matches("arn:*??c", "arn:bc"));
}

TEST(Rule, ManyStarsCostNoMoreThanTheProductOfLengths) {
  std::string pattern = "arn:";
  for (int i = 0; i < 100; i++) {
    pattern += "*a";
  }
  EXPECT_FALSE(Matches(pattern + "*b", "arn:" + std::string(10000, 'a')));
}

TEST(Rule, ActionsMatchWithoutRegardToCase) {
  EXPECT_TRUE(Allows("states:getexecutionhistory on *", "states:GetExecutionHistory", "x"));
  EXPECT_TRUE(Allows("states:Get* on *", "states:GetExecutionHistory", "x"));
  EXPECT_TRUE(Allows("STATES:* on *", "states:GetExecutionHistory", "x"));
  EXPECT_FALSE(Allows("states:Get* on *", "states:ListExecutions", "x"));
  EXPECT_FALSE(Allows("states:* on *", "annals:AppendHistoryEvents", "x"));
  EXPECT_TRUE(Allows("* on *", "annals:AppendHistoryEvents", "x"));
}

TEST(Rule, AnyActionOnAnyArnOfTheRule) {
  const char text[] = "  states:ListExecutions\tstates:Get* on  arn:a arn:b ";
  EXPECT_TRUE(Allows(text, "states:ListExecutions", "arn:a"));
  EXPECT_TRUE(Allows(text, "states:GetExecutionHistory", "arn:b"));
  EXPECT_FALSE(Allows(text, "states:GetExecutionHistory", "arn:c"));
  EXPECT_FALSE(Allows(text, "states:DescribeExecution", "arn:a"));
}

TEST(Rule, SaysWhatIsWrong) {
  const char shape[] = "ACTION… on ARN… is expected";
  EXPECT_EQ(Refusal(""), shape);
  EXPECT_EQ(Refusal("on"), shape);
  EXPECT_EQ(Refusal("states:*"), shape);
  EXPECT_EQ(Refusal("states:* on"), shape);
  EXPECT_EQ(Refusal("on *"), shape);
  EXPECT_EQ(Refusal("states:* arn:aws:*"), shape);
  const char action[] = "is not an action, such as states:GetExecutionHistory or states:*";
  EXPECT_EQ(Refusal("List* on *"), std::string("'List*' ") + action);
  EXPECT_EQ(Refusal("states: on *"), std::string("'states:' ") + action);
  EXPECT_EQ(Refusal(":x on *"), std::string("':x' ") + action);
  EXPECT_EQ(Refusal("a:b:c on *"), std::string("'a:b:c' ") + action);
  const char arn[] = "is not an ARN, such as arn:aws:states:*:123456789012:*, nor *";
  EXPECT_EQ(Refusal("states:* on Orders"), std::string("'Orders' ") + arn);
  EXPECT_EQ(Refusal("states:* on * on"), std::string("'on' ") + arn);
}

}  // namespace
