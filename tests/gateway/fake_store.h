/*
 * A store in memory, for tests of what is above: it can be cold, as a store is whose blocks have to
 * come from a disk, and it can be held there.
 */
#ifndef ANNALS_TESTS_GATEWAY_FAKE_STORE_H_
#define ANNALS_TESTS_GATEWAY_FAKE_STORE_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "storage/store.h"

class FakeStore {
 public:
  FakeStore();
  ~FakeStore();

  struct annals_store *get() {
    return &base_.store;
  }

  /* Whether reads and listings answer PENDING and run on the store's own thread. */
  void set_cold(bool cold);
  /* Keeps the store's thread from running anything until release. */
  void hold();
  void release();
  /* Whether what reads waits, on whatever thread it is, and until one does. */
  void hold_readers(bool held);
  void wait_reader();
  /* Waits until count reads are pending. */
  void wait_pending(size_t count);
  /* What every read and listing ends with from now on. */
  void set_outcome(enum annals_store_outcome outcome);
  /* Puts bytes that are no events where a history was. */
  void damage(const std::string &arn);

 private:
  /* The vtable's functions find the object behind the store. */
  struct Base {
    struct annals_store store;
    FakeStore *self;
  };
  struct History {
    std::vector<std::string> runs; /* framed events; one run for each append */
    std::vector<int64_t> last_ids;
    std::string record;
  };
  /* A list's entries: rank and ARN -> record. */
  using List = std::map<std::pair<std::string, std::string>, std::string>;

  static FakeStore *of(struct annals_store *store);
  static enum annals_store_progress read(struct annals_store *store,
                                         struct annals_store_read *read);
  static enum annals_store_progress tail(struct annals_store *store,
                                         struct annals_store_tail *tail);
  static enum annals_store_progress record(struct annals_store *store,
                                           struct annals_store_get *get);
  static enum annals_store_progress append(struct annals_store *store,
                                           struct annals_store_append *append);
  static enum annals_store_progress delete_execution(struct annals_store *store,
                                                     struct annals_store_delete *deletion);
  static enum annals_store_progress list(struct annals_store *store,
                                         struct annals_store_list *list);
  static enum annals_store_health health(struct annals_store *store);
  static void close(struct annals_store *store);

  enum annals_store_progress run(struct annals_store_op *op, std::function<void()> work);
  void work();
  void do_read(struct annals_store_read *read);
  void do_get(struct annals_store_get *get);
  void do_list(struct annals_store_list *list);

  static const struct annals_store_ops ops;
  Base base_;
  std::mutex lock_; /* what follows */
  std::condition_variable changed_;
  std::map<std::string, History> histories_;
  std::map<std::string, List> lists_;
  std::deque<std::function<void()>> queue_;
  bool cold_ = false;
  bool held_ = false;
  bool readers_held_ = false;
  bool reader_waits_ = false;
  bool stopping_ = false;
  enum annals_store_outcome outcome_ = ANNALS_STORE_OK;
  std::thread thread_;
};

#endif
