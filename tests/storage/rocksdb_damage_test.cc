// What the embedded engine does with a directory that is not as it left it.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "storage/rocksdb/engine.h"
#include "storage/rocksdb/inspect.h"
#include "tests/storage/rocksdb_fixture.h"

namespace annals_test {
namespace {

namespace fs = std::filesystem;

// The largest file with that ending.
fs::path LargestFile(const std::string &dir, const std::string &ending) {
  fs::path largest;
  for (const fs::directory_entry &entry : fs::directory_iterator(dir)) {
    if (entry.path().extension() == ending &&
        (largest.empty() || entry.file_size() > fs::file_size(largest))) {
      largest = entry.path();
    }
  }
  EXPECT_FALSE(largest.empty()) << "no " << ending << " in " << dir;
  return largest;
}

void FlipByte(const fs::path &path, size_t offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  int byte = file.get();
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(static_cast<char>(byte ^ 0x55));
}

class RocksdbOpenTest : public testing::Test {
 protected:
  TempDir dir_;
};

TEST_F(RocksdbOpenTest, MakesTheDirectory) {
  Opened opened = OpenAt(dir_.path() + "/a/b/c");
  EXPECT_EQ(opened.message, "");
  CloseStore(opened.store);
}

TEST_F(RocksdbOpenTest, RefusesADirectoryInUse) {
  Opened first = OpenAt(dir_.path());
  Opened second = OpenAt(dir_.path());
  EXPECT_EQ(second.code, ANNALS_ROCKSDB_ERROR_IN_USE);
  EXPECT_EQ(second.message, dir_.path() + " is in use by another process");
  CloseStore(first.store);
  Opened third = OpenAt(dir_.path());
  EXPECT_EQ(third.message, "");
  CloseStore(third.store);
}

TEST_F(RocksdbOpenTest, RefusesAFile) {
  std::string path = dir_.path() + "/file";
  std::ofstream(path) << "x";
  Opened opened = OpenAt(path);
  EXPECT_EQ(opened.code, ANNALS_ROCKSDB_ERROR_DENIED);
  EXPECT_EQ(opened.message.find("cannot create " + path + ": "), 0u) << opened.message;
}

TEST_F(RocksdbOpenTest, RefusesColumnFamiliesOfOthers) {
  ASSERT_TRUE(annals_rocksdb_make_foreign(dir_.path().c_str(), "carrots", nullptr));
  Opened opened = OpenAt(dir_.path());
  EXPECT_EQ(opened.code, ANNALS_ROCKSDB_ERROR_FOREIGN);
  EXPECT_EQ(opened.message,
            dir_.path() + " is no store of this program: it has a column family 'carrots'");
}

TEST_F(RocksdbOpenTest, RefusesADatabaseOfOthers) {
  ASSERT_TRUE(annals_rocksdb_make_foreign(dir_.path().c_str(), nullptr, nullptr));
  // Twice: the first must not have changed it.
  for (int i = 0; i < 2; i++) {
    Opened opened = OpenAt(dir_.path());
    EXPECT_EQ(opened.code, ANNALS_ROCKSDB_ERROR_FOREIGN);
    EXPECT_EQ(opened.message, dir_.path() +
                                  " is no store of this program: it has keys, and no column "
                                  "family 'history'");
  }
}

TEST_F(RocksdbOpenTest, RefusesADatabaseWithoutASchemaVersion) {
  ASSERT_TRUE(annals_rocksdb_make_foreign(dir_.path().c_str(), "history", nullptr));
  Opened opened = OpenAt(dir_.path());
  EXPECT_EQ(opened.code, ANNALS_ROCKSDB_ERROR_FOREIGN);
  EXPECT_EQ(opened.message, dir_.path() + " is no store of this program: it has no schema version");
}

TEST_F(RocksdbOpenTest, RefusesANewerSchemaVersion) {
  ASSERT_TRUE(annals_rocksdb_make_foreign(dir_.path().c_str(), "history", "4"));
  Opened opened = OpenAt(dir_.path());
  EXPECT_EQ(opened.code, ANNALS_ROCKSDB_ERROR_FOREIGN);
  EXPECT_EQ(
      opened.message,
      dir_.path() +
          " has schema version 4, of a newer program; this one knows versions 1 to 3: run the "
          "newer program, or restore a backup that was made before it");
}

TEST_F(RocksdbOpenTest, RefusesAnOlderSchemaVersionThatNobodyMigrates) {
  ASSERT_TRUE(annals_rocksdb_make_foreign(dir_.path().c_str(), "history", "1"));
  Opened opened = OpenAt(dir_.path());
  EXPECT_EQ(opened.code, ANNALS_ROCKSDB_ERROR_FOREIGN);
  EXPECT_EQ(opened.message,
            dir_.path() + " has schema version 1, and nobody to migrate it to version 2");
}

TEST_F(RocksdbOpenTest, RefusesASchemaVersionThatIsNone) {
  for (const char *version : {"", "0", "x", "1x", "-1", "1111111111"}) {
    TempDir dir;
    ASSERT_TRUE(annals_rocksdb_make_foreign(dir.path().c_str(), "history", version));
    Opened opened = OpenAt(dir.path());
    EXPECT_EQ(opened.code, ANNALS_ROCKSDB_ERROR_FOREIGN);
    EXPECT_EQ(opened.message,
              dir.path() + " is no store of this program: its schema version is none");
  }
}

TEST_F(RocksdbOpenTest, ReportsADamagedManifest) {
  Opened opened = OpenAt(dir_.path());
  CloseStore(opened.store);
  for (const fs::directory_entry &entry : fs::directory_iterator(dir_.path())) {
    if (entry.path().filename().string().find("MANIFEST") == 0) {
      FlipByte(entry.path(), entry.file_size() / 2);
    }
  }
  opened = OpenAt(dir_.path());
  EXPECT_EQ(opened.code, ANNALS_ROCKSDB_ERROR_CORRUPT);
  EXPECT_EQ(opened.message.find(dir_.path() + " is damaged: MANIFEST-"), 0u) << opened.message;
}

// The marker of "a".
const std::string kMarker("a\0B\xff\xff\xff\xff\xff\xff\xff\xff", 11);

class RocksdbDamageTest : public RocksdbTest {
 protected:
  void Close() {
    CloseStore(store_);
    store_ = nullptr;
  }

  // Reads arn, and expects either what was appended or CORRUPT. Returns whether it was damaged.
  static bool ExpectRightOrCorrupt(annals_store *store, const std::string &arn, int64_t last_id,
                                   bool reverse) {
    ReadResult result = Read(store, arn, reverse ? INT64_MAX : 1, reverse);
    for (const ReadRun &run : result.runs) {
      EXPECT_TRUE(run.frames == FramesOf(arn, run.first_id, run.last_id));
    }
    if (result.outcome == ANNALS_STORE_OK) {
      EXPECT_EQ(reverse ? result.runs.front().last_id : result.runs.back().last_id, last_id);
      return false;
    }
    EXPECT_EQ(result.outcome, ANNALS_STORE_CORRUPT) << result.detail;
    EXPECT_NE(result.detail, "");
    return true;
  }

  void ExpectCorrupt(const std::string &arn, bool reverse, const std::string &detail) {
    ReadResult result = Read(store_, arn, reverse ? INT64_MAX : 1, reverse);
    EXPECT_EQ(result.outcome, ANNALS_STORE_CORRUPT);
    EXPECT_EQ(result.detail, detail);
  }

  void DeleteRun(const std::string &arn, annals_key_kind kind, int64_t first_id, int64_t last_id) {
    std::string bytes = RunKey(arn, kind, first_id, last_id);
    ASSERT_TRUE(annals_rocksdb_delete_raw(store_, reinterpret_cast<const uint8_t *>(bytes.data()),
                                          bytes.size()));
  }

  void PutRun(const std::string &arn, annals_key_kind kind, int64_t first_id, int64_t last_id,
              const std::string &value) {
    std::string bytes = RunKey(arn, kind, first_id, last_id);
    ASSERT_TRUE(annals_rocksdb_put_raw(store_, reinterpret_cast<const uint8_t *>(bytes.data()),
                                       bytes.size(), value.data(), value.size()));
  }

  static std::string RunKey(const std::string &arn, annals_key_kind kind, int64_t first_id,
                            int64_t last_id) {
    annals_key key = {};
    key.kind = kind;
    key.first_id = first_id;
    key.last_id = last_id;
    std::string bytes(arn.size() + ANNALS_KEY_RUN_EXTRA, '?');
    annals_key_put_run(reinterpret_cast<uint8_t *>(bytes.data()), arn.c_str(), arn.size(), &key);
    return bytes;
  }
};

TEST_F(RocksdbDamageTest, AFlippedByteInAFileIsNeverServed) {
  ASSERT_EQ(AppendRange("a", 1, 950), ANNALS_STORE_OK);
  ASSERT_EQ(AppendRange("b", 1, 30), ANNALS_STORE_OK);
  ASSERT_TRUE(annals_rocksdb_flush(store_));
  Close();
  int damaged = 0;
  const size_t size = fs::file_size(LargestFile(dir_.path(), ".sst"));
  const size_t step = std::max<size_t>(1, size / 40);
  for (size_t offset = 0; offset < size; offset += step) {
    SCOPED_TRACE(offset);
    TempDir copy;
    fs::copy(dir_.path(), copy.path(), fs::copy_options::recursive);
    FlipByte(LargestFile(copy.path(), ".sst"), offset);
    Opened opened = OpenAt(copy.path());
    if (opened.store == nullptr) {
      EXPECT_EQ(opened.code, ANNALS_ROCKSDB_ERROR_CORRUPT) << opened.message;
      damaged++;
      continue;
    }
    bool any = ExpectRightOrCorrupt(opened.store, "a", 950, false);
    any |= ExpectRightOrCorrupt(opened.store, "a", 950, true);
    any |= ExpectRightOrCorrupt(opened.store, "b", 30, false);
    damaged += any;
    Result tail = Tail(opened.store, "a");
    EXPECT_TRUE(tail.outcome == ANNALS_STORE_CORRUPT || tail.last_id == 950);
    CloseStore(opened.store);
  }
  EXPECT_GT(damaged, 30);
}

TEST_F(RocksdbDamageTest, AFlippedByteInTheLogIsReported) {
  for (int64_t id = 1; id <= 100; id++) {
    ASSERT_EQ(AppendRange("a", id, id), ANNALS_STORE_OK);
  }
  Close();
  fs::path log = LargestFile(dir_.path(), ".log");
  FlipByte(log, fs::file_size(log) / 2);
  Opened opened = OpenAt(dir_.path());
  EXPECT_EQ(opened.code, ANNALS_ROCKSDB_ERROR_CORRUPT);
  EXPECT_EQ(opened.message.find(dir_.path() + " is damaged: " + log.filename().string() +
                                ": a fragment that does not fit its checksum at byte "),
            0u)
      << opened.message;
  CloseStore(opened.store);
}

TEST_F(RocksdbDamageTest, ATornEndOfTheLogIsACrash) {
  for (int64_t id = 1; id <= 20; id++) {
    ASSERT_EQ(AppendRange("a", id, id), ANNALS_STORE_OK);
  }
  Close();
  fs::path log = LargestFile(dir_.path(), ".log");
  fs::resize_file(log, fs::file_size(log) - 5);
  Reopen();
  EXPECT_EQ(Tail(store_, "a").last_id, 19);
  EXPECT_FALSE(ExpectRightOrCorrupt(store_, "a", 19, false));
  EXPECT_EQ(AppendRange("a", 20, 20), ANNALS_STORE_OK);
}

TEST_F(RocksdbDamageTest, AGapIsReported) {
  ASSERT_EQ(AppendRange("a", 1, 350), ANNALS_STORE_OK);
  DeleteRun("a", ANNALS_KEY_SEALED, 101, 200);
  ExpectCorrupt("a", false, "a gap at run B 201..300 of a");
  ExpectCorrupt("a", true, "a gap at run B 201..300 of a");
  EXPECT_EQ(Tail(store_, "a").last_id, 350);
}

TEST_F(RocksdbDamageTest, AGapBeforeTheTailIsReported) {
  ASSERT_EQ(AppendRange("a", 1, 210), ANNALS_STORE_OK);
  ASSERT_EQ(AppendRange("a", 211, 220), ANNALS_STORE_OK);
  ASSERT_EQ(AppendRange("a", 221, 230), ANNALS_STORE_OK);
  DeleteRun("a", ANNALS_KEY_OPEN, 201, 210);
  Reopen();
  ExpectCorrupt("a", false, "a gap at run T 211..220 of a");
  ExpectCorrupt("a", true, "a gap at run T 211..220 of a");
  BytesResult tail = Tail(store_, "a");
  EXPECT_EQ(tail.outcome, ANNALS_STORE_CORRUPT);
  EXPECT_EQ(tail.detail, "a gap at run T 211..220 of a");
  EXPECT_EQ(AppendRange("a", 231, 231), ANNALS_STORE_CORRUPT);
  EXPECT_EQ(AppendRange("b", 1, 1), ANNALS_STORE_OK);
}

TEST_F(RocksdbDamageTest, FramesThatDoNotMatchTheKeyAreReported) {
  ASSERT_EQ(AppendRange("a", 1, 100), ANNALS_STORE_OK);
  const std::string detail = "frames that do not match the key at run B 1..100 of a";
  for (const std::string &value :
       {FramesOf("a", 1, 99), FramesOf("a", 1, 101), FramesOf("a", 1, 100) + "x", std::string()}) {
    PutRun("a", ANNALS_KEY_SEALED, 1, 100, value);
    ExpectCorrupt("a", false, detail);
    ExpectCorrupt("a", true, detail);
    Reopen();
    EXPECT_EQ(Tail(store_, "a").outcome, ANNALS_STORE_CORRUPT);
  }
}

TEST_F(RocksdbDamageTest, RunsWithoutAMarkerAreReported) {
  PutRun("a", ANNALS_KEY_OPEN, 1, 1, FramesOf("a", 1, 1));
  ExpectCorrupt("a", false, "no marker before the tail at run T 1..1 of a");
  ExpectCorrupt("a", true, "no marker before the tail at run T 1..1 of a");
  EXPECT_EQ(Tail(store_, "a").outcome, ANNALS_STORE_CORRUPT);
  EXPECT_EQ(Get(store_, "a").outcome, ANNALS_STORE_CORRUPT);
}

/* Who appends to an execution that is taken for absent begins a second history under its ARN. */
TEST_F(RocksdbDamageTest, SealedRunsWithoutAMarkerAreReported) {
  ASSERT_EQ(AppendRange("a", 1, 200), ANNALS_STORE_OK);
  ASSERT_TRUE(annals_rocksdb_delete_raw(store_, reinterpret_cast<const uint8_t *>(kMarker.data()),
                                        kMarker.size()));
  Reopen();
  const std::string detail = "no marker behind the sealed runs at run B 1..100 of a";
  ExpectCorrupt("a", false, detail);
  ExpectCorrupt("a", true, detail);
  EXPECT_EQ(Tail(store_, "a").detail, detail);
  EXPECT_EQ(Get(store_, "a").detail, detail);
  EXPECT_EQ(AppendRange("a", 1, 1), ANNALS_STORE_CORRUPT);
}

TEST_F(RocksdbDamageTest, AMarkerWithoutRunsIsReported) {
  ASSERT_TRUE(annals_rocksdb_put_raw(store_, reinterpret_cast<const uint8_t *>(kMarker.data()),
                                     kMarker.size(), "", 0));
  ExpectCorrupt("a", true, "no event in a");
  EXPECT_EQ(Tail(store_, "a").detail, "no event in a");
}

TEST_F(RocksdbDamageTest, AKeyThatIsNoneIsReported) {
  ASSERT_EQ(AppendRange("a", 1, 1), ANNALS_STORE_OK);
  std::string key("a\0C", 3);
  ASSERT_TRUE(annals_rocksdb_put_raw(store_, reinterpret_cast<const uint8_t *>(key.data()),
                                     key.size(), "", 0));
  key = std::string("a\0Bx", 4);
  ASSERT_TRUE(annals_rocksdb_put_raw(store_, reinterpret_cast<const uint8_t *>(key.data()),
                                     key.size(), "", 0));
  ExpectCorrupt("a", false, "a key that is none in a");
}

// ---- tables that are not open -----------------------------------------------------------------

class RocksdbColdTest : public RocksdbDamageTest {
 protected:
  void SetUp() override {
    options_.tuning.open_files = 20;
    RocksdbDamageTest::SetUp();
  }

  // Tables of their own for each append: many more than are kept open.
  void AppendToTables(int count) {
    auto *engine = reinterpret_cast<annals_engine *>(store_);
    const char *key = "disable_auto_compactions";
    const char *value = "true";
    for (rocksdb_column_family_handle_t *family : engine->families) {
      char *error = nullptr;
      rocksdb_set_options_cf(engine->db, family, 1, &key, &value, &error);
      ASSERT_EQ(error, nullptr);
    }
    for (int i = 0; i < count; i++) {
      AppendOptions options;
      options.record = "record of " + std::to_string(i);
      const std::string arn = std::to_string(i);
      ASSERT_EQ(Append(store_, arn, 0, FramesOf(arn, 1, 3), options).outcome, ANNALS_STORE_OK);
      ASSERT_TRUE(annals_rocksdb_flush(store_));
    }
  }
};

// RocksDB says of a key in a table that is not open, and may not be opened, that it is there, and
// gives an empty value.
TEST_F(RocksdbColdTest, RecordsAreFound) {
  AppendToTables(30);
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 30; i++) {
      BytesResult got = Get(store_, std::to_string(i));
      EXPECT_EQ(got.outcome, ANNALS_STORE_OK);
      EXPECT_EQ(got.bytes, "record of " + std::to_string(i));
      EXPECT_EQ(Tail(store_, std::to_string(i)).last_id, 3);
    }
  }
}

// ---- the second pass of a read --------------------------------------------------------------

class RocksdbReaderTest : public RocksdbTest {
 protected:
  // Reads as the second pass does when the first has handed over all before next_id.
  std::vector<std::string> GoOn(int64_t next_id, bool reverse) {
    const uint64_t begun = UINT64_MAX;
    static std::vector<std::string> *out;
    std::vector<std::string> runs;
    out = &runs;
    annals_store_read read = {};
    read.arn = "a";
    read.reverse = reverse;
    read.on_run = [](annals_store_read *, const annals_run *run) {
      EXPECT_EQ(std::string(reinterpret_cast<const char *>(run->frames), run->frames_bytes),
                FramesOf("a", run->first_id, run->last_id));
      out->push_back(std::to_string(run->first_id) + "-" + std::to_string(run->last_id));
      return true;
    };
    auto *engine = reinterpret_cast<annals_engine *>(store_);
    annals_reader reader = {};
    reader.db = engine->db;
    reader.history = engine->families[ANNALS_FAMILY_HISTORY];
    reader.tier = ANNALS_TIER_DISK;
    annals_read_state state = {next_id, true, begun};
    EXPECT_EQ(annals_reader_pass(&reader, &read, &state), ANNALS_STATUS_OK) << reader.detail;
    return runs;
  }
};

TEST_F(RocksdbReaderTest, CutsWhatTheFirstPassHandedOver) {
  using Runs = std::vector<std::string>;
  ASSERT_EQ(AppendRange("a", 1, 230), ANNALS_STORE_OK);
  EXPECT_EQ(GoOn(50, false), (Runs{"50-100", "101-200", "201-230"}));
  EXPECT_EQ(GoOn(101, false), (Runs{"101-200", "201-230"}));
  EXPECT_EQ(GoOn(210, false), (Runs{"210-230"}));
  EXPECT_EQ(GoOn(231, false), (Runs{}));
  EXPECT_EQ(GoOn(220, true), (Runs{"201-220", "101-200", "1-100"}));
  EXPECT_EQ(GoOn(150, true), (Runs{"101-150", "1-100"}));
  EXPECT_EQ(GoOn(100, true), (Runs{"1-100"}));
  EXPECT_EQ(GoOn(1, true), (Runs{"1-1"}));
  EXPECT_EQ(GoOn(0, true), (Runs{}));
}

}  // namespace
}  // namespace annals_test
