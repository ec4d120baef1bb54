// How far reads go, and on which threads: memory's odds, workers, and what is read ahead.
#include <atomic>
#include <vector>

#include "storage/rocksdb/engine.h"
#include "storage/rocksdb/inspect.h"
#include "storage/rocksdb/job.h"
#include "tests/storage/rocksdb_fixture.h"

namespace annals_test {
namespace {

using Runs = std::vector<std::string>;

// ---- odds -------------------------------------------------------------------------------------

TEST(MemoryOddsTest, AskUntilMuchWasMissedInARow) {
  annals_memory_odds odds = {};
  for (int i = 0; i < ANNALS_MEMORY_ODDS_LONG - 1; i++) {
    EXPECT_TRUE(annals_memory_odds_ask(&odds));
    annals_memory_odds_note(&odds, false);
  }
  EXPECT_TRUE(annals_memory_odds_ask(&odds));
  annals_memory_odds_note(&odds, true);
  EXPECT_EQ(odds.missed, 0u);
}

TEST(MemoryOddsTest, OneInSomeAsksWhenTheyAreBad) {
  annals_memory_odds odds = {ANNALS_MEMORY_ODDS_LONG};
  for (int round = 0; round < 3; round++) {
    EXPECT_TRUE(annals_memory_odds_ask(&odds));
    annals_memory_odds_note(&odds, false);
    for (int i = 1; i < ANNALS_MEMORY_ODDS_ONE_IN; i++) {
      EXPECT_FALSE(annals_memory_odds_ask(&odds));
    }
  }
  EXPECT_TRUE(annals_memory_odds_ask(&odds));
  annals_memory_odds_note(&odds, true);
  EXPECT_TRUE(annals_memory_odds_ask(&odds));
}

TEST(MemoryOddsTest, AreCountedBeyondTheLargestNumber) {
  annals_memory_odds odds = {UINT_MAX - 1};
  EXPECT_FALSE(annals_memory_odds_ask(&odds));
  EXPECT_FALSE(annals_memory_odds_ask(&odds));
  EXPECT_TRUE(annals_memory_odds_ask(&odds));
}

// ---- workers ----------------------------------------------------------------------------------

std::atomic<int> g_ran;

void CountJob(annals_job *) {
  g_ran++;
}

TEST(WorkersTest, RunAllThatWasPushedBeforeTheyStop) {
  for (int round = 0; round < 20; round++) {
    g_ran = 0;
    GError *error = nullptr;
    annals_workers *workers = annals_workers_start(3, CountJob, &error);
    ASSERT_NE(workers, nullptr);
    std::vector<annals_job> jobs(100);
    for (annals_job &job : jobs) {
      annals_workers_push(workers, &job);
    }
    annals_workers_stop(workers);
    EXPECT_EQ(g_ran, 100);
    EXPECT_EQ(annals_workers_waiting(workers), 0u);
    annals_workers_free(workers);
  }
}

TEST(WorkersTest, NoneIsFine) {
  annals_workers_stop(nullptr);
  annals_workers_free(nullptr);
}

// ---- reads ------------------------------------------------------------------------------------

class RocksdbReadTest : public RocksdbTest {
 protected:
  annals_engine *engine() {
    return reinterpret_cast<annals_engine *>(store_);
  }

  // Reads "a"; returns whether a worker did it.
  bool ReadByWorker() {
    ReadResult result = Read(store_, "a", 1, false);
    EXPECT_EQ(result.outcome, ANNALS_STORE_OK) << result.detail;
    EXPECT_EQ(result.runs.size(), 1u);
    return result.on_engine_thread;
  }

  // One pass over "a" that goes as far as the tier.
  annals_status Pass(annals_tier tier, Runs *ret_runs) {
    static Runs *out;
    out = ret_runs;
    annals_store_read read = {};
    read.arn = "a";
    read.on_run = [](annals_store_read *, const annals_run *run) {
      EXPECT_EQ(std::string(reinterpret_cast<const char *>(run->frames), run->frames_bytes),
                FramesOf("a", run->first_id, run->last_id));
      out->push_back(std::to_string(run->first_id) + "-" + std::to_string(run->last_id));
      return true;
    };
    annals_reader reader = annals_engine_reader(engine(), tier);
    annals_read_state state = {1, false, UINT64_MAX};
    return annals_reader_pass(&reader, &read, &state);
  }
};

TEST_F(RocksdbReadTest, WorkersReadWhatMemoryHasWhileItsOddsAreBad) {
  ASSERT_EQ(AppendRange("a", 1, 3), ANNALS_STORE_OK);
  engine()->read_odds.missed = ANNALS_MEMORY_ODDS_LONG + 1;
  for (int i = 1; i < ANNALS_MEMORY_ODDS_ONE_IN; i++) {
    EXPECT_TRUE(ReadByWorker());
  }
  EXPECT_FALSE(ReadByWorker());
  EXPECT_EQ(engine()->read_odds.missed, 0u);
}

TEST_F(RocksdbReadTest, WhatIsKeptIsFoundWhateverTheOddsAre) {
  ASSERT_EQ(AppendRange("a", 1, 3), ANNALS_STORE_OK);
  EXPECT_FALSE(ReadByWorker());
  engine()->read_odds.missed = ANNALS_MEMORY_ODDS_LONG + 1;
  EXPECT_FALSE(ReadByWorker());
  EXPECT_EQ(engine()->read_odds.missed, ANNALS_MEMORY_ODDS_LONG + 1u);
}

TEST_F(RocksdbReadTest, WhatIsOnDiskMakesTheOddsWorse) {
  ASSERT_EQ(AppendRange("a", 1, 100), ANNALS_STORE_OK);
  ASSERT_TRUE(annals_rocksdb_flush(store_));
  Reopen();
  EXPECT_TRUE(ReadByWorker());
  EXPECT_EQ(engine()->read_odds.missed, 1u);
  EXPECT_FALSE(ReadByWorker());
  EXPECT_EQ(engine()->read_odds.missed, 0u);
}

// The tail's first 200 keys have been deleted: it is sought behind them.
TEST_F(RocksdbReadTest, AheadPassesOverASealedTail) {
  Runs expected = {"1-100", "101-200"};
  for (int64_t id = 1; id <= 205; id++) {
    ASSERT_EQ(AppendRange("a", id, id), ANNALS_STORE_OK);
    if (id > 200) {
      expected.push_back(std::to_string(id) + "-" + std::to_string(id));
    }
  }
  for (bool flushed : {false, true}) {
    if (flushed) {
      ASSERT_TRUE(annals_rocksdb_flush(store_));
      Reopen();
    }
    Runs runs;
    EXPECT_EQ(Pass(ANNALS_TIER_AHEAD, &runs), ANNALS_STATUS_OK);
    EXPECT_EQ(runs, expected);
  }
}

// Nor does it walk over what is left of an execution: that is for the next pass.
TEST_F(RocksdbReadTest, AheadIsIncompleteBeforeManyDeletedKeys) {
  for (int64_t id = 1; id <= 40; id++) {
    ASSERT_EQ(AppendRange("a", id, id), ANNALS_STORE_OK);
  }
  ASSERT_TRUE(annals_rocksdb_flush(store_));
  ASSERT_EQ(Delete(store_, "a", 40).outcome, ANNALS_STORE_OK);
  Runs runs;
  EXPECT_EQ(Pass(ANNALS_TIER_AHEAD, &runs), ANNALS_STATUS_INCOMPLETE);
  EXPECT_EQ(Pass(ANNALS_TIER_DISK, &runs), ANNALS_STATUS_NOT_FOUND);
  EXPECT_EQ(runs, Runs());
  EXPECT_EQ(Read(store_, "a", 1, false).outcome, ANNALS_STORE_NOT_FOUND);
}

}  // namespace
}  // namespace annals_test
