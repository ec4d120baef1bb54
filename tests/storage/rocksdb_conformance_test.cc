// The conformance suite over the embedded engine, as it is and behind the wrapper that injects
// faults: with none injected, but every operation pending.
#include "storage/rocksdb/rocksdb_store.h"
#include "tests/storage/conformance.h"
#include "tests/storage/faulty_store.h"

namespace annals_test {
namespace {

annals_store *OpenRocksdb(const std::string &path, bool cold) {
  annals_rocksdb_options options = {};
  options.path = path.c_str();
  options.worker_threads = 2;
  if (cold) {
    options.tuning.cache_bytes = 1;
    options.tuning.tail_table_bytes = 1;
  }
  annals_store *store = nullptr;
  GError *error = nullptr;
  if (!annals_rocksdb_open(&options, &store, &error)) {
    ADD_FAILURE() << error->message;
    g_error_free(error);
  }
  return store;
}

annals_store *OpenWrapped(const std::string &path, bool cold) {
  annals_store *inner = OpenRocksdb(path, cold);
  return inner != nullptr ? annals_faulty_store_new(inner) : nullptr;
}

annals_store *OpenPending(const std::string &path, bool cold) {
  annals_store *store = OpenWrapped(path, cold);
  if (store != nullptr) {
    annals_faulty_store_set_pending(store, true);
  }
  return store;
}

Engine MakeEngine(const char *name, annals_store *(*open)(const std::string &, bool),
                  bool always_pending) {
  Engine engine;
  engine.name = name;
  engine.open = open;
  engine.always_pending = always_pending;
  engine.cold_reads_use_engine_thread = true;
  return engine;
}

const auto kEngines = testing::Values(MakeEngine("Rocksdb", OpenRocksdb, false),
                                      MakeEngine("FaultyPassing", OpenWrapped, false),
                                      MakeEngine("FaultyPending", OpenPending, true));

INSTANTIATE_TEST_SUITE_P(Engines, ConformanceTest, kEngines, EngineName);
INSTANTIATE_TEST_SUITE_P(Engines, BackupConformanceTest, kEngines, EngineName);

}  // namespace
}  // namespace annals_test
