/*
 * A store that tells what goes on in it, so that tests need not guess with sleeps.
 */
#ifndef ANNALS_TESTS_RPC_WATCHED_STORE_H_
#define ANNALS_TESTS_RPC_WATCHED_STORE_H_

#include <condition_variable>
#include <map>
#include <mutex>

#include "storage/store.h"

namespace annals_test {

// Hands all operations on to another store. Close closes neither.
class WatchedStore {
 public:
  explicit WatchedStore(annals_store *inner);
  annals_store *store() {
    return &base_.store;
  }

  // Waits until so many operations have been asked for, since the object was made.
  void WaitForCalls(int count);

  // Has the next operation return only after so many completions: as if its thread had been put
  // to sleep on the way out, and the engine had been faster.
  void ReturnAfterCompletions(int count);

 private:
  struct Base {
    annals_store store;
    WatchedStore *self;
  };
  struct Watched {
    WatchedStore *self;
    void (*on_done)(annals_store_op *op);
  };

  static WatchedStore *Of(annals_store *store) {
    return reinterpret_cast<Base *>(store)->self;
  }
  static void OnDone(annals_store_op *op);
  template <typename Request>
  annals_store_progress Call(annals_store_progress (*operation)(annals_store *, Request *),
                             Request *request);
  static annals_store_progress Read(annals_store *store, annals_store_read *read);
  static annals_store_progress Tail(annals_store *store, annals_store_tail *tail);
  static annals_store_progress Get(annals_store *store, annals_store_get *get);
  static annals_store_progress Append(annals_store *store, annals_store_append *append);
  static annals_store_progress Delete(annals_store *store, annals_store_delete *deletion);
  static annals_store_progress List(annals_store *store, annals_store_list *list);
  static annals_store_health Health(annals_store *store);
  static void Close(annals_store *store);
  static const annals_store_ops kOps;

  // Operations under way, of all objects: their owner is the domain's business.
  static std::mutex watched_lock;
  static std::map<annals_store_op *, Watched> watched;

  Base base_;
  annals_store *inner_;
  std::mutex lock_;
  std::condition_variable changed_;
  int calls_ = 0;
  int completions_ = 0;
  int late_ = 0;
};

}  // namespace annals_test

#endif
