// What store.h says of deletion.
#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "tests/storage/conformance.h"

namespace annals_test {
namespace {

std::string Arn(const std::string &name) {
  return "arn:aws:states:eu-central-1:123456789012:execution:orders:" + name;
}

const std::vector<Place> kPlaces = {{"running", "12"}, {"map", "3"}};

// Appends events with a record and places.
annals_store_outcome PutListed(annals_store *store, const std::string &arn, int64_t first_id,
                               int64_t last_id, bool seal = false) {
  AppendOptions options;
  options.seal = seal;
  options.record = "record of " + arn;
  options.old_places = first_id > 1 ? kPlaces : std::vector<Place>();
  options.new_places = kPlaces;
  return Append(store, arn, first_id - 1, FramesOf(arn, first_id, last_id), options).outcome;
}

void ExpectNothing(annals_store *store, const std::string &arn) {
  EXPECT_EQ(Read(store, arn, 1, false).outcome, ANNALS_STORE_NOT_FOUND);
  EXPECT_EQ(Read(store, arn, INT64_MAX, true).outcome, ANNALS_STORE_NOT_FOUND);
  EXPECT_EQ(Tail(store, arn).outcome, ANNALS_STORE_NOT_FOUND);
  EXPECT_EQ(Get(store, arn).outcome, ANNALS_STORE_NOT_FOUND);
  for (const ListEntry &entry : List(store, {"running", "map"}).entries) {
    EXPECT_NE(entry.arn, arn);
  }
}

}  // namespace

TEST_P(ConformanceTest, DeletesAllOfAnExecution) {
  // Nothing but a tail, sealed runs and a tail, sealed runs alone.
  for (int64_t last_id : {1, 100, 230}) {
    for (bool seal : {false, true}) {
      for (bool cold : {false, true}) {
        SCOPED_TRACE(std::to_string(last_id) + (seal ? " sealed" : "") + (cold ? " cold" : ""));
        std::string arn = Arn("a");
        ASSERT_EQ(PutListed(store_, arn, 1, (last_id + 1) / 2, false), ANNALS_STORE_OK);
        if (last_id > 1) {
          ASSERT_EQ(PutListed(store_, arn, (last_id + 1) / 2 + 1, last_id, seal), ANNALS_STORE_OK);
        }
        if (cold) {
          Reopen(true);
        }
        Result result = Delete(store_, arn, last_id, kPlaces);
        ASSERT_EQ(result.outcome, ANNALS_STORE_OK) << result.detail;
        EXPECT_TRUE(result.progress == ANNALS_STORE_PENDING || !GetParam().always_pending);
        ExpectNothing(store_, arn);
        Reopen(cold);
        ExpectNothing(store_, arn);
      }
    }
  }
}

TEST_P(ConformanceTest, DeletesNothingOfOthers) {
  const std::vector<std::string> names = {"x", "x1", "x:B", "xB", "w", "y", "x\x01"};
  for (const std::string &name : names) {
    ASSERT_EQ(PutListed(store_, Arn(name), 1, 130), ANNALS_STORE_OK);
  }
  ASSERT_EQ(Delete(store_, Arn("x"), 130, kPlaces).outcome, ANNALS_STORE_OK);
  for (int reopened = 0; reopened < 2; reopened++) {
    ExpectNothing(store_, Arn("x"));
    for (size_t i = 1; i < names.size(); i++) {
      ASSERT_NO_FATAL_FAILURE(ExpectHistory(Arn(names[i]), 130, 40, 40));
      EXPECT_EQ(Get(store_, Arn(names[i])).bytes, "record of " + Arn(names[i]));
    }
    EXPECT_EQ(List(store_, {"running"}).entries.size(), names.size() - 1);
    EXPECT_EQ(List(store_, {"map"}).entries.size(), names.size() - 1);
    Reopen(true);
  }
}

TEST_P(ConformanceTest, DeletesOnlyWhatEndsAsExpected) {
  std::string arn = Arn("a");
  EXPECT_EQ(Delete(store_, arn, 1).outcome, ANNALS_STORE_NOT_FOUND);
  ASSERT_EQ(PutListed(store_, arn, 1, 5), ANNALS_STORE_OK);
  for (int64_t expected : {1, 4, 6, 500}) {
    Result result = Delete(store_, arn, expected, kPlaces);
    EXPECT_EQ(result.outcome, ANNALS_STORE_CONFLICT);
    EXPECT_EQ(result.last_id, 5);
  }
  Reopen(true);
  Result result = Delete(store_, arn, 4, kPlaces);
  EXPECT_EQ(result.outcome, ANNALS_STORE_CONFLICT);
  EXPECT_EQ(result.last_id, 5);
  ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, 5));
  EXPECT_EQ(Get(store_, arn).bytes, "record of " + arn);
  EXPECT_EQ(List(store_, {"running"}).entries.size(), 1u);
  EXPECT_EQ(Delete(store_, arn, 5, kPlaces).outcome, ANNALS_STORE_OK);
  EXPECT_EQ(Delete(store_, arn, 5, kPlaces).outcome, ANNALS_STORE_NOT_FOUND);
}

// One that was begun anew may end where the old one did, and stand elsewhere.
TEST_P(ConformanceTest, DeletesOnlyWhatHasTheRecord) {
  const std::string arn = Arn("a");
  AppendOptions options;
  options.record = "new";
  options.new_places = kPlaces;
  ASSERT_EQ(Append(store_, arn, 0, FramesOf(arn, 1, 3), options).outcome, ANNALS_STORE_OK);
  for (const char *record : {"old", "ne", "newer"}) {
    Result result = Delete(store_, arn, 3, {{"elsewhere", "1"}}, record);
    EXPECT_EQ(result.outcome, ANNALS_STORE_CONFLICT);
    EXPECT_EQ(result.last_id, 3);
  }
  EXPECT_EQ(Get(store_, arn).bytes, "new");
  EXPECT_EQ(Delete(store_, arn, 3, kPlaces, "new").outcome, ANNALS_STORE_OK);
  ExpectNothing(store_, arn);
  ASSERT_EQ(Append(store_, arn, 0, FramesOf(arn, 1, 1)).outcome, ANNALS_STORE_OK);
  EXPECT_EQ(Delete(store_, arn, 1, {}, "new").outcome, ANNALS_STORE_CONFLICT);
}

TEST_P(ConformanceTest, DeletesAnExecutionWithoutARecord) {
  ASSERT_NO_FATAL_FAILURE(AppendEvents(Arn("a"), 1, 3, 1));
  EXPECT_EQ(Delete(store_, Arn("a"), 3).outcome, ANNALS_STORE_OK);
  ExpectNothing(store_, Arn("a"));
}

TEST_P(ConformanceTest, ADeletedExecutionIsBegunAnew) {
  std::string arn = Arn("a");
  // Shorter, longer and as long as the one before; sealed elsewhere.
  int64_t lengths[] = {130, 7, 250, 250, 1, 1, 99};
  for (int round = 0; round < 7; round++) {
    SCOPED_TRACE(round);
    int64_t last_id = lengths[round];
    Result result = Append(store_, arn, 5, FramesOf(arn, 6, 6));
    ASSERT_EQ(result.outcome, ANNALS_STORE_CONFLICT);
    ASSERT_EQ(result.last_id, 0);
    ASSERT_NO_FATAL_FAILURE(AppendEvents(arn, 1, last_id / 2, 1 + round % 3));
    if (round % 2 == 0) {
      Reopen(round % 4 == 0);
    }
    AppendOptions options;
    options.record = std::to_string(round);
    options.seal = round % 3 == 0;
    options.new_places = kPlaces;
    ASSERT_EQ(
        Append(store_, arn, last_id / 2, FramesOf(arn, last_id / 2 + 1, last_id), options).outcome,
        ANNALS_STORE_OK);
    ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, last_id, 40, 23));
    EXPECT_EQ(Get(store_, arn).bytes, std::to_string(round));
    ASSERT_EQ(List(store_, {"running"}).entries.size(), 1u);
    EXPECT_EQ(List(store_, {"running"}).entries[0].record, std::to_string(round));
    ASSERT_EQ(Delete(store_, arn, last_id, kPlaces).outcome, ANNALS_STORE_OK);
    ExpectNothing(store_, arn);
  }
  Reopen();
  ExpectNothing(store_, arn);
}

namespace {

// Appends to an execution until told to stop, and counts how often it began it. A history of some
// length is left to the deletions.
void AppendWhileRacing(annals_store *store, const std::string &arn, const std::atomic<bool> &stop,
                       std::atomic<int> *births) {
  int64_t last_id = 0;
  while (!stop) {
    if (last_id >= 30) {
      BytesResult tail = Tail(store, arn);
      last_id = tail.outcome == ANNALS_STORE_OK ? tail.last_id : 0;
      continue;
    }
    AppendOptions options;
    options.record = "record";
    options.old_places = last_id > 0 ? kPlaces : std::vector<Place>();
    options.new_places = kPlaces;
    Result result = Append(store, arn, last_id, FramesOf(arn, last_id + 1, last_id + 3), options);
    if (result.outcome == ANNALS_STORE_OK) {
      *births += last_id == 0;
      EXPECT_EQ(result.last_id, last_id + 3);
    } else {
      EXPECT_EQ(result.outcome, ANNALS_STORE_CONFLICT) << result.detail;
      EXPECT_NE(result.last_id, last_id);
    }
    last_id = result.last_id;
  }
}

void ReadWhileRacing(annals_store *store, const std::string &arn, const std::atomic<bool> &stop) {
  while (!stop) {
    ReadResult read = Read(store, arn, 1, false);
    EXPECT_TRUE(read.outcome == ANNALS_STORE_OK || read.outcome == ANNALS_STORE_NOT_FOUND)
        << read.detail;
    for (const ReadRun &run : read.runs) {
      EXPECT_TRUE(run.frames == FramesOf(arn, run.first_id, run.last_id));
    }
    ListResult list = List(store, {"running"});
    EXPECT_EQ(list.outcome, ANNALS_STORE_OK) << list.detail;
    EXPECT_LE(list.entries.size(), 1u);
    BytesResult get = Get(store, arn);
    EXPECT_TRUE(get.outcome == ANNALS_STORE_NOT_FOUND || get.bytes == "record") << get.detail;
  }
}

// Deletes an execution so many times.
void DeleteWhileRacing(annals_store *store, const std::string &arn, int times) {
  int deletions = 0;
  while (deletions < times && !testing::Test::HasFailure()) {
    BytesResult tail = Tail(store, arn);
    if (tail.outcome == ANNALS_STORE_OK) {
      Result result = Delete(store, arn, tail.last_id, kPlaces);
      EXPECT_TRUE(result.outcome == ANNALS_STORE_OK || result.outcome == ANNALS_STORE_CONFLICT)
          << result.outcome << result.detail;
      deletions += result.outcome == ANNALS_STORE_OK;
    }
  }
}

}  // namespace

// Each append and deletion of one execution that is acknowledged took place at once, between two
// others.
TEST_P(ConformanceTest, DeletionsRaceWithAppends) {
  const int deletions = 30;
  std::string arn = Arn("hot");
  std::atomic<int> births{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++) {
    threads.emplace_back(AppendWhileRacing, store_, arn, std::cref(stop), &births);
  }
  threads.emplace_back(ReadWhileRacing, store_, arn, std::cref(stop));
  DeleteWhileRacing(store_, arn, deletions);
  stop = true;
  for (std::thread &thread : threads) {
    thread.join();
  }
  bool there = Tail(store_, arn).outcome == ANNALS_STORE_OK;
  EXPECT_EQ(births, deletions + there);
  for (int reopened = 0; reopened < 2; reopened++) {
    if (there) {
      ASSERT_NO_FATAL_FAILURE(ExpectHistory(arn, Tail(store_, arn).last_id));
    } else {
      ExpectNothing(store_, arn);
    }
    EXPECT_EQ(List(store_, {"running"}).entries.size(), there ? 1u : 0u);
    Reopen(true);
  }
}

TEST_P(ConformanceTest, OneOfManyDeletionsWins) {
  for (int round = 0; round < 10; round++) {
    ASSERT_EQ(PutListed(store_, Arn("a"), 1, 120), ANNALS_STORE_OK);
    Reopen(round % 2 == 0);
    std::vector<std::unique_ptr<PendingDelete>> deletions;
    for (int i = 0; i < 8; i++) {
      deletions.push_back(std::make_unique<PendingDelete>(store_, Arn("a"), 120, kPlaces));
    }
    int successes = 0;
    for (auto &deletion : deletions) {
      Result result = deletion->Wait();
      successes += result.outcome == ANNALS_STORE_OK;
      EXPECT_TRUE(result.outcome == ANNALS_STORE_OK || result.outcome == ANNALS_STORE_NOT_FOUND);
    }
    EXPECT_EQ(successes, 1);
    ExpectNothing(store_, Arn("a"));
  }
}

TEST_P(ConformanceTest, CloseWaitsForQueuedDeletions) {
  const int count = 60;
  for (int i = 0; i < count; i++) {
    ASSERT_EQ(PutListed(store_, Arn(std::to_string(i)), 1, 3), ANNALS_STORE_OK);
  }
  Reopen(true);
  std::vector<std::unique_ptr<PendingDelete>> deletions;
  for (int i = 0; i < count; i++) {
    deletions.push_back(
        std::make_unique<PendingDelete>(store_, Arn(std::to_string(i)), 3, kPlaces));
  }
  Close();
  for (auto &deletion : deletions) {
    ASSERT_EQ(deletion->Wait().outcome, ANNALS_STORE_OK);
  }
  Reopen();
  for (int i = 0; i < count; i++) {
    ExpectNothing(store_, Arn(std::to_string(i)));
  }
}

}  // namespace annals_test
