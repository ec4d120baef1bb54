#include "tests/storage/store_client.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "storage/frame.h"

namespace annals_test {
namespace {

// The request that this thread is in the call of.
thread_local const void *t_calling = nullptr;

// What follows an operation from call to completion.
class Completion {
 public:
  static void OnDone(annals_store_op *op) {
    auto *self = static_cast<Completion *>(op->owner);
    EXPECT_NE(t_calling, op) << "on_done was called before the operation returned";
    std::lock_guard<std::mutex> lock(self->lock_);
    self->calls_++;
    EXPECT_EQ(self->calls_, 1);
    self->changed_.notify_all();
  }

  ~Completion() {
    EXPECT_EQ(calls_, progress_ == ANNALS_STORE_PENDING ? 1 : 0);
  }

  template <typename Request>
  void Start(annals_store *store,
             annals_store_progress (*operation)(annals_store *store, Request *request),
             Request *request) {
    request->op.on_done = OnDone;
    request->op.owner = this;
    const void *before = t_calling;
    t_calling = request;
    progress_ = operation(store, request);
    t_calling = before;
  }

  annals_store_progress Wait() {
    if (progress_ == ANNALS_STORE_PENDING) {
      std::unique_lock<std::mutex> lock(lock_);
      changed_.wait(lock, [this] { return calls_ > 0; });
    }
    return progress_;
  }

  bool IsDone() {
    std::lock_guard<std::mutex> lock(lock_);
    return calls_ > 0;
  }

 private:
  std::mutex lock_;
  std::condition_variable changed_;
  int calls_ = 0;
  annals_store_progress progress_ = ANNALS_STORE_DONE;
};

void Take(const annals_store_op &op, annals_store_progress progress, Result *result) {
  result->outcome = op.outcome;
  result->progress = progress;
  result->detail = op.detail;
  EXPECT_EQ(result->detail.find('\n'), std::string::npos);
  if (op.outcome == ANNALS_STORE_OK || op.outcome == ANNALS_STORE_NOT_FOUND ||
      op.outcome == ANNALS_STORE_CONFLICT) {
    EXPECT_EQ(result->detail, "");
  }
}

std::string TakeBytes(GBytes *bytes) {
  gsize size = 0;
  const void *data = g_bytes_get_data(bytes, &size);
  std::string copy(static_cast<const char *>(data != nullptr ? data : ""), size);
  g_bytes_unref(bytes);
  return copy;
}

}  // namespace

namespace {

std::string Varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) {
    bytes.push_back(static_cast<char>((value & 0x7f) | 0x80));
  }
  bytes.push_back(static_cast<char>(value));
  return bytes;
}

}  // namespace

std::string Frame(const std::string &event, int64_t data_key) {
  if (data_key > 0) {
    const std::string inside = Varint(static_cast<uint64_t>(data_key)) + event;
    return static_cast<char>(ANNALS_FRAME_ENCRYPTED_TAG) + Varint(inside.size()) + inside;
  }
  return static_cast<char>(ANNALS_FRAME_TAG) + Varint(event.size()) + event;
}

std::string EventOf(const std::string &arn, int64_t id, size_t size) {
  static const std::string filling = [] {
    std::string bytes(2 << 20, '?');
    for (size_t i = 0; i < bytes.size(); i++) {
      bytes[i] = static_cast<char>('a' + i * 7 % 26);
    }
    return bytes;
  }();
  std::string event = std::to_string(id) + " of " + arn + " ";
  if (event.size() < size) {
    // From a place of its own, so that events do not differ in their first bytes alone.
    event.append(filling, static_cast<size_t>(id) % 26, size - event.size());
  }
  return event;
}

std::string FramesOf(const std::string &arn, int64_t first_id, int64_t last_id, size_t size) {
  std::string frames;
  for (int64_t id = first_id; id <= last_id; id++) {
    frames += Frame(EventOf(arn, id, size));
  }
  return frames;
}

TempDir::TempDir() {
  const char *base = getenv("TEST_TMPDIR");
  std::string pattern = std::string(base != nullptr ? base : "/tmp") + "/store.XXXXXX";
  char *path = mkdtemp(pattern.data());
  EXPECT_NE(path, nullptr);
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

namespace {

void PutRank(const std::string &rank, uint8_t *bytes) {
  std::fill_n(bytes, ANNALS_STORE_RANK_BYTES, 0);
  std::copy_n(rank.data(), std::min<size_t>(rank.size(), ANNALS_STORE_RANK_BYTES), bytes);
}

// Views of places that outlive them.
std::vector<annals_store_place> ViewPlaces(const std::vector<Place> &places) {
  std::vector<annals_store_place> views;
  for (const Place &place : places) {
    annals_store_place view = {};
    view.list = place.list.c_str();
    PutRank(place.rank, view.rank);
    views.push_back(view);
  }
  return views;
}

}  // namespace

struct PendingAppend::State {
  std::string arn;
  std::string frames;
  AppendOptions options;
  std::vector<annals_store_place> old_places;
  std::vector<annals_store_place> new_places;
  annals_store_append append = {};
  Completion completion;
};

PendingAppend::PendingAppend(annals_store *store, const std::string &arn, int64_t expected_last_id,
                             const std::string &frames, const AppendOptions &options)
    : state_(std::make_unique<State>()) {
  state_->arn = arn;
  state_->frames = frames;
  state_->options = options;
  annals_store_append *append = &state_->append;
  append->arn = state_->arn.c_str();
  append->expected_last_id = expected_last_id;
  append->frames = reinterpret_cast<const uint8_t *>(state_->frames.data());
  append->frames_bytes = state_->frames.size();
  append->event_count =
      static_cast<int32_t>(annals_frame_count(append->frames, append->frames_bytes));
  append->seal = options.seal;
  append->record = reinterpret_cast<const uint8_t *>(state_->options.record.data());
  append->record_bytes = state_->options.record.size();
  state_->old_places = ViewPlaces(state_->options.old_places);
  append->old_places = state_->old_places.data();
  append->old_place_count = state_->old_places.size();
  state_->new_places = ViewPlaces(state_->options.new_places);
  append->new_places = state_->new_places.data();
  append->new_place_count = state_->new_places.size();
  append->since = options.since;
  append->data_key.ordinal = options.data_key;
  append->data_key.record =
      reinterpret_cast<const uint8_t *>(state_->options.data_key_record.data());
  append->data_key.record_bytes = state_->options.data_key_record.size();
  append->last_id = -1;
  state_->completion.Start(store, store->ops->append, append);
}

PendingAppend::~PendingAppend() {
  state_->completion.Wait();
}

Result PendingAppend::Wait() {
  Result result;
  annals_store_progress progress = state_->completion.Wait();
  Take(state_->append.op, progress, &result);
  result.last_id = state_->append.last_id;
  return result;
}

Result Append(annals_store *store, const std::string &arn, int64_t expected_last_id,
              const std::string &frames, const AppendOptions &options) {
  return PendingAppend(store, arn, expected_last_id, frames, options).Wait();
}

struct PendingDelete::State {
  std::string arn;
  std::vector<Place> places;
  std::vector<annals_store_place> views;
  std::string record;
  annals_store_delete deletion = {};
  Completion completion;
};

PendingDelete::PendingDelete(annals_store *store, const std::string &arn, int64_t expected_last_id,
                             const std::vector<Place> &places, const std::string &record)
    : state_(std::make_unique<State>()) {
  state_->arn = arn;
  state_->record = record;
  state_->places = places;
  state_->views = ViewPlaces(state_->places);
  annals_store_delete *deletion = &state_->deletion;
  deletion->arn = state_->arn.c_str();
  deletion->expected_last_id = expected_last_id;
  deletion->places = state_->views.data();
  deletion->place_count = state_->views.size();
  if (!record.empty()) {
    deletion->record = reinterpret_cast<const uint8_t *>(state_->record.data());
    deletion->record_bytes = state_->record.size();
  }
  deletion->last_id = -1;
  state_->completion.Start(store, store->ops->delete_execution, deletion);
}

PendingDelete::~PendingDelete() {
  state_->completion.Wait();
}

Result PendingDelete::Wait() {
  Result result;
  annals_store_progress progress = state_->completion.Wait();
  Take(state_->deletion.op, progress, &result);
  result.last_id = state_->deletion.last_id;
  return result;
}

Result Delete(annals_store *store, const std::string &arn, int64_t expected_last_id,
              const std::vector<Place> &places, const std::string &record) {
  return PendingDelete(store, arn, expected_last_id, places, record).Wait();
}

struct PendingBackup::State {
  std::string root;
  std::string directory;
  annals_store_backup request = {};
  Completion completion;
};

PendingBackup::PendingBackup(annals_store *store, const std::string &root,
                             const std::string &directory, uint32_t keep)
    : state_(std::make_unique<State>()) {
  state_->root = root;
  state_->directory = directory;
  state_->request.root = state_->root.c_str();
  state_->request.directory = state_->directory.c_str();
  state_->request.keep = keep;
  state_->completion.Start(store, store->ops->backup, &state_->request);
}

PendingBackup::~PendingBackup() {
  state_->completion.Wait();
}

BackupResult PendingBackup::Wait() {
  BackupResult result;
  result.progress = state_->completion.Wait();
  const annals_store_backup &request = state_->request;
  result.outcome = request.op.outcome;
  result.detail = request.op.detail;
  result.id = request.id;
  result.deleted_count = request.deleted_count;
  return result;
}

BackupResult Backup(annals_store *store, const std::string &root, const std::string &directory,
                    uint32_t keep) {
  return PendingBackup(store, root, directory, keep).Wait();
}

namespace {

struct ListState;

// As ReadRequest.
struct ListRequest {
  annals_store_list list;
  ListState *state;
};

struct ListState {
  ListRequest request = {};
  ListResult *result = nullptr;
  std::function<bool(const ListEntry &)> keep_on;
  std::atomic<int> inside{0};
  std::thread::id caller = std::this_thread::get_id();
  bool stopped = false;
  Completion completion;
};

bool OnEntry(annals_store_list *list, const annals_store_entry *view) {
  ListState *state = reinterpret_cast<ListRequest *>(list)->state;
  EXPECT_EQ(state->inside.fetch_add(1), 0) << "on_entry was called on two threads at once";
  EXPECT_FALSE(state->completion.IsDone()) << "on_entry was called behind on_done";
  EXPECT_FALSE(state->stopped) << "on_entry was called though it had enough";
  state->result->on_engine_thread |= std::this_thread::get_id() != state->caller;
  ListEntry entry{std::string(reinterpret_cast<const char *>(view->rank), ANNALS_STORE_RANK_BYTES),
                  view->arn,
                  std::string(reinterpret_cast<const char *>(view->record), view->record_bytes)};
  state->result->entries.push_back(entry);
  state->stopped = state->keep_on != nullptr && !state->keep_on(entry);
  bool go_on = !state->stopped;
  state->inside.fetch_sub(1);
  return go_on;
}

}  // namespace

ListResult List(annals_store *store, const std::vector<std::string> &lists,
                const std::string &after_rank, const std::string &after_arn,
                const std::function<bool(const ListEntry &)> &keep_on) {
  ListResult result;
  ListState state;
  state.result = &result;
  state.keep_on = keep_on;
  state.request.state = &state;
  std::vector<const char *> names;
  for (const std::string &list : lists) {
    names.push_back(list.c_str());
  }
  annals_store_list *list = &state.request.list;
  list->lists = names.data();
  list->list_count = names.size();
  PutRank(after_rank, list->after_rank);
  list->after_arn = after_arn.c_str();
  list->on_entry = OnEntry;
  state.completion.Start(store, store->ops->list, list);
  annals_store_progress progress = state.completion.Wait();
  Take(list->op, progress, &result);
  return result;
}

namespace {

struct ReadState;

// Leads from the request that on_run gets to what belongs to it.
struct ReadRequest {
  annals_store_read read;
  ReadState *state;
};

struct ReadState {
  ReadRequest request = {};
  ReadResult *result = nullptr;
  std::function<bool(const ReadRun &)> keep_on;
  std::atomic<int> inside{0};
  std::thread::id caller = std::this_thread::get_id();
  bool stopped = false;
  Completion completion;
};

bool OnRun(annals_store_read *read, const annals_run *view) {
  ReadState *state = reinterpret_cast<ReadRequest *>(read)->state;
  EXPECT_EQ(state->inside.fetch_add(1), 0) << "on_run was called on two threads at once";
  EXPECT_FALSE(state->completion.IsDone()) << "on_run was called behind on_done";
  EXPECT_FALSE(state->stopped) << "on_run was called though it had enough";
  state->result->on_engine_thread |= std::this_thread::get_id() != state->caller;
  ReadRun run{view->first_id, view->last_id,
              std::string(reinterpret_cast<const char *>(view->frames), view->frames_bytes)};
  state->result->runs.push_back(run);
  state->stopped = state->keep_on != nullptr && !state->keep_on(run);
  bool go_on = !state->stopped;
  state->inside.fetch_sub(1);
  return go_on;
}

}  // namespace

ReadResult Read(annals_store *store, const std::string &arn, int64_t from_id, bool reverse,
                const std::function<bool(const ReadRun &)> &keep_on) {
  ReadResult result;
  ReadState state;
  state.result = &result;
  state.keep_on = keep_on;
  state.request.state = &state;
  annals_store_read *read = &state.request.read;
  read->arn = arn.c_str();
  read->from_id = from_id;
  read->reverse = reverse;
  read->on_run = OnRun;
  state.completion.Start(store, store->ops->read, read);
  annals_store_progress progress = state.completion.Wait();
  Take(read->op, progress, &result);
  return result;
}

BytesResult Tail(annals_store *store, const std::string &arn) {
  BytesResult result;
  annals_store_tail tail = {};
  Completion completion;
  tail.arn = arn.c_str();
  completion.Start(store, store->ops->tail, &tail);
  annals_store_progress progress = completion.Wait();
  Take(tail.op, progress, &result);
  if (result.outcome == ANNALS_STORE_OK) {
    result.last_id = tail.last_id;
    result.moment = tail.moment;
    result.bytes = TakeBytes(tail.last_event);
  }
  return result;
}

BytesResult Get(annals_store *store, const std::string &arn) {
  BytesResult result;
  annals_store_get get = {};
  Completion completion;
  get.arn = arn.c_str();
  completion.Start(store, store->ops->get, &get);
  annals_store_progress progress = completion.Wait();
  Take(get.op, progress, &result);
  if (result.outcome == ANNALS_STORE_OK) {
    result.bytes = TakeBytes(get.record);
  }
  return result;
}

BytesResult GetDataKey(annals_store *store, const std::string &arn, int64_t ordinal) {
  BytesResult result;
  annals_store_get_data_key get = {};
  Completion completion;
  get.arn = arn.c_str();
  get.ordinal = ordinal;
  completion.Start(store, store->ops->get_data_key, &get);
  annals_store_progress progress = completion.Wait();
  Take(get.op, progress, &result);
  if (result.outcome == ANNALS_STORE_OK) {
    result.bytes = TakeBytes(get.record);
  }
  return result;
}

Result PutDataKey(annals_store *store, const std::string &arn, int64_t ordinal,
                  const std::string &record, const std::string &expected) {
  Result result;
  annals_store_put_data_key put = {};
  Completion completion;
  put.arn = arn.c_str();
  put.data_key = {ordinal, reinterpret_cast<const uint8_t *>(record.data()), record.size()};
  put.expected = g_bytes_new(expected.data(), expected.size());
  completion.Start(store, store->ops->put_data_key, &put);
  annals_store_progress progress = completion.Wait();
  Take(put.op, progress, &result);
  g_bytes_unref(put.expected);
  return result;
}

}  // namespace annals_test
