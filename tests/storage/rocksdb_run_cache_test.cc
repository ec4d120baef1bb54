// Runs that are kept for those who read them again: what is kept, what a change makes of it, and
// that readers of the engine never see what is not true any more.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "storage/rocksdb/engine.h"
#include "storage/rocksdb/run_cache.h"
#include "tests/storage/rocksdb_disk.h"

namespace annals_test {
namespace {

class RunCacheTest : public testing::Test {
 protected:
  ~RunCacheTest() override {
    annals_run_cache_free(cache_);
  }

  annals_run_visit Visit(const char *arn) {
    annals_run_visit visit;
    annals_run_visit_begin(&visit, cache_, arn);
    return visit;
  }

  // Whether the run was kept is what a later find says; the view is true either way.
  static void KeepIn(annals_run_visit *visit, int64_t first_id, int64_t last_id, size_t size = 40) {
    std::string frames = FramesOf(visit->arn, first_id, last_id, size);
    annals_run run = {};
    run.first_id = first_id;
    run.last_id = last_id;
    run.frames = reinterpret_cast<const uint8_t *>(frames.data());
    run.frames_bytes = frames.size();
    annals_run_visit_keep(visit, &run);
    EXPECT_EQ(std::string(reinterpret_cast<const char *>(run.frames), run.frames_bytes), frames);
    annals_shared_frames_unref(run.shared);
  }

  void Keep(const char *arn, int64_t first_id, int64_t last_id, size_t size = 40) {
    annals_run_visit visit = Visit(arn);
    KeepIn(&visit, first_id, last_id, size);
  }

  void KeepEnd(const char *arn, int64_t last_id) {
    annals_run_visit visit = Visit(arn);
    annals_run_visit_keep_end(&visit, last_id);
  }

  // "1-100", "end" or "".
  static std::string FindIn(annals_run_visit *visit, int64_t id, bool or_last = false) {
    annals_run run = {};
    switch (annals_run_visit_find(visit, id, or_last, &run)) {
      case ANNALS_RUN_UNKNOWN:
        return "";
      case ANNALS_RUN_BEHIND_END:
        return "end";
      case ANNALS_RUN_FOUND:
        break;
    }
    EXPECT_EQ(std::string(reinterpret_cast<const char *>(run.frames), run.frames_bytes),
              FramesOf(visit->arn, run.first_id, run.last_id));
    EXPECT_EQ(run.shared->size, run.frames_bytes);
    EXPECT_TRUE(run.shared->plain);
    annals_shared_frames_unref(run.shared);
    return std::to_string(run.first_id) + "-" + std::to_string(run.last_id);
  }

  std::string Find(const char *arn, int64_t id, bool or_last = false) {
    annals_run_visit visit = Visit(arn);
    return FindIn(&visit, id, or_last);
  }

  bool Has(const char *arn) {
    annals_run_visit visit = Visit(arn);
    annals_run run = {};
    bool found = annals_run_visit_find(&visit, 1, false, &run) == ANNALS_RUN_FOUND;
    annals_shared_frames_unref(run.shared);
    return found;
  }

  // A reader that makes something of the run, in so many bytes; returns what it may use of others'.
  std::string Encode(const char *arn, char what, size_t size) {
    annals_run_visit visit = Visit(arn);
    annals_run run = {};
    EXPECT_EQ(annals_run_visit_find(&visit, 1, false, &run), ANNALS_RUN_FOUND);
    const std::string bytes(size, what);
    annals_shared_frames_keep_encoded(run.shared, reinterpret_cast<const uint8_t *>(bytes.data()),
                                      size);
    const annals_encoded *encoded = annals_shared_frames_encoded(run.shared);
    std::string kept;
    if (encoded != nullptr) {
      kept.assign(reinterpret_cast<const char *>(encoded->bytes), encoded->size);
    }
    annals_shared_frames_unref(run.shared);
    return kept;
  }

  annals_run_cache *cache_ = annals_run_cache_new(100000);
};

TEST_F(RunCacheTest, FindsTheRunThatHoldsAnId) {
  EXPECT_EQ(Find("a", 1), "");
  Keep("a", 101, 150);
  Keep("a", 1, 100);
  Keep("b", 1, 3);
  EXPECT_EQ(Find("a", 1), "1-100");
  EXPECT_EQ(Find("a", 100), "1-100");
  EXPECT_EQ(Find("a", 101), "101-150");
  EXPECT_EQ(Find("a", 151), "");
  EXPECT_EQ(Find("b", 3), "1-3");
  EXPECT_EQ(Find("c", 1), "");
}

TEST_F(RunCacheTest, KnowsTheEndOnlyOfWhatIsKept) {
  KeepEnd("a", 7);
  EXPECT_EQ(Find("a", 8), "");
  Keep("a", 1, 7);
  EXPECT_EQ(Find("a", INT64_MAX, true), "");
  KeepEnd("a", 7);
  EXPECT_EQ(Find("a", 8), "end");
  EXPECT_EQ(Find("a", 8, true), "1-7");
  EXPECT_EQ(Find("a", INT64_MAX, true), "1-7");
}

TEST_F(RunCacheTest, PutsAWiderRunInThePlaceOfWhatItCovers) {
  for (int64_t id = 1; id <= 5; id++) {
    Keep("a", id, id);
  }
  Keep("a", 2, 4);
  EXPECT_EQ(Find("a", 1), "1-1");
  EXPECT_EQ(Find("a", 3), "2-4");
  EXPECT_EQ(Find("a", 5), "5-5");
  Keep("a", 3, 3);
  EXPECT_EQ(Find("a", 3), "2-4");
  Keep("a", 4, 9);
  EXPECT_EQ(Find("a", 2), "");
  EXPECT_EQ(Find("a", 5), "4-9");
}

TEST_F(RunCacheTest, AnAppendMakesTheEndUnknown) {
  Keep("a", 1, 7);
  KeepEnd("a", 7);
  annals_run_cache_begin_change(cache_, "a", false);
  EXPECT_EQ(Find("a", 8), "");
  EXPECT_EQ(Find("a", 7), "1-7");
  annals_run_cache_end_change(cache_, "a");
  EXPECT_EQ(Find("a", 8), "");
  KeepEnd("a", 9);
  EXPECT_EQ(Find("a", 10), "end");
}

TEST_F(RunCacheTest, ADeletionDropsAll) {
  Keep("a", 1, 7);
  Keep("a", 8, 9);
  KeepEnd("a", 9);
  annals_run_cache_begin_change(cache_, "a", true);
  EXPECT_EQ(annals_run_cache_bytes(cache_), 0u);
  annals_run_cache_end_change(cache_, "a");
  EXPECT_EQ(Find("a", 1), "");
}

TEST_F(RunCacheTest, KeepsNothingThatWasReadBeforeAChange) {
  annals_run_visit before = Visit("a");
  annals_run_cache_begin_change(cache_, "a", true);
  annals_run_visit during = Visit("a");
  KeepIn(&before, 1, 7);
  KeepIn(&during, 1, 7);
  EXPECT_EQ(Find("a", 1), "");
  annals_run_cache_end_change(cache_, "a");
  KeepIn(&before, 1, 7);
  KeepIn(&during, 1, 7);
  EXPECT_EQ(Find("a", 1), "");
  Keep("a", 1, 7);
  EXPECT_EQ(Find("a", 1), "1-7");
  annals_run_visit_keep_end(&before, 7);
  annals_run_visit_keep_end(&during, 7);
  EXPECT_EQ(Find("a", 8), "");
}

TEST_F(RunCacheTest, AVisitFindsOneLifeOnly) {
  Keep("a", 1, 7);
  annals_run_visit visit = Visit("a");
  EXPECT_EQ(FindIn(&visit, 1), "1-7");
  annals_run_cache_begin_change(cache_, "a", true);
  annals_run_cache_end_change(cache_, "a");
  Keep("a", 1, 7);
  Keep("a", 8, 9);
  EXPECT_EQ(FindIn(&visit, 8), "");
  EXPECT_EQ(Find("a", 8), "8-9");
}

TEST_F(RunCacheTest, DropsTheLeastRecentlyUsedWhenFull) {
  for (int i = 0; i < 8; i++) {
    Keep(("e" + std::to_string(i)).c_str(), 1, 1, 12000);
  }
  EXPECT_LE(annals_run_cache_bytes(cache_), 100000u);
  annals_run_visit first = Visit("e0");
  annals_run run = {};
  ASSERT_EQ(annals_run_visit_find(&first, 1, false, &run), ANNALS_RUN_FOUND);
  EXPECT_TRUE(Has("e1"));
  // One in eight of what there is no room for is kept: e2 and e3 leave for them.
  for (int i = 0; i < 16; i++) {
    Keep(("f" + std::to_string(i)).c_str(), 1, 1, 12000);
    EXPECT_LE(annals_run_cache_bytes(cache_), 100000u);
  }
  int kept = 0;
  for (int i = 0; i < 16; i++) {
    kept += Has(("f" + std::to_string(i)).c_str()) ? 1 : 0;
  }
  EXPECT_EQ(kept, 2);
  EXPECT_TRUE(Has("e0"));
  EXPECT_FALSE(Has("e2"));
  EXPECT_FALSE(Has("e3"));
  // Who has a reference may use it whatever becomes of the cache.
  annals_run_cache_begin_change(cache_, "e0", true);
  annals_run_cache_end_change(cache_, "e0");
  EXPECT_EQ(std::string(reinterpret_cast<const char *>(run.frames), run.frames_bytes),
            FramesOf("e0", 1, 1, 12000));
  annals_shared_frames_unref(run.shared);
}

TEST_F(RunCacheTest, KeepsNothingThatWouldPushOutTheRest) {
  Keep("a", 1, 1, 13000);
  EXPECT_EQ(annals_run_cache_bytes(cache_), 0u);
}

TEST_F(RunCacheTest, TellsWhatIsEncrypted) {
  annals_run_visit visit = Visit("a");
  std::string frames = Frame("plain") + Frame("sealed", 1);
  annals_run run = {};
  run.first_id = 1;
  run.last_id = 2;
  run.frames = reinterpret_cast<const uint8_t *>(frames.data());
  run.frames_bytes = frames.size();
  annals_run_visit_keep(&visit, &run);
  ASSERT_NE(run.shared, nullptr);
  EXPECT_FALSE(run.shared->plain);
  annals_shared_frames_unref(run.shared);
}

TEST_F(RunCacheTest, KeepsWhatIsMadeOfARunTheSecondTime) {
  Keep("a", 1, 7);
  const size_t bare = annals_run_cache_bytes(cache_);
  EXPECT_EQ(Encode("a", 'x', 1000), "");
  EXPECT_EQ(annals_run_cache_bytes(cache_), bare);
  EXPECT_EQ(Encode("a", 'x', 1000), std::string(1000, 'x'));
  EXPECT_GE(annals_run_cache_bytes(cache_), bare + 1000);
  EXPECT_EQ(Encode("a", 'y', 2000), std::string(1000, 'x'));
  EXPECT_LT(annals_run_cache_bytes(cache_), bare + 2000);
  Keep("a", 1, 9);  // in its place
  EXPECT_LT(annals_run_cache_bytes(cache_), bare + 1000);
  EXPECT_EQ(Encode("a", 'z', 1000), "");
}

TEST_F(RunCacheTest, KeepsNothingThatIsMadeOfARunThatHasLeft) {
  Keep("a", 1, 7);
  EXPECT_EQ(Encode("a", 'x', 1000), "");
  annals_run_visit visit = Visit("a");
  annals_run run = {};
  ASSERT_EQ(annals_run_visit_find(&visit, 1, false, &run), ANNALS_RUN_FOUND);
  annals_run_cache_begin_change(cache_, "a", true);
  const uint8_t bytes[1000] = {};
  annals_shared_frames_keep_encoded(run.shared, bytes, sizeof bytes);
  EXPECT_EQ(annals_shared_frames_encoded(run.shared), nullptr);
  EXPECT_EQ(annals_run_cache_bytes(cache_), 0u);
  annals_run_cache_end_change(cache_, "a");
  annals_shared_frames_unref(run.shared);
}

TEST_F(RunCacheTest, WhatIsMadeOfRunsTakesRoomAsTheyDo) {
  for (int i = 0; i < 4; i++) {
    Keep(("e" + std::to_string(i)).c_str(), 1, 1, 12000);
  }
  for (int i = 0; i < 4; i++) {
    const std::string arn = "e" + std::to_string(i);
    EXPECT_EQ(Encode(arn.c_str(), 'x', 12000), "");
    EXPECT_EQ(Encode(arn.c_str(), 'x', 12000).size(), 12000u);
    EXPECT_LE(annals_run_cache_bytes(cache_), 100000u);
  }
  EXPECT_EQ(Encode("e0", 'x', 13000).size(), 12000u);
  Keep("f", 1, 1, 40);
  EXPECT_EQ(Encode("f", 'x', 13000), "");
  EXPECT_EQ(Encode("f", 'x', 13000), "") << "too much of all that there is";
  int refused = 0;
  for (int i = 0; i < 8; i++) {  // there is no more room: one of eight pushes others out
    refused += Encode("f", 'x', 5000).empty() ? 1 : 0;
    EXPECT_LE(annals_run_cache_bytes(cache_), 100000u);
  }
  EXPECT_GE(refused, 1);
  EXPECT_FALSE(Encode("f", 'x', 5000).empty());
}

// ---- in the engine ----------------------------------------------------------------------------

class RocksdbRunCacheTest : public RocksdbTest {
 protected:
  size_t KeptBytes() {
    return annals_run_cache_bytes(reinterpret_cast<annals_engine *>(store_)->runs);
  }

  // "1-100 101-150"; checks the frames.
  std::string ReadAll(const std::string &arn, int64_t from_id, bool reverse) {
    ReadResult result = Read(store_, arn, from_id, reverse);
    EXPECT_EQ(result.outcome, ANNALS_STORE_OK);
    std::string text;
    for (const ReadRun &run : result.runs) {
      EXPECT_EQ(run.frames, FramesOf(arn, run.first_id, run.last_id));
      text += (text.empty() ? "" : " ") + std::to_string(run.first_id) + "-" +
              std::to_string(run.last_id);
    }
    return text;
  }
};

TEST_F(RocksdbRunCacheTest, ASecondReadIsOfWhatTheFirstKept) {
  ASSERT_EQ(AppendRange("a", 1, 100), ANNALS_STORE_OK);
  ASSERT_EQ(AppendRange("a", 101, 101), ANNALS_STORE_OK);
  ASSERT_EQ(AppendRange("a", 102, 103), ANNALS_STORE_OK);
  EXPECT_EQ(KeptBytes(), 0u);
  EXPECT_EQ(ReadAll("a", 1, false), "1-100 101-101 102-103");
  size_t kept = KeptBytes();
  EXPECT_GT(kept, FramesOf("a", 1, 103).size());
  EXPECT_EQ(ReadAll("a", 1, false), "1-100 101-101 102-103");
  EXPECT_EQ(ReadAll("a", 101, false), "101-101 102-103");
  EXPECT_EQ(ReadAll("a", 104, false), "");
  EXPECT_EQ(ReadAll("a", 103, true), "102-103 101-101 1-100");
  EXPECT_EQ(ReadAll("a", INT64_MAX, true), "102-103 101-101 1-100");
  EXPECT_EQ(KeptBytes(), kept);
}

TEST_F(RocksdbRunCacheTest, WhatIsAppendedIsSeen) {
  ASSERT_EQ(AppendRange("a", 1, 99), ANNALS_STORE_OK);
  EXPECT_EQ(ReadAll("a", INT64_MAX, true), "1-99");
  EXPECT_EQ(ReadAll("a", 1, false), "1-99");
  ASSERT_EQ(AppendRange("a", 100, 100), ANNALS_STORE_OK);  // seals
  EXPECT_EQ(ReadAll("a", 1, false), "1-99 100-100");
  ASSERT_EQ(AppendRange("a", 101, 101), ANNALS_STORE_OK);
  EXPECT_EQ(ReadAll("a", INT64_MAX, true), "101-101 1-100");
  EXPECT_EQ(ReadAll("a", 1, false), "1-100 101-101");
}

TEST_F(RocksdbRunCacheTest, WhatIsDeletedIsGone) {
  ASSERT_EQ(AppendRange("a", 1, 100), ANNALS_STORE_OK);
  EXPECT_EQ(ReadAll("a", 1, false), "1-100");
  ASSERT_EQ(Delete(store_, "a", 100).outcome, ANNALS_STORE_OK);
  EXPECT_EQ(Read(store_, "a", 1, false).outcome, ANNALS_STORE_NOT_FOUND);
  EXPECT_EQ(KeptBytes(), 0u);
  ASSERT_EQ(AppendRange("a", 1, 2), ANNALS_STORE_OK);
  EXPECT_EQ(ReadAll("a", 1, false), "1-2");
}

// Deleted in the midst of a read that is served from what is kept, and begun anew.
TEST_F(RocksdbRunCacheTest, AReadNeverMixesTwoLives) {
  for (bool reverse : {false, true}) {
    ASSERT_EQ(AppendRange("a", 1, 100), ANNALS_STORE_OK);
    ASSERT_EQ(AppendRange("a", 101, 200), ANNALS_STORE_OK);
    ASSERT_EQ(ReadAll("a", 1, false), "1-100 101-200");
    bool deleted = false;
    ReadResult result = Read(store_, "a", reverse ? 200 : 1, reverse, [&](const ReadRun &) {
      if (!deleted) {
        deleted = true;
        EXPECT_EQ(Delete(store_, "a", 200).outcome, ANNALS_STORE_OK);
        EXPECT_EQ(AppendRange("a", 1, 100), ANNALS_STORE_OK);
        EXPECT_EQ(AppendRange("a", 101, 200), ANNALS_STORE_OK);
        EXPECT_EQ(ReadAll("a", 1, false), "1-100 101-200");
      }
      return true;
    });
    EXPECT_EQ(result.outcome, ANNALS_STORE_NOT_FOUND);
    EXPECT_EQ(result.runs.size(), 1u);
    ASSERT_EQ(Delete(store_, "a", 200).outcome, ANNALS_STORE_OK);
  }
}

TEST_F(RocksdbRunCacheTest, KeepsNothingWhereThereIsNoMemory) {
  options_.tuning.cache_bytes = 1;
  Reopen();
  ASSERT_EQ(AppendRange("a", 1, 100), ANNALS_STORE_OK);
  EXPECT_EQ(ReadAll("a", 1, false), "1-100");
  EXPECT_EQ(ReadAll("a", 1, false), "1-100");
  EXPECT_EQ(KeptBytes(), 0u);
}

// The events of one life all say which one, and an append that is acknowledged is seen.
struct Shared {
  annals_store *store;
  std::atomic<int64_t> life{0};  // 2 n: the n-th is there; 2 n + 1: it is being changed for another
  std::atomic<int64_t> acked{0};  // where it ends at least
  std::atomic<bool> stop{false};
};

std::string LifeFrames(int64_t life, int64_t first_id, int64_t last_id) {
  return FramesOf("life" + std::to_string(life), first_id, last_id);
}

void ReadLives(Shared *shared, bool reverse) {
  int reads = 0;
  while (!shared->stop.load() || reads == 0) {
    int64_t before = shared->life.load();
    int64_t acked = shared->acked.load();
    bool settled = before % 2 == 0 && shared->life.load() == before;
    ReadResult result = Read(shared->store, "a", reverse ? INT64_MAX : 1, reverse);
    settled = settled && shared->life.load() == before;
    if (result.outcome != ANNALS_STORE_OK) {
      EXPECT_EQ(result.outcome, ANNALS_STORE_NOT_FOUND);
      EXPECT_FALSE(settled);
      continue;
    }
    ASSERT_FALSE(result.runs.empty());
    std::string frames;
    for (const ReadRun &run : result.runs) {
      frames = reverse ? run.frames + frames : frames + run.frames;
    }
    int64_t last_id = reverse ? result.runs.front().last_id : result.runs.back().last_id;
    int64_t after = shared->life.load();
    bool same = false;
    for (int64_t life = before / 2; life <= after / 2 + 1 && !same; life++) {
      same = frames == LifeFrames(life, 1, last_id);
    }
    EXPECT_TRUE(same) << "of lives " << before / 2 << " to " << after / 2 << ", " << last_id;
    if (settled) {
      EXPECT_GE(last_id, acked);
    }
    reads++;
  }
}

TEST_F(RocksdbRunCacheTest, ReadersSeeWhatIsAcknowledgedOfOneLife) {
  Shared shared;
  shared.store = store_;
  ASSERT_EQ(Append(store_, "a", 0, LifeFrames(0, 1, 90)).outcome, ANNALS_STORE_OK);
  shared.acked = 90;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; i++) {
    readers.emplace_back(ReadLives, &shared, i == 2);
  }
  for (int64_t life = 0; life < 20; life++) {
    for (int64_t last_id = 90; last_id < 102; last_id++) {
      EXPECT_EQ(Append(store_, "a", last_id, LifeFrames(life, last_id + 1, last_id + 1)).outcome,
                ANNALS_STORE_OK);
      shared.acked = last_id + 1;
    }
    shared.life++;
    EXPECT_EQ(Delete(store_, "a", 102).outcome, ANNALS_STORE_OK);
    shared.acked = 90;
    EXPECT_EQ(Append(store_, "a", 0, LifeFrames(life + 1, 1, 90)).outcome, ANNALS_STORE_OK);
    shared.life++;
  }
  shared.stop = true;
  for (std::thread &reader : readers) {
    reader.join();
  }
}

}  // namespace
}  // namespace annals_test
