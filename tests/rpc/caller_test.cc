// Streams of callers who are not what they were any more.

#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "server/history/keyring.h"
#include "tests/rpc/service.h"

namespace annals_test {
namespace {

const char kAppend[] = "/annals.v1.HistoryService/AppendHistoryEventsStream";
const char kWatch[] = "/annals.v1.HistoryService/WatchExecutionHistory";
const char kReflection[] = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const char kEngine[] = "Bearer engine-0Uq2mXv7-one";
const char kWriter[] = "Bearer writer-0Uq2mXv7-two";

// The engine may do this; the writer may always append.
std::string Credentials(const std::string &engine) {
  return "[writer]\ntoken = writer-0Uq2mXv7-two\nallow = annals:* on *\n" + engine;
}

std::string Engine(const std::string &may, const std::string &more = "") {
  return "[engine]\ntoken = engine-0Uq2mXv7-one\n" + more + "allow = " + may + " on *\n";
}

// Somebody else.
std::string Other(const std::string &name) {
  return "[other-" + name + "]\ntoken = other-0Uq2mXv7-three-" + name + "\n";
}

const char kAll[] = "annals:*";

// A keyring of a file that changes.
class File {
 public:
  File() : path_(dir_.path() + "/credentials") {
    Write(Credentials(Engine(kAll)));
    keyring_ = annals_keyring_new(path_.c_str(), nullptr);
    g_assert(keyring_ != nullptr);
  }
  ~File() {
    annals_keyring_free(keyring_);
  }
  File(const File &) = delete;
  File &operator=(const File &) = delete;

  void Load(const std::string &credentials) {
    GError *error = nullptr;
    Write(credentials);
    EXPECT_TRUE(annals_keyring_reload(keyring_, &error)) << error->message;
  }

  annals_keyring *keyring() {
    return keyring_;
  }

 private:
  void Write(const std::string &credentials) {
    std::ofstream(path_) << credentials;
    g_assert(chmod(path_.c_str(), 0600) == 0);
  }

  TempDir dir_;
  std::string path_;
  annals_keyring *keyring_;
};

ServiceOptions Options(File &file, int heartbeat_ms = 0) {
  ServiceOptions options;
  options.rpc.keyring = file.keyring();
  options.rpc.heartbeat_ms = heartbeat_ms;
  return options;
}

std::string Request(int64_t first_id, int64_t last_id) {
  AppendRequest append;
  append.arn = Arn();
  append.events = PlainEvents(first_id, last_id);
  return BytesField(1, append.Bytes());
}

std::string Stored(int64_t last_id, int64_t count) {
  return BytesField(1, IntField(1, last_id) + IntField(2, count));
}

class Caller : public ::testing::Test {
 protected:
  std::unique_ptr<StreamCall> Open(const char *path, const char *as) {
    return service_.client().Open(path, 60000, as);
  }

  std::unique_ptr<StreamCall> Watch(const char *as = kEngine) {
    auto watch = Open(kWatch, as);
    EXPECT_TRUE(watch->Send(BytesField(1, Arn()), true));
    return watch;
  }

  // By the writer.
  void Put(int64_t first_id, int64_t last_id) {
    auto stream = Open(kAppend, kWriter);
    EXPECT_TRUE(stream->Send(Request(first_id, last_id), true));
    EXPECT_EQ(stream->Receive(), Stored(last_id, last_id - first_id + 1));
    EXPECT_EQ(stream->Receive(), std::nullopt);
  }

  static void ExpectUnknown(StreamCall &stream,
                            const std::string &message = "the bearer token is not known") {
    EXPECT_EQ(stream.Receive(), std::nullopt);
    ExpectFailure(stream.Finish(), GRPC_STATUS_UNAUTHENTICATED, "UNAUTHENTICATED",
                  {{"credential", "token"}});
    EXPECT_EQ(stream.Finish().message, message);
  }

  static void ExpectDenied(StreamCall &stream) {
    EXPECT_EQ(stream.Receive(), std::nullopt);
    ExpectFailure(
        stream.Finish(), GRPC_STATUS_PERMISSION_DENIED, "PERMISSION_DENIED",
        {{"principal", "engine"}, {"action", "annals:WatchExecutionHistory"}, {"resource", Arn()}});
  }

  File file_;
  Service service_{Options(file_)};
};

TEST_F(Caller, AppendsUntilItIsNotKnown) {
  auto stream = Open(kAppend, kEngine);
  ASSERT_TRUE(stream->Send(Request(1, 1)));
  EXPECT_EQ(stream->Receive(), Stored(1, 1));
  file_.Load(Credentials(Other("x")));
  ASSERT_TRUE(stream->Send(Request(2, 2)));
  ExpectUnknown(*stream);
  EXPECT_EQ(service_.StoredFrames(Arn()), FramesOf(PlainEvents(1, 1)));
}

TEST_F(Caller, AppendsWhatItMay) {
  auto stream = Open(kAppend, kEngine);
  ASSERT_TRUE(stream->Send(Request(1, 1)));
  EXPECT_EQ(stream->Receive(), Stored(1, 1));
  file_.Load(Credentials(Engine("annals:WatchExecutionHistory")));
  ASSERT_TRUE(stream->Send(Request(2, 2)));
  const std::string refusal = stream->Receive().value_or("");
  ErrorDetails error = ReadErrorDetails(refusal.substr(refusal.find('\x08')));
  EXPECT_EQ(error.code, GRPC_STATUS_PERMISSION_DENIED);
  EXPECT_EQ(error.reason, "PERMISSION_DENIED");
  EXPECT_EQ(error.metadata["action"], "annals:AppendHistoryEvents");
  file_.Load(Credentials(Engine(kAll)));
  ASSERT_TRUE(stream->Send(Request(2, 2)));
  EXPECT_EQ(stream->Receive(), Stored(2, 1));
}

TEST_F(Caller, GetsTheAnswersOfWhatWasSentBefore) {
  auto stream = Open(kAppend, kEngine);
  annals_faulty_store_set_pending(service_.store(), true);
  annals_faulty_store_set_held(service_.store(), true);
  ASSERT_TRUE(stream->Send(Request(1, 1)));
  service_.watched().WaitForCalls(1);
  file_.Load(Credentials(""));
  ASSERT_TRUE(stream->Send(Request(2, 2)));
  annals_faulty_store_set_held(service_.store(), false);
  EXPECT_EQ(stream->Receive(), Stored(1, 1));
  ExpectUnknown(*stream);
}

TEST_F(Caller, WatchesUntilItIsNotKnown) {
  Put(1, 1);
  auto watch = Watch();
  EXPECT_EQ(watch->Receive(), FramesOf(PlainEvents(1, 1)));
  file_.Load(Credentials(""));
  Put(2, 2);
  ExpectUnknown(*watch);
}

TEST_F(Caller, WatchesWhileItMay) {
  Put(1, 1);
  auto watch = Watch();
  EXPECT_EQ(watch->Receive(), FramesOf(PlainEvents(1, 1)));
  file_.Load(Credentials(Engine("annals:AppendHistoryEvents")));
  Put(2, 2);
  ExpectDenied(*watch);
}

TEST_F(Caller, GoesOnWhereItsOwnPartHasNotChanged) {
  Put(1, 1);
  auto watch = Watch();
  auto stream = Open(kAppend, kEngine);
  EXPECT_EQ(watch->Receive(), FramesOf(PlainEvents(1, 1)));
  for (int64_t id = 2; id <= 20; id++) {
    file_.Load(Credentials(Engine(kAll)) + Other(std::to_string(id)));
    ASSERT_TRUE(stream->Send(Request(id, id)));
    EXPECT_EQ(stream->Receive(), Stored(id, 1));
    EXPECT_EQ(watch->Receive(), FramesOf(PlainEvents(id, id)));
  }
}

TEST_F(Caller, IsNotKnownWhenItsTokenHasExpired) {
  // An hour after kStartSeconds + 1000, where the service's clock stands.
  file_.Load(Credentials(Engine(kAll, "expires = 2023-11-14T23:30:00Z\n")));
  Put(1, 1);
  auto watch = Watch();
  auto stream = Open(kAppend, kEngine);
  EXPECT_EQ(watch->Receive(), FramesOf(PlainEvents(1, 1)));
  ASSERT_TRUE(stream->Send(Request(1, 2)));
  EXPECT_NE(stream->Receive(), std::nullopt);
  EXPECT_EQ(watch->Receive(), FramesOf(PlainEvents(2, 2)));
  service_.SetTime(kStartSeconds + 100000);
  ASSERT_TRUE(stream->Send(Request(3, 3)));
  ExpectUnknown(*stream, "the bearer token has expired");
  Put(3, 3);
  ExpectUnknown(*watch, "the bearer token has expired");
}

TEST_F(Caller, AsksUntilItIsNotKnown) {
  auto stream = Open(kReflection, kEngine);
  ASSERT_TRUE(stream->Send(BytesField(7, "")));
  EXPECT_NE(stream->Receive(), std::nullopt);
  file_.Load(Credentials(""));
  ASSERT_TRUE(stream->Send(BytesField(7, "")));
  ExpectUnknown(*stream);
}

// Where nothing happens, the sign of life finds it.
TEST(SilentCaller, WatchesUntilItIsNotKnown) {
  File file;
  Service service(Options(file, 50));
  auto append = service.client().Open(kAppend, 60000, kWriter);
  ASSERT_TRUE(append->Send(Request(1, 1)));
  EXPECT_EQ(append->Receive(), Stored(1, 1));
  auto watch = service.client().Open(kWatch, 60000, kEngine);
  ASSERT_TRUE(watch->Send(BytesField(1, Arn()), true));
  EXPECT_EQ(watch->Receive(), FramesOf(PlainEvents(1, 1)));
  EXPECT_EQ(watch->Receive(), "");
  file.Load(Credentials(""));
  while (watch->Receive().has_value()) {
  }
  ExpectFailure(watch->Finish(), GRPC_STATUS_UNAUTHENTICATED, "UNAUTHENTICATED",
                {{"credential", "token"}});
}

// Reloads beside streams that run.
TEST_F(Caller, IsLookedForWhileCredentialsChange) {
  Put(1, 1);
  std::atomic<bool> over{false};
  std::thread loads([&] {
    for (int i = 0; !over; i++) {
      file_.Load(Credentials(Engine(kAll)) + Other(std::to_string(i)));
    }
  });
  auto watch = Watch();
  auto stream = Open(kAppend, kEngine);
  EXPECT_EQ(watch->Receive(), FramesOf(PlainEvents(1, 1)));
  for (int64_t id = 2; id <= 50; id++) {
    ASSERT_TRUE(stream->Send(Request(id, id)));
    EXPECT_EQ(stream->Receive(), Stored(id, 1));
    EXPECT_EQ(watch->Receive(), FramesOf(PlainEvents(id, id)));
  }
  over = true;
  loads.join();
}

}  // namespace
}  // namespace annals_test
