// Runs that are kept for those who read them again: what is kept, what a change makes of it, and
// that readers of the engine never see what is not true any more.
#include <algorithm>
#include <atomic>
#include <map>
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
    EXPECT_EQ(run.shared->stored->size, run.frames_bytes);
    EXPECT_EQ(run.shared->stored->count, run.last_id - run.first_id + 1);
    EXPECT_EQ(run.shared->data_key, 0);
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

  annals_run FindRun(const char *arn) {
    annals_run_visit visit = Visit(arn);
    annals_run run = {};
    EXPECT_EQ(annals_run_visit_find(&visit, 1, false, &run), ANNALS_RUN_FOUND);
    return run;
  }

  static std::string Kept(annals_shared_frames *frames, guint number) {
    annals_form *form = annals_shared_frames_find(frames, number);
    std::string bytes;
    if (form != nullptr) {
      bytes.assign(reinterpret_cast<const char *>(form->bytes), form->size);
    }
    annals_form_unref(form);
    return bytes;
  }

  static annals_form *FormOf(const std::string &bytes, int64_t until_us = INT64_MAX) {
    const auto end = static_cast<uint32_t>(bytes.size());
    annals_form *form =
        annals_form_new(reinterpret_cast<const uint8_t *>(bytes.data()), end, &end, 1, 0);
    form->until_us = until_us;
    return form;
  }

  // A reader that makes a form of the run, in so many bytes; returns what it may use of others'.
  std::string Make(const char *arn, char what, size_t size, guint number = 0,
                   int64_t until_us = INT64_MAX) {
    annals_run run = FindRun(arn);
    std::string kept = Kept(run.shared, number);
    if (kept.empty() && annals_shared_frames_wants(run.shared, number, size)) {
      annals_form *form = FormOf(std::string(size, what), until_us);
      annals_shared_frames_keep(run.shared, number, form);
      annals_form_unref(form);
      kept = Kept(run.shared, number);
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
  EXPECT_EQ(Find("a", 2) + Find("a", 5), "4-9");
}

TEST_F(RunCacheTest, AnAppendMakesTheEndUnknown) {
  Keep("a", 1, 7);
  KeepEnd("a", 7);
  annals_run_visit before = Visit("a");
  annals_run_cache_begin_change(cache_, "a", false);
  EXPECT_EQ(Find("a", 7) + Find("a", 8), "1-7");
  KeepIn(&before, 8, 8);  // what is stored stays, and only the end moves
  annals_run_visit_keep_end(&before, 8);
  annals_run_cache_end_change(cache_, "a", false);
  EXPECT_EQ(Find("a", 8) + Find("a", 9), "8-8");
  KeepEnd("a", 9);
  EXPECT_EQ(Find("a", 10), "end");
}

TEST_F(RunCacheTest, ADeletionDropsAll) {
  Keep("a", 1, 7);
  Keep("a", 8, 9);
  KeepEnd("a", 9);
  annals_run_cache_begin_change(cache_, "a", true);
  EXPECT_EQ(annals_run_cache_bytes(cache_), 0u);
  annals_run_cache_end_change(cache_, "a", true);
  EXPECT_EQ(Find("a", 1), "");
}

TEST_F(RunCacheTest, KeepsNothingThatWasReadBeforeAChange) {
  annals_run_visit before = Visit("a");
  annals_run_cache_begin_change(cache_, "a", true);
  annals_run_visit during = Visit("a");
  KeepIn(&before, 1, 7);
  KeepIn(&during, 1, 7);
  EXPECT_EQ(Find("a", 1), "");
  annals_run_cache_end_change(cache_, "a", true);
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
  annals_run_cache_end_change(cache_, "a", true);
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
  annals_run_cache_end_change(cache_, "e0", true);
  EXPECT_EQ(std::string(reinterpret_cast<const char *>(run.frames), run.frames_bytes),
            FramesOf("e0", 1, 1, 12000));
  annals_shared_frames_unref(run.shared);
}

TEST_F(RunCacheTest, KeepsNothingThatWouldPushOutTheRest) {
  Keep("a", 1, 1, 13000);
  EXPECT_EQ(annals_run_cache_bytes(cache_), 0u);
}

TEST_F(RunCacheTest, TellsWhatIsEncrypted) {
  const std::vector<std::pair<std::string, int64_t>> cases = {
      {Frame("plain") + Frame("plain"), 0},
      {Frame("plain") + Frame("sealed", 3), 3},
      {Frame("sealed", 3) + Frame("plain") + Frame("sealed", 3), 3},
      {Frame("sealed", 3) + Frame("sealed", 4), ANNALS_SEVERAL_DATA_KEYS},
      {Frame("sealed", 3) + Frame("sealed", 4) + Frame("sealed", 3), ANNALS_SEVERAL_DATA_KEYS},
  };
  for (const auto &[frames, data_key] : cases) {
    annals_shared_frames *copy =
        annals_shared_frames_copy(reinterpret_cast<const uint8_t *>(frames.data()), frames.size());
    ASSERT_NE(copy, nullptr);
    EXPECT_EQ(copy->data_key, data_key);
    annals_shared_frames_unref(copy);
  }
}

TEST_F(RunCacheTest, KnowsWhereEventsEnd) {
  const std::string frames = Frame("one") + Frame("three") + Frame(std::string(300, 'x'));
  annals_shared_frames *copy =
      annals_shared_frames_copy(reinterpret_cast<const uint8_t *>(frames.data()), frames.size());
  ASSERT_NE(copy, nullptr);
  ASSERT_EQ(copy->stored->count, 3U);
  EXPECT_EQ(annals_form_start(copy->stored, 0), 0U);
  EXPECT_EQ(annals_form_start(copy->stored, 1), 5U);
  EXPECT_EQ(annals_form_event_size(copy->stored, 1), 7U);
  EXPECT_EQ(annals_form_event_size(copy->stored, 2), 303U);
  EXPECT_EQ(copy->stored->ends[2], frames.size());
  annals_shared_frames_unref(copy);
  EXPECT_EQ(annals_shared_frames_copy(reinterpret_cast<const uint8_t *>(frames.data()), 7),
            nullptr);
  EXPECT_EQ(annals_shared_frames_copy(nullptr, 0), nullptr);
}

TEST_F(RunCacheTest, KeepsFormsThatAreAskedForTwice) {
  Keep("a", 1, 7);
  const size_t bare = annals_run_cache_bytes(cache_);
  EXPECT_EQ(Make("a", 'x', 1000), "");
  EXPECT_EQ(annals_run_cache_bytes(cache_), bare);
  EXPECT_EQ(Make("a", 'x', 1000), std::string(1000, 'x'));
  EXPECT_GE(annals_run_cache_bytes(cache_), bare + 1000);
  EXPECT_EQ(Make("a", 'y', 2000), std::string(1000, 'x'));
  EXPECT_LT(annals_run_cache_bytes(cache_), bare + 2000);
  EXPECT_EQ(Make("a", 'z', 500, 7), "") << "another form";
  EXPECT_EQ(Make("a", 'z', 500, 7), std::string(500, 'z'));
  EXPECT_EQ(Make("a", 'y', 2000), std::string(1000, 'x'));
  Keep("a", 1, 9);  // in its place
  EXPECT_LT(annals_run_cache_bytes(cache_), bare + 500);
  EXPECT_EQ(Make("a", 'z', 1000), "");
}

TEST_F(RunCacheTest, KeepsNoFormOfARunThatHasLeft) {
  Keep("a", 1, 7);
  annals_run run = FindRun("a");
  annals_form *form = FormOf(std::string(1000, 'x'));
  annals_shared_frames_keep(run.shared, 0, form);
  EXPECT_EQ(Kept(run.shared, 0), std::string(1000, 'x'));
  annals_run_cache_begin_change(cache_, "a", true);
  EXPECT_EQ(annals_run_cache_bytes(cache_), 0u);
  EXPECT_EQ(Kept(run.shared, 0), "");
  annals_shared_frames_keep(run.shared, 0, form);
  EXPECT_EQ(Kept(run.shared, 0), "");
  EXPECT_EQ(annals_run_cache_bytes(cache_), 0u);
  annals_run_cache_end_change(cache_, "a", true);
  EXPECT_EQ(form->refs, 1);
  annals_form_unref(form);
  annals_shared_frames_unref(run.shared);
}

TEST_F(RunCacheTest, FormsTakeRoomAsRunsDo) {
  for (int i = 0; i < 4; i++) {
    Keep(("e" + std::to_string(i)).c_str(), 1, 1, 11500);
  }
  for (int i = 0; i < 4; i++) {
    const std::string arn = "e" + std::to_string(i);
    EXPECT_EQ(Make(arn.c_str(), 'x', 11500), "");
    EXPECT_EQ(Make(arn.c_str(), 'x', 11500).size(), 11500u);
    EXPECT_LE(annals_run_cache_bytes(cache_), 100000u);
  }
  EXPECT_EQ(Make("e0", 'x', 13000).size(), 11500u);
  Keep("f", 1, 1, 40);
  EXPECT_EQ(Make("f", 'x', 13000), "");
  EXPECT_EQ(Make("f", 'x', 13000), "") << "too much of all that there is";
  int refused = 0;
  for (int i = 0; i < 8; i++) {  // there is no more room: one of eight pushes others out
    refused += Make("f", 'x', 9000).empty() ? 1 : 0;
    EXPECT_LE(annals_run_cache_bytes(cache_), 100000u);
  }
  EXPECT_GE(refused, 1);
  EXPECT_FALSE(Make("f", 'x', 9000).empty());
}

// By the clock of the test; the cache's own thread goes by the real one.
TEST_F(RunCacheTest, DropsFormsWhoseTimeIsOver) {
  const int64_t now_us = g_get_monotonic_time();
  const int64_t hour_us = int64_t{3600} * G_USEC_PER_SEC;
  for (const char *arn : {"a", "b", "c"}) {
    Keep(arn, 1, 7);
    for (guint number : {0, 1, 2}) {
      Make(arn, 'x', 100, number);
    }
  }
  EXPECT_EQ(annals_run_cache_sweep(cache_, now_us), INT64_MAX);
  EXPECT_NE(Make("a", 'x', 100, 0, now_us + 2 * hour_us), "");
  EXPECT_NE(Make("a", 'y', 100, 1, now_us + hour_us), "");
  EXPECT_NE(Make("a", 'z', 100, 2), "");
  EXPECT_NE(Make("b", 'x', 100, 0, now_us + hour_us), "");
  EXPECT_NE(Make("c", 'x', 100, 0, now_us + hour_us), "");
  annals_run_cache_begin_change(cache_, "c", true);
  annals_run_cache_end_change(cache_, "c", true);
  const size_t all = annals_run_cache_bytes(cache_);
  EXPECT_EQ(annals_run_cache_sweep(cache_, now_us), now_us + hour_us);
  EXPECT_EQ(annals_run_cache_bytes(cache_), all);
  EXPECT_EQ(annals_run_cache_sweep(cache_, now_us + hour_us), now_us + 2 * hour_us);
  EXPECT_LE(annals_run_cache_bytes(cache_), all - 200);
  annals_run run = FindRun("a");
  EXPECT_NE(Kept(run.shared, 0), "");
  EXPECT_EQ(Kept(run.shared, 1), "");
  EXPECT_NE(Kept(run.shared, 2), "");
  annals_shared_frames_unref(run.shared);
  EXPECT_EQ(annals_run_cache_sweep(cache_, now_us + 2 * hour_us), INT64_MAX);
  run = FindRun("a");
  EXPECT_EQ(Kept(run.shared, 0), "");
  EXPECT_NE(Kept(run.shared, 2), "");
  annals_shared_frames_unref(run.shared);
}

// Each at its time and none before, in whatever order they came, and whoever has left meanwhile.
TEST_F(RunCacheTest, DropsFormsOneAfterTheOther) {
  const int64_t base_us = g_get_monotonic_time() + int64_t{3600} * G_USEC_PER_SEC;
  const int count = 31;
  std::map<std::string, std::vector<int64_t>> times;  // of each run's two forms
  for (int i = 0; i < count; i++) {
    const std::string arn = "a" + std::to_string(i);
    times[arn] = {base_us + i * 17 % count, base_us + i * 5 % count};
    Keep(arn.c_str(), 1, 1);
    annals_run run = FindRun(arn.c_str());
    for (guint number : {0, 1}) {
      annals_form *form = FormOf("x", times[arn][number]);
      annals_shared_frames_keep(run.shared, number, form);
      annals_form_unref(form);
    }
    annals_shared_frames_unref(run.shared);
  }
  for (int64_t now_us = base_us - 1; times.size() > 1; now_us++) {
    annals_run_cache_begin_change(cache_, times.begin()->first.c_str(), true);
    annals_run_cache_end_change(cache_, times.begin()->first.c_str(), true);
    times.erase(times.begin());
    const int64_t next_us = annals_run_cache_sweep(cache_, now_us);
    int64_t expected_us = INT64_MAX;
    for (const auto &[arn, both] : times) {
      annals_run run = FindRun(arn.c_str());
      for (guint number : {0, 1}) {
        EXPECT_EQ(Kept(run.shared, number), both[number] > now_us ? "x" : "");
        expected_us = both[number] > now_us ? std::min(expected_us, both[number]) : expected_us;
      }
      annals_shared_frames_unref(run.shared);
    }
    EXPECT_EQ(next_us, expected_us);
  }
}

TEST_F(RunCacheTest, KeepsNoFormWhoseTimeIsOver) {
  Keep("a", 1, 7);
  Make("a", 'x', 100);
  EXPECT_EQ(Make("a", 'x', 100, 0, g_get_monotonic_time()), "");
}

// Nobody asks for it: the cache's thread lets go of the reference that it has.
TEST_F(RunCacheTest, DropsInTime) {
  Keep("a", 1, 7);
  annals_run run = FindRun("a");
  annals_form *form = FormOf("decrypted", g_get_monotonic_time() + 100 * 1000);
  annals_shared_frames_keep(run.shared, 0, form);
  annals_shared_frames_unref(run.shared);
  while (g_atomic_int_get(&form->refs) > 1) {
    g_usleep(1000);
  }
  EXPECT_GE(g_get_monotonic_time(), form->until_us);
  annals_form_unref(form);
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
