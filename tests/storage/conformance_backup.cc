// What maintenance.h says of backups, as far as it can be seen without restoring one: for engines
// that make some.
#include <filesystem>
#include <memory>
#include <thread>

#include "tests/storage/conformance.h"

namespace annals_test {
namespace {

const char kArn[] = "arn:aws:states:eu-central-1:123456789012:execution:orders:a";

}  // namespace

void BackupConformanceTest::SetUp() {
  ConformanceTest::SetUp();
  if (store_->ops->backup == nullptr) {
    GTEST_SKIP() << "this engine makes no backups";
  }
  ASSERT_NO_FATAL_FAILURE(AppendEvents(kArn, 1, 5, 1));
}

TEST_P(BackupConformanceTest, IdsAscendAndOldOnesGo) {
  for (int64_t id = 1; id <= 4; id++) {
    BackupResult result = Backup(store_, root_.path(), "a/b", id == 4 ? 1 : 0);
    ASSERT_EQ(result.outcome, ANNALS_STORE_OK) << result.detail;
    EXPECT_EQ(result.id, id);
    EXPECT_EQ(result.deleted_count, id == 4 ? 3 : 0);
    if (id == 2) {
      Reopen();
    }
  }
}

TEST_P(BackupConformanceTest, OneAtATime) {
  std::vector<std::unique_ptr<PendingBackup>> backups;
  for (int i = 0; i < 8; i++) {
    backups.push_back(std::make_unique<PendingBackup>(store_, root_.path(), std::to_string(i)));
  }
  int made = 0;
  for (auto &backup : backups) {
    BackupResult result = backup->Wait();
    made += result.outcome == ANNALS_STORE_OK;
    EXPECT_TRUE(result.outcome == ANNALS_STORE_OK || result.outcome == ANNALS_STORE_BUSY)
        << result.detail;
  }
  EXPECT_GE(made, 1);
  EXPECT_EQ(Backup(store_, root_.path(), "9").outcome, ANNALS_STORE_OK);
}

TEST_P(BackupConformanceTest, OtherOperationsGoOn) {
  PendingBackup backup(store_, root_.path(), "a");
  ASSERT_NO_FATAL_FAILURE(AppendEvents(kArn, 6, 60, 1));
  ASSERT_NO_FATAL_FAILURE(ExpectHistory(kArn, 60));
  EXPECT_EQ(Delete(store_, kArn, 60).outcome, ANNALS_STORE_OK);
  EXPECT_EQ(backup.Wait().outcome, ANNALS_STORE_OK);
}

TEST_P(BackupConformanceTest, CloseWaitsForIt) {
  PendingBackup backup(store_, root_.path(), "a");
  Close();
  EXPECT_EQ(backup.Wait().outcome, ANNALS_STORE_OK);
  Reopen();
  EXPECT_EQ(Backup(store_, root_.path(), "a").id, 2);
}

TEST_P(BackupConformanceTest, RefusesWhatMayNotBe) {
  const std::filesystem::path root = root_.path();
  std::filesystem::create_directory(root / "full");
  std::filesystem::create_directory(root / "full" / "other");
  std::filesystem::create_directory_symlink(root / "full", root / "link");
  for (const char *directory : {"full", "link", "link/other", "link/new"}) {
    BackupResult result = Backup(store_, root_.path(), directory);
    EXPECT_EQ(result.outcome, ANNALS_STORE_REFUSED) << directory;
    EXPECT_NE(result.detail, "");
  }
  EXPECT_EQ(Backup(store_, (root / "none").string(), "a").outcome, ANNALS_STORE_FAILED);
  EXPECT_EQ(Backup(store_, root_.path(), "full/other").outcome, ANNALS_STORE_OK);
}

TEST_P(BackupConformanceTest, ADirectoryIsOfOneStore) {
  ASSERT_EQ(Backup(store_, root_.path(), "a").outcome, ANNALS_STORE_OK);
  TempDir other;
  annals_store *store = GetParam().open(other.path(), false);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(Backup(store, root_.path(), "a").outcome, ANNALS_STORE_REFUSED);
  store->ops->close(store);
}

}  // namespace annals_test
