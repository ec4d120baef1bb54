/*
 * What every storage engine has to do: the sentences of store.h, as tests.
 *
 * An engine runs them with
 *   INSTANTIATE_TEST_SUITE_P(Name, ConformanceTest, testing::Values(Engine{...}), EngineName);
 * and with the same line for BackupConformanceTest.
 */
#ifndef ANNALS_TESTS_STORAGE_CONFORMANCE_H_
#define ANNALS_TESTS_STORAGE_CONFORMANCE_H_

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "storage/store.h"
#include "tests/storage/store_client.h"

namespace annals_test {

struct Engine {
  std::string name;
  // Opens the store in a directory, made by an earlier one or empty. cold: with as little in memory
  // as the engine can.
  std::function<annals_store *(const std::string &path, bool cold)> open;
  // Every operation answers PENDING.
  bool always_pending = false;
  // A read of what is not in memory is done on a thread of the engine.
  bool cold_reads_use_engine_thread = false;
};

std::string EngineName(const testing::TestParamInfo<Engine> &info);

class ConformanceTest : public testing::TestWithParam<Engine> {
 protected:
  void SetUp() override;
  void TearDown() override;

  void Close();
  void Reopen(bool cold = false);

  // Appends events first_id to last_id in appends of so many, of that size.
  void AppendEvents(const std::string &arn, int64_t first_id, int64_t last_id,
                    int64_t events_per_append, size_t size = 40);
  // Reads from every from_id, or every step-th and the edges, both ways, and compares every byte.
  void ExpectHistory(const std::string &arn, int64_t last_id, size_t size = 40, int64_t step = 1);
  void ExpectRead(const std::string &arn, int64_t from_id, bool reverse, int64_t last_id,
                  size_t size = 40);

  TempDir dir_;
  annals_store *store_ = nullptr;
};

// For engines that make backups; skipped for others.
class BackupConformanceTest : public ConformanceTest {
 protected:
  void SetUp() override;

  TempDir root_;
};

}  // namespace annals_test

#endif
