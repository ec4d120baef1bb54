/* What is deleted after its time, and what is not, with a clock to set. */
#include <functional>
#include <thread>

#include "tests/history/history_test_support.h"

extern "C" {
#include "server/history/retention.h"
#include "server/history/watch.h"
}

namespace {

using namespace annals_test;
using Arns = std::vector<std::string>;
using Rules = std::vector<std::pair<std::string, std::string>>;

/* As text: deleted, kept, failed, examined. */
std::string Text(const annals_retention_counts &counts) {
  return std::to_string(counts.deleted) + " " + std::to_string(counts.kept) + " " +
         std::to_string(counts.failed) + " " + std::to_string(counts.examined);
}

/* Over the engine as it is, and with every step pending. */
class RetentionTest : public HistoryTest, public testing::WithParamInterface<bool> {
 protected:
  RetentionTest() {
    annals_faulty_store_set_pending(store_, GetParam());
    Begin();
  }
  ~RetentionTest() override {
    annals_retention_free(retention_);
  }

  /* As after a restart. */
  void Begin(int64_t rate = 0) {
    annals_retention_free(retention_);
    retention_ = annals_retention_new(history_, rate);
  }

  void SetPolicy(int64_t period_s, const Rules &rules = {}) {
    annals_retention_policy *policy = annals_retention_policy_new(period_s);
    for (const auto &[pattern, period] : rules) {
      EXPECT_TRUE(annals_retention_policy_add(policy, pattern.c_str(), period.c_str(), nullptr));
    }
    annals_retention_set_policy(retention_, policy);
  }

  /* What a pass has done, and why it has ended if not at its end. */
  std::string Pass() {
    GError *error = nullptr;
    annals_retention_counts counts;
    if (annals_retention_pass(retention_, &counts, &error)) {
      return Text(counts);
    }
    std::string text = Text(counts) + " " + annals_reason_info(annals_error_reason(error))->name;
    g_error_free(error);
    return text;
  }

  std::string PassAt(int64_t seconds) {
    now_us_ = seconds * 1000000;
    return Pass();
  }

  std::string Arn(const std::string &name, const std::string &machine = "machine") {
    return "arn:aws:states:us-east-1:123456789012:execution:" + machine + ":" + name;
  }
  std::string Machine(const std::string &machine) {
    return "arn:aws:states:us-east-1:123456789012:stateMachine:" + machine;
  }

  /* Has an execution end at that second. */
  void Close(const std::string &arn, int64_t seconds) {
    ASSERT_TRUE(Append({Started(1), Entered(2, 2), Succeeded(3, seconds)}, arn).ok);
  }

  Arns Names(const std::string &machine = "machine") {
    ListQuery query;
    query.state_machine = Machine(machine);
    Arns names;
    for (const std::string &arn : ListAll(query)) {
      names.push_back(arn.substr(arn.rfind(':') + 1));
    }
    return names;
  }

  void Fault(unsigned operations, annals_store_outcome outcome, int times = 1, int skip = 0) {
    annals_fault fault = {};
    fault.operations = operations;
    fault.times = times;
    fault.skip = skip;
    fault.outcome = outcome;
    annals_faulty_store_inject(store_, &fault);
  }

  annals_retention *retention_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Store, RetentionTest, testing::Bool(),
                         [](const auto &info) { return info.param ? "Pending" : "Direct"; });

/* A pass over many takes long: who counts does not wait for its end. */
TEST_P(RetentionTest, TellsWhatItDoesAsItDoesIt) {
  struct Told {
    annals_retention_counts sum;
    int64_t most;
  } told = {};
  SetPolicy(100);
  for (int i = 0; i < 40; i++) {
    Close(Arn(std::to_string(i)), 1000);
  }
  annals_retention_observe(
      retention_,
      [](void *context, const annals_retention_counts *more) {
        auto *all = static_cast<Told *>(context);
        all->sum.deleted += more->deleted;
        all->sum.kept += more->kept;
        all->sum.failed += more->failed;
        all->sum.examined += more->examined;
        all->most = std::max(all->most, more->deleted);
      },
      &told);
  Fault(ANNALS_FAULTY_DELETE, ANNALS_STORE_CORRUPT, 1, 20);
  EXPECT_EQ(PassAt(1101), "39 0 1 40");
  EXPECT_EQ(Text(told.sum), "39 0 1 40");
  EXPECT_LE(told.most, 8);
}

TEST_P(RetentionTest, DeletesWhatHasEndedLongEnoughAgo) {
  SetPolicy(100);
  Close(Arn("a"), 1000);
  Close(Arn("b"), 1001);
  ASSERT_TRUE(Append(Chain(5), Arn("runs")).ok);
  EXPECT_EQ(PassAt(1099), "0 0 0 0");
  EXPECT_EQ(PassAt(1100), "0 0 0 0");
  EXPECT_EQ(Names(), (Arns{"runs", "a", "b"}));
  EXPECT_EQ(PassAt(1101), "1 0 0 1");
  EXPECT_EQ(Names(), (Arns{"runs", "b"}));
  EXPECT_EQ(Describe({Arn("a"), {}}).reason, "EXECUTION_DOES_NOT_EXIST");
  PageQuery query;
  query.arn = Arn("a");
  EXPECT_EQ(Page(query).reason, "EXECUTION_DOES_NOT_EXIST");
  EXPECT_EQ(PassAt(1102), "1 0 0 1");
  EXPECT_EQ(PassAt(1000000), "0 0 0 0");
  EXPECT_EQ(Names(), Arns{"runs"});
}

TEST_P(RetentionTest, DeletesNothingWithoutAPolicy) {
  Close(Arn("a"), 1000);
  EXPECT_EQ(PassAt(1000000), "0 0 0 0");
  SetPolicy(ANNALS_RETENTION_NEVER);
  EXPECT_EQ(PassAt(1000000), "0 0 0 0");
  EXPECT_EQ(annals_faulty_store_calls(store_, ANNALS_FAULTY_LIST | ANNALS_FAULTY_DELETE), 0);
  EXPECT_EQ(Names(), Arns{"a"});
}

TEST_P(RetentionTest, ClockThatIsBeforeAllTimes) {
  SetPolicy(ANNALS_RETENTION_DAYS_MAX * int64_t{86400});
  Close(Arn("a"), 1);
  EXPECT_EQ(PassAt(1000), "0 0 0 0");
  EXPECT_EQ(Names(), Arns{"a"});
}

TEST_P(RetentionTest, EachStateMachineHasItsPeriod) {
  SetPolicy(100, {{Machine("audit"), "never"}, {Machine("quick*"), "10s"}, {"*:slow", "1000s"}});
  for (const char *machine : {"machine", "audit", "quick", "quick2", "slow"}) {
    for (int i = 0; i < 3; i++) {
      Close(Arn("e" + std::to_string(i), machine), 1000 + i);
    }
  }
  EXPECT_EQ(PassAt(1011), "2 0 0 5");
  EXPECT_EQ(Names("quick"), (Arns{"e1", "e2"}));
  EXPECT_EQ(Names("quick2"), (Arns{"e1", "e2"}));
  EXPECT_EQ(PassAt(1103), "7 0 0 19");
  EXPECT_EQ(Names("quick"), Arns());
  EXPECT_EQ(Names(), Arns());
  EXPECT_EQ(PassAt(2003), "3 0 0 6");
  EXPECT_EQ(Names("slow"), Arns());
  EXPECT_EQ(Names("audit"), (Arns{"e0", "e1", "e2"}));
  EXPECT_EQ(PassAt(1000000), "0 0 0 0");
}

TEST_P(RetentionTest, NewPolicyIsForAll) {
  SetPolicy(ANNALS_RETENTION_NEVER, {{Machine("a"), "10s"}});
  Close(Arn("e", "a"), 1000);
  Close(Arn("e", "b"), 1000);
  EXPECT_EQ(PassAt(2000), "1 0 0 2");
  SetPolicy(10, {{Machine("b"), "never"}});
  EXPECT_EQ(Pass(), "0 0 0 1");
  SetPolicy(10);
  EXPECT_EQ(Pass(), "1 0 0 1");
}

TEST_P(RetentionTest, RedriveRestartsTheClock) {
  SetPolicy(100);
  Close(Arn("a"), 1000);
  ASSERT_TRUE(Append({Typed(60, 4)}, Arn("a")).ok);
  EXPECT_EQ(PassAt(5000), "0 0 0 0");
  ASSERT_TRUE(Append({Succeeded(5, 5000)}, Arn("a")).ok);
  EXPECT_EQ(PassAt(5100), "0 0 0 0");
  EXPECT_EQ(Names(), Arns{"a"});
  EXPECT_EQ(PassAt(5101), "1 0 0 1");
  EXPECT_EQ(Names(), Arns());
}

/* Events that change no status may stand behind the terminal one. */
TEST_P(RetentionTest, HistoryThatGoesOnBehindItsEnd) {
  SetPolicy(100);
  Close(Arn("a"), 1000);
  ASSERT_TRUE(Append({Entered(4, 1050)}, Arn("a")).ok);
  EXPECT_EQ(PassAt(1101), "1 0 0 1");
  EXPECT_EQ(Names(), Arns());
}

/* The times in events are the client's: who ends in the past is found all the same. */
TEST_P(RetentionTest, FindsWhatEndsInThePast) {
  SetPolicy(100);
  Close(Arn("a"), 1000);
  EXPECT_EQ(PassAt(3000), "1 0 0 1");
  Close(Arn("b"), 500);
  EXPECT_EQ(Pass(), "1 0 0 1");
  Close(Arn("c"), 2899);
  Close(Arn("d"), 2900);
  Close(Arn("e"), 3);
  EXPECT_EQ(Pass(), "2 0 0 2");
  EXPECT_EQ(Names(), Arns{"d"});
}

TEST_P(RetentionTest, LooksAtEachOnceForEachPeriod) {
  SetPolicy(ANNALS_RETENTION_NEVER, {{Machine("a"), "10s"}, {Machine("b"), "20s"}});
  for (int i = 0; i < 2100; i++) {
    Close(Arn("e" + std::to_string(i)), 1000);
  }
  EXPECT_EQ(PassAt(2000), "0 0 0 4200");
  EXPECT_EQ(PassAt(3000), "0 0 0 0");
  Close(Arn("last"), 2000);
  EXPECT_EQ(Pass(), "0 0 0 2");
  Begin();
  SetPolicy(10);
  EXPECT_EQ(Pass(), "2101 0 0 2101");
  EXPECT_EQ(Names(), Arns());
}

TEST_P(RetentionTest, ListsAndHistoryGoInOneStep) {
  SetPolicy(100);
  for (int i = 0; i < 20; i++) {
    Close(Arn("e" + std::to_string(i)), 1000);
  }
  Fault(ANNALS_FAULTY_DELETE, ANNALS_STORE_UNKNOWN, -1, 3);
  std::string pass = PassAt(2000);
  EXPECT_EQ(pass.substr(pass.size() - 15), "OUTCOME_UNKNOWN");
  Arns left = Names();
  EXPECT_EQ(left.size(), 17u);
  for (int i = 0; i < 20; i++) {
    std::string name = "e" + std::to_string(i);
    bool listed = std::find(left.begin(), left.end(), name) != left.end();
    EXPECT_EQ(Describe({Arn(name), {}}).ok, listed) << name;
  }
  annals_faulty_store_inject(store_, nullptr);
  EXPECT_EQ(Pass(), "17 0 0 17");
  EXPECT_EQ(Names(), Arns());
}

TEST_P(RetentionTest, GoesOnWhereItFailed) {
  SetPolicy(100);
  for (int i = 0; i < 600; i++) {
    Close(Arn("e" + std::to_string(i)), 1000);
  }
  for (auto [operation, outcome, reason] :
       {std::tuple{ANNALS_FAULTY_DELETE, ANNALS_STORE_NO_SPACE, "NO_SPACE"},
        {ANNALS_FAULTY_DELETE, ANNALS_STORE_UNAVAILABLE, "WRITES_STOPPED"},
        {ANNALS_FAULTY_LIST, ANNALS_STORE_UNAVAILABLE, "INTERNAL"},
        {ANNALS_FAULTY_LIST, ANNALS_STORE_CORRUPT, "DATA_CORRUPTED"}}) {
    size_t before = Names().size();
    Fault(static_cast<unsigned>(operation), outcome, -1,
          operation == ANNALS_FAULTY_DELETE ? 64 : 0);
    std::string pass = PassAt(2000);
    annals_faulty_store_inject(store_, nullptr);
    EXPECT_EQ(pass.substr(pass.rfind(' ') + 1), reason);
    EXPECT_EQ(before - Names().size(), operation == ANNALS_FAULTY_DELETE ? 64u : 0u);
  }
  std::string pass = Pass();
  EXPECT_EQ(pass.substr(0, 8), "472 0 0 ");
  EXPECT_EQ(Names(), Arns());
}

/* One that is damaged is left alone, and does not keep others from going. */
TEST_P(RetentionTest, PassesOverWhatIsDamaged) {
  SetPolicy(100);
  Close(Arn("a"), 1000);
  Close(Arn("b"), 1001);
  Fault(ANNALS_FAULTY_DELETE, ANNALS_STORE_CORRUPT);
  EXPECT_EQ(PassAt(2000), "1 0 1 2");
  EXPECT_EQ(Names().size(), 1u);
  EXPECT_EQ(Pass(), "0 0 0 0");
}

TEST_P(RetentionTest, SomebodyElseWasFaster) {
  SetPolicy(100);
  Close(Arn("a"), 1000);
  Fault(ANNALS_FAULTY_GET, ANNALS_STORE_NOT_FOUND);
  EXPECT_EQ(PassAt(2000), "0 1 0 1");
  Begin();
  SetPolicy(100);
  Fault(ANNALS_FAULTY_DELETE, ANNALS_STORE_CONFLICT, 3);
  EXPECT_EQ(Pass(), "1 0 0 1");
}

TEST_P(RetentionTest, StopEndsAll) {
  SetPolicy(1);
  Close(Arn("a"), 1000);
  annals_retention_stop(retention_);
  EXPECT_FALSE(annals_retention_wait(retention_));
  EXPECT_EQ(PassAt(2000), "0 0 0 0");
  EXPECT_EQ(Names(), Arns{"a"});
}

TEST_P(RetentionTest, StopEndsAPassThatIsSlow) {
  for (int i = 0; i < 20; i++) {
    Close(Arn("e" + std::to_string(i)), 1000);
  }
  now_us_ = 2000 * int64_t{1000000};
  Begin(1);
  SetPolicy(1);
  std::string pass;
  std::thread thread([&] { pass = Pass(); });
  while (annals_faulty_store_calls(store_, ANNALS_FAULTY_DELETE) == 0) {
    std::this_thread::yield();
  }
  annals_retention_stop(retention_);
  thread.join();
  EXPECT_EQ(pass.substr(0, 6), "8 0 0 ");
  EXPECT_EQ(Names().size(), 12u);
}

/* A policy that is taken back while a pass is at it counts from then on. */
TEST_P(RetentionTest, NewPolicyEndsAPass) {
  for (int i = 0; i < 20; i++) {
    Close(Arn("e" + std::to_string(i)), 1000);
  }
  now_us_ = 2000 * int64_t{1000000};
  Begin(1);
  SetPolicy(1);
  std::string pass;
  std::thread thread([&] { pass = Pass(); });
  while (annals_faulty_store_calls(store_, ANNALS_FAULTY_DELETE) < 8) {
    std::this_thread::yield();
  }
  SetPolicy(ANNALS_RETENTION_NEVER);
  thread.join();
  EXPECT_TRUE(annals_retention_wait(retention_)); /* at once */
  EXPECT_EQ(Pass(), "0 0 0 0");
  EXPECT_GE(Names().size(), 12u);
}

/* --- beside others --- */

/* Redriven between the listing and the deletion: left alone. */
TEST_P(RetentionTest, RedriveThatIsFaster) {
  if (!GetParam()) {
    GTEST_SKIP() << "only a store that can be held";
  }
  SetPolicy(100);
  Close(Arn("a"), 1000);
  now_us_ = 2000 * int64_t{1000000};
  annals_faulty_store_set_held(store_, true);
  int lists = annals_faulty_store_calls(store_, ANNALS_FAULTY_LIST);
  std::string pass;
  std::thread thread([&] { pass = Pass(); });
  while (annals_faulty_store_calls(store_, ANNALS_FAULTY_LIST) == lists) {
    std::this_thread::yield();
  }
  /* The listing's snapshot is still to be taken; the redrive is queued behind it. */
  std::thread redrive([&] {
    auto appended = Append({Typed(60, 4)}, Arn("a"));
    EXPECT_TRUE(appended.ok || appended.reason == "EVENT_GAP") << appended.reason;
  });
  while (annals_faulty_store_calls(store_, ANNALS_FAULTY_TAIL) < 2) {
    std::this_thread::yield();
  }
  annals_faulty_store_set_held(store_, false);
  redrive.join();
  thread.join();
  /* Whichever came first, a running execution is whole, and a deleted one is gone. */
  if (pass[0] == '1') {
    EXPECT_EQ(Names(), Arns());
  } else {
    EXPECT_EQ(Names(), Arns{"a"});
    PageQuery query;
    query.arn = Arn("a");
    EXPECT_EQ(Page(query).events.size(), 4u);
  }
}

}  // namespace
