#include "tests/rpc/service.h"

#include "server/history/error.h"
#include "server/history/token_key.h"
#include "storage/rocksdb/rocksdb_store.h"

namespace annals_test {

ServiceOptions Threads(unsigned thread_count) {
  ServiceOptions options;
  options.rpc.thread_count = thread_count;
  return options;
}

Service::Service(const ServiceOptions &options) : options_(options) {
  GError *error = nullptr;
  const std::string path = dir_.path() + "/rocksdb";
  annals_rocksdb_options rocksdb = {};
  rocksdb.path = path.c_str();
  annals_store *engine = nullptr;
  g_assert(annals_rocksdb_open(&rocksdb, &engine, &error));
  faulty_ = annals_faulty_store_new(engine);
  watched_ = std::make_unique<WatchedStore>(faulty_);
  token_key_ = annals_token_key_load_or_create((dir_.path() + "/key").c_str(), &error);
  g_assert_no_error(error);
  schema_ = annals_schema_new();
  struct annals_history_options history = {};
  history.store = watched_->store();
  history.schema = schema_;
  history.token_key = token_key_;
  history.page_token_ttl_s = kTokenTtlSeconds;
  history.page_bytes_max = options_.page_bytes_max;
  history.now_us = NowUs;
  history.now_context = this;
  history_ = annals_history_new(&history);
  SetHealth(ANNALS_HEALTH_READY);
  Restart();
}

Service::~Service() {
  client_.reset();
  annals_faulty_store_set_held(faulty_, false);
  annals_rpc_server_free(rpc_);
  annals_history_free(history_);
  annals_schema_free(schema_);
  annals_token_key_free(token_key_);
  faulty_->ops->close(faulty_);
}

void Service::Restart() {
  GError *error = nullptr;
  client_.reset();
  annals_rpc_server_free(rpc_);
  annals_rpc_options options = options_.rpc;
  options.address = "127.0.0.1:0";
  options.health = &health_;
  rpc_ = annals_rpc_server_bind(&options, &error);
  g_assert_no_error(error);
  annals_rpc_server_start(rpc_, history_);
  client_ = std::make_unique<RpcClient>(port());
}

int64_t Service::NowUs(void *context) {
  return static_cast<Service *>(context)->now_us_;
}

void Service::Fail(unsigned operations, annals_store_outcome outcome, int times, bool done) {
  annals_fault fault = {};
  fault.operations = operations;
  fault.outcome = outcome;
  fault.times = times;
  fault.done = done;
  annals_faulty_store_inject(faulty_, &fault);
}

Reply Service::Append(const AppendRequest &request) {
  return client_->Call(kAppendPath, request.Bytes());
}

Reply Service::Append(const std::string &arn, const std::vector<std::string> &events) {
  AppendRequest request;
  request.arn = arn;
  request.events = events;
  return Append(request);
}

Reply Service::Get(const PageRequest &request) {
  return client_->Call(kPagePath, request.Bytes());
}

std::string Service::StoredFrames(const std::string &arn) {
  std::string frames;
  for (const ReadRun &run : Read(faulty_, arn, 1, false).runs) {
    frames += run.frames;
  }
  return frames;
}

std::string Arn(const std::string &name) {
  return "arn:aws:states:us-east-1:123456789012:execution:M:" + name;
}

AppendResult Appended(const Reply &reply) {
  EXPECT_EQ(reply.code, GRPC_STATUS_OK) << reply.message;
  EXPECT_TRUE(reply.body.has_value());
  return ReadAppendResult(reply.body.value_or(""));
}

PageResult Page(const Reply &reply) {
  EXPECT_EQ(reply.code, GRPC_STATUS_OK) << reply.message;
  EXPECT_TRUE(reply.body.has_value());
  return ReadPageResult(reply.body.value_or(""));
}

void ExpectFailure(const Reply &reply, int code, const std::string &reason,
                   const std::map<std::string, std::string> &metadata) {
  EXPECT_EQ(reply.code, code) << reply.message;
  EXPECT_FALSE(reply.body.has_value());
  ASSERT_TRUE(reply.has_details) << reply.message;
  EXPECT_NE(reply.message, "");
  EXPECT_EQ(reply.error.code, code);
  EXPECT_EQ(reply.error.message, reply.message);
  EXPECT_EQ(reply.error.reason, reason) << reply.message;
  EXPECT_EQ(reply.error.domain, "annals.v1");
  EXPECT_EQ(reply.error.metadata, metadata) << reply.message;
  EXPECT_LT(reply.error.bytes, 4096u);
  ASSERT_FALSE(reply.error.types.empty());
  EXPECT_EQ(reply.error.types[0], "ErrorInfo");
}

}  // namespace annals_test
