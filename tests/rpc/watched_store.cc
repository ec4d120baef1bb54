#include "tests/rpc/watched_store.h"

namespace annals_test {

std::mutex WatchedStore::watched_lock;
std::map<annals_store_op *, WatchedStore::Watched> WatchedStore::watched;

const annals_store_ops WatchedStore::kOps = {
    "watched", Read,  Tail,    Get,     Append,  Delete,  List,
    Health,    Close, nullptr, nullptr, nullptr, nullptr, nullptr,
};

WatchedStore::WatchedStore(annals_store *inner) : base_{{&kOps}, this}, inner_(inner) {
}

void WatchedStore::WaitForCalls(int count) {
  std::unique_lock<std::mutex> lock(lock_);
  changed_.wait(lock, [&] { return calls_ >= count; });
}

void WatchedStore::ReturnAfterCompletions(int count) {
  std::lock_guard<std::mutex> lock(lock_);
  completions_ = 0;
  late_ = count;
}

void WatchedStore::OnDone(annals_store_op *op) {
  Watched entry;
  {
    std::lock_guard<std::mutex> lock(watched_lock);
    entry = watched.at(op);
    watched.erase(op);
  }
  op->on_done = entry.on_done;
  op->on_done(op);
  std::lock_guard<std::mutex> lock(entry.self->lock_);
  entry.self->completions_++;
  entry.self->changed_.notify_all();
}

template <typename Request>
annals_store_progress WatchedStore::Call(annals_store_progress (*operation)(annals_store *,
                                                                            Request *),
                                         Request *request) {
  int late = 0;
  {
    std::lock_guard<std::mutex> lock(lock_);
    calls_++;
    std::swap(late, late_);
    changed_.notify_all();
  }
  {
    std::lock_guard<std::mutex> lock(watched_lock);
    watched[&request->op] = {this, request->op.on_done};
  }
  request->op.on_done = OnDone;
  annals_store_progress progress = operation(inner_, request);
  if (progress == ANNALS_STORE_DONE) {
    std::lock_guard<std::mutex> lock(watched_lock);
    request->op.on_done = watched.at(&request->op).on_done;
    watched.erase(&request->op);
  }
  std::unique_lock<std::mutex> lock(lock_);
  changed_.wait(lock, [&] { return completions_ >= late; });
  return progress;
}

annals_store_progress WatchedStore::Read(annals_store *store, annals_store_read *read) {
  return Of(store)->Call(Of(store)->inner_->ops->read, read);
}

annals_store_progress WatchedStore::Tail(annals_store *store, annals_store_tail *tail) {
  return Of(store)->Call(Of(store)->inner_->ops->tail, tail);
}

annals_store_progress WatchedStore::Get(annals_store *store, annals_store_get *get) {
  return Of(store)->Call(Of(store)->inner_->ops->get, get);
}

annals_store_progress WatchedStore::Append(annals_store *store, annals_store_append *append) {
  return Of(store)->Call(Of(store)->inner_->ops->append, append);
}

annals_store_progress WatchedStore::Delete(annals_store *store, annals_store_delete *deletion) {
  return Of(store)->Call(Of(store)->inner_->ops->delete_execution, deletion);
}

annals_store_progress WatchedStore::List(annals_store *store, annals_store_list *list) {
  return Of(store)->Call(Of(store)->inner_->ops->list, list);
}

annals_store_health WatchedStore::Health(annals_store *store) {
  return Of(store)->inner_->ops->health(Of(store)->inner_);
}

void WatchedStore::Close(annals_store *) {
}

}  // namespace annals_test
