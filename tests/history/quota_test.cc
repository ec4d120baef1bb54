#include "server/history/quota.h"

#include <atomic>
#include <thread>

#include "tests/history/history_test_support.h"

namespace {

using namespace annals_test;

class Quota : public HistoryTest {
 protected:
  ~Quota() override {
    annals_quotas_free(quotas_);
    annals_credentials_unref(credentials_);
  }

  void Set(const std::string &text) {
    g_autoptr(GError) error = nullptr;
    quotas_ = annals_quotas_new(
        text.c_str(), [](void *context) { return *static_cast<int64_t *>(context); }, &clock_us_,
        &error);
    ASSERT_NE(quotas_, nullptr) << error->message;
    annals_history_free(history_);
    options_.quotas = quotas_;
    history_ = annals_history_new(&options_);
  }

  static std::string Refusal(const std::string &text) {
    g_autoptr(GError) error = nullptr;
    EXPECT_EQ(annals_quotas_new(text.c_str(), nullptr, nullptr, &error), nullptr) << text;
    return error != nullptr ? error->message : "";
  }

  /* -1: there was a token, else how long to wait. */
  int Take(const char *principal = "bob",
           annals_action action = ANNALS_ACTION_GET_EXECUTION_HISTORY) {
    g_autoptr(GError) error = nullptr;
    if (annals_quotas_take(quotas_, principal, action, &error)) {
      return -1;
    }
    EXPECT_EQ(annals_error_reason(error), ANNALS_REASON_RATE_EXCEEDED);
    return annals_error_retry_ms(error);
  }

  void Become(const std::string &rules) {
    std::string text = "[bob]\naccess_key_id=A\nsecret_access_key=s\n" + rules;
    credentials_ = annals_credentials_parse("file", text.data(), text.size(), nullptr);
    ASSERT_NE(credentials_, nullptr);
    principal_ = annals_credentials_find_key(credentials_, "A")->principal;
  }

  int64_t clock_us_ = 1000;
  annals_quotas *quotas_ = nullptr;
  annals_credentials *credentials_ = nullptr;
};

TEST_F(Quota, IsABucketThatFillsUp) {
  Set("GetExecutionHistory=3:2");
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(Take(), -1);
  }
  EXPECT_EQ(Take(), 500);
  clock_us_ += 100000;
  EXPECT_EQ(Take(), 400);
  clock_us_ += 399999;
  EXPECT_EQ(Take(), 1); /* the rest of a microsecond, rounded up */
  clock_us_ += 1;
  EXPECT_EQ(Take(), -1);
  EXPECT_EQ(Take(), 500);
  clock_us_ += int64_t{1000000} * 86400 * 365 * 1000; /* no more than the bucket holds */
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(Take(), -1);
  }
  EXPECT_EQ(Take(), 500);
}

TEST_F(Quota, CountsAtTheLimits) {
  Set("GetExecutionHistory=1000000:1000000,ListExecutions=1:1");
  for (int i = 0; i < 1000000; i++) {
    ASSERT_TRUE(annals_quotas_take(quotas_, "bob", ANNALS_ACTION_GET_EXECUTION_HISTORY, nullptr));
  }
  EXPECT_EQ(Take(), 1);
  clock_us_ += 1;
  EXPECT_EQ(Take(), -1);
  EXPECT_EQ(Take(), 1);
  EXPECT_EQ(Take("bob", ANNALS_ACTION_LIST_EXECUTIONS), -1);
  EXPECT_EQ(Take("bob", ANNALS_ACTION_LIST_EXECUTIONS), 1000);
}

TEST_F(Quota, IsOfAPrincipalAndAnOperation) {
  Set("GetExecutionHistory=1:1, ListExecutions=1:1");
  EXPECT_EQ(Take("bob"), -1);
  EXPECT_EQ(Take("bob"), 1000);
  EXPECT_EQ(Take("ann"), -1);
  EXPECT_EQ(Take(nullptr), -1);
  EXPECT_EQ(Take(nullptr), 1000);
  EXPECT_EQ(Take("bob", ANNALS_ACTION_LIST_EXECUTIONS), -1);
  EXPECT_EQ(Take("bob", ANNALS_ACTION_LIST_EXECUTIONS), 1000);
  for (int i = 0; i < 100; i++) {
    EXPECT_EQ(Take("bob", ANNALS_ACTION_APPEND_HISTORY_EVENTS), -1);
  }
}

TEST_F(Quota, SaysWhatIsWrong) {
  const std::string form =
      ": OPERATION=TOKENS:TOKENS_PER_SECOND is expected, with numbers from 1 to 1000000";
  for (const char *text :
       {"GetExecutionHistory", "GetExecutionHistory=", "x=1",
        "GetExecutionHistory=1:", "GetExecutionHistory=0:1", "GetExecutionHistory=1:0",
        "GetExecutionHistory=-1:1", "GetExecutionHistory=1:2:3", "GetExecutionHistory=1000001:1"}) {
    EXPECT_EQ(Refusal(text), "'" + std::string(text) + "'" + form);
  }
  EXPECT_EQ(Refusal(","), "''" + form);
  EXPECT_EQ(Refusal("ListExecutions=1:1,"), "''" + form);
  EXPECT_EQ(Refusal("StartExecution=1:1"), "'StartExecution=1:1': there is no such operation");
  EXPECT_EQ(Refusal("states:ListExecutions=1:1"),
            "'states:ListExecutions=1:1': there is no such operation");
  EXPECT_EQ(Refusal("ListExecutions=1:1,ListExecutions=2:1"),
            "'ListExecutions=2:1': the operation has a quota already");
}

TEST_F(Quota, HoldsForTheOperations) {
  ASSERT_TRUE(Append({Started()}).ok);
  Set("GetExecutionHistory=1:1,AppendHistoryEvents=1:1");
  EXPECT_TRUE(Page().ok);
  Paged page = Page();
  EXPECT_EQ(page.reason, "RATE_EXCEEDED");
  EXPECT_EQ(page.message, "the quota of GetExecutionHistory is used up");
  std::map<std::string, std::string> metadata = {{"operation", "GetExecutionHistory"}};
  EXPECT_EQ(page.metadata, metadata);
  EXPECT_TRUE(Append({Started()}).ok);
  EXPECT_EQ(Append({Started()}).reason, "RATE_EXCEEDED");
}

TEST_F(Quota, IsNotTouchedByCallsThatAreNotAllowed) {
  Set("GetExecutionHistory=1:1");
  Become("allow = states:* on arn:*:execution:machine:*\n");
  PageQuery other;
  other.arn = "arn:aws:states:us-east-1:123456789012:execution:other:name";
  PageQuery malformed;
  malformed.arn = "arn:aws";
  EXPECT_EQ(Page(other).reason, "PERMISSION_DENIED");
  EXPECT_EQ(Page(malformed).reason, "INVALID_ARN");
  EXPECT_EQ(Page().reason, "EXECUTION_DOES_NOT_EXIST");
  EXPECT_EQ(Page().reason, "RATE_EXCEEDED");
}

TEST_F(Quota, GivesNoMoreThanItHasToManyThreads) {
  Set("GetExecutionHistory=1000:1");
  std::vector<std::thread> threads;
  std::atomic<int> taken{0};
  for (int i = 0; i < 4; i++) {
    threads.emplace_back([&] {
      for (int j = 0; j < 500; j++) {
        taken += annals_quotas_take(quotas_, j % 2 == 0 ? "bob" : nullptr,
                                    ANNALS_ACTION_GET_EXECUTION_HISTORY, nullptr)
                     ? 1
                     : 0;
      }
    });
  }
  for (std::thread &each : threads) {
    each.join();
  }
  EXPECT_EQ(taken, 2000); /* of the 1000 of each */
  EXPECT_EQ(Take("bob"), 1000);
  EXPECT_EQ(Take(nullptr), 1000);
}

}  // namespace
