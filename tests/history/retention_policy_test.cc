#include <gtest/gtest.h>

#include <string>
#include <vector>

extern "C" {
#include "server/history/retention_policy.h"
}

namespace {

const std::string kMachine = "arn:aws:states:us-east-1:123456789012:stateMachine:";

/* The seconds, or the error. */
std::string Parse(const char *text) {
  int64_t period_s;
  GError *error = nullptr;
  if (annals_retention_period_parse(text, &period_s, &error)) {
    return std::to_string(period_s);
  }
  EXPECT_TRUE(g_error_matches(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE));
  std::string message = error->message;
  g_error_free(error);
  return message;
}

class RetentionPolicyTest : public testing::Test {
 protected:
  ~RetentionPolicyTest() override {
    annals_retention_policy_free(policy_);
  }

  /* "", or the error. */
  std::string Add(const std::string &pattern, const char *period) {
    GError *error = nullptr;
    if (annals_retention_policy_add(policy_, pattern.c_str(), period, &error)) {
      return "";
    }
    EXPECT_TRUE(g_error_matches(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE));
    std::string message = error->message;
    g_error_free(error);
    return message;
  }

  int64_t Find(const std::string &machine) {
    return annals_retention_policy_find(policy_, (kMachine + machine).c_str());
  }

  std::vector<int64_t> Periods() {
    GArray *periods = annals_retention_policy_periods(policy_);
    auto *data = reinterpret_cast<int64_t *>(periods->data);
    std::vector<int64_t> all(data, data + periods->len);
    g_array_unref(periods);
    return all;
  }

  annals_retention_policy *policy_ = annals_retention_policy_new(90);
};

TEST(RetentionPeriod, HasAUnit) {
  EXPECT_EQ(Parse("1s"), "1");
  EXPECT_EQ(Parse("45s"), "45");
  EXPECT_EQ(Parse("30m"), "1800");
  EXPECT_EQ(Parse("12h"), "43200");
  EXPECT_EQ(Parse("90d"), "7776000");
  EXPECT_EQ(Parse("36500d"), "3153600000");
  EXPECT_EQ(Parse("3153600000s"), "3153600000");
  EXPECT_EQ(Parse("never"), "0");
}

TEST(RetentionPeriod, NothingElse) {
  for (const char *text : {"", "d", "90", "90 d", " 90d", "90d ", "-1d", "+1d", "1.5h", "1w", "1D",
                           "1d1h", "Never", "0x1d", "\xc3\xa9"}) {
    EXPECT_EQ(Parse(text), std::string("'") + text +
                               "' is not a time such as 90d, 12h, 30m or 45s, nor 'never'");
  }
  for (const char *text :
       {"0s", "0d", "36501d", "3153600001s", "99999999999999999999999999999999s"}) {
    EXPECT_EQ(Parse(text),
              std::string("'") + text + "' is not 1s to 36500d; what is kept for good is 'never'");
  }
}

TEST_F(RetentionPolicyTest, FirstRuleThatFitsCounts) {
  EXPECT_EQ(Find("a"), 90);
  EXPECT_EQ(Add(kMachine + "audit*", "never"), "");
  EXPECT_EQ(Add(kMachine + "a?", "2h"), "");
  EXPECT_EQ(Add(kMachine + "a*", "1d"), "");
  EXPECT_EQ(Find("audit/label"), ANNALS_RETENTION_NEVER);
  EXPECT_EQ(Find("ab"), 7200);
  EXPECT_EQ(Find("abc"), 86400);
  EXPECT_EQ(Find("A"), 90);
  EXPECT_EQ(Add("*", "5s"), "");
  EXPECT_EQ(Find("A"), 5);
}

TEST_F(RetentionPolicyTest, GivesEachPeriodOnce) {
  EXPECT_EQ(Periods(), std::vector<int64_t>{90});
  EXPECT_EQ(Add("*a", "2h"), "");
  EXPECT_EQ(Add("*b", "never"), "");
  EXPECT_EQ(Add("*c", "7200s"), "");
  EXPECT_EQ(Add("*d", "1s"), "");
  EXPECT_EQ(Periods(), (std::vector<int64_t>{1, 90, 7200}));
  annals_retention_policy_free(policy_);
  policy_ = annals_retention_policy_new(ANNALS_RETENTION_NEVER);
  EXPECT_EQ(Periods(), std::vector<int64_t>());
}

TEST_F(RetentionPolicyTest, RefusesRulesThatCannotBeMeant) {
  EXPECT_EQ(Add("Orders", "1d"),
            "'Orders' is not the ARN of a state machine, such as "
            "arn:aws:states:*:123456789012:stateMachine:Orders, nor *");
  EXPECT_EQ(Add(kMachine + "a", "1"),
            "'1' is not a time such as 90d, 12h, 30m or 45s, nor 'never'");
  EXPECT_EQ(Add(kMachine + "a", "1d"), "");
  EXPECT_EQ(Add(kMachine + "a", "2d"), "it stands there twice");
  EXPECT_EQ(Find("a"), 86400);
}

}  // namespace
