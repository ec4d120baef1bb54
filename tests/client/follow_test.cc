// annals history --follow, annals delete.

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <functional>
#include <mutex>

#include "tests/client/cli_run.h"
#include "tests/client/fake_server.h"

namespace annals {
namespace {

const char kWatch[] = "/annals.v1.HistoryService/WatchExecutionHistory";
const char kDelete[] = "/annals.v1.HistoryService/DeleteExecution";

// The events 1 to 3, of which a stream that breaks brings the first two; executions named "no" are
// not there.
class FakeService {
 public:
  FakeReply operator()(const std::string &method, const std::string &request) {
    std::lock_guard<std::mutex> lock(mutex_);
    FakeReply reply;
    requests_.push_back(request);
    if (request.substr(0, 4) == "\x0a\x02no") {
      reply.code = 5;
      reply.message = "not there";
      reply.details = StatusDetails("EXECUTION_DOES_NOT_EXIST", {});
    } else if (method == kWatch) {
      reply.without_body = true;
      int64_t first = request[request.find('\x10') + 1];
      for (int64_t id = first; id <= (first == 1 ? 2 : 3); id++) {
        const std::string event = EventBytes(id);
        reply.messages.push_back("\x0a" + std::string(1, static_cast<char>(event.size())) + event);
      }
      reply.code = first == 1 ? 14 : 0;
    } else {
      EXPECT_EQ(method, kDelete);
    }
    return reply;
  }

  std::vector<std::string> Requests() {
    std::lock_guard<std::mutex> lock(mutex_);
    return requests_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> requests_;
};

class Follow : public ::testing::Test {
 protected:
  Follow() : server_(std::ref(service_)) {
    setenv("ANNALS_ENDPOINT", server_.endpoint().c_str(), 1);
  }
  ~Follow() override {
    unsetenv("ANNALS_ENDPOINT");
  }

  static std::string Json(int id) {
    const std::string n = std::to_string(id);
    return R"({"timestamp":1525283875.58,"type":"PassStateEntered","id":)" + n +
           R"(,"previousEventId":)" + std::to_string(id - 1) +
           R"(,"stateEnteredEventDetails":{"name":"HelloWorld"}})" + "\n";
  }

  static void Expect(const CliResult &result, int status, const std::string &out,
                     const std::string &err) {
    EXPECT_EQ(result.status, status);
    EXPECT_EQ(result.out, out);
    EXPECT_EQ(result.err, err);
  }

  FakeService service_;
  FakeServer server_;
};

TEST_F(Follow, PrintsALineForEachEvent) {
  Expect(RunCli({"history", "a", "--follow"}), 0, Json(1) + Json(2) + Json(3), "");
  Expect(RunCli({"history", "a", "-f", "--from-event-id", "3"}), 0, Json(3), "");
}

TEST_F(Follow, PrintsATable) {
  Expect(RunCli({"history", "a", "--follow", "--from-event-id", "3", "--output", "table"}), 0,
         "    ID  TIME                      TYPE                          PREVIOUS  DETAIL\n"
         "     3  2018-05-02T17:57:55.580Z  PassStateEntered                     2  HelloWorld\n",
         "");
}

TEST_F(Follow, LeavesDataOut) {
  EXPECT_EQ(RunCli({"history", "a", "-f", "--no-execution-data", "--from-event-id", "3"}).status,
            0);
  EXPECT_EQ(service_.Requests().back(), std::string("\x0a\x01"
                                                    "a\x10\x03\x1a\x00",
                                                    7));
}

TEST_F(Follow, SaysWhatIsWrong) {
  Expect(RunCli({"history", "no", "--follow"}), 1, "",
         "annals: history: EXECUTION_DOES_NOT_EXIST: not there\n");
  const std::string help = "Try 'annals history --help'.\n";
  const std::string apart =
      "annals: history: --follow does not go with --reverse, --max-results and --next-token\n";
  Expect(RunCli({"history", "a", "--follow", "--reverse"}), 2, "", apart + help);
  Expect(RunCli({"history", "a", "--follow", "--max-results", "1"}), 2, "", apart + help);
  Expect(RunCli({"history", "a", "--from-event-id", "3"}), 2, "",
         "annals: history: --from-event-id goes with --follow\n" + help);
}

TEST_F(Follow, DeletesWhatItCan) {
  Expect(RunCli({"delete", "a", "no", "b", "--yes"}), 1, "2 executions deleted\n",
         "annals: delete: no: EXECUTION_DOES_NOT_EXIST: not there\n");
  Expect(RunCli({"delete", "a", "-y"}), 0, "1 execution deleted\n", "");
  EXPECT_EQ(service_.Requests().size(), 4u);
}

TEST_F(Follow, DoesNotDeleteUnasked) {
  const std::string help = "Try 'annals delete --help'.\n";
  const int before = dup(STDIN_FILENO);
  ASSERT_NE(freopen("/dev/null", "r", stdin), nullptr);
  Expect(RunCli({"delete", "a"}), 2, "",
         "annals: delete: there is no terminal to ask on: use --yes\n" + help);
  dup2(before, STDIN_FILENO);
  close(before);
  Expect(RunCli({"delete", "--yes"}), 2, "", "annals: delete: an ARN is missing\n" + help);
  EXPECT_EQ(service_.Requests().size(), 0u);
}

}  // namespace
}  // namespace annals
