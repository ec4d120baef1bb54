// What gRPC's core does to a server that is not careful, one trap for each test.

#include <sys/resource.h>
#include <zlib.h>

#include <algorithm>
#include <thread>

#include "tests/rpc/service.h"

namespace annals_test {
namespace {

enum { RECEIVE_MAX = ANNALS_RPC_RECEIVE_BYTES_MAX, NAME_BYTES = 200 };

std::string BytesOfSize(size_t size) {
  // An unknown field of the append, or of the page: what it holds does not matter.
  std::string message = BytesField(15, std::string(size - 6, 'x'));
  message.resize(size, 'x');
  return message;
}

TEST(Transport, AnswersACallWithoutAMessage) {
  Service service;
  CallOptions options;
  options.without_message = true;
  Reply reply = service.client().Call(kAppendPath, "", options);
  ExpectFailure(reply, GRPC_STATUS_INVALID_ARGUMENT, "INVALID_ARN");
  reply = service.client().Call(kPagePath, "", options);
  ExpectFailure(reply, GRPC_STATUS_INVALID_ARGUMENT, "INVALID_REQUEST",
                {{"field", "execution_arn"}});
}

TEST(Transport, AnswersAnEmptyMessage) {
  Service service;
  ExpectFailure(service.client().Call(kAppendPath, ""), GRPC_STATUS_INVALID_ARGUMENT,
                "INVALID_ARN");
  ExpectFailure(service.client().Call(kPagePath, ""), GRPC_STATUS_INVALID_ARGUMENT,
                "INVALID_REQUEST", {{"field", "execution_arn"}});
}

TEST(Transport, AnswersGarbage) {
  Service service;
  for (const std::string &message : {std::string("\xff\xff\xff\xff"), std::string(100, '\0'),
                                     std::string("\x0a\x05"), std::string(34 * 1024, '\x0b')}) {
    for (const char *path : {kAppendPath, kPagePath}) {
      ExpectFailure(service.client().Call(path, message), GRPC_STATUS_INVALID_ARGUMENT,
                    "INVALID_REQUEST", {{"field", "request"}});
    }
  }
}

TEST(Transport, AnswersUnknownMethodsUnimplemented) {
  Service service;
  const std::string service_name = "/annals.v1.HistoryService/";
  for (const std::string &path :
       {service_name + "NoSuchMethod", std::string("/no.such.Service/GetExecutionHistory"),
        std::string("/"), std::string("/x"), std::string(kPagePath) + "/",
        service_name + "appendhistoryevents"}) {
    SCOPED_TRACE(path);
    for (bool without_message : {false, true}) {
      CallOptions options;
      options.without_message = without_message;
      Reply reply = service.client().Call(path, "anything", options);
      ExpectFailure(reply, GRPC_STATUS_UNIMPLEMENTED, "UNKNOWN_METHOD", {{"method", path}});
      EXPECT_EQ(reply.message, "there is no method " + path);
    }
  }
}

TEST(Transport, AnswersManyUnknownMethodsAtOnce) {
  Service service;
  std::vector<std::unique_ptr<PendingCall>> calls;
  for (int i = 0; i < 200; i++) {
    calls.push_back(service.client().Start("/x/" + std::to_string(i), "anything"));
  }
  for (auto &call : calls) {
    EXPECT_EQ(call->Wait().code, GRPC_STATUS_UNIMPLEMENTED);
  }
}

TEST(Transport, CutsTheNameOfALongUnknownMethod) {
  Service service;
  const std::string path = "/" + std::string(4000, 'x');
  Reply reply = service.client().Call(path, "");
  ExpectFailure(reply, GRPC_STATUS_UNIMPLEMENTED, "UNKNOWN_METHOD",
                {{"method", path.substr(0, 200)}});
  EXPECT_EQ(reply.message, "there is no method " + path.substr(0, 200));
}

TEST(Transport, TakesMessagesUpToEightMebibytes) {
  Service service;
  ExpectFailure(service.client().Call(kAppendPath, BytesOfSize(RECEIVE_MAX)),
                GRPC_STATUS_INVALID_ARGUMENT, "INVALID_REQUEST", {{"field", "request"}});
  for (const char *path : {kAppendPath, kPagePath}) {
    Reply reply = service.client().Call(path, BytesOfSize(RECEIVE_MAX + 1));
    EXPECT_EQ(reply.code, GRPC_STATUS_RESOURCE_EXHAUSTED) << reply.message;
    EXPECT_NE(reply.message.find("larger than max"), std::string::npos) << reply.message;
  }
  EXPECT_EQ(Appended(service.Append(Arn(), PlainEvents(1, 1))).appended, 1);
}

TEST(Transport, TakesCompressedRequests) {
  Service service;
  for (grpc_compression_algorithm how : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
    RpcClient client(service.port(), how);
    AppendRequest request;
    request.arn = Arn("compressed" + std::to_string(how));
    request.events = PlainEvents(1, 50, 1000);
    EXPECT_EQ(Appended(client.Call(kAppendPath, request.Bytes())).appended, 50);
    PageRequest page;
    page.arn = request.arn;
    EXPECT_EQ(Page(client.Call(kPagePath, page.Bytes())).events, request.events);
  }
}

// Zeros that are a thousandth of their size on the way.
std::string GzippedZeros(size_t size) {
  z_stream stream = {};
  g_assert(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) ==
           Z_OK);
  std::string zeros(1 << 20, '\0');
  std::string out;
  std::string piece(1 << 20, '\0');
  for (size_t done = 0; done < size; done += zeros.size()) {
    stream.next_in = reinterpret_cast<Bytef *>(&zeros[0]);
    stream.avail_in = static_cast<uInt>(zeros.size());
    stream.next_out = reinterpret_cast<Bytef *>(&piece[0]);
    stream.avail_out = static_cast<uInt>(piece.size());
    deflate(&stream, done + zeros.size() < size ? Z_NO_FLUSH : Z_FINISH);
    out.append(piece, 0, piece.size() - stream.avail_out);
  }
  deflateEnd(&stream);
  return out;
}

int64_t PeakMemoryBytes() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * int64_t{1024};
}

TEST(Transport, RefusesMessagesThatUnpackToMoreThanEightMebibytes) {
  Service service;
  RpcClient client(service.port(), GRPC_COMPRESS_GZIP);
  CallOptions options;
  options.compressed = true;
  const std::string bomb = GzippedZeros(256 << 20);
  const int64_t before = PeakMemoryBytes();
  Reply reply = client.Call(kAppendPath, bomb, options);
  ExpectFailure(reply, GRPC_STATUS_INVALID_ARGUMENT, "LIMIT_EXCEEDED",
                {{"field", "request"}, {"limit", "8388608"}});
  EXPECT_LT(PeakMemoryBytes() - before, 64 << 20);
}

TEST(Transport, RefusesMessagesThatCannotBeUnpacked) {
  Service service;
  RpcClient client(service.port(), GRPC_COMPRESS_GZIP);
  CallOptions options;
  options.compressed = true;
  const std::string whole = GzippedZeros(1 << 20);
  for (const std::string &bytes :
       {std::string("no gzip"), whole.substr(0, whole.size() / 2), whole + "more", std::string()}) {
    ExpectFailure(client.Call(kAppendPath, bytes, options), GRPC_STATUS_INVALID_ARGUMENT,
                  "INVALID_REQUEST", {{"field", "request"}});
  }
}

// What a stack of 34 KB costs a parser that builds objects.
TEST(Transport, RefusesAMessageOfManyEmptyOrNestedMessages) {
  Service service;
  std::string empty;
  std::string parts;
  for (int i = 0; i < 17000; i++) {
    empty += BytesField(2, "");
    parts += BytesField(1, "");
  }
  std::string nested;
  while (nested.size() < 34000) {
    nested = BytesField(STATE_ENTERED_DETAILS, nested);
  }
  const std::string arn = BytesField(1, Arn());
  ExpectFailure(service.client().Call(kAppendPath, arn + empty), GRPC_STATUS_INVALID_ARGUMENT,
                "LIMIT_EXCEEDED", {{"field", "events"}, {"limit", "1000"}});
  ExpectFailure(service.client().Call(kAppendPath, arn + BytesField(2, parts)),
                GRPC_STATUS_INVALID_ARGUMENT, "INVALID_EVENT",
                {{"event_index", "0"}, {"field", "id"}});
  ExpectFailure(service.client().Call(kAppendPath, arn + BytesField(2, nested)),
                GRPC_STATUS_INVALID_ARGUMENT, "INVALID_EVENT",
                {{"event_index", "0"}, {"field", "state_entered_event_details"}});
  // A reader ignores what it does not know, however deep.
  ExpectFailure(service.client().Call(kPagePath, arn + BytesField(9, nested)),
                GRPC_STATUS_NOT_FOUND, "EXECUTION_DOES_NOT_EXIST", {{"execution_arn", Arn()}});
}

TEST(Transport, SendsNoPageThatADefaultClientRefuses) {
  Service service;
  const std::vector<std::string> events = PlainEvents(1, 21, 250 * 1024);
  for (size_t i = 0; i < events.size(); i += 7) {
    ASSERT_EQ(Appended(service.Append(Arn(), {events.begin() + static_cast<ptrdiff_t>(i),
                                              events.begin() + static_cast<ptrdiff_t>(i) + 7}))
                  .appended,
              7);
  }
  for (bool reverse : {false, true}) {
    PageRequest request;
    request.arn = Arn();
    request.max_results = 1000;
    request.reverse = reverse;
    std::vector<std::string> seen;
    do {
      Reply reply = service.Get(request);
      PageResult page = Page(reply);
      EXPECT_LE(reply.body.value_or("").size(), 3584u * 1024);
      ASSERT_FALSE(page.events.empty());
      seen.insert(seen.end(), page.events.begin(), page.events.end());
      request.next_token = page.next_token;
    } while (!request.next_token.empty());
    if (reverse) {
      std::reverse(seen.begin(), seen.end());
    }
    EXPECT_EQ(seen, events);
  }
}

// The longest texts that a client can bring into an error of this service.
TEST(Transport, DeliversTheLongestErrorsUnderTheirOwnCode) {
  Service service;
  std::string name = "*";
  while (name.size() + 4 <= NAME_BYTES) {
    name += "\xf0\x9f\x98\x80";
  }
  ExpectFailure(service.Append(Arn(name), PlainEvents(1, 1)), GRPC_STATUS_INVALID_ARGUMENT,
                "INVALID_ARN");
  PageRequest request;
  request.arn = std::string(300, '\x7f');
  request.max_results = -2147483647;
  request.next_token = std::string(1 << 20, '\x7f');
  Reply reply = service.Get(request);
  ExpectFailure(reply, GRPC_STATUS_INVALID_ARGUMENT, "INVALID_REQUEST",
                {{"field", "execution_arn"}});
  EXPECT_EQ(reply.error.violations.size(), 3u);
}

// Messages for which there is no room wait with their clients, and all get their turn.
TEST(Transport, ReceivesAppendsWithinItsRoom) {
  enum { CLIENTS = 12 };
  ServiceOptions options;
  options.rpc.admitted_bytes_max = 4 << 20;
  Service service(options);
  std::vector<std::unique_ptr<RpcClient>> clients;
  std::vector<std::unique_ptr<PendingCall>> calls;
  for (int i = 0; i < CLIENTS; i++) {
    AppendRequest request;
    request.arn = Arn("n" + std::to_string(i));
    request.events = {PlainEvent(1).Bytes(), PlainEvent(2, 200000).Bytes(),
                      PlainEvent(3, 200000).Bytes()};
    clients.push_back(std::make_unique<RpcClient>(service.port()));
    calls.push_back(clients.back()->Start(kAppendPath, request.Bytes()));
  }
  for (auto &call : calls) {
    EXPECT_EQ(Appended(call->Wait()).appended, 3);
  }
}

// Room that is kept for a message which never comes must not keep out the others.
TEST(Transport, LetsNobodyWaitForAClientThatSendsNothing) {
  ServiceOptions options;
  options.rpc.thread_count = 1;  // takes calls in the order in which they come
  options.rpc.admitted_bytes_max = 4 << 20;
  Service service(options);
  CallOptions stalled;
  stalled.stalled = true;
  EXPECT_EQ(service.client().Call("/x", "").code, GRPC_STATUS_UNIMPLEMENTED);  // connects
  auto call = service.client().Start(kAppendPath, "", stalled);
  EXPECT_EQ(Appended(service.Append(Arn(), PlainEvents(1, 3))).appended, 3);
  call->Cancel();
}

// Clients that do not read their answers must not decide how much memory the server needs.
TEST(Transport, HoldsNoMoreThanItMay) {
  ServiceOptions options;
  options.rpc.held_bytes_max = 2000;
  Service service(options);
  EXPECT_EQ(Appended(service.Append(Arn(), PlainEvents(1, 5))).appended, 5);
  const Reply big = service.Append(Arn(), PlainEvents(6, 200));
  ExpectFailure(big, GRPC_STATUS_RESOURCE_EXHAUSTED, "OVERLOADED");
  EXPECT_EQ(big.error.retry_ms, 1000);
  for (int64_t id = 6; id <= 200; id += 5) {
    EXPECT_EQ(Appended(service.Append(Arn(), PlainEvents(id, id + 4))).appended, 5);
  }
  PageRequest request;
  request.arn = Arn();
  ExpectFailure(service.Get(request), GRPC_STATUS_RESOURCE_EXHAUSTED, "OVERLOADED");
  request.max_results = 2;
  EXPECT_EQ(service.Get(request).code, GRPC_STATUS_OK);
}

TEST(Transport, ServesManyClientsAtOnce) {
  enum { CLIENTS = 64, APPENDS = 4 };
  Service service(Threads(4));
  std::vector<std::thread> threads;
  for (int i = 0; i < CLIENTS; i++) {
    threads.emplace_back([&service, i] {
      RpcClient client(service.port());
      AppendRequest request;
      request.arn = Arn("client" + std::to_string(i));
      PageRequest page;
      page.arn = request.arn;
      for (int n = 0; n < APPENDS; n++) {
        request.events = PlainEvents(n * 10 + 1, n * 10 + 10);
        EXPECT_EQ(Appended(client.Call(kAppendPath, request.Bytes())).appended, 10);
        EXPECT_EQ(Page(client.Call(kPagePath, page.Bytes())).events, PlainEvents(1, n * 10 + 10));
      }
    });
  }
  for (std::thread &thread : threads) {
    thread.join();
  }
}

// More calls at once than there are slots for their method.
TEST(Transport, ServesMoreCallsAtOnceThanItHasSlots) {
  Service service(Threads(1));
  ASSERT_EQ(Appended(service.Append(Arn(), PlainEvents(1, 3))).appended, 3);
  PageRequest request;
  request.arn = Arn();
  std::vector<std::unique_ptr<PendingCall>> calls;
  for (int i = 0; i < 500; i++) {
    calls.push_back(service.client().Start(kPagePath, request.Bytes()));
  }
  for (auto &call : calls) {
    EXPECT_EQ(Page(call->Wait()).events.size(), 3u);
  }
}

}  // namespace
}  // namespace annals_test
