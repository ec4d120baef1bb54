/*
 * A store as tests like to use it: strings in, strings out, waiting for what is pending, and
 * checking on every call what store.h promises of every operation.
 */
#ifndef ANNALS_TESTS_STORAGE_STORE_CLIENT_H_
#define ANNALS_TESTS_STORAGE_STORE_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/store.h"

namespace annals_test {

// An event's bytes as a frame: an encrypted one where it names a data key.
std::string Frame(const std::string &event, int64_t data_key = 0);

// The event that a test stores under an id: recognisable, of about that size.
std::string EventOf(const std::string &arn, int64_t id, size_t size = 40);

// Their frames, from first_id to last_id.
std::string FramesOf(const std::string &arn, int64_t first_id, int64_t last_id, size_t size = 40);

// A fresh directory below TEST_TMPDIR, which goes with the object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir &) = delete;
  TempDir &operator=(const TempDir &) = delete;
  const std::string &path() const {
    return path_;
  }

 private:
  std::string path_;
};

struct ReadRun {
  int64_t first_id;
  int64_t last_id;
  std::string frames;
};

struct Result {
  annals_store_outcome outcome = ANNALS_STORE_OK;
  annals_store_progress progress = ANNALS_STORE_DONE;
  std::string detail;
  int64_t last_id = -1;
};

struct ReadResult : Result {
  // A run was handed over on a thread of the engine. PENDING does not tell: an operation that is
  // finished before it has returned answers DONE, whoever did the work.
  bool on_engine_thread = false;
  std::vector<ReadRun> runs;
};

struct BytesResult : Result {
  std::string bytes;
  uint64_t moment = 0;  // of a tail
};

struct Place {
  std::string list;
  std::string rank;  // padded with NUL
};

struct AppendOptions {
  bool seal = false;
  std::string record = {};
  std::vector<Place> old_places = {};
  std::vector<Place> new_places = {};
  int64_t data_key = 0;
  std::string data_key_record = {};
  uint64_t since = 0;
};

// An append under way.
class PendingAppend {
 public:
  PendingAppend(annals_store *store, const std::string &arn, int64_t expected_last_id,
                const std::string &frames, const AppendOptions &options = {});
  ~PendingAppend();
  PendingAppend(const PendingAppend &) = delete;
  PendingAppend &operator=(const PendingAppend &) = delete;
  Result Wait();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Result Append(annals_store *store, const std::string &arn, int64_t expected_last_id,
              const std::string &frames, const AppendOptions &options = {});

// A deletion under way.
class PendingDelete {
 public:
  PendingDelete(annals_store *store, const std::string &arn, int64_t expected_last_id,
                const std::vector<Place> &places = {}, const std::string &record = "");
  ~PendingDelete();
  PendingDelete(const PendingDelete &) = delete;
  PendingDelete &operator=(const PendingDelete &) = delete;
  Result Wait();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Result Delete(annals_store *store, const std::string &arn, int64_t expected_last_id,
              const std::vector<Place> &places = {}, const std::string &record = "");

struct BackupResult : Result {
  int64_t id = 0;
  int64_t deleted_count = 0;
};

// A backup under way: into a directory below root.
class PendingBackup {
 public:
  PendingBackup(annals_store *store, const std::string &root, const std::string &directory,
                uint32_t keep = 0);
  ~PendingBackup();
  PendingBackup(const PendingBackup &) = delete;
  PendingBackup &operator=(const PendingBackup &) = delete;
  BackupResult Wait();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

BackupResult Backup(annals_store *store, const std::string &root, const std::string &directory,
                    uint32_t keep = 0);

struct ListEntry {
  std::string rank;
  std::string arn;
  std::string record;
};

struct ListResult : Result {
  bool on_engine_thread = false;  // as of a read
  std::vector<ListEntry> entries;
};

// Lists all that is handed over behind a place, or until keep_on says no.
ListResult List(annals_store *store, const std::vector<std::string> &lists,
                const std::string &after_rank = "", const std::string &after_arn = "",
                const std::function<bool(const ListEntry &)> &keep_on = nullptr);

// Reads all that is handed over, or until keep_on says no.
ReadResult Read(annals_store *store, const std::string &arn, int64_t from_id, bool reverse,
                const std::function<bool(const ReadRun &)> &keep_on = nullptr);

BytesResult Tail(annals_store *store, const std::string &arn);
BytesResult Get(annals_store *store, const std::string &arn);

BytesResult GetDataKey(annals_store *store, const std::string &arn, int64_t ordinal);
Result PutDataKey(annals_store *store, const std::string &arn, int64_t ordinal,
                  const std::string &record, const std::string &expected);

}  // namespace annals_test

#endif
