/*
 * Opening the embedded engine in tests.
 */
#ifndef ANNALS_TESTS_STORAGE_ROCKSDB_FIXTURE_H_
#define ANNALS_TESTS_STORAGE_ROCKSDB_FIXTURE_H_

#include <gtest/gtest.h>

#include <string>

#include "storage/rocksdb/rocksdb_store.h"
#include "tests/storage/store_client.h"

namespace annals_test {

// How an open ended: a store, or an error's code and message.
struct Opened {
  annals_store *store = nullptr;
  int code = -1;
  std::string message;
};

inline Opened OpenWith(const annals_rocksdb_options &options) {
  Opened opened;
  GError *error = nullptr;
  if (!annals_rocksdb_open(&options, &opened.store, &error)) {
    EXPECT_EQ(error->domain, ANNALS_ROCKSDB_ERROR);
    opened.code = error->code;
    opened.message = error->message;
    EXPECT_EQ(opened.message.find('\n'), std::string::npos);
    g_error_free(error);
  }
  return opened;
}

inline Opened OpenAt(const std::string &path) {
  annals_rocksdb_options options = {};
  options.path = path.c_str();
  options.worker_threads = 2;
  return OpenWith(options);
}

inline void CloseStore(annals_store *store) {
  if (store != nullptr) {
    store->ops->close(store);
  }
}

class RocksdbTest : public testing::Test {
 protected:
  void SetUp() override {
    Reopen();
  }
  void TearDown() override {
    CloseStore(store_);
  }

  void Reopen() {
    CloseStore(store_);
    annals_rocksdb_options options = options_;
    options.path = dir_.path().c_str();
    options.worker_threads = 2;
    Opened opened = OpenWith(options);
    EXPECT_EQ(opened.message, "");
    store_ = opened.store;
    ASSERT_NE(store_, nullptr);
  }

  // Appends events first_id to last_id in one append.
  annals_store_outcome AppendRange(const std::string &arn, int64_t first_id, int64_t last_id,
                                   bool seal = false) {
    AppendOptions options;
    options.seal = seal;
    return Append(store_, arn, first_id - 1, FramesOf(arn, first_id, last_id), options).outcome;
  }

  TempDir dir_;
  annals_rocksdb_options options_ = {};
  annals_store *store_ = nullptr;
};

}  // namespace annals_test

#endif
