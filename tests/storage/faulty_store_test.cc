#include "tests/storage/faulty_store.h"

#include <gtest/gtest.h>

#include "tests/storage/rocksdb_fixture.h"

namespace annals_test {
namespace {

class FaultyStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    store_ = annals_faulty_store_new(OpenAt(dir_.path()).store);
  }
  void TearDown() override {
    CloseStore(store_);
  }

  void Inject(unsigned operations, annals_store_outcome outcome, int skip = 0, int times = 1) {
    annals_fault fault = {};
    fault.operations = operations;
    fault.outcome = outcome;
    fault.skip = skip;
    fault.times = times;
    annals_faulty_store_inject(store_, &fault);
  }

  Result AppendOne(int64_t id) {
    return Append(store_, "a", id - 1, FramesOf("a", id, id));
  }

  TempDir dir_;
  annals_store *store_ = nullptr;
};

TEST_F(FaultyStoreTest, CountsDownThenRepeats) {
  Inject(ANNALS_FAULTY_APPEND, ANNALS_STORE_NO_SPACE, 1, 2);
  EXPECT_EQ(AppendOne(1).outcome, ANNALS_STORE_OK);
  EXPECT_EQ(AppendOne(2).outcome, ANNALS_STORE_NO_SPACE);
  EXPECT_EQ(AppendOne(2).outcome, ANNALS_STORE_NO_SPACE);
  EXPECT_EQ(AppendOne(2).outcome, ANNALS_STORE_OK);
  EXPECT_EQ(annals_faulty_store_hits(store_), 2);
  EXPECT_EQ(annals_faulty_store_calls(store_, ANNALS_FAULTY_APPEND), 4);
  EXPECT_EQ(annals_faulty_store_calls(store_, ANNALS_FAULTY_ALL), 4);
}

TEST_F(FaultyStoreTest, HitsOnlyWhatItIsToldTo) {
  EXPECT_EQ(AppendOne(1).outcome, ANNALS_STORE_OK);
  Inject(ANNALS_FAULTY_GET | ANNALS_FAULTY_TAIL, ANNALS_STORE_UNAVAILABLE, 0, -1);
  EXPECT_EQ(Get(store_, "a").outcome, ANNALS_STORE_UNAVAILABLE);
  EXPECT_EQ(Tail(store_, "a").outcome, ANNALS_STORE_UNAVAILABLE);
  EXPECT_EQ(Tail(store_, "a").detail, "injected");
  EXPECT_EQ(Read(store_, "a", 1, false).outcome, ANNALS_STORE_OK);
  annals_faulty_store_inject(store_, nullptr);
  EXPECT_EQ(Tail(store_, "a").outcome, ANNALS_STORE_OK);
}

TEST_F(FaultyStoreTest, AnUnknownAppendIsDoneOrNot) {
  for (bool pending : {false, true}) {
    annals_faulty_store_set_pending(store_, pending);
    BytesResult tail = Tail(store_, "a");
    int64_t id = tail.outcome == ANNALS_STORE_OK ? tail.last_id + 1 : 1;
    Inject(ANNALS_FAULTY_APPEND, ANNALS_STORE_UNKNOWN);
    EXPECT_EQ(AppendOne(id).outcome, ANNALS_STORE_UNKNOWN);
    EXPECT_EQ(AppendOne(id).outcome, ANNALS_STORE_OK);
    annals_fault fault = {};
    fault.operations = ANNALS_FAULTY_APPEND;
    fault.outcome = ANNALS_STORE_UNKNOWN;
    fault.times = 1;
    fault.done = true;
    annals_faulty_store_inject(store_, &fault);
    EXPECT_EQ(AppendOne(id + 1).outcome, ANNALS_STORE_UNKNOWN);
    EXPECT_EQ(Tail(store_, "a").last_id, id + 1);
  }
}

TEST_F(FaultyStoreTest, AReadBreaksOffBehindSomeRuns) {
  ASSERT_EQ(Append(store_, "a", 0, FramesOf("a", 1, 350)).outcome, ANNALS_STORE_OK);
  for (bool pending : {false, true}) {
    annals_faulty_store_set_pending(store_, pending);
    for (int runs = 0; runs < 4; runs++) {
      annals_fault fault = {};
      fault.operations = ANNALS_FAULTY_READ;
      fault.outcome = ANNALS_STORE_CORRUPT;
      fault.times = 1;
      fault.runs = runs;
      annals_faulty_store_inject(store_, &fault);
      ReadResult result = Read(store_, "a", 1, false);
      EXPECT_EQ(result.outcome, ANNALS_STORE_CORRUPT);
      EXPECT_EQ(result.runs.size(), static_cast<size_t>(runs));
    }
  }
}

TEST_F(FaultyStoreTest, AListingBreaksOffBehindSomeEntries) {
  for (const char *arn : {"a", "b", "c"}) {
    AppendOptions options;
    options.record = "record";
    options.new_places = {{"list", "1"}};
    ASSERT_EQ(Append(store_, arn, 0, FramesOf(arn, 1, 1), options).outcome, ANNALS_STORE_OK);
  }
  for (bool pending : {false, true}) {
    annals_faulty_store_set_pending(store_, pending);
    for (int entries = 0; entries < 4; entries++) {
      annals_fault fault = {};
      fault.operations = ANNALS_FAULTY_LIST;
      fault.outcome = ANNALS_STORE_CORRUPT;
      fault.times = 1;
      fault.runs = entries;
      annals_faulty_store_inject(store_, &fault);
      ListResult result = List(store_, {"list"});
      EXPECT_EQ(result.outcome, ANNALS_STORE_CORRUPT);
      EXPECT_EQ(result.entries.size(), static_cast<size_t>(MIN(entries, 3)));
    }
  }
  EXPECT_EQ(List(store_, {"list"}).entries.size(), 3u);
}

TEST_F(FaultyStoreTest, AnUnknownDeletionIsDoneOrNot) {
  for (bool done : {false, true}) {
    ASSERT_EQ(AppendOne(1).outcome, done ? ANNALS_STORE_CONFLICT : ANNALS_STORE_OK);
    annals_fault fault = {};
    fault.operations = ANNALS_FAULTY_DELETE;
    fault.outcome = ANNALS_STORE_UNKNOWN;
    fault.times = 1;
    fault.done = done;
    annals_faulty_store_inject(store_, &fault);
    EXPECT_EQ(Delete(store_, "a", 1).outcome, ANNALS_STORE_UNKNOWN);
    EXPECT_EQ(Tail(store_, "a").outcome, done ? ANNALS_STORE_NOT_FOUND : ANNALS_STORE_OK);
  }
}

TEST_F(FaultyStoreTest, HoldsPendingOperations) {
  annals_faulty_store_set_pending(store_, true);
  annals_faulty_store_set_held(store_, true);
  PendingAppend append(store_, "a", 0, FramesOf("a", 1, 1));
  annals_faulty_store_set_pending(store_, false);
  EXPECT_EQ(Tail(store_, "a").outcome, ANNALS_STORE_NOT_FOUND);
  annals_faulty_store_set_held(store_, false);
  Result result = append.Wait();
  EXPECT_EQ(result.progress, ANNALS_STORE_PENDING);
  EXPECT_EQ(result.outcome, ANNALS_STORE_OK);
  EXPECT_EQ(Tail(store_, "a").last_id, 1);
}

TEST_F(FaultyStoreTest, KeepsOperationsWhileOthersOvertakeThem) {
  ASSERT_EQ(AppendOne(1).outcome, ANNALS_STORE_OK);
  annals_faulty_store_keep(store_, ANNALS_FAULTY_APPEND);
  PendingAppend append(store_, "a", 1, FramesOf("a", 2, 2));
  EXPECT_EQ(annals_faulty_store_calls(store_, ANNALS_FAULTY_APPEND), 2);
  EXPECT_EQ(Delete(store_, "a", 1).outcome, ANNALS_STORE_OK);
  annals_faulty_store_keep(store_, 0);
  EXPECT_EQ(append.Wait().outcome, ANNALS_STORE_CONFLICT);
}

TEST_F(FaultyStoreTest, HasTheHealthItIsGiven) {
  EXPECT_EQ(store_->ops->health(store_), ANNALS_STORE_HEALTHY);
  annals_faulty_store_set_health(store_, ANNALS_STORE_WRITES_STOPPED);
  EXPECT_EQ(store_->ops->health(store_), ANNALS_STORE_WRITES_STOPPED);
}

}  // namespace
}  // namespace annals_test
