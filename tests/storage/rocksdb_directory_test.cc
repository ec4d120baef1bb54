// Every byte of every file that holds data is watched over.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "storage/rocksdb/crc32c.h"
#include "storage/rocksdb/directory.h"
#include "storage/rocksdb/inspect.h"
#include "tests/storage/rocksdb_fixture.h"

namespace annals_test {
namespace {

namespace fs = std::filesystem;

uint32_t Crc(const std::string &bytes) {
  return annals_crc32c_extend(0, reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size());
}

// RFC 3720, appendix B.4, and the check value of every catalogue.
TEST(Crc32cTest, IsTheStandards) {
  EXPECT_EQ(Crc(""), 0u);
  EXPECT_EQ(Crc("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc(std::string(32, '\xff')), 0x62a8ab43u);
  std::string ascending;
  for (int i = 0; i < 32; i++) {
    ascending.push_back(static_cast<char>(i));
  }
  EXPECT_EQ(Crc(ascending), 0x46dd794eu);
  const auto *bytes = reinterpret_cast<const uint8_t *>(ascending.data());
  for (size_t cut = 0; cut <= ascending.size(); cut++) {
    uint32_t crc = annals_crc32c_extend(0, bytes, cut);
    EXPECT_EQ(annals_crc32c_extend(crc, bytes + cut, ascending.size() - cut), 0x46dd794eu);
  }
}

std::string ReadFile(const fs::path &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void WriteFile(const fs::path &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// "FILE: text" of each fault.
std::vector<std::string> Faults(const std::string &path, bool tables = true) {
  std::vector<std::string> faults;
  annals_directory_check check = {};
  check.path = path.c_str();
  check.owner = &faults;
  check.on_fault = [](annals_directory_check *self, const char *file, const char *text) {
    static_cast<std::vector<std::string> *>(self->owner)
        ->push_back(std::string(file) + ": " + text);
  };
  annals_manifest manifest = {};
  if (annals_directory_check_logs(&check, &manifest) && tables && manifest.path != nullptr) {
    EXPECT_TRUE(annals_directory_check_tables(&check, &manifest, false));
    EXPECT_EQ(check.unchecked_count, 0u);
  }
  annals_manifest_clear(&manifest);
  return faults;
}

// What a byte may turn into: a bit lost at either end, all of them, and some.
const std::vector<uint8_t> kFlips = {0x01, 0x80, 0xff, 0x55};

void Put(const fs::path &path, size_t offset, char byte) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(byte);
}

class RocksdbDirectoryTest : public RocksdbTest {
 protected:
  void Close() {
    CloseStore(store_);
    store_ = nullptr;
  }

  fs::path Find(const std::string &part) {
    fs::path found;
    for (const fs::directory_entry &entry : fs::directory_iterator(dir_.path())) {
      std::string name = entry.path().filename().string();
      if (name.find(part) != std::string::npos &&
          (found.empty() || entry.file_size() > fs::file_size(found))) {
        found = entry.path();
      }
    }
    EXPECT_FALSE(found.empty()) << part;
    return found;
  }

  // Every byte of a file, flipped in every way, is a fault of that file.
  void ExpectEveryByteWatched(const fs::path &path, const std::vector<uint8_t> &flips = kFlips) {
    const std::string good = ReadFile(path);
    const std::string name = path.filename().string();
    ASSERT_GT(good.size(), 0u);
    for (size_t offset = 0; offset < good.size(); offset++) {
      for (uint8_t flip : flips) {
        Put(path, offset, static_cast<char>(good[offset] ^ flip));
        std::vector<std::string> faults = Faults(dir_.path());
        ASSERT_GE(faults.size(), 1u) << name << " byte " << offset << " flip " << int{flip};
        ASSERT_EQ(faults[0].find(name + ": "), 0u) << faults[0];
      }
      Put(path, offset, good[offset]);
    }
    EXPECT_EQ(Faults(dir_.path()), std::vector<std::string>());
  }
};

TEST_F(RocksdbDirectoryTest, EveryByteOfALogIsWatched) {
  for (int64_t id = 1; id <= 5; id++) {
    ASSERT_EQ(AppendRange("a", id, id), ANNALS_STORE_OK);
  }
  Close();
  ExpectEveryByteWatched(Find(".log"));
}

TEST_F(RocksdbDirectoryTest, EveryByteOfManifestAndCurrentIsWatched) {
  ASSERT_EQ(AppendRange("a", 1, 5), ANNALS_STORE_OK);
  ASSERT_TRUE(annals_rocksdb_flush(store_));
  Close();
  ExpectEveryByteWatched(Find("MANIFEST-"));
  ExpectEveryByteWatched(Find("CURRENT"));
}

TEST_F(RocksdbDirectoryTest, EveryByteOfATableIsWatched) {
  ASSERT_EQ(AppendRange("a", 1, 12), ANNALS_STORE_OK);
  ASSERT_TRUE(annals_rocksdb_flush(store_));
  Close();
  ExpectEveryByteWatched(Find(".sst"), {0x01});
}

TEST_F(RocksdbDirectoryTest, EveryByteOfABlobFileIsWatched) {
  options_.tuning.blob_bytes = 1000;
  Reopen();
  ASSERT_EQ(Append(store_, "a", 0, FramesOf("a", 1, 1, 1500)).outcome, ANNALS_STORE_OK);
  ASSERT_TRUE(annals_rocksdb_flush(store_));
  Close();
  ExpectEveryByteWatched(Find(".blob"), {0x01});
}

// Blocks of 32 KiB with records over several of them, and the zeros at the end of some.
TEST_F(RocksdbDirectoryTest, HeadersOfLongLogsAreWatched) {
  std::string frames = FramesOf("a", 1, 1, 70000);
  ASSERT_EQ(Append(store_, "a", 0, frames).outcome, ANNALS_STORE_OK);
  for (int64_t id = 2; id <= 200; id++) {
    ASSERT_EQ(Append(store_, "a", id - 1, FramesOf("a", id, id, 400)).outcome, ANNALS_STORE_OK);
  }
  Close();
  const fs::path path = Find(".log");
  const std::string good = ReadFile(path);
  ASSERT_GT(good.size(), 150000u);
  EXPECT_EQ(Faults(dir_.path()), std::vector<std::string>());
  for (size_t block = 0; block < good.size(); block += 32768) {
    for (size_t offset = block > 8 ? block - 8 : 0; offset < block + 8; offset++) {
      std::string bad = good;
      bad[offset] = static_cast<char>(bad[offset] ^ 0x41);
      WriteFile(path, bad);
      ASSERT_EQ(Faults(dir_.path()).size(), 1u) << offset;
    }
  }
}

// A record that was being written when power failed is none; what is cut off elsewhere is a fault.
TEST_F(RocksdbDirectoryTest, OnlyTheEndMayBeTorn) {
  for (int64_t id = 1; id <= 5; id++) {
    ASSERT_EQ(AppendRange("a", id, id), ANNALS_STORE_OK);
  }
  Close();
  const fs::path path = Find(".log");
  const std::string good = ReadFile(path);
  for (size_t size = 0; size < good.size(); size++) {
    WriteFile(path, good.substr(0, size));
    ASSERT_EQ(Faults(dir_.path()), std::vector<std::string>()) << size;
  }
  WriteFile(path, good + std::string(100000, '\0'));
  EXPECT_EQ(Faults(dir_.path()), std::vector<std::string>());
  WriteFile(path, good + std::string(100000, '\0') + "x");
  EXPECT_EQ(Faults(dir_.path()).size(), 1u);
  const std::string name = path.filename().string();
  WriteFile(path, good.substr(0, good.size() - 3));
  fs::path later = path.parent_path() / "900000.log";
  WriteFile(later, "");
  EXPECT_EQ(Faults(dir_.path()), std::vector<std::string>());
  WriteFile(later, good);
  std::vector<std::string> faults = Faults(dir_.path());
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].find(name + ": it ends within a record at byte "), 0u) << faults[0];
}

// RocksDB opens this one and has forgotten the last events.
TEST_F(RocksdbDirectoryTest, ALogWithADamagedSizeIsNotOpened) {
  for (int64_t id = 1; id <= 5; id++) {
    ASSERT_EQ(AppendRange("a", id, id), ANNALS_STORE_OK);
  }
  Close();
  const fs::path path = Find(".log");
  std::string bytes = ReadFile(path);
  bytes[5] = static_cast<char>(bytes[5] ^ 0x10);
  WriteFile(path, bytes);
  Opened opened = OpenAt(dir_.path());
  EXPECT_EQ(opened.code, ANNALS_ROCKSDB_ERROR_CORRUPT);
  EXPECT_EQ(opened.message, dir_.path() + " is damaged: " + path.filename().string() +
                                ": a fragment of another size at byte 0");
  CloseStore(opened.store);
}

// RocksDB would make a new database, and delete the old one's files.
TEST_F(RocksdbDirectoryTest, ADatabaseWithoutCurrentIsNotOpened) {
  ASSERT_EQ(AppendRange("a", 1, 5), ANNALS_STORE_OK);
  ASSERT_TRUE(annals_rocksdb_flush(store_));
  Close();
  const std::string current = ReadFile(dir_.path() + "/CURRENT");
  fs::remove(dir_.path() + "/CURRENT");
  Opened opened = OpenAt(dir_.path());
  EXPECT_EQ(opened.code, ANNALS_ROCKSDB_ERROR_CORRUPT);
  EXPECT_EQ(opened.message.find(dir_.path() + " is damaged: CURRENT: it is missing, and there is "),
            0u)
      << opened.message;
  WriteFile(dir_.path() + "/CURRENT", current);
  Reopen();
  EXPECT_EQ(Tail(store_, "a").last_id, 5);
}

TEST_F(RocksdbDirectoryTest, ALogWithoutCurrentIsAFault) {
  ASSERT_EQ(AppendRange("a", 1, 5), ANNALS_STORE_OK);
  Close();
  const std::string log = Find(".log").filename().string();
  fs::remove(dir_.path() + "/CURRENT");
  EXPECT_EQ(Faults(dir_.path()),
            std::vector<std::string>{"CURRENT: it is missing, and there is " + log});
}

TEST_F(RocksdbDirectoryTest, AMissingOrShortTableIsAFault) {
  ASSERT_EQ(AppendRange("a", 1, 5), ANNALS_STORE_OK);
  ASSERT_TRUE(annals_rocksdb_flush(store_));
  Close();
  const fs::path path = Find(".sst");
  const std::string good = ReadFile(path);
  const std::string name = path.filename().string();
  WriteFile(path, good.substr(1));
  EXPECT_EQ(Faults(dir_.path()),
            std::vector<std::string>{name + ": it has " + std::to_string(good.size() - 1) +
                                     " bytes and should have " + std::to_string(good.size())});
  fs::remove(path);
  EXPECT_EQ(Faults(dir_.path()),
            std::vector<std::string>{name + ": it cannot be opened: No such file or directory"});
}

}  // namespace
}  // namespace annals_test
