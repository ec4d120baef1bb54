// The ballast: made when there is room, given back when there is none, and what may be written
// meanwhile.
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <thread>

#include "storage/rocksdb/ballast.h"
#include "storage/rocksdb/disk.h"
#include "tests/storage/rocksdb_disk.h"

namespace annals_test {
namespace {

constexpr uint64_t kMark = 800, kBallast = 4096;

class BallastTest : public testing::Test {
 protected:
  BallastTest() {
    disk_.path = dir_name_.data();
    disk_.min_free_bytes = kMark;
    disk_.ballast_path = path_.data();
    disk_.ballast_bytes = kBallast;
    disk_.hooks = fake_.Hooks();
  }

  enum annals_disk_room LookAt(uint64_t free_bytes) {
    fake_.free_bytes = free_bytes;
    enum annals_disk_room room = annals_disk_look(&disk_);
    EXPECT_EQ(annals_disk_room(&disk_), room);
    return room;
  }
  enum annals_ballast Ballast() {
    return annals_ballast_look(path_.c_str(), kBallast);
  }
  // As after a restart.
  void Begin(uint64_t free_bytes) {
    fake_.free_bytes = free_bytes;
    disk_.given_back = 0;
    annals_disk_begin(&disk_);
  }

  TempDir dir_;
  std::string dir_name_ = dir_.path();
  std::string path_ = dir_.path() + "/ballast";
  Disk fake_;
  annals_disk disk_ = {};
};

TEST_F(BallastTest, TellsHowMuchItTakes) {
  EXPECT_EQ(annals_disk_ballast_wanted_bytes(&disk_), kBallast);
  EXPECT_EQ(annals_disk_ballast_bytes(&disk_), 0U);  // was never made
  LookAt(2 * (kMark + kBallast));
  EXPECT_EQ(annals_disk_ballast_bytes(&disk_), kBallast);
  LookAt(kMark / 2 - 1);
  EXPECT_EQ(annals_disk_ballast_bytes(&disk_), 0U);  // is given back
  disk_.min_free_bytes = 0;
  EXPECT_EQ(annals_disk_ballast_wanted_bytes(&disk_), 0U);
}

TEST_F(BallastTest, TakesRoomForEachByte) {
  EXPECT_EQ(Ballast(), ANNALS_BALLAST_ABSENT);
  ASSERT_TRUE(annals_ballast_make(path_.c_str(), kBallast));
  EXPECT_EQ(Ballast(), ANNALS_BALLAST_WHOLE);
  struct stat status;
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(static_cast<uint64_t>(status.st_size), kBallast);
  EXPECT_GE(static_cast<uint64_t>(status.st_blocks) * 512, kBallast);
  EXPECT_EQ(annals_ballast_look(path_.c_str(), kBallast + 1), ANNALS_BALLAST_ABSENT);
  ASSERT_TRUE(annals_ballast_give_back(path_.c_str()));
  EXPECT_EQ(Ballast(), ANNALS_BALLAST_GIVEN_BACK);
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_blocks, 0);
}

TEST_F(BallastTest, FailureLeavesNothing) {
  EXPECT_FALSE(annals_ballast_make((dir_name_ + "/no/ballast").c_str(), kBallast));
  EXPECT_FALSE(annals_ballast_make(path_.c_str(), uint64_t{1} << 60));
  EXPECT_EQ(Ballast(), ANNALS_BALLAST_ABSENT);
  EXPECT_NE(access((path_ + ".new").c_str(), F_OK), 0);
  EXPECT_FALSE(annals_ballast_give_back(path_.c_str()));
}

TEST_F(BallastTest, IsMadeWhenThereIsRoom) {
  Begin(kMark + kBallast);
  EXPECT_EQ(LookAt(kMark + kBallast + kMark / 8 - 1), ANNALS_DISK_FOR_ALL);
  EXPECT_EQ(Ballast(), ANNALS_BALLAST_ABSENT);
  // One that was never made is not missed.
  EXPECT_EQ(LookAt(kMark), ANNALS_DISK_FOR_ALL);
  EXPECT_EQ(LookAt(kMark + kBallast + kMark / 8), ANNALS_DISK_FOR_ALL);
  EXPECT_EQ(Ballast(), ANNALS_BALLAST_WHOLE);
}

TEST_F(BallastTest, IsGivenBackToAllButAppends) {
  LookAt(1 << 20);
  EXPECT_EQ(LookAt(kMark), ANNALS_DISK_FOR_ALL);
  EXPECT_EQ(LookAt(kMark - 1), ANNALS_DISK_FOR_DELETIONS);
  EXPECT_EQ(LookAt(kMark / 2), ANNALS_DISK_FOR_DELETIONS);
  EXPECT_EQ(Ballast(), ANNALS_BALLAST_WHOLE);
  EXPECT_EQ(LookAt(kMark / 2 - 1), ANNALS_DISK_NO_ROOM);
  EXPECT_EQ(Ballast(), ANNALS_BALLAST_GIVEN_BACK);
  // What it gave is not for appends.
  EXPECT_EQ(LookAt(kMark / 2 - 1 + kBallast), ANNALS_DISK_FOR_DELETIONS);
  EXPECT_EQ(LookAt(kMark - 1 + kBallast), ANNALS_DISK_FOR_DELETIONS);
  EXPECT_EQ(LookAt(0), ANNALS_DISK_NO_ROOM);
  EXPECT_EQ(LookAt(kMark + kBallast), ANNALS_DISK_FOR_ALL);
  EXPECT_EQ(Ballast(), ANNALS_BALLAST_GIVEN_BACK);
  EXPECT_EQ(LookAt(kMark + kMark / 8 + kBallast), ANNALS_DISK_FOR_ALL);
  EXPECT_EQ(Ballast(), ANNALS_BALLAST_WHOLE);
  EXPECT_EQ(LookAt(kMark), ANNALS_DISK_FOR_ALL);
}

TEST_F(BallastTest, IsTakenUpAsItWasLeft) {
  LookAt(1 << 20);
  Begin(kMark / 2);
  EXPECT_EQ(Ballast(), ANNALS_BALLAST_WHOLE);
  // Recovery needs room.
  Begin(kMark / 2 - 1);
  EXPECT_EQ(Ballast(), ANNALS_BALLAST_GIVEN_BACK);
  EXPECT_EQ(LookAt(kMark + kBallast - 1), ANNALS_DISK_FOR_DELETIONS);
  Begin(kMark + kBallast - 1);
  EXPECT_EQ(LookAt(kMark + kBallast - 1), ANNALS_DISK_FOR_DELETIONS);
  EXPECT_EQ(LookAt(1 << 20), ANNALS_DISK_FOR_ALL);
  EXPECT_EQ(Ballast(), ANNALS_BALLAST_WHOLE);
}

TEST_F(BallastTest, OneOfOtherOptionsGoes) {
  LookAt(1 << 20);
  disk_.ballast_bytes = kBallast / 2;
  Begin(kMark);
  EXPECT_NE(access(path_.c_str(), F_OK), 0);
  LookAt(1 << 20);
  EXPECT_EQ(annals_ballast_look(path_.c_str(), kBallast / 2), ANNALS_BALLAST_WHOLE);
  disk_.ballast_bytes = 0;
  Begin(1 << 20);
  EXPECT_NE(access(path_.c_str(), F_OK), 0);
  EXPECT_EQ(LookAt(kMark), ANNALS_DISK_FOR_ALL);
  EXPECT_NE(access(path_.c_str(), F_OK), 0);
}

TEST_F(BallastTest, WithoutAMarkThereIsNone) {
  disk_.min_free_bytes = 0;
  Begin(1 << 20);
  EXPECT_EQ(LookAt(1 << 20), ANNALS_DISK_FOR_ALL);
  EXPECT_EQ(LookAt(0), ANNALS_DISK_FOR_ALL);
  EXPECT_EQ(Ballast(), ANNALS_BALLAST_ABSENT);
}

// ---- the store with it ------------------------------------------------------------------------

class BallastStoreTest : public RocksdbDiskTest {
 protected:
  void SetUp() override {
    options_.ballast_path = path_.c_str();
    options_.ballast_bytes = kBallast;
    options_.on_room.call = [](void *context, bool full, uint64_t free_bytes) {
      auto *told = static_cast<BallastStoreTest *>(context);
      told->free_told_ = free_bytes;
      (full ? told->full_ : told->room_)++;
    };
    options_.on_room.context = this;
    RocksdbDiskTest::SetUp();
  }
  void Await(const std::function<bool()> &is_so) {
    for (int i = 0; i < 60000 && !is_so(); i++) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ASSERT_TRUE(is_so());
  }
  enum annals_ballast Ballast() {
    return annals_ballast_look(path_.c_str(), kBallast);
  }

  TempDir other_;
  std::string path_ = other_.path() + "/ballast";
  std::atomic<int> full_{0}, room_{0};
  std::atomic<uint64_t> free_told_{0};
};

TEST_F(BallastStoreTest, WatchesTheDiskThoughNobodyAppends) {
  Await([&] { return Ballast() == ANNALS_BALLAST_WHOLE; });
  ASSERT_EQ(AppendRange("a", 1, 1), ANNALS_STORE_OK);
  disk_.free_bytes = 700;
  EXPECT_EQ(AppendRange("a", 2, 2), ANNALS_STORE_NO_SPACE);
  Await([&] { return full_ == 1; });
  EXPECT_EQ(free_told_, 700u);
  disk_.free_bytes = 499;
  Await([&] { return Ballast() == ANNALS_BALLAST_GIVEN_BACK; });
  disk_.free_bytes = 499 + kBallast;
  EXPECT_EQ(AppendRange("a", 2, 2), ANNALS_STORE_NO_SPACE);
  EXPECT_EQ(store_->ops->health(store_), ANNALS_STORE_FULL);
  disk_.free_bytes = 1 << 20;
  Await([&] { return Ballast() == ANNALS_BALLAST_WHOLE; });
  EXPECT_EQ(AppendRange("a", 2, 2), ANNALS_STORE_OK);
  EXPECT_EQ(store_->ops->health(store_), ANNALS_STORE_HEALTHY);
  Await([&] { return room_ == 1; });
  EXPECT_EQ(full_, 1);
  EXPECT_EQ(free_told_, uint64_t{1 << 20});
}

}  // namespace
}  // namespace annals_test
