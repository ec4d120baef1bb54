#include "tests/gateway/fake_store.h"

#include "storage/frame.h"
#include "storage/handoff.h"

const struct annals_store_ops FakeStore::ops = {"fake",           read,    tail,    record, append,
                                                delete_execution, list,    health,  close,  nullptr,
                                                nullptr,          nullptr, nullptr, nullptr};

static std::string rank_of(const uint8_t *rank) {
  return std::string(reinterpret_cast<const char *>(rank), ANNALS_STORE_RANK_BYTES);
}

FakeStore::FakeStore() : base_{{&ops}, this}, thread_([this] { work(); }) {
}

FakeStore::~FakeStore() {
  {
    std::lock_guard<std::mutex> guard(lock_);
    stopping_ = true;
    held_ = false;
    readers_held_ = false;
  }
  changed_.notify_all();
  thread_.join();
}

void FakeStore::set_cold(bool cold) {
  std::lock_guard<std::mutex> guard(lock_);
  cold_ = cold;
}

void FakeStore::hold() {
  std::lock_guard<std::mutex> guard(lock_);
  held_ = true;
}

void FakeStore::release() {
  {
    std::lock_guard<std::mutex> guard(lock_);
    held_ = false;
  }
  changed_.notify_all();
}

void FakeStore::hold_readers(bool held) {
  {
    std::lock_guard<std::mutex> guard(lock_);
    readers_held_ = held;
  }
  changed_.notify_all();
}

void FakeStore::wait_reader() {
  std::unique_lock<std::mutex> guard(lock_);
  changed_.wait(guard, [this] { return reader_waits_; });
}

void FakeStore::wait_pending(size_t count) {
  std::unique_lock<std::mutex> guard(lock_);
  changed_.wait(guard, [&] { return queue_.size() >= count; });
}

void FakeStore::set_outcome(enum annals_store_outcome outcome) {
  std::lock_guard<std::mutex> guard(lock_);
  outcome_ = outcome;
}

void FakeStore::damage(const std::string &arn) {
  std::lock_guard<std::mutex> guard(lock_);
  histories_[arn].runs[0] = "not a frame";
}

FakeStore *FakeStore::of(struct annals_store *store) {
  return reinterpret_cast<Base *>(store)->self;
}

void FakeStore::work() {
  std::unique_lock<std::mutex> guard(lock_);
  for (;;) {
    changed_.wait(guard, [this] { return stopping_ || (!held_ && !queue_.empty()); });
    if (queue_.empty()) {
      return;
    }
    std::function<void()> next = queue_.front();
    queue_.pop_front();
    guard.unlock();
    next();
    guard.lock();
  }
}

enum annals_store_progress FakeStore::run(struct annals_store_op *op, std::function<void()> work) {
  annals_store_op_begin(op);
  bool cold;
  {
    std::lock_guard<std::mutex> guard(lock_);
    cold = cold_;
    if (cold) {
      queue_.push_back([op, work] {
        work();
        annals_store_op_finish(op);
      });
    }
  }
  if (!cold) {
    work();
    return ANNALS_STORE_DONE;
  }
  changed_.notify_all();
  return annals_store_op_return(op);
}

void FakeStore::do_read(struct annals_store_read *read) {
  std::unique_lock<std::mutex> guard(lock_);
  reader_waits_ = readers_held_;
  changed_.notify_all();
  changed_.wait(guard, [this] { return !readers_held_; });
  reader_waits_ = false;
  auto found = histories_.find(read->arn);
  read->op.outcome = found == histories_.end() ? ANNALS_STORE_NOT_FOUND : outcome_;
  if (read->op.outcome != ANNALS_STORE_OK) {
    return;
  }
  const History &history = found->second;
  const size_t count = history.runs.size();
  for (size_t n = 0; n < count; n++) {
    size_t i = read->reverse ? count - 1 - n : n;
    const std::string &frames = history.runs[i];
    struct annals_run run = {};
    run.first_id = i == 0 ? 1 : history.last_ids[i - 1] + 1;
    run.last_id = history.last_ids[i];
    run.frames = reinterpret_cast<const uint8_t *>(frames.data());
    run.frames_bytes = frames.size();
    bool wanted = read->reverse ? run.first_id <= read->from_id : run.last_id >= read->from_id;
    if (wanted && !read->on_run(read, &run)) {
      return;
    }
  }
}

void FakeStore::do_get(struct annals_store_get *get) {
  std::lock_guard<std::mutex> guard(lock_);
  auto found = histories_.find(get->arn);
  get->op.outcome = found == histories_.end() ? ANNALS_STORE_NOT_FOUND : outcome_;
  if (get->op.outcome == ANNALS_STORE_OK) {
    get->record = g_bytes_new(found->second.record.data(), found->second.record.size());
  }
}

enum annals_store_progress FakeStore::read(struct annals_store *store,
                                           struct annals_store_read *read) {
  return of(store)->run(&read->op, [=] { of(store)->do_read(read); });
}

enum annals_store_progress FakeStore::record(struct annals_store *store,
                                             struct annals_store_get *get) {
  return of(store)->run(&get->op, [=] { of(store)->do_get(get); });
}

/* Histories are new when tests append to them. */
enum annals_store_progress FakeStore::tail(struct annals_store *, struct annals_store_tail *tail) {
  annals_store_op_begin(&tail->op);
  tail->op.outcome = ANNALS_STORE_NOT_FOUND;
  return ANNALS_STORE_DONE;
}

enum annals_store_progress FakeStore::append(struct annals_store *store,
                                             struct annals_store_append *append) {
  FakeStore *self = of(store);
  std::lock_guard<std::mutex> guard(self->lock_);
  annals_store_op_begin(&append->op);
  History &history = self->histories_[append->arn];
  /* In runs of three, so that pages cross them. */
  size_t offset = 0;
  size_t start = 0;
  struct annals_frame frame;
  for (int64_t id = 1; annals_frame_next(append->frames, append->frames_bytes, &offset, &frame);
       id++) {
    if (id % 3 == 0 || id == append->event_count) {
      history.runs.emplace_back(reinterpret_cast<const char *>(append->frames) + start,
                                offset - start);
      history.last_ids.push_back(id);
      start = offset;
    }
  }
  history.record.assign(reinterpret_cast<const char *>(append->record), append->record_bytes);
  for (size_t i = 0; i < append->new_place_count; i++) {
    const struct annals_store_place &place = append->new_places[i];
    self->lists_[place.list][{rank_of(place.rank), append->arn}] = history.record;
  }
  append->last_id = append->event_count;
  return ANNALS_STORE_DONE;
}

/* Histories are not deleted here. */
enum annals_store_progress FakeStore::delete_execution(struct annals_store *,
                                                       struct annals_store_delete *deletion) {
  annals_store_op_begin(&deletion->op);
  deletion->op.outcome = ANNALS_STORE_UNAVAILABLE;
  return ANNALS_STORE_DONE;
}

void FakeStore::do_list(struct annals_store_list *list) {
  List merged;
  {
    std::lock_guard<std::mutex> guard(lock_);
    list->op.outcome = outcome_;
    for (size_t i = 0; i < list->list_count; i++) {
      const List &entries = lists_[list->lists[i]];
      merged.insert(entries.begin(), entries.end());
    }
  }
  auto from = merged.upper_bound({rank_of(list->after_rank), list->after_arn});
  for (; list->op.outcome == ANNALS_STORE_OK && from != merged.end(); ++from) {
    const auto &[place, record] = *from;
    struct annals_store_entry entry = {
        reinterpret_cast<const uint8_t *>(place.first.data()), place.second.c_str(),
        reinterpret_cast<const uint8_t *>(record.data()), record.size()};
    if (!list->on_entry(list, &entry)) {
      break;
    }
  }
}

enum annals_store_progress FakeStore::list(struct annals_store *store,
                                           struct annals_store_list *list) {
  return of(store)->run(&list->op, [=] { of(store)->do_list(list); });
}

enum annals_store_health FakeStore::health(struct annals_store *) {
  return ANNALS_STORE_HEALTHY;
}

void FakeStore::close(struct annals_store *) {
}
