// The parts of the embedded engine that need no disk: keys, status, tails, runs.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "storage/rocksdb/key.h"
#include "storage/rocksdb/run_builder.h"
#include "storage/rocksdb/status.h"
#include "storage/rocksdb/tail.h"
#include "storage/rocksdb/tail_table.h"
#include "tests/storage/store_client.h"

namespace annals_test {
namespace {

// ---- keys -----------------------------------------------------------------------------------

std::string RunKey(const std::string &arn, annals_key_kind kind, int64_t first_id,
                   int64_t last_id) {
  annals_key key = {};
  key.kind = kind;
  key.first_id = first_id;
  key.last_id = last_id;
  std::string bytes(arn.size() + ANNALS_KEY_RUN_EXTRA, '?');
  size_t size =
      annals_key_put_run(reinterpret_cast<uint8_t *>(bytes.data()), arn.c_str(), arn.size(), &key);
  EXPECT_EQ(size, bytes.size());
  return bytes;
}

std::string SeekKey(const std::string &arn, annals_key_kind kind, int64_t id) {
  std::string bytes(arn.size() + ANNALS_KEY_SEEK_EXTRA, '?');
  size_t size = annals_key_put_seek(reinterpret_cast<uint8_t *>(bytes.data()), arn.c_str(),
                                    arn.size(), kind, id);
  EXPECT_EQ(size, bytes.size());
  return bytes;
}

std::string MarkerKey(const std::string &arn) {
  std::string bytes(arn.size() + ANNALS_KEY_SEEK_EXTRA, '?');
  size_t size =
      annals_key_put_marker(reinterpret_cast<uint8_t *>(bytes.data()), arn.c_str(), arn.size());
  EXPECT_EQ(size, bytes.size());
  return bytes;
}

std::string PrefixKey(const std::string &arn, annals_key_kind kind) {
  std::string bytes(arn.size() + ANNALS_KEY_PREFIX_EXTRA, '?');
  annals_key_put_prefix(reinterpret_cast<uint8_t *>(bytes.data()), arn.c_str(), arn.size(), kind);
  return bytes;
}

bool Parse(const std::string &bytes, const std::string &arn, annals_key *ret_key) {
  return annals_key_parse(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size(),
                          arn.c_str(), arn.size(), ret_key);
}

TEST(KeyTest, HasTheDocumentedBytes) {
  EXPECT_EQ(RunKey("arn", ANNALS_KEY_SEALED, 0x0102, 0x030405),
            std::string("arn\0B\0\0\0\0\0\x03\x04\x05\0\0\0\0\0\0\x01\x02", 21));
  EXPECT_EQ(SeekKey("arn", ANNALS_KEY_OPEN, 7), std::string("arn\0T\0\0\0\0\0\0\0\x07", 13));
  EXPECT_EQ(MarkerKey("arn"), std::string("arn\0B\xff\xff\xff\xff\xff\xff\xff\xff", 13));
  EXPECT_EQ(PrefixKey("arn", ANNALS_KEY_BEHIND), std::string("arn\0U", 5));
}

TEST(KeyTest, SortsAsItIsRead) {
  const std::vector<std::string> sorted = {
      PrefixKey("a", ANNALS_KEY_SEALED),
      SeekKey("a", ANNALS_KEY_SEALED, 1),
      SeekKey("a", ANNALS_KEY_SEALED, 255),
      RunKey("a", ANNALS_KEY_SEALED, 1, 255),
      SeekKey("a", ANNALS_KEY_SEALED, 256),
      RunKey("a", ANNALS_KEY_SEALED, 256, 70000),
      RunKey("a", ANNALS_KEY_SEALED, 70001, INT64_MAX),
      MarkerKey("a"),
      SeekKey("a", ANNALS_KEY_OPEN, 1),
      RunKey("a", ANNALS_KEY_OPEN, 9, 9),
      RunKey("a", ANNALS_KEY_OPEN, 10, 300),
      PrefixKey("a", ANNALS_KEY_BEHIND),
      PrefixKey("a\x01", ANNALS_KEY_SEALED),
      MarkerKey("a:B"),
      PrefixKey("aB", ANNALS_KEY_SEALED),
      PrefixKey("b", ANNALS_KEY_SEALED),
  };
  for (size_t i = 1; i < sorted.size(); i++) {
    EXPECT_LT(sorted[i - 1], sorted[i]) << i;
  }
}

TEST(KeyTest, ParsesWhatItPuts) {
  annals_key key;
  ASSERT_TRUE(Parse(RunKey("arn", ANNALS_KEY_OPEN, 5, INT64_MAX), "arn", &key));
  EXPECT_EQ(key.kind, ANNALS_KEY_OPEN);
  EXPECT_FALSE(key.marker);
  EXPECT_EQ(key.first_id, 5);
  EXPECT_EQ(key.last_id, INT64_MAX);
  ASSERT_TRUE(Parse(MarkerKey("arn"), "arn", &key));
  EXPECT_TRUE(key.marker);
}

TEST(KeyTest, RefusesWhatIsNoKey) {
  annals_key key;
  const std::string good = RunKey("arn", ANNALS_KEY_SEALED, 5, 9);
  for (size_t size = 0; size < good.size(); size++) {
    EXPECT_FALSE(Parse(good.substr(0, size), "arn", &key)) << size;
  }
  EXPECT_FALSE(Parse(good + "x", "arn", &key));
  EXPECT_FALSE(Parse(good, "arm", &key));
  EXPECT_FALSE(Parse(good, "ar", &key));
  EXPECT_FALSE(Parse(good, "arnarnarnarnarnarnarn", &key));
  EXPECT_FALSE(Parse(RunKey("arn", ANNALS_KEY_SEALED, 0, 9), "arn", &key));
  EXPECT_FALSE(Parse(RunKey("arn", ANNALS_KEY_SEALED, 10, 9), "arn", &key));
  EXPECT_FALSE(Parse(RunKey("arn", ANNALS_KEY_SEALED, 1, -1), "arn", &key));
  EXPECT_FALSE(Parse(RunKey("arn", ANNALS_KEY_BEHIND, 1, 1), "arn", &key));
  EXPECT_FALSE(Parse(SeekKey("arn", ANNALS_KEY_SEALED, 5), "arn", &key));
  EXPECT_FALSE(Parse(SeekKey("arn", ANNALS_KEY_OPEN, -1), "arn", &key));
}

// ---- status ---------------------------------------------------------------------------------

TEST(StatusTest, ClassifiesRocksdbsStrings) {
  const std::vector<std::pair<const char *, annals_status>> cases = {
      {nullptr, ANNALS_STATUS_OK},
      {"Result incomplete: no blocking io", ANNALS_STATUS_INCOMPLETE},
      {"NotFound: ", ANNALS_STATUS_NOT_FOUND},
      {"Corruption: block checksum mismatch", ANNALS_STATUS_CORRUPT},
      {"IO error: While lock file: /d/LOCK: Resource temporarily unavailable",
       ANNALS_STATUS_LOCKED},
      {"IO error: lock hold by current process, acquire time 1 acquiring thread 2: /d/LOCK: No "
       "locks available",
       ANNALS_STATUS_LOCKED},
      {"IO error: While open a file for lock: /d/LOCK: Permission denied", ANNALS_STATUS_DENIED},
      {"IO error: While opening a file for sequentially reading: /d/CURRENT: Permission denied",
       ANNALS_STATUS_DENIED},
      {"IO error: While mkdir if missing: /d: Read-only file system", ANNALS_STATUS_DENIED},
      {"IO error: While appending to file: /d/000004.log: No space left on device",
       ANNALS_STATUS_NO_SPACE},
      {"IO error: No such file or directory: /d/000009.sst", ANNALS_STATUS_UNREADABLE},
      {"Invalid argument: Column families not opened: x", ANNALS_STATUS_FAILED},
      {"Shutdown in progress: ", ANNALS_STATUS_FAILED},
      {"", ANNALS_STATUS_FAILED},
      {"something new", ANNALS_STATUS_FAILED},
      {"IO error: While pread offset 0 len 9: /x/000012.sst: Input/output error",
       ANNALS_STATUS_UNREADABLE},
      {"IO error: No such file or directory: While open a file for random read: /x/000012.sst: No "
       "such file or directory",
       ANNALS_STATUS_UNREADABLE},
      {"IO error: While open a file for random read: /x/000012.sst: Too many open files",
       ANNALS_STATUS_FAILED},
  };
  for (const auto &[error, status] : cases) {
    EXPECT_EQ(annals_status_classify(error), status) << error;
  }
}

TEST(StatusTest, TellsAWriteThatWasRefusedFromOneThatFailed) {
  EXPECT_TRUE(annals_status_is_refused_for_room(
      "IO error: No space left on device: While appending to file: /d/000015.sst: No space left"));
  EXPECT_TRUE(annals_status_is_refused_for_room(
      "IO error: No space left on device: While appending to file: /d/MANIFEST-000004: No space"));
  for (const char *error : {
           "IO error: No space left on device: While appending to file: /d/000004.log: No space",
           "IO error: No space left on device: While appending to file: /x.sst/000004.log: No "
           "space",
           "IO error: No space left on device",
           "IO error: While appending to file: /d/000015.sst: Input/output error",
       }) {
    EXPECT_FALSE(annals_status_is_refused_for_room(error)) << error;
  }
  EXPECT_FALSE(annals_status_is_refused_for_room(nullptr));
}

TEST(StatusTest, HasAnOutcomeForReads) {
  EXPECT_EQ(annals_status_outcome(ANNALS_STATUS_OK), ANNALS_STORE_OK);
  EXPECT_EQ(annals_status_outcome(ANNALS_STATUS_NOT_FOUND), ANNALS_STORE_NOT_FOUND);
  EXPECT_EQ(annals_status_outcome(ANNALS_STATUS_CORRUPT), ANNALS_STORE_CORRUPT);
  EXPECT_EQ(annals_status_outcome(ANNALS_STATUS_UNREADABLE), ANNALS_STORE_CORRUPT);
  EXPECT_EQ(annals_status_outcome(ANNALS_STATUS_FAILED), ANNALS_STORE_UNAVAILABLE);
  EXPECT_EQ(annals_status_outcome(ANNALS_STATUS_NO_SPACE), ANNALS_STORE_UNAVAILABLE);
}

// ---- runs -----------------------------------------------------------------------------------

// Writes down what the builder emits: "+B1-100" for a put, "-T1-3" for a drop.
struct Recorder {
  annals_run_sink sink = {Put, Drop};
  std::string log;
  std::vector<std::string> values;

  static void Note(annals_run_sink *sink, char sign, const annals_key *key) {
    auto *self = reinterpret_cast<Recorder *>(sink);
    self->log += std::string(self->log.empty() ? "" : " ") + sign + static_cast<char>(key->kind) +
                 std::to_string(key->first_id) + "-" + std::to_string(key->last_id);
  }
  static void Put(annals_run_sink *sink, const annals_key *key, const annals_slices *value) {
    Note(sink, '+', key);
    std::string bytes;
    for (int i = 0; i < value->count; i++) {
      bytes.append(value->bytes[i], value->sizes[i]);
    }
    reinterpret_cast<Recorder *>(sink)->values.push_back(bytes);
  }
  static void Drop(annals_run_sink *sink, const annals_key *key) {
    Note(sink, '-', key);
  }
};

class RunBuilderTest : public testing::Test {
 protected:
  void SetUp() override {
    annals_tail_init(&tail_);
  }
  void TearDown() override {
    annals_tail_clear(&tail_);
  }

  void Start() {
    annals_tail_draft_init(&draft_, &tail_);
  }
  void Commit() {
    annals_tail_commit(&tail_, &draft_);
  }

  // Adds count events to the draft, and returns what that writes.
  std::string Add(int64_t count, size_t size = 40, bool seal = false) {
    Recorder recorder;
    int64_t last_id = draft_.next.last_id;
    std::string frames = FramesOf("a", last_id + 1, last_id + count, size);
    annals_store_append append = {};
    append.frames = reinterpret_cast<const uint8_t *>(frames.data());
    append.frames_bytes = frames.size();
    append.event_count = static_cast<int32_t>(count);
    append.seal = seal;
    annals_run_builder_add(&tail_, &draft_, &append, &recorder.sink);
    values_ = recorder.values;
    EXPECT_EQ(draft_.next.last_id, last_id + count);
    return recorder.log;
  }

  std::string AddAndCommit(int64_t count, size_t size = 40, bool seal = false) {
    Start();
    std::string log = Add(count, size, seal);
    Commit();
    return log;
  }

  annals_tail tail_;
  annals_tail_draft draft_;
  std::vector<std::string> values_;
};

TEST_F(RunBuilderTest, PutsASmallAppendInOneOpenRun) {
  EXPECT_EQ(AddAndCommit(3), "+T1-3");
  EXPECT_EQ(values_[0], FramesOf("a", 1, 3));
  EXPECT_EQ(AddAndCommit(1), "+T4-4");
  EXPECT_EQ(tail_.last_id, 4);
  EXPECT_EQ(tail_.sealed_id, 0);
  EXPECT_EQ(tail_.open->len, 2u);
  EXPECT_EQ(tail_.open_bytes, FramesOf("a", 1, 4).size());
}

TEST_F(RunBuilderTest, SealsAHundredEvents) {
  AddAndCommit(60);
  AddAndCommit(39);
  EXPECT_EQ(AddAndCommit(1), "+B1-100 -T1-60 -T61-99");
  EXPECT_EQ(values_[0], FramesOf("a", 1, 100));
  EXPECT_EQ(tail_.sealed_id, 100);
  EXPECT_EQ(tail_.open->len, 0u);
  EXPECT_EQ(tail_.open_bytes, 0u);
  EXPECT_EQ(AddAndCommit(1), "+T101-101");
}

TEST_F(RunBuilderTest, SealsNinetyNineRunsOfOneEvent) {
  for (int i = 0; i < 99; i++) {
    AddAndCommit(1);
  }
  std::string log = AddAndCommit(1);
  EXPECT_EQ(log.substr(0, 20), "+B1-100 -T1-1 -T2-2 ");
  EXPECT_EQ(std::count(log.begin(), log.end(), '-'), 1 + 2 * 99);
  EXPECT_EQ(values_[0], FramesOf("a", 1, 100));
}

TEST_F(RunBuilderTest, SealsSixtyFourKibibytes) {
  EXPECT_EQ(AddAndCommit(6, 10000), "+T1-6");
  EXPECT_EQ(AddAndCommit(1, 10000), "+B1-7 -T1-6");
  EXPECT_EQ(AddAndCommit(1, 70000), "+B8-8");
}

TEST_F(RunBuilderTest, SendsABigAppendStraightToSealedRuns) {
  AddAndCommit(30);
  EXPECT_EQ(AddAndCommit(250), "+B1-100 -T1-30 +B101-200 +T201-280");
  EXPECT_EQ(values_[0], FramesOf("a", 1, 100));
  EXPECT_EQ(values_[1], FramesOf("a", 101, 200));
  EXPECT_EQ(values_[2], FramesOf("a", 201, 280));
  EXPECT_EQ(AddAndCommit(120), "+B201-300 -T201-280 +B301-400");
}

TEST_F(RunBuilderTest, SealsWhenTold) {
  AddAndCommit(2);
  EXPECT_EQ(AddAndCommit(3, 40, true), "+B1-5 -T1-2");
  EXPECT_EQ(AddAndCommit(100, 40, true), "+B6-105");
  EXPECT_EQ(AddAndCommit(103, 40, true), "+B106-205 +B206-208");
}

TEST_F(RunBuilderTest, BuildsOnEarlierAppendsOfTheSameDraft) {
  AddAndCommit(2);
  Start();
  EXPECT_EQ(Add(3), "+T3-5");
  EXPECT_EQ(Add(95), "+B1-100 -T1-2 -T3-5");
  EXPECT_EQ(values_[0], FramesOf("a", 1, 100));
  EXPECT_EQ(Add(4), "+T101-104");
  EXPECT_EQ(Add(1, 40, true), "+B101-105 -T101-104");
  EXPECT_EQ(values_[0], FramesOf("a", 101, 105));
  EXPECT_EQ(Add(1), "+T106-106");
  EXPECT_EQ(tail_.last_id, 2) << "a draft does not show";
  Commit();
  EXPECT_EQ(tail_.last_id, 106);
  EXPECT_EQ(tail_.sealed_id, 105);
  ASSERT_EQ(tail_.open->len, 1u);
  EXPECT_EQ(g_array_index(tail_.open, annals_open_run, 0).first_id, 106);
}

TEST_F(RunBuilderTest, KeepsTheLastEvent) {
  AddAndCommit(101);
  gsize size;
  const void *bytes = g_bytes_get_data(tail_.last_event, &size);
  EXPECT_EQ(std::string(static_cast<const char *>(bytes), size), Frame(EventOf("a", 101)));
}

// ---- the tail table -------------------------------------------------------------------------

class TailTableTest : public testing::Test {
 protected:
  void TearDown() override {
    annals_tail_table_free(table_);
  }

  static annals_tail MakeTail(int64_t last_id, size_t bytes = 100) {
    annals_tail tail;
    annals_tail_init(&tail);
    tail.last_id = last_id;
    if (last_id > 0) {
      tail.last_event = g_bytes_new_take(g_malloc0(bytes), bytes);
    }
    return tail;
  }

  // Makes an entry for arn, unpinned.
  void Load(const std::string &arn, int64_t last_id, size_t bytes = 100) {
    annals_tail_entry *entry;
    ASSERT_EQ(annals_tail_table_pin(table_, arn.c_str(), this, &entry), ANNALS_TAIL_LOAD);
    annals_tail tail = MakeTail(last_id, bytes);
    g_slist_free(annals_tail_table_loaded(table_, entry, &tail));
    annals_tail_table_unpin(table_, entry);
  }

  // Returns the last id if arn is in the table, else -1.
  int64_t Peek(const std::string &arn) {
    annals_tail_end end;
    if (!annals_tail_table_peek(table_, arn.c_str(), &end)) {
      return -1;
    }
    g_bytes_unref(end.last_event);
    return end.last_id;
  }

  annals_tail_table *table_ = annals_tail_table_new(10000);
};

TEST_F(TailTableTest, IsLoadedByTheFirstAndWaitedForByOthers) {
  int first = 0;
  int second = 0;
  annals_tail_entry *entry;
  annals_tail_entry *same;
  EXPECT_EQ(annals_tail_table_pin(table_, "a", &first, &entry), ANNALS_TAIL_LOAD);
  EXPECT_EQ(annals_tail_table_pin(table_, "a", &second, &same), ANNALS_TAIL_WAITING);
  EXPECT_EQ(Peek("a"), -1);
  annals_tail tail = MakeTail(7);
  GSList *waiters = annals_tail_table_loaded(table_, entry, &tail);
  ASSERT_EQ(g_slist_length(waiters), 2u);
  EXPECT_EQ(waiters->data, &first);
  EXPECT_EQ(waiters->next->data, &second);
  g_slist_free(waiters);
  EXPECT_EQ(Peek("a"), 7);
  EXPECT_EQ(annals_tail_table_pin(table_, "a", &first, &same), ANNALS_TAIL_READY);
  EXPECT_EQ(same, entry);
  for (int i = 0; i < 3; i++) {
    annals_tail_table_unpin(table_, entry);
  }
  EXPECT_EQ(Peek("a"), 7);
}

TEST_F(TailTableTest, ForgetsAFailedLoad) {
  annals_tail_entry *entry;
  ASSERT_EQ(annals_tail_table_pin(table_, "a", this, &entry), ANNALS_TAIL_LOAD);
  GSList *waiters = annals_tail_table_loaded(table_, entry, nullptr);
  EXPECT_EQ(g_slist_length(waiters), 1u);
  g_slist_free(waiters);
  EXPECT_EQ(annals_tail_table_bytes(table_), 0u);
  Load("a", 3);
  EXPECT_EQ(Peek("a"), 3);
}

TEST_F(TailTableTest, ForgetsWhatDoesNotExist) {
  Load("a", 0);
  EXPECT_EQ(Peek("a"), -1);
  EXPECT_EQ(annals_tail_table_bytes(table_), 0u);
}

TEST_F(TailTableTest, DropsTheLeastRecentlyUsedWhenFull) {
  Load("a", 1, 3000);
  Load("b", 2, 3000);
  EXPECT_EQ(Peek("a"), 1);
  Load("c", 3, 3000);
  EXPECT_EQ(Peek("b"), -1);
  EXPECT_EQ(Peek("a"), 1);
  EXPECT_EQ(Peek("c"), 3);
  EXPECT_LE(annals_tail_table_bytes(table_), 10000u);
}

TEST_F(TailTableTest, KeepsWhatIsPinned) {
  annals_tail_entry *entry;
  Load("a", 1, 6000);
  ASSERT_EQ(annals_tail_table_pin(table_, "a", this, &entry), ANNALS_TAIL_READY);
  Load("b", 2, 6000);
  EXPECT_EQ(Peek("b"), -1);
  EXPECT_EQ(Peek("a"), 1);
  annals_tail_table_unpin(table_, entry);
  Load("b", 2, 6000);
  EXPECT_EQ(Peek("b"), 2);
  EXPECT_EQ(Peek("a"), -1);
}

TEST_F(TailTableTest, ShowsADraftOnlyWhenCommitted) {
  annals_tail_entry *entry;
  Load("a", 5);
  ASSERT_EQ(annals_tail_table_pin(table_, "a", this, &entry), ANNALS_TAIL_READY);
  EXPECT_EQ(annals_tail_entry_draft(entry), nullptr);
  annals_tail_draft *draft = annals_tail_entry_start_draft(entry);
  EXPECT_EQ(annals_tail_entry_draft(entry), draft);
  draft->next.last_id = 6;
  EXPECT_EQ(Peek("a"), 5);
  GPtrArray *entries = g_ptr_array_new();
  g_ptr_array_add(entries, entry);
  annals_tail_table_commit(table_, entries);
  g_ptr_array_unref(entries);
  EXPECT_EQ(Peek("a"), 6);
  annals_tail_entry_start_draft(entry)->next.last_id = 7;
  annals_tail_entry_drop_draft(entry);
  annals_tail_entry_drop_draft(entry);
  EXPECT_EQ(Peek("a"), 6);
  annals_tail_table_unpin(table_, entry);
}

TEST_F(TailTableTest, RemembersChangesAlsoOfThoseThatLeft) {
  annals_tail_entry *entry;
  annals_tail_end end;
  Load("a", 1, 6000);
  ASSERT_EQ(annals_tail_table_pin(table_, "a", this, &entry), ANNALS_TAIL_READY);
  annals_tail_table_get(table_, entry, &end);
  g_bytes_unref(end.last_event);
  EXPECT_FALSE(annals_tail_entry_is_changed(entry, end.moment));
  annals_tail_entry_start_draft(entry);
  EXPECT_FALSE(annals_tail_entry_is_changed(entry, end.moment)) << "an append";
  annals_tail_entry_draft(entry)->changed = true;
  EXPECT_TRUE(annals_tail_entry_is_changed(entry, end.moment));
  GPtrArray *entries = g_ptr_array_new();
  g_ptr_array_add(entries, entry);
  annals_tail_table_commit(table_, entries);
  g_ptr_array_unref(entries);
  for (bool left : {false, true}) {
    if (left) {
      annals_tail_table_unpin(table_, entry);
      Load("b", 2, 6000);
      ASSERT_EQ(Peek("a"), -1);
      Load("a", 1);
      ASSERT_EQ(annals_tail_table_pin(table_, "a", this, &entry), ANNALS_TAIL_READY);
    }
    EXPECT_TRUE(annals_tail_entry_is_changed(entry, end.moment));
    annals_tail_end now;
    annals_tail_table_get(table_, entry, &now);
    g_bytes_unref(now.last_event);
    EXPECT_FALSE(annals_tail_entry_is_changed(entry, now.moment));
  }
  annals_tail_table_unpin(table_, entry);
}

}  // namespace
}  // namespace annals_test
