/*
 * HistoryService as annalsd puts it together, on the real core, engine and loopback, with a store
 * between that goes wrong on demand.
 */
#ifndef ANNALS_TESTS_RPC_SERVICE_H_
#define ANNALS_TESTS_RPC_SERVICE_H_

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "server/history/history.h"
#include "server/rpc/rpc_server.h"
#include "tests/rpc/messages.h"
#include "tests/rpc/rpc_client.h"
#include "tests/rpc/watched_store.h"
#include "tests/storage/faulty_store.h"
#include "tests/storage/store_client.h"

namespace annals_test {

struct ServiceOptions {
  ServiceOptions() {
    rpc.thread_count = 2;
  }
  annals_rpc_options rpc = {};  // address and health are the service's own
  size_t page_bytes_max = 0;
};

// The defaults, but for so many queues.
ServiceOptions Threads(unsigned thread_count);

constexpr int64_t kTokenTtlSeconds = 3600;

class Service {
 public:
  explicit Service(const ServiceOptions &options = {});
  ~Service();
  Service(const Service &) = delete;
  Service &operator=(const Service &) = delete;

  // The store below the domain, and what it makes of operations.
  annals_store *store() {
    return faulty_;
  }
  WatchedStore &watched() {
    return *watched_;
  }
  void Fail(unsigned operations, annals_store_outcome outcome, int times = 1, bool done = false);

  // The server. It is stopped with the object, at the latest; Restart() starts another one.
  annals_rpc_server *rpc() {
    return rpc_;
  }
  int port() const {
    return annals_rpc_server_port(rpc_);
  }
  void Stop(int grace_ms) {
    annals_rpc_server_stop(rpc_, grace_ms);
  }
  void Restart();

  void SetHealth(annals_health_phase phase) {
    annals_health_set_phase(&health_, phase);
  }

  // What clients get, on a connection of the object's own.
  Reply Append(const AppendRequest &request);
  Reply Append(const std::string &arn, const std::vector<std::string> &events);
  Reply Get(const PageRequest &request);
  RpcClient &client() {
    return *client_;
  }

  // The frames that the engine holds, and the domain's clock.
  std::string StoredFrames(const std::string &arn);
  void SetTime(int64_t seconds) {
    now_us_ = seconds * 1000000;
  }

 private:
  static int64_t NowUs(void *context);

  ServiceOptions options_;
  annals_health health_ = {};
  TempDir dir_;
  annals_store *faulty_ = nullptr;
  std::unique_ptr<WatchedStore> watched_;
  annals_token_key *token_key_ = nullptr;
  annals_schema *schema_ = nullptr;
  annals_history *history_ = nullptr;
  annals_rpc_server *rpc_ = nullptr;
  std::unique_ptr<RpcClient> client_;
  std::atomic<int64_t> now_us_{(kStartSeconds + 1000) * 1000000};
};

// The ARN of an execution of that name.
std::string Arn(const std::string &name = "e");

// Checks that a call succeeded, and gives what it answered.
AppendResult Appended(const Reply &reply);
PageResult Page(const Reply &reply);

// Checks everything that all failures have in common, and the code and reason of this one.
void ExpectFailure(const Reply &reply, int code, const std::string &reason,
                   const std::map<std::string, std::string> &metadata = {});

}  // namespace annals_test

#endif
