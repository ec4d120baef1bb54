/*
 * A store on a disk that tests can fill, hold and break, and a look at its keys.
 */
#ifndef ANNALS_TESTS_STORAGE_ROCKSDB_DISK_H_
#define ANNALS_TESTS_STORAGE_ROCKSDB_DISK_H_

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>

#include "storage/rocksdb/inspect.h"
#include "tests/storage/rocksdb_fixture.h"

namespace annals_test {

// "B1-100 ! T101-101": the keys of an execution; ! is the marker.
inline std::string Keys(annals_store *store, const std::string &arn) {
  std::string keys;
  annals_rocksdb_each_key(
      store, arn.c_str(),
      [](const annals_key *key, void *data) {
        auto *out = static_cast<std::string *>(data);
        *out += out->empty() ? "" : " ";
        *out += key->marker ? "!"
                            : static_cast<char>(key->kind) + std::to_string(key->first_id) + "-" +
                                  std::to_string(key->last_id);
      },
      &keys);
  return keys;
}

// Stands in for the disk: tells how much is free, and holds the writer's thread before it writes.
class Disk {
 public:
  annals_rocksdb_hooks Hooks() {
    annals_rocksdb_hooks hooks = {};
    hooks.free_bytes = [](void *data) { return static_cast<Disk *>(data)->free_bytes.load(); };
    hooks.fail_write = [](void *data) { return static_cast<Disk *>(data)->OnWrite(); };
    hooks.data = this;
    return hooks;
  }

  // The next group waits before it is written.
  void Hold() {
    std::lock_guard<std::mutex> guard(lock_);
    held_ = true;
    waiting_ = false;
  }
  // Returns once a group waits.
  void AwaitGroup() {
    std::unique_lock<std::mutex> guard(lock_);
    changed_.wait(guard, [this] { return waiting_; });
  }
  void Release(bool fail) {
    std::lock_guard<std::mutex> guard(lock_);
    held_ = false;
    fail_ = fail;
    changed_.notify_all();
  }

  std::atomic<uint64_t> free_bytes{1 << 30};
  std::atomic<int> groups{0};

 private:
  bool OnWrite() {
    std::unique_lock<std::mutex> guard(lock_);
    groups++;
    waiting_ = held_;
    changed_.notify_all();
    changed_.wait(guard, [this] { return !held_; });
    return fail_;
  }

  std::mutex lock_;
  std::condition_variable changed_;
  bool held_ = false;
  bool waiting_ = false;
  bool fail_ = false;
};

class RocksdbDiskTest : public RocksdbTest {
 protected:
  void SetUp() override {
    options_.min_free_bytes = 1000;
    options_.hooks = disk_.Hooks();
    RocksdbTest::SetUp();
  }

  Disk disk_;
};

}  // namespace annals_test

#endif
