/* A history on the real engine, behind a store that can go wrong and be slow, with a clock to set.
 */
#ifndef ANNALS_TESTS_HISTORY_HISTORY_TEST_SUPPORT_H_
#define ANNALS_TESTS_HISTORY_HISTORY_TEST_SUPPORT_H_

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

extern "C" {
#include "server/history/append.h"
#include "server/history/delete.h"
#include "server/history/describe.h"
#include "server/history/enum_name.h"
#include "server/history/error.h"
#include "server/history/list.h"
#include "server/history/page.h"
#include "server/history/token_key.h"
#include "storage/rocksdb/rocksdb_store.h"
#include "tests/storage/faulty_store.h"
}

#include "tests/proto/codec_test_support.h"

namespace annals_test {

extern const char kArn[];
extern const char kStateMachine[]; /* of kArn */

/* What an operation ended with, as values. */
struct Outcome {
  bool ok = false;
  std::string reason; /* name of the reason, "" when ok */
  std::string message;
  std::map<std::string, std::string> metadata;
  std::vector<std::string> violations; /* field=value: constraint */
};

struct Appended : Outcome {
  int64_t last_event_id = 0;
  int appended = 0;
  int already_stored = 0;
  int adjusted = 0;
};

struct Paged : Outcome {
  std::vector<std::string> events; /* as encoded: without their frames */
  std::string bytes;
  std::string token; /* "" on the last page */
};

/* What the first append may say. */
struct FirstAppend {
  std::string state_machine_arn;
  std::string map_run_arn;
  int32_t item_count = 0;
  std::string trace_header;
  int encryption_type = -1; /* not given */
  std::string kms_key_id = {};
  int32_t reuse_seconds = 0;
};

struct PageQuery {
  std::string arn = kArn;
  int64_t max_results = 0;
  std::string token;
  bool reverse = false;
  bool data = true;
};

/* Names and values of the members that are there; times as seconds.nanos. */
using Members = std::map<std::string, std::string>;

struct Described : Outcome {
  Members members;
};

struct DescribeQuery {
  std::optional<std::string> arn = kArn;
  std::optional<std::string> included_data;
};

struct Listed : Outcome {
  std::vector<std::string> arns;
  std::vector<Members> members;
  size_t bytes = 0;
  std::string token; /* "" on the last page */
};

struct ListQuery {
  std::optional<std::string> state_machine = kStateMachine;
  std::optional<std::string> map_run;
  std::optional<std::string> status;
  std::optional<std::string> redrive;
  int64_t max_results = 0;
  std::optional<std::string> token;
};

class HistoryTest : public testing::Test {
 protected:
  HistoryTest();
  ~HistoryTest() override;

  /* Closes the store, opens it, and does both. */
  void Close();
  void Open();
  void Reopen();
  /* Makes a new history with other limits. */
  void SetLimits(size_t page_bytes_max, size_t page_scan_bytes_max);

  Appended Append(const std::vector<std::string> &events, const std::string &arn = kArn,
                  const FirstAppend &first = {});
  Paged Page(const PageQuery &query = {});
  /* All pages, joined. */
  std::vector<std::string> All(PageQuery query = {});
  /* Memory: the query's. */
  annals_page_request RequestOf(const PageQuery &query) const;

  Described Describe(const DescribeQuery &query = {});
  Listed List(const ListQuery &query = {});
  /* The ARNs of all pages, joined. */
  std::vector<std::string> ListAll(ListQuery query = {});
  Outcome Delete(const std::optional<std::string> &arn = kArn);

  Schema schema_;
  int64_t now_us_ = 1000 * int64_t{1000000};
  annals_store *store_ = nullptr; /* the faulty one */
  annals_history *history_ = nullptr;
  const annals_principal *principal_ = nullptr; /* who asks */
  struct annals_history_options options_ = {};
  const annals_cancel *cancel_ = nullptr; /* of what is to come */
  std::string dir_;
  size_t cache_bytes_ = 0; /* of a store that is opened; 0: the engine decides */

 private:
  annals_token_key *key_ = nullptr;
};

/* Events as clients would serialise them. */
std::string Started(int64_t seconds = 100);
std::string Entered(int64_t id, int64_t seconds = 0, const std::string &input = "{}");
std::string Succeeded(int64_t id, int64_t seconds = 0);
std::string Typed(int type, int64_t id, const std::string &details = "");

/* ExecutionStarted and count - 1 states entered, a second apart. */
std::vector<std::string> Chain(int count, const std::string &input = "{}");

}  // namespace annals_test

#endif
