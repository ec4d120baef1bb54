// Listings of the embedded engine: in two passes, and of damaged files.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include "storage/rocksdb/inspect.h"
#include "storage/rocksdb/list_key.h"
#include "tests/storage/rocksdb_fixture.h"

namespace annals_test {
namespace {

namespace fs = std::filesystem;

const int kCount = 400;

std::string Name(int i) {
  return std::to_string(1000 + i);
}

std::string Rank(int i) {
  return std::string(2, '\0') + static_cast<char>(i >> 8) + static_cast<char>(i);
}

std::string KeyOf(const std::string &list, const std::string &rank, const std::string &arn) {
  annals_store_place place = {};
  place.list = list.c_str();
  std::copy(rank.begin(), rank.end(), place.rank);
  GByteArray *key = g_byte_array_new();
  annals_list_key_set(key, &place, arn.c_str(), arn.size());
  std::string bytes(reinterpret_cast<char *>(key->data), key->len);
  g_byte_array_unref(key);
  return bytes;
}

TEST(ListKeyTest, HasTheDocumentedBytes) {
  EXPECT_EQ(KeyOf("list", std::string("\x01\0\x02", 3), "arn"),
            std::string("list\0\x01\0\x02\0\0\0\0\0\0\0\0\0arn", 20));
}

TEST(ListKeyTest, RefusesWhatIsNoKey) {
  const uint8_t *position;
  size_t size;
  std::string key = KeyOf("list", "rank", "arn");
  auto *bytes = reinterpret_cast<const uint8_t *>(key.data());
  ASSERT_TRUE(annals_list_key_parse(bytes, key.size(), 4, &position, &size));
  EXPECT_EQ(position, bytes + 5);
  EXPECT_EQ(size, 15u);
  EXPECT_TRUE(annals_list_key_parse(bytes, 18, 4, &position, &size));
  for (size_t cut = 0; cut <= 17; cut++) {
    EXPECT_FALSE(annals_list_key_parse(bytes, cut, 4, &position, &size)) << cut;
  }
  key += '\0';
  EXPECT_FALSE(annals_list_key_parse(reinterpret_cast<const uint8_t *>(key.data()), key.size(), 4,
                                     &position, &size));
}

class RocksdbListingTest : public RocksdbTest {
 protected:
  annals_store_outcome Put(int i, int64_t last_id, const std::string &old_list,
                           const std::string &new_list) {
    AppendOptions options;
    options.record = EventOf(Name(i), i, 500);
    if (!old_list.empty()) {
      options.old_places = {{old_list, Rank(i)}};
    }
    options.new_places = {{new_list, Rank(i)}};
    return Append(store_, Name(i), last_id, Frame("event"), options).outcome;
  }

  // Fills some blocks' worth of a list, and leaves them on the disk alone.
  void Fill() {
    for (int i = 0; i < kCount; i++) {
      ASSERT_EQ(Put(i, 0, "", "l"), ANNALS_STORE_OK);
    }
    ASSERT_TRUE(annals_rocksdb_compact(store_));
    Reopen();
  }

  static void ExpectAll(const ListResult &result) {
    ASSERT_EQ(result.outcome, ANNALS_STORE_OK) << result.detail;
    ASSERT_EQ(result.entries.size(), static_cast<size_t>(kCount));
    for (int i = 0; i < kCount; i++) {
      ASSERT_EQ(result.entries[i].arn, Name(i));
      ASSERT_EQ(result.entries[i].record, EventOf(Name(i), i, 500));
    }
  }
};

TEST_F(RocksdbListingTest, GoesOnInTheWorkerPoolWhereTheCacheEnds) {
  Fill();
  int seen = 0;
  ListResult warming = List(store_, {"l"}, "", "", [&](const ListEntry &) { return ++seen < 50; });
  EXPECT_TRUE(warming.on_engine_thread);
  std::thread::id caller = std::this_thread::get_id();
  int inline_entries = 0;
  ListResult result = List(store_, {"l"}, "", "", [&](const ListEntry &) {
    inline_entries += std::this_thread::get_id() == caller;
    return true;
  });
  EXPECT_GE(inline_entries, 50);
  EXPECT_LT(inline_entries, kCount);
  ASSERT_NO_FATAL_FAILURE(ExpectAll(result));
  EXPECT_EQ(List(store_, {"l"}).progress, ANNALS_STORE_DONE);
}

// Between the passes executions that have been seen and that have not go to another list.
TEST_F(RocksdbListingTest, SeesWhoMovesBetweenThePassesOnce) {
  Fill();
  int seen = 0;
  List(store_, {"l"}, "", "", [&](const ListEntry &) { return ++seen < 50; });
  seen = 0;
  ListResult result = List(store_, {"l", "m"}, "", "", [&](const ListEntry &) {
    if (++seen == 20) {
      for (int i : {0, 10, 19, 20, 21, 300, kCount - 1}) {
        EXPECT_EQ(Put(i, 1, "l", "m"), ANNALS_STORE_OK);
      }
    }
    return true;
  });
  EXPECT_TRUE(result.on_engine_thread);
  ASSERT_NO_FATAL_FAILURE(ExpectAll(result));
  EXPECT_EQ(List(store_, {"m"}).entries.size(), 7u);
}

// A step over many that are gone is not for the caller's thread.
TEST_F(RocksdbListingTest, LeavesManyTombstonesToTheWorkerPool) {
  const int gone = 1200;
  std::vector<std::unique_ptr<PendingAppend>> appends;
  for (int i = 0; i < 2 * gone; i++) {
    int execution = i % gone;
    AppendOptions options;
    options.record = "record";
    options.old_places =
        i < gone ? std::vector<Place>() : std::vector<Place>{{"l", Rank(execution)}};
    options.new_places = {{i < gone ? "l" : "m", Rank(execution)}};
    if (i == gone) {
      appends.clear();
    }
    appends.push_back(std::make_unique<PendingAppend>(store_, Name(execution), i / gone,
                                                      Frame("event"), options));
  }
  for (auto &append : appends) {
    ASSERT_EQ(append->Wait().outcome, ANNALS_STORE_OK);
  }
  ASSERT_EQ(Put(gone, 0, "", "l"), ANNALS_STORE_OK);
  ListResult result = List(store_, {"l"});
  EXPECT_EQ(result.outcome, ANNALS_STORE_OK);
  EXPECT_EQ(result.entries.size(), 1u);
  EXPECT_TRUE(result.on_engine_thread);
  EXPECT_FALSE(List(store_, {"l"}, Rank(gone - 1), Name(gone - 1)).on_engine_thread);
  EXPECT_EQ(List(store_, {"m"}).entries.size(), static_cast<size_t>(gone));
}

TEST_F(RocksdbListingTest, AFlippedByteInAFileIsNeverServed) {
  Fill();
  CloseStore(store_);
  store_ = nullptr;
  fs::path largest;  // of the listings: their keys are longer than those of records
  for (const fs::directory_entry &entry : fs::directory_iterator(dir_.path())) {
    if (entry.path().extension() == ".sst" &&
        (largest.empty() || entry.file_size() > fs::file_size(largest))) {
      largest = entry.path();
    }
  }
  const size_t size = fs::file_size(largest);
  const int flips = 25;
  int damaged = 0;
  for (int flip = 0; flip < flips; flip++) {
    SCOPED_TRACE(flip);
    TempDir copy;
    fs::copy(dir_.path(), copy.path(), fs::copy_options::recursive);
    {
      std::fstream file(copy.path() / largest.filename(),
                        std::ios::in | std::ios::out | std::ios::binary);
      auto offset = static_cast<std::streamoff>(size * 9 / 10 * flip / flips);
      file.seekg(offset);
      int byte = file.get();
      file.seekp(offset);
      file.put(static_cast<char>(byte ^ 0x55));
    }
    Opened opened = OpenAt(copy.path());
    ASSERT_EQ(opened.message, "");
    ListResult result = List(opened.store, {"l", "m"});
    if (result.outcome != ANNALS_STORE_OK) {
      EXPECT_EQ(result.outcome, ANNALS_STORE_CORRUPT);
      EXPECT_NE(result.detail, "");
      damaged++;
    } else {
      ExpectAll(result);
    }
    for (size_t i = 0; i < result.entries.size(); i++) {
      ASSERT_EQ(result.entries[i].record,
                EventOf(Name(static_cast<int>(i)), static_cast<int64_t>(i), 500));
    }
    CloseStore(opened.store);
  }
  EXPECT_GT(damaged, flips / 2);
}

TEST_F(RocksdbListingTest, AKeyThatIsNoneIsReported) {
  ASSERT_EQ(Put(0, 0, "", "l"), ANNALS_STORE_OK);
  const std::string key("l\0short", 7);
  ASSERT_TRUE(annals_rocksdb_put_raw_entry(store_, reinterpret_cast<const uint8_t *>(key.data()),
                                           key.size()));
  ListResult result = List(store_, {"k", "l"});
  EXPECT_EQ(result.outcome, ANNALS_STORE_CORRUPT);
  EXPECT_EQ(result.detail, "a key that is none in list l");
  EXPECT_EQ(List(store_, {"k"}).outcome, ANNALS_STORE_OK);
}

}  // namespace
}  // namespace annals_test
