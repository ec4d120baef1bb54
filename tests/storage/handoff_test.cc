#include "storage/handoff.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "storage/outcome.h"

namespace {

struct Operation {
  annals_store_op op = {};
  std::atomic<int> calls{0};
};

void Count(annals_store_op *op) {
  static_cast<Operation *>(op->owner)->calls++;
}

class HandoffTest : public testing::Test {
 protected:
  void SetUp() override {
    Begin(&operation_);
  }

  static void Begin(Operation *operation) {
    operation->op.on_done = Count;
    operation->op.owner = operation;
    annals_store_op_begin(&operation->op);
  }

  Operation operation_;
};

TEST_F(HandoffTest, FinishedFirstIsDone) {
  annals_store_op_finish(&operation_.op);
  EXPECT_EQ(annals_store_op_return(&operation_.op), ANNALS_STORE_DONE);
  EXPECT_EQ(operation_.calls, 0);
}

TEST_F(HandoffTest, ReturnedFirstIsPending) {
  EXPECT_EQ(annals_store_op_return(&operation_.op), ANNALS_STORE_PENDING);
  EXPECT_EQ(operation_.calls, 0);
  annals_store_op_finish(&operation_.op);
  EXPECT_EQ(operation_.calls, 1);
}

TEST_F(HandoffTest, ARequestCanBeUsedAgain) {
  annals_store_op_finish(&operation_.op);
  EXPECT_EQ(annals_store_op_return(&operation_.op), ANNALS_STORE_DONE);
  annals_store_op_set(&operation_.op, ANNALS_STORE_CORRUPT, "damaged");
  annals_store_op_begin(&operation_.op);
  EXPECT_EQ(operation_.op.outcome, ANNALS_STORE_OK);
  EXPECT_STREQ(operation_.op.detail, "");
  EXPECT_EQ(annals_store_op_return(&operation_.op), ANNALS_STORE_PENDING);
}

TEST_F(HandoffTest, ExactlyOneOfTwoThreadsCompletes) {
  for (int i = 0; i < 2000; i++) {
    Operation operation;
    Begin(&operation);
    int result = 0;
    std::atomic<bool> go{false};
    std::thread worker([&] {
      while (!go) {
      }
      result = i;
      annals_store_op_finish(&operation.op);
    });
    go = true;
    annals_store_progress progress = annals_store_op_return(&operation.op);
    if (progress == ANNALS_STORE_DONE) {
      // What the worker wrote is seen without any other lock.
      ASSERT_EQ(result, i);
    }
    worker.join();
    ASSERT_EQ(operation.calls, progress == ANNALS_STORE_PENDING ? 1 : 0);
  }
}

TEST(OutcomeTest, DetailIsOneLineAndCutToFit) {
  annals_store_op op = {};
  annals_store_op_set(&op, ANNALS_STORE_CORRUPT, "one\ntwo\r\n");
  EXPECT_STREQ(op.detail, "one two  ");
  annals_store_op_set(&op, ANNALS_STORE_UNKNOWN,
                      std::string(2 * ANNALS_STORE_DETAIL_BYTES, 'x').c_str());
  EXPECT_EQ(std::string(op.detail), std::string(ANNALS_STORE_DETAIL_BYTES - 1, 'x'));
  annals_store_op_set(&op, ANNALS_STORE_OK, nullptr);
  EXPECT_STREQ(op.detail, "");
}

// It goes into messages, which are UTF-8: no character is cut in two, whatever was cut before.
TEST(OutcomeTest, DetailIsUtf8) {
  annals_store_op op = {};
  std::string detail(ANNALS_STORE_DETAIL_BYTES - 2, 'x');
  annals_store_op_set(&op, ANNALS_STORE_CORRUPT, (detail + "\u00e9").c_str());
  EXPECT_EQ(op.detail, detail);
  annals_store_op_set(&op, ANNALS_STORE_CORRUPT, "cut before \xc3");
  EXPECT_STREQ(op.detail, "cut before ");
}

TEST(OutcomeTest, HasNames) {
  EXPECT_STREQ(annals_store_outcome_name(ANNALS_STORE_OK), "ok");
  EXPECT_STREQ(annals_store_outcome_name(ANNALS_STORE_NOT_FOUND), "not_found");
  EXPECT_STREQ(annals_store_outcome_name(ANNALS_STORE_CONFLICT), "conflict");
  EXPECT_STREQ(annals_store_outcome_name(ANNALS_STORE_CORRUPT), "corrupt");
  EXPECT_STREQ(annals_store_outcome_name(ANNALS_STORE_NO_SPACE), "no_space");
  EXPECT_STREQ(annals_store_outcome_name(ANNALS_STORE_UNAVAILABLE), "unavailable");
  EXPECT_STREQ(annals_store_outcome_name(ANNALS_STORE_UNKNOWN), "unknown");
  EXPECT_STREQ(annals_store_health_name(ANNALS_STORE_HEALTHY), "healthy");
  EXPECT_STREQ(annals_store_health_name(ANNALS_STORE_FULL), "full");
  EXPECT_STREQ(annals_store_health_name(ANNALS_STORE_WRITES_STOPPED), "writes_stopped");
}

}  // namespace
