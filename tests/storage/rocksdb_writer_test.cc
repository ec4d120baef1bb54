// What the embedded engine writes, and what it does when it cannot.
#include <pthread.h>

#include <future>
#include <memory>
#include <vector>

#include "tests/storage/rocksdb_disk.h"

namespace annals_test {
namespace {

class RocksdbKeysTest : public RocksdbTest {};

TEST_F(RocksdbKeysTest, OpenRunsGoWhenTheyAreSealed) {
  ASSERT_EQ(AppendRange("a", 1, 1), ANNALS_STORE_OK);
  EXPECT_EQ(Keys(store_, "a"), "! T1-1");
  ASSERT_EQ(AppendRange("a", 2, 40), ANNALS_STORE_OK);
  EXPECT_EQ(Keys(store_, "a"), "! T1-1 T2-40");
  ASSERT_EQ(AppendRange("a", 41, 120), ANNALS_STORE_OK);
  EXPECT_EQ(Keys(store_, "a"), "B1-100 ! T101-120");
  ASSERT_EQ(AppendRange("a", 121, 121, true), ANNALS_STORE_OK);
  EXPECT_EQ(Keys(store_, "a"), "B1-100 B101-121 !");
  ASSERT_TRUE(annals_rocksdb_flush(store_));
  EXPECT_EQ(Keys(store_, "a"), "B1-100 B101-121 !");
}

TEST_F(RocksdbKeysTest, OpenRunsOfAnEarlierProcessGoToo) {
  ASSERT_EQ(AppendRange("a", 1, 30), ANNALS_STORE_OK);
  ASSERT_EQ(AppendRange("a", 31, 60), ANNALS_STORE_OK);
  Reopen();
  EXPECT_EQ(Keys(store_, "a"), "! T1-30 T31-60");
  ASSERT_EQ(AppendRange("a", 61, 130), ANNALS_STORE_OK);
  EXPECT_EQ(Keys(store_, "a"), "B1-100 ! T101-130");
}

TEST_F(RocksdbDiskTest, RefusesAppendsBelowTheLowWaterMark) {
  ASSERT_EQ(AppendRange("a", 1, 2), ANNALS_STORE_OK);
  disk_.free_bytes = 999;
  EXPECT_EQ(store_->ops->health(store_), ANNALS_STORE_FULL);
  EXPECT_EQ(AppendRange("a", 3, 3), ANNALS_STORE_NO_SPACE);
  EXPECT_EQ(AppendRange("b", 1, 1), ANNALS_STORE_NO_SPACE);
  EXPECT_EQ(Read(store_, "a", 1, false).outcome, ANNALS_STORE_OK);
  EXPECT_EQ(Tail(store_, "a").last_id, 2);
  EXPECT_EQ(Tail(store_, "b").outcome, ANNALS_STORE_NOT_FOUND);
  disk_.free_bytes = 1000;
  EXPECT_EQ(store_->ops->health(store_), ANNALS_STORE_HEALTHY);
  EXPECT_EQ(AppendRange("a", 3, 3), ANNALS_STORE_OK);
  EXPECT_EQ(AppendRange("b", 1, 1), ANNALS_STORE_OK);
}

TEST_F(RocksdbDiskTest, ShowsNothingBeforeItIsDurable) {
  ASSERT_EQ(AppendRange("a", 1, 2), ANNALS_STORE_OK);
  disk_.Hold();
  PendingAppend append(store_, "a", 2, FramesOf("a", 3, 3));
  disk_.AwaitGroup();
  EXPECT_EQ(Tail(store_, "a").last_id, 2);
  EXPECT_EQ(Read(store_, "a", INT64_MAX, true).runs.front().last_id, 2);
  disk_.Release(false);
  EXPECT_EQ(append.Wait().outcome, ANNALS_STORE_OK);
  EXPECT_EQ(Tail(store_, "a").last_id, 3);
}

TEST_F(RocksdbDiskTest, AppendsOfOneGroupFollowEachOther) {
  ASSERT_EQ(AppendRange("b", 1, 1), ANNALS_STORE_OK);
  disk_.Hold();
  PendingAppend first(store_, "a", 0, FramesOf("a", 1, 1));
  disk_.AwaitGroup();
  std::vector<std::unique_ptr<PendingAppend>> chain;
  for (int64_t id = 2; id <= 150; id++) {
    chain.push_back(std::make_unique<PendingAppend>(store_, "a", id - 1, FramesOf("a", id, id)));
  }
  PendingAppend late(store_, "a", 149, FramesOf("a", 150, 151), {false, "late"});
  PendingAppend other(store_, "b", 1, FramesOf("b", 2, 2), {true, "record"});
  int groups = disk_.groups;
  disk_.Release(false);
  for (auto &append : chain) {
    ASSERT_EQ(append->Wait().outcome, ANNALS_STORE_OK);
  }
  EXPECT_EQ(disk_.groups, groups + 1);
  Result result = late.Wait();
  EXPECT_EQ(result.outcome, ANNALS_STORE_CONFLICT);
  EXPECT_EQ(result.last_id, 150);
  EXPECT_EQ(other.Wait().outcome, ANNALS_STORE_OK);
  EXPECT_EQ(first.Wait().outcome, ANNALS_STORE_OK);
  EXPECT_EQ(Get(store_, "a").bytes, "");
  EXPECT_EQ(Get(store_, "b").bytes, "record");
  EXPECT_EQ(Keys(store_, "b"), "B1-2 !");
  std::string keys = Keys(store_, "a");
  EXPECT_EQ(keys.substr(0, 25), "B1-100 ! T101-101 T102-10");
  EXPECT_EQ(Read(store_, "a", 1, false).runs.back().last_id, 150);
}

// Who lost a race compares and reads: not on the one thread that all appends wait for.
TEST_F(RocksdbDiskTest, TheWriterDoesNotRunWhatFollowsAConflict) {
  struct Done {
    std::promise<std::string> thread;
  } done;
  disk_.Hold();
  PendingAppend winner(store_, "a", 0, FramesOf("a", 1, 1));
  disk_.AwaitGroup();
  std::string frames = FramesOf("a", 1, 1);
  annals_store_append loser = {};
  loser.arn = "a";
  loser.frames = reinterpret_cast<const uint8_t *>(frames.data());
  loser.frames_bytes = frames.size();
  loser.event_count = 1;
  loser.op.owner = &done;
  loser.op.on_done = [](annals_store_op *op) {
    char name[16] = "";
    pthread_getname_np(pthread_self(), name, sizeof name);
    static_cast<Done *>(op->owner)->thread.set_value(name);
  };
  ASSERT_EQ(store_->ops->append(store_, &loser), ANNALS_STORE_PENDING);
  disk_.Release(false);
  EXPECT_NE(done.thread.get_future().get(), "annals-writer");
  EXPECT_EQ(loser.op.outcome, ANNALS_STORE_CONFLICT);
  EXPECT_EQ(loser.last_id, 1);
  EXPECT_EQ(winner.Wait().outcome, ANNALS_STORE_OK);
}

TEST_F(RocksdbDiskTest, AGroupIsBoundedInBytes) {
  disk_.Hold();
  PendingAppend first(store_, "a", 0, FramesOf("a", 1, 1));
  disk_.AwaitGroup();
  std::vector<std::unique_ptr<PendingAppend>> appends;
  for (int i = 0; i < 5; i++) {
    std::string arn = "big-" + std::to_string(i);
    appends.push_back(
        std::make_unique<PendingAppend>(store_, arn, 0, FramesOf(arn, 1, 3, 1 << 20)));
  }
  int groups = disk_.groups;
  disk_.Release(false);
  for (auto &append : appends) {
    EXPECT_EQ(append->Wait().outcome, ANNALS_STORE_OK);
  }
  // Two of three MiB fit into eight.
  EXPECT_EQ(disk_.groups, groups + 3);
}

// A few bytes may seal, and so write again, sixty-four kibibytes.
TEST_F(RocksdbDiskTest, WhatIsSealedCountsForTheGroup) {
  const int executions = 200;
  for (int i = 0; i < executions; i++) {
    std::string arn = "a-" + std::to_string(i);
    ASSERT_EQ(Append(store_, arn, 0, FramesOf(arn, 1, 1, 60 << 10)).outcome, ANNALS_STORE_OK);
  }
  disk_.Hold();
  PendingAppend first(store_, "a", 0, FramesOf("a", 1, 1));
  disk_.AwaitGroup();
  std::vector<std::unique_ptr<PendingAppend>> appends;
  for (int i = 0; i < executions; i++) {
    std::string arn = "a-" + std::to_string(i);
    AppendOptions seal = {i % 2 == 0, ""};
    appends.push_back(std::make_unique<PendingAppend>(
        store_, arn, 1, FramesOf(arn, 2, 2, seal.seal ? 40 : 5 << 10), seal));
  }
  int groups = disk_.groups;
  disk_.Release(false);
  for (auto &append : appends) {
    EXPECT_EQ(append->Wait().outcome, ANNALS_STORE_OK);
  }
  EXPECT_EQ(Keys(store_, "a-0"), "B1-2 !");
  EXPECT_EQ(Keys(store_, "a-1"), "B1-2 !");
  // Twelve mebibytes.
  EXPECT_EQ(disk_.groups, groups + 2);
}

TEST_F(RocksdbDiskTest, StopsWritingAfterTheFirstFailure) {
  ASSERT_EQ(AppendRange("a", 1, 2), ANNALS_STORE_OK);
  disk_.Hold();
  PendingAppend unknown(store_, "a", 2, FramesOf("a", 3, 3), {false, "record"});
  disk_.AwaitGroup();
  PendingAppend later(store_, "b", 0, FramesOf("b", 1, 1));
  disk_.Release(true);
  Result result = unknown.Wait();
  EXPECT_EQ(result.outcome, ANNALS_STORE_UNKNOWN);
  EXPECT_EQ(result.detail, "IO error: injected");
  result = later.Wait();
  EXPECT_EQ(result.outcome, ANNALS_STORE_UNAVAILABLE);
  EXPECT_EQ(result.detail, "writes have stopped after a failed write");
  EXPECT_EQ(store_->ops->health(store_), ANNALS_STORE_WRITES_STOPPED);
  disk_.Release(false);
  EXPECT_EQ(AppendRange("a", 3, 3), ANNALS_STORE_UNAVAILABLE);
  EXPECT_EQ(Tail(store_, "a").last_id, 2);
  EXPECT_EQ(Read(store_, "a", 1, false).runs.back().last_id, 2);
  Reopen();
  EXPECT_EQ(store_->ops->health(store_), ANNALS_STORE_HEALTHY);
  EXPECT_EQ(AppendRange("a", 3, 3), ANNALS_STORE_OK);
}

TEST_F(RocksdbDiskTest, NothingIsKnownOfAConflictInAFailedGroup) {
  disk_.Hold();
  PendingAppend first(store_, "x", 0, FramesOf("x", 1, 1));
  disk_.AwaitGroup();
  PendingAppend winner(store_, "a", 0, FramesOf("a", 1, 1));
  PendingAppend loser(store_, "a", 0, FramesOf("a", 1, 1));
  disk_.Release(false);
  EXPECT_EQ(first.Wait().outcome, ANNALS_STORE_OK);
  EXPECT_EQ(winner.Wait().outcome, ANNALS_STORE_OK);
  EXPECT_EQ(loser.Wait().outcome, ANNALS_STORE_CONFLICT);
  disk_.Hold();
  PendingAppend second(store_, "x", 1, FramesOf("x", 2, 2));
  disk_.AwaitGroup();
  disk_.Release(true);
  EXPECT_EQ(second.Wait().outcome, ANNALS_STORE_UNKNOWN);
}

}  // namespace
}  // namespace annals_test
