#include "client/annals.h"

#include <gtest/gtest.h>

#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "client/error.h"
#include "tests/client/fake_server.h"

namespace annals {
namespace {

const char kArn[] = "arn:aws:states:us-east-1:123456789012:execution:HelloWorld:test";

struct annals_client *Open(const std::string &endpoint, int64_t timeout_ms = 0) {
  struct annals_client_options options = {};
  options.endpoint = endpoint.c_str();
  options.timeout_ms = timeout_ms;
  options.attempts_max = 1;
  GError *error = nullptr;
  struct annals_client *client = annals_client_open(&options, &error);
  EXPECT_NE(client, nullptr) << error->message;
  return client;
}

// What a failure was, as text; clears it.
std::string Describe(GError **error) {
  std::string text = std::string(annals_client_code_name((*error)->code)) + " " +
                     annals_client_error_reason(*error) + ": " + (*error)->message;
  g_clear_error(error);
  return text;
}

class Client : public ::testing::Test {
 protected:
  Client() : server_(std::ref(histories_)), client_(Open(server_.endpoint())) {
  }

  ~Client() override {
    annals_client_close(client_);
    g_clear_error(&error_);
  }

  bool Append(const std::vector<std::string> &events) {
    std::vector<struct annals_client_event> views;
    for (const std::string &event : events) {
      views.push_back({reinterpret_cast<const uint8_t *>(event.data()), event.size()});
    }
    struct annals_client_append_request request = {};
    request.execution_arn = kArn;
    request.event_bytes = views.data();
    request.event_count = views.size();
    return annals_client_append(client_, &request, &result_, &error_);
  }

  void AppendMany(int count) {
    std::vector<std::string> events;
    for (int id = 1; id <= count; id++) {
      events.push_back(EventBytes(id));
    }
    ASSERT_TRUE(Append(events));
  }

  FakeHistories histories_;
  FakeServer server_;
  struct annals_client *client_;
  struct annals_client_append_result result_ = {};
  GError *error_ = nullptr;
};

TEST_F(Client, AppendsBytes) {
  ASSERT_TRUE(Append({EventBytes(1), EventBytes(2)}));
  EXPECT_EQ(result_.last_event_id, 2);
  EXPECT_EQ(result_.appended_count, 2);
  EXPECT_EQ(result_.already_stored_count, 0);
  ASSERT_TRUE(Append({EventBytes(2), EventBytes(3)}));
  EXPECT_EQ(result_.last_event_id, 3);
  EXPECT_EQ(result_.appended_count, 1);
  EXPECT_EQ(result_.already_stored_count, 1);
}

TEST_F(Client, AppendsStructures) {
  Annals__V1__HistoryEvent event = ANNALS__V1__HISTORY_EVENT__INIT;
  event.id = 1;
  event.type = ANNALS__V1__HISTORY_EVENT_TYPE__HISTORY_EVENT_TYPE_MAP_RUN_ABORTED;
  const Annals__V1__HistoryEvent *events[] = {&event};
  struct annals_client_append_request request = {};
  request.execution_arn = kArn;
  request.events = events;
  request.event_count = 1;
  ASSERT_TRUE(annals_client_append(client_, &request, &result_, &error_));
  ASSERT_EQ(histories_.Get(kArn).size(), 1u);
  EXPECT_EQ(histories_.Get(kArn)[0], std::string("\x10\x38\x18\x01", 4));
}

TEST_F(Client, AppendSendsWhatTheFirstOneTells) {
  std::mutex mutex;
  std::string sent;
  FakeServer server([&](const std::string &, const std::string &request) {
    std::lock_guard<std::mutex> lock(mutex);
    sent = request;
    return FakeReply();
  });
  struct annals_client *client = Open(server.endpoint());
  struct annals_client_append_request request = {};
  request.execution_arn = "a";
  request.state_machine_arn = "s";
  request.map_run_arn = "m";
  request.item_count = 300;
  request.trace_header = "t";
  Annals__V1__EncryptionConfiguration encryption = ANNALS__V1__ENCRYPTION_CONFIGURATION__INIT;
  encryption.type = ANNALS__V1__ENCRYPTION_TYPE__ENCRYPTION_TYPE_CUSTOMER_MANAGED_KMS_KEY;
  encryption.kms_key_id = const_cast<char *>("k");
  encryption.kms_data_key_reuse_period_seconds = 60;
  request.encryption = &encryption;
  EXPECT_TRUE(annals_client_append(client, &request, &result_, &error_));
  EXPECT_EQ(result_.last_event_id, 0);
  std::lock_guard<std::mutex> lock(mutex);
  EXPECT_EQ(sent, std::string("\x0a\x01"
                              "a\x1a\x01"
                              "s\x22\x01"
                              "m\x28\xac\x02\x32\x01"
                              "t\x3a\x07\x08\x02\x12\x01"
                              "k\x18<"));
  annals_client_close(client);
}

TEST_F(Client, AppendOverTheTransportsLimitIsRefusedHere) {
  EXPECT_FALSE(Append(std::vector<std::string>(9, EventBytes(1, 1000000))));
  EXPECT_EQ(Describe(&error_),
            "INVALID_ARGUMENT LIMIT_EXCEEDED: an append is at most 8388608 bytes, its events at "
            "most 4194304");
  EXPECT_EQ(histories_.append_counts().size(), 0u);
}

TEST_F(Client, GapTellsTheExpectedId) {
  EXPECT_FALSE(Append({EventBytes(5)}));
  ASSERT_NE(error_, nullptr);
  EXPECT_EQ(error_->domain, ANNALS_CLIENT_ERROR);
  EXPECT_EQ(error_->code, ANNALS_CLIENT_FAILED_PRECONDITION);
  EXPECT_STREQ(annals_client_error_reason(error_), "EVENT_GAP");
  EXPECT_STREQ(annals_client_error_metadata(error_, "expected_event_id"), "1");
  EXPECT_EQ(annals_client_error_metadata(error_, "colour"), nullptr);
  int64_t delay_ms;
  EXPECT_FALSE(annals_client_error_is_retriable(error_, &delay_ms));
  EXPECT_STREQ(error_->message, "event 1 is next");
}

TEST_F(Client, ReadsAPage) {
  AppendMany(3);
  struct annals_client_page_request request = {};
  request.execution_arn = kArn;
  request.max_results = 2;
  struct annals_client_page *page = nullptr;
  ASSERT_TRUE(annals_client_read_page(client_, &request, &page, &error_));
  ASSERT_EQ(annals_client_page_event_count(page), 2u);
  struct annals_client_event bytes = annals_client_page_event_bytes(page, 1);
  EXPECT_EQ(std::string(reinterpret_cast<const char *>(bytes.data), bytes.size), EventBytes(2));
  const Annals__V1__HistoryEvent *event = annals_client_page_event(page, 1, &error_);
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(event->id, 2);
  EXPECT_STREQ(event->state_entered_event_details->name, "HelloWorld");
  EXPECT_EQ(annals_client_page_event(page, 1, &error_), event);
  EXPECT_STREQ(annals_client_page_next_token(page), "2");
  annals_client_page_free(page);
}

TEST_F(Client, PageOutlivesTheClient) {
  AppendMany(1);
  struct annals_client_page_request request = {};
  request.execution_arn = kArn;
  struct annals_client *client = Open(server_.endpoint());
  struct annals_client_page *page = nullptr;
  ASSERT_TRUE(annals_client_read_page(client, &request, &page, &error_));
  annals_client_close(client);
  EXPECT_EQ(annals_client_page_event(page, 0, &error_)->id, 1);
  EXPECT_STREQ(annals_client_page_next_token(page), "");
  annals_client_page_free(page);
}

TEST_F(Client, UnknownExecution) {
  struct annals_client_page_request request = {};
  request.execution_arn = kArn;
  struct annals_client_page *page = nullptr;
  EXPECT_FALSE(annals_client_read_page(client_, &request, &page, &error_));
  EXPECT_EQ(page, nullptr);
  EXPECT_STREQ(annals_client_error_metadata(error_, "execution_arn"), kArn);
  EXPECT_EQ(Describe(&error_), "NOT_FOUND EXECUTION_DOES_NOT_EXIST: Execution Does Not Exist: '" +
                                   std::string(kArn) + "'");
}

std::vector<int64_t> IdsByPager(struct annals_client *client, int max_results, bool reverse) {
  struct annals_client_page_request request = {};
  request.execution_arn = kArn;
  request.max_results = max_results;
  request.reverse_order = reverse;
  struct annals_client_pager *pager = annals_client_pager_new(client, &request);
  std::vector<int64_t> ids;
  GError *error = nullptr;
  const Annals__V1__HistoryEvent *event = nullptr;
  while (annals_client_pager_next_event(pager, &event, &error) && event != nullptr) {
    ids.push_back(event->id);
  }
  EXPECT_EQ(error, nullptr);
  // The end is the end.
  EXPECT_TRUE(annals_client_pager_next_event(pager, &event, &error));
  EXPECT_EQ(event, nullptr);
  annals_client_pager_free(pager);
  return ids;
}

TEST_F(Client, PagerGivesEveryEventOnce) {
  AppendMany(7);
  std::vector<int64_t> forward = {1, 2, 3, 4, 5, 6, 7};
  std::vector<int64_t> backward(forward.rbegin(), forward.rend());
  for (int max_results : {0, 1, 2, 3, 7, 1000}) {
    EXPECT_EQ(IdsByPager(client_, max_results, false), forward) << max_results;
    EXPECT_EQ(IdsByPager(client_, max_results, true), backward) << max_results;
  }
}

TEST_F(Client, PagerAsksAgainAfterAFailure) {
  AppendMany(3);
  struct annals_client_page_request request = {};
  request.execution_arn = kArn;
  request.max_results = 2;
  struct annals_client_pager *pager = annals_client_pager_new(client_, &request);
  struct annals_client_page *page = nullptr;
  ASSERT_TRUE(annals_client_pager_next(pager, &page, &error_));
  EXPECT_EQ(annals_client_page_event_count(page), 2u);
  histories_.ReplyNext({8, "busy", StatusDetails("OVERLOADED", {}, 1500)});
  EXPECT_FALSE(annals_client_pager_next(pager, &page, &error_));
  int64_t delay_ms = 0;
  EXPECT_TRUE(annals_client_error_is_retriable(error_, &delay_ms));
  EXPECT_EQ(delay_ms, 1500);
  EXPECT_EQ(Describe(&error_), "RESOURCE_EXHAUSTED OVERLOADED: busy");
  ASSERT_TRUE(annals_client_pager_next(pager, &page, &error_));
  ASSERT_EQ(annals_client_page_event_count(page), 1u);
  EXPECT_EQ(annals_client_page_event(page, 0, &error_)->id, 3);
  ASSERT_TRUE(annals_client_pager_next(pager, &page, &error_));
  EXPECT_EQ(page, nullptr);
  annals_client_pager_free(pager);
}

TEST_F(Client, PageOfMoreThanGrpcsDefaultLimit) {
  for (int id = 1; id <= 7; id++) {
    ASSERT_TRUE(Append({EventBytes(id, 1000000)}));
  }
  struct annals_client_page_request request = {};
  request.execution_arn = kArn;
  struct annals_client_page *page = nullptr;
  ASSERT_TRUE(annals_client_read_page(client_, &request, &page, &error_)) << error_->message;
  EXPECT_EQ(annals_client_page_event_count(page), 7u);
  annals_client_page_free(page);
}

TEST_F(Client, OddAnswers) {
  struct annals_client_page_request request = {};
  request.execution_arn = kArn;
  struct annals_client_page *page = nullptr;
  FakeReply reply;
  reply.body = "\x0a\x7f";
  histories_.ReplyNext(reply);
  EXPECT_FALSE(annals_client_read_page(client_, &request, &page, &error_));
  EXPECT_EQ(Describe(&error_),
            "INTERNAL : the server's answer is not a GetExecutionHistoryResponse");
  histories_.ReplyNext(reply);
  EXPECT_FALSE(Append({EventBytes(1)}));
  EXPECT_EQ(Describe(&error_),
            "INTERNAL : the server's answer is not an AppendHistoryEventsResponse");
  // A field that is not known yet, and an event that is none.
  reply.body = std::string("\x98\x06\x01\x0a\x01\xff", 6);
  histories_.ReplyNext(reply);
  ASSERT_TRUE(annals_client_read_page(client_, &request, &page, &error_));
  ASSERT_EQ(annals_client_page_event_count(page), 1u);
  EXPECT_EQ(annals_client_page_event(page, 0, &error_), nullptr);
  EXPECT_EQ(Describe(&error_),
            "INTERNAL : the server's answer holds something that is no HistoryEvent");
  annals_client_page_free(page);
}

TEST_F(Client, AnswerWithoutMessage) {
  FakeReply reply;
  reply.without_body = true;
  histories_.ReplyNext(reply);
  EXPECT_FALSE(Append({EventBytes(1)}));
  EXPECT_EQ(error_->code, ANNALS_CLIENT_INTERNAL);
}

TEST(ClientConnection, NobodyListens) {
  std::string endpoint;
  {
    FakeHistories histories;
    FakeServer server(std::ref(histories));
    endpoint = server.endpoint();
  }
  struct annals_client *client = Open(endpoint);
  struct annals_client_page_request request = {};
  request.execution_arn = kArn;
  struct annals_client_page *page = nullptr;
  GError *error = nullptr;
  int64_t delay_ms;
  EXPECT_FALSE(annals_client_read_page(client, &request, &page, &error));
  EXPECT_EQ(error->code, ANNALS_CLIENT_UNAVAILABLE);
  EXPECT_STREQ(annals_client_error_reason(error), "");
  EXPECT_TRUE(annals_client_error_is_retriable(error, &delay_ms));
  EXPECT_EQ(delay_ms, 0);
  g_error_free(error);
  annals_client_close(client);
}

TEST(ClientConnection, DeadlinePasses) {
  FakeServer server([](const std::string &, const std::string &) {
    FakeReply reply;
    reply.delay_ms = 300;
    return reply;
  });
  struct annals_client *client = Open(server.endpoint(), 50);
  struct annals_client_page_request request = {};
  request.execution_arn = kArn;
  struct annals_client_page *page = nullptr;
  GError *error = nullptr;
  EXPECT_FALSE(annals_client_read_page(client, &request, &page, &error));
  EXPECT_EQ(error->code, ANNALS_CLIENT_DEADLINE_EXCEEDED);
  g_error_free(error);
  annals_client_close(client);
}

TEST_F(Client, ManyThreadsShareAClient) {
  AppendMany(20);
  std::vector<std::thread> threads;
  std::vector<size_t> counts(8);
  for (size_t i = 0; i < counts.size(); i++) {
    threads.emplace_back(
        [this, i, &counts] { counts[i] = IdsByPager(client_, 3, i % 2 == 1).size(); });
  }
  for (std::thread &thread : threads) {
    thread.join();
  }
  EXPECT_EQ(counts, std::vector<size_t>(8, 20));
}

TEST(ClientEndpoint, MustBeHostAndPort) {
  for (const char *endpoint :
       {"", "localhost", ":50051", "localhost:", "localhost:0", "localhost:65536", "localhost:+80",
        "http://localhost:80", "::1:80", "[::1]", "unix:/tmp/x", "a b:80"}) {
    struct annals_client_options options = {};
    options.endpoint = endpoint;
    GError *error = nullptr;
    EXPECT_EQ(annals_client_open(&options, &error), nullptr) << endpoint;
    EXPECT_EQ(Describe(&error),
              "INVALID_ARGUMENT : endpoint '" + std::string(endpoint) + "' is not HOST:PORT");
  }
  for (const char *endpoint : {"localhost:1", "127.0.0.1:65535", "[::1]:80"}) {
    annals_client_close(Open(endpoint));
  }
  annals_client_close(nullptr);
}

TEST(ClientError, WithoutDetails) {
  GError *error = nullptr;
  annals_client_error_set_status(&error, 14, "gone \xff", nullptr, 0);
  EXPECT_EQ(Describe(&error), "UNAVAILABLE : gone \xef\xbf\xbd");
}

TEST(ClientError, DamagedDetailsAreLeftOut) {
  std::string details = StatusDetails("EVENT_GAP", {{"expected_event_id", "7"}}, 20);
  for (size_t size = 0; size < details.size(); size++) {
    GError *error = nullptr;
    annals_client_error_set_status(&error, 9, "gap",
                                   reinterpret_cast<const uint8_t *>(details.data()), size);
    EXPECT_EQ(error->code, 9);
    EXPECT_STREQ(error->message, "gap");
    g_error_free(error);
  }
}

TEST(ClientError, CopiesKeepEverything) {
  std::string details = StatusDetails("NO_SPACE", {{"free_bytes", "12"}}, 5250);
  GError *error = nullptr;
  annals_client_error_set_status(&error, 14, "full",
                                 reinterpret_cast<const uint8_t *>(details.data()), details.size());
  GError *copy = g_error_copy(error);
  g_error_free(error);
  int64_t delay_ms = 0;
  EXPECT_STREQ(annals_client_error_metadata(copy, "free_bytes"), "12");
  EXPECT_TRUE(annals_client_error_is_retriable(copy, &delay_ms));
  EXPECT_EQ(delay_ms, 5250);
  EXPECT_EQ(Describe(&copy), "UNAVAILABLE NO_SPACE: full");
}

TEST(ClientError, OutcomeUnknownIsRetriableWithoutRetryInfo) {
  std::string details = StatusDetails("OUTCOME_UNKNOWN", {});
  GError *error = nullptr;
  annals_client_error_set_status(&error, 14, "?", reinterpret_cast<const uint8_t *>(details.data()),
                                 details.size());
  int64_t delay_ms = -1;
  EXPECT_TRUE(annals_client_error_is_retriable(error, &delay_ms));
  EXPECT_EQ(delay_ms, 0);
  g_error_free(error);
}

TEST(ClientError, OfAnotherDomain) {
  GError *error = g_error_new_literal(g_quark_from_static_string("x"), 1, "x");
  int64_t delay_ms;
  EXPECT_STREQ(annals_client_error_reason(error), "");
  EXPECT_EQ(annals_client_error_metadata(error, "a"), nullptr);
  EXPECT_FALSE(annals_client_error_is_retriable(error, &delay_ms));
  EXPECT_STREQ(annals_client_code_name(99), "UNKNOWN");
  g_error_free(error);
}

}  // namespace
}  // namespace annals
