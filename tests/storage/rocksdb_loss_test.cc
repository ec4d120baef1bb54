// What a disk changes or loses of a store is noticed: nothing wrong is served, nothing right is
// forgotten without a word.
//
// By hand, for long: bazel run //tests/storage:rocksdb_loss_test -- --flips=3000 [--seed=N]
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <vector>

#include "storage/rocksdb/inspect.h"
#include "storage/rocksdb/restore.h"
#include "storage/rocksdb/rocksdb_verify.h"
#include "tests/storage/rocksdb_fixture.h"

namespace annals_test {
namespace {

namespace fs = std::filesystem;

int flips = 3;  // of each store
unsigned seed = 1;
const int kFlipsOfLong = 100;

std::string ReadFile(const fs::path &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void WriteFile(const fs::path &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// ---- what is stored -----------------------------------------------------------------------------

// An execution that a test stores: some long, some with large events, some encrypted.
class Model {
 public:
  explicit Model(int index) : index_(index) {
  }

  std::string arn() const {
    return "machine:execution-" + std::to_string(index_);
  }
  std::string record() const {
    return "record of " + std::to_string(index_);
  }
  std::string rank() const {
    return std::to_string(1000 + index_);
  }
  bool encrypted() const {
    return index_ % 3 == 1;
  }
  std::string key() const {
    return "wrapped key of " + std::to_string(index_);
  }
  std::string FramesTo(int64_t last_id) const {
    return Frames(1, last_id);
  }
  int64_t count = 0;

  // Appends some more events.
  void Grow(annals_store *store, int64_t more) {
    AppendOptions options;
    if (count == 0) {
      options.record = record();
      options.new_places = {{"all", rank()}};
      options.data_key = encrypted() ? 1 : 0;
      options.data_key_record = encrypted() ? key() : "";
    }
    ASSERT_EQ(Append(store, arn(), count, Frames(count + 1, count + more), options).outcome,
              ANNALS_STORE_OK);
    count += more;
  }

 private:
  std::string Frames(int64_t first_id, int64_t last_id) const {
    std::string frames;
    for (int64_t id = first_id; id <= last_id; id++) {
      frames += Frame(EventOf(arn(), id, (id + index_) % 17 == 0 ? 3000 : 60), encrypted());
    }
    return frames;
  }

  int index_;
};

using Models = std::vector<Model>;

// Whether all that an operation gave is right, and all is there. What is damaged says so.
bool IsWhole(const Result &result) {
  EXPECT_TRUE(result.outcome == ANNALS_STORE_OK || result.outcome == ANNALS_STORE_CORRUPT)
      << result.outcome << " " << result.detail;
  return result.outcome == ANNALS_STORE_OK;
}

bool HistoryIsWhole(annals_store *store, const Model &model, bool reverse) {
  ReadResult result = Read(store, model.arn(), reverse ? INT64_MAX : 1, reverse);
  std::string frames;
  for (const ReadRun &run : result.runs) {
    frames = reverse ? run.frames + frames : frames + run.frames;
  }
  const std::string right = model.FramesTo(model.count);
  if (IsWhole(result)) {
    EXPECT_TRUE(frames == right);
    return frames == right;
  }
  EXPECT_TRUE(frames.size() <= right.size() &&
              (reverse ? right.substr(right.size() - frames.size())
                       : right.substr(0, frames.size())) == frames);
  return false;
}

bool ListIsWhole(annals_store *store, const Models &models) {
  ListResult result = List(store, {"all"});
  bool right = result.entries.size() <= models.size();
  for (size_t i = 0; right && i < result.entries.size(); i++) {
    right =
        result.entries[i].arn == models[i].arn() && result.entries[i].record == models[i].record();
  }
  EXPECT_TRUE(right);
  if (!IsWhole(result)) {
    return false;
  }
  EXPECT_EQ(result.entries.size(), models.size());
  return right;
}

bool BytesAreWhole(const BytesResult &result, const std::string &right) {
  if (!IsWhole(result)) {
    return false;
  }
  EXPECT_EQ(result.bytes, right);
  return result.bytes == right;
}

// Nothing that is read is wrong. Returns whether nothing is damaged, either.
bool IsWhole(annals_store *store, const Models &models) {
  bool whole = ListIsWhole(store, models);
  for (const Model &model : models) {
    SCOPED_TRACE(model.arn());
    whole &= HistoryIsWhole(store, model, false);
    whole &= HistoryIsWhole(store, model, true);
    whole &= BytesAreWhole(Get(store, model.arn()), model.record());
    whole &= !model.encrypted() || BytesAreWhole(GetDataKey(store, model.arn(), 1), model.key());
    BytesResult tail = Tail(store, model.arn());
    whole &= IsWhole(tail) && tail.last_id == model.count;
  }
  return whole;
}

// ---- who looks at it ----------------------------------------------------------------------------

// Takes events and records for right, whatever they are; knows where they stand.
struct Auditor : annals_store_auditor {
  annals_store_place standing = {};

  Auditor() : annals_store_auditor() {
    begin = [](annals_store_auditor *, const char *) {};
    take = [](annals_store_auditor *, const annals_run *, int64_t *) -> const char * {
      return nullptr;
    };
    take_data_key = [](annals_store_auditor *, int64_t, const uint8_t *, size_t) -> const char * {
      return nullptr;
    };
    end = [](annals_store_auditor *, const uint8_t *, size_t, bool, GBytes **) -> const char * {
      return nullptr;
    };
    place = [](annals_store_auditor *self, const uint8_t *record, size_t size,
               const annals_store_place **ret_places, size_t *ret_count) {
      const std::string text(reinterpret_cast<const char *>(record), size);
      auto *auditor = static_cast<Auditor *>(self);
      const std::string rank = std::to_string(1000 + std::stoi(text.substr(strlen("record of "))));
      auditor->standing = {"all", {}};
      std::copy(rank.begin(), rank.end(), auditor->standing.rank);
      *ret_places = &auditor->standing;
      *ret_count = 1;
      return true;
    };
  }
};

struct Verify : annals_store_verify {
  std::vector<std::string> faults;  // "FILE: text"
  Auditor own_auditor;
};

// What a check of a directory finds.
std::vector<std::string> VerifyStore(const std::string &path) {
  Verify verify;
  static_cast<annals_store_verify &>(verify) = {};
  verify.auditor = &verify.own_auditor;
  verify.on_fault = [](annals_store_verify *self, const annals_store_fault *fault) {
    static_cast<Verify *>(self)->faults.push_back(std::string(fault->file) + ": " + fault->text);
  };
  GError *error = nullptr;
  if (!annals_rocksdb_verify(path.c_str(), ANNALS_ROCKSDB_REPAIR_NONE, &verify, &error)) {
    EXPECT_EQ(error->code, ANNALS_ROCKSDB_ERROR_FOREIGN) << error->message;
    verify.faults.emplace_back(error->message);
    g_clear_error(&error);
  }
  return verify.faults;
}

// The second says whose a directory of backups is, to who makes another one.
bool HoldsData(const fs::path &path) {
  const std::string name = path.filename().string();
  return name.find("LOG") != 0 && name != "annals-backup" && name != "LOCK" && name != "IDENTITY" &&
         name.find("OPTIONS-") != 0;
}

std::vector<fs::path> DataFiles(const std::string &root) {
  std::vector<fs::path> files;
  for (const fs::directory_entry &entry : fs::recursive_directory_iterator(root)) {
    if (entry.is_regular_file() && HoldsData(entry.path())) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

// ---- stores -------------------------------------------------------------------------------------

class RocksdbLossTest : public RocksdbTest {
 protected:
  void SetUp() override {
    options_.tuning.blob_bytes = 2000;
    RocksdbTest::SetUp();
    for (int i = 0; i < 9; i++) {
      models_.emplace_back(i);
    }
  }

  void Close() {
    CloseStore(store_);
    store_ = nullptr;
  }

  void Grow(int64_t events) {
    for (Model &model : models_) {
      ASSERT_NO_FATAL_FAILURE(model.Grow(store_, events));
    }
  }

  // Stores as they come about; closed.
  void MakeUnflushed() {
    Grow(9);
    Grow(95);
    Close();
  }
  void MakeFlushed() {
    Grow(40);
    Grow(120);
    ASSERT_TRUE(annals_rocksdb_flush(store_));
    Close();
  }
  void MakeCompacted() {
    for (int i = 0; i < 3; i++) {
      Grow(30);
      Grow(80);
      ASSERT_TRUE(annals_rocksdb_flush(store_));
    }
    ASSERT_TRUE(annals_rocksdb_compact(store_));
    Grow(7);
    Close();
  }
  // With a log for tables that it was read into, and another one behind.
  void MakeRecovered() {
    Grow(30);
    Reopen();
    Grow(8);
    ASSERT_TRUE(annals_rocksdb_flush(store_));
    Grow(5);
    Close();
  }

  // A copy of the directory is opened. It is refused for damage, or nothing that it serves is
  // wrong. Returns whether anything is damaged.
  bool IsDamaged() {
    TempDir copy;
    fs::copy(dir_.path(), copy.path(), fs::copy_options::recursive);
    Opened opened = OpenAt(copy.path());
    if (opened.store == nullptr) {
      EXPECT_TRUE(opened.code == ANNALS_ROCKSDB_ERROR_CORRUPT ||
                  opened.code == ANNALS_ROCKSDB_ERROR_FOREIGN ||
                  opened.code == ANNALS_ROCKSDB_ERROR_FAILED)
          << opened.message;
      return true;
    }
    bool whole = IsWhole(opened.store, models_);
    CloseStore(opened.store);
    return !whole;
  }

  Models models_;
};

// ---- bytes that change --------------------------------------------------------------------------

// Changes bytes at random, one at a time, in all files below root alike.
void Sweep(const std::string &root, const std::function<void(const fs::path &path)> &check) {
  static std::mt19937 chance(seed);
  const std::vector<fs::path> files = DataFiles(root);
  ASSERT_GT(files.size(), 2u);
  for (int i = 0; i < flips; i++) {
    const fs::path &path = files[chance() % files.size()];
    const std::string good = ReadFile(path);
    if (good.empty()) {
      continue;
    }
    std::string bad = good;
    const size_t offset = chance() % good.size();
    bad[offset] = static_cast<char>(bad[offset] ^ (1 + chance() % 255));
    SCOPED_TRACE(path.string() + " byte " + std::to_string(offset) + " of " +
                 std::to_string(good.size()) + " became " +
                 std::to_string(static_cast<uint8_t>(bad[offset])) + ", seed " +
                 std::to_string(seed));
    WriteFile(path, bad);
    ASSERT_NO_FATAL_FAILURE(check(path));
    WriteFile(path, good);
  }
}

class RocksdbFlipTest : public RocksdbLossTest {
 protected:
  void SweepStore() {
    ASSERT_EQ(VerifyStore(dir_.path()), std::vector<std::string>());
    ASSERT_FALSE(IsDamaged());
    Sweep(dir_.path(), [this](const fs::path &) {
      EXPECT_NE(VerifyStore(dir_.path()).size(), 0u);
      IsDamaged();
    });
  }
};

TEST_F(RocksdbFlipTest, OfAnUnflushedStore) {
  MakeUnflushed();
  SweepStore();
}

TEST_F(RocksdbFlipTest, OfAFlushedStore) {
  MakeFlushed();
  SweepStore();
}

TEST_F(RocksdbFlipTest, OfACompactedStore) {
  MakeCompacted();
  SweepStore();
}

TEST_F(RocksdbFlipTest, OfARecoveredStore) {
  MakeRecovered();
  SweepStore();
}

// Checks a backup, or restores it. Returns how many faults it has.
int Restore(const std::string &backups, const char *data_dir, GError **error) {
  int faults = 0;
  annals_restore restore = {};
  restore.backups = backups.c_str();
  restore.data_dir = data_dir;
  restore.owner = &faults;
  restore.on_fault = [](annals_restore *self, const char *, const char *) {
    (*static_cast<int *>(self->owner))++;
  };
  bool ok = annals_rocksdb_restore(&restore, error);
  return ok ? faults : std::max(faults, 1);
}

TEST_F(RocksdbFlipTest, OfABackup) {
  TempDir root;
  Grow(60);
  ASSERT_EQ(Backup(store_, root.path(), "b").outcome, ANNALS_STORE_OK);
  Grow(30);
  ASSERT_EQ(Backup(store_, root.path(), "b", 1).outcome, ANNALS_STORE_OK);
  Close();
  const std::string backups = root.path() + "/b";
  ASSERT_EQ(Restore(backups, nullptr, nullptr), 0);
  Sweep(backups, [&](const fs::path &) {
    GError *error = nullptr;
    EXPECT_NE(Restore(backups, nullptr, &error), 0);
    EXPECT_NE(error, nullptr);
    g_clear_error(&error);
  });
  TempDir target;
  ASSERT_EQ(Restore(backups, target.path().c_str(), nullptr), 0);
  Opened opened = OpenAt(target.path() + "/rocksdb");
  ASSERT_NE(opened.store, nullptr) << opened.message;
  EXPECT_TRUE(IsWhole(opened.store, models_));
  CloseStore(opened.store);
}

// ---- what is gone -------------------------------------------------------------------------------

// Where the records of a file in RocksDB's log format begin.
std::vector<size_t> RecordsOf(const std::string &log) {
  std::vector<size_t> offsets;
  for (size_t at = 0; at + 7 <= log.size();) {
    offsets.push_back(at);
    at += 7 + static_cast<uint8_t>(log[at + 4]) + 256 * static_cast<uint8_t>(log[at + 5]);
  }
  return offsets;
}

class RocksdbGoneTest : public RocksdbLossTest {
 protected:
  fs::path Manifest() {
    for (const fs::path &path : DataFiles(dir_.path())) {
      if (path.filename().string().find("MANIFEST-") == 0) {
        return path;
      }
    }
    return {};
  }

  // Cuts off more and more of the MANIFEST: damage, or nothing is missing.
  void CutManifest() {
    const fs::path path = Manifest();
    const std::string good = ReadFile(path);
    ASSERT_LT(good.size(), 32768u);
    const std::vector<size_t> records = RecordsOf(good);
    const size_t step = flips < kFlipsOfLong ? 6 : 1;  // from the last one on
    for (size_t i = 1; i <= records.size(); i += step) {
      const size_t offset = records[records.size() - i];
      for (size_t size : {offset, offset + 9}) {
        SCOPED_TRACE(std::to_string(size) + " of " + std::to_string(good.size()));
        WriteFile(path, good.substr(0, size));
        const bool known = !VerifyStore(dir_.path()).empty();
        EXPECT_TRUE(!IsDamaged() || known);
      }
    }
    WriteFile(path, good);
    EXPECT_FALSE(IsDamaged());
  }

  // Takes away each file in turn: damage, or nothing is missing.
  void TakeFiles() {
    for (const fs::path &path : DataFiles(dir_.path())) {
      SCOPED_TRACE(path);
      const std::string good = ReadFile(path);
      fs::remove(path);
      const bool known = !VerifyStore(dir_.path()).empty();
      EXPECT_TRUE(IsDamaged());
      EXPECT_TRUE(known);
      WriteFile(path, good);
    }
    EXPECT_FALSE(IsDamaged());
  }
};

TEST_F(RocksdbGoneTest, OfAnUnflushedStore) {
  MakeUnflushed();
  CutManifest();
  TakeFiles();
}

TEST_F(RocksdbGoneTest, OfAFlushedStore) {
  MakeFlushed();
  CutManifest();
  TakeFiles();
}

TEST_F(RocksdbGoneTest, OfACompactedStore) {
  MakeCompacted();
  CutManifest();
  TakeFiles();
}

TEST_F(RocksdbGoneTest, OfARecoveredStore) {
  MakeRecovered();
  CutManifest();
  TakeFiles();
}

// What the log had is given up by putting an empty one in its place.
TEST_F(RocksdbGoneTest, TheOnlyLogIsMissedAndGivenUp) {
  MakeUnflushed();
  fs::path log;
  for (const fs::path &path : DataFiles(dir_.path())) {
    log = path.extension() == ".log" ? path : log;
  }
  fs::remove(log);
  const std::string fault = Manifest().filename().string() + ": a log is missing, " +
                            log.filename().string() + " or one before ";
  EXPECT_EQ(VerifyStore(dir_.path()).at(0).find(fault), 0u) << VerifyStore(dir_.path()).at(0);
  Opened opened = OpenAt(dir_.path());
  EXPECT_EQ(opened.code, ANNALS_ROCKSDB_ERROR_CORRUPT);
  EXPECT_EQ(opened.message.find(dir_.path() + " is damaged: " + fault), 0u) << opened.message;
  WriteFile(log, "");
  opened = OpenAt(dir_.path());
  ASSERT_NE(opened.store, nullptr) << opened.message;
  EXPECT_EQ(List(opened.store, {"all"}).entries.size(), 0u);
  CloseStore(opened.store);
}

TEST_F(RocksdbGoneTest, AGapBetweenRecordsIsDamage) {
  MakeCompacted();
  fs::path log;
  for (const fs::path &path : DataFiles(dir_.path())) {
    log = path.extension() == ".log" ? path : log;
  }
  const std::string good = ReadFile(log);
  const std::vector<size_t> records = RecordsOf(good);
  ASSERT_GE(records.size(), 3u);
  WriteFile(log, good.substr(0, records[1]) + good.substr(records[2]));
  const std::vector<std::string> faults = VerifyStore(dir_.path());
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].find(log.filename().string() + ": changes "), 0u) << faults[0];
  EXPECT_NE(faults[0].find(" are missing before the record at byte "), std::string::npos);
  EXPECT_TRUE(IsDamaged());
}

}  // namespace
}  // namespace annals_test

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; i++) {
    if (strncmp(argv[i], "--flips=", 8) == 0) {
      annals_test::flips = atoi(argv[i] + 8);
    } else if (strncmp(argv[i], "--seed=", 7) == 0) {
      annals_test::seed = static_cast<unsigned>(strtoul(argv[i] + 7, nullptr, 10));
    }
  }
  return RUN_ALL_TESTS();
}
