/*
 * A gRPC server in this process that answers what a test tells it to, one call after the other.
 */
#ifndef ANNALS_TESTS_CLIENT_FAKE_SERVER_H_
#define ANNALS_TESTS_CLIENT_FAKE_SERVER_H_

#include <grpc/grpc.h>

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace annals {

struct FakeReply {
  int code = 0;
  std::string message = "";                // status details
  std::string details = "";                // value of grpc-status-details-bin
  std::string body = "";                   // serialised response
  bool without_body = false;               // OK, and no message at all
  int delay_ms = 0;                        // before answering
  std::vector<std::string> messages = {};  // of a stream, before the status; for one without body
  bool stalled = false;                    // no status: the client has to end it
  bool goes_on = false;  // the body answers one message of a stream: the next is asked for
};

class FakeServer {
 public:
  // Gets the method's path and the serialised request, or the next message of a stream that goes
  // on; runs on the server's thread.
  using Handler = std::function<FakeReply(const std::string &, const std::string &)>;

  explicit FakeServer(Handler handler);
  ~FakeServer();

  // 127.0.0.1:PORT
  const std::string &endpoint() const {
    return endpoint_;
  }

 private:
  void Loop();
  void Serve();
  FakeReply Converse();
  bool Receive(std::string *message);
  void Open();
  void SendMessage(const std::string &message);
  void Send(const FakeReply &reply);
  void SendMessages(const FakeReply &reply);
  void SendStatus(const FakeReply &reply);
  bool Wait(const void *tag);

  Handler handler_;
  std::string endpoint_;
  grpc_server *server_;
  grpc_completion_queue *queue_;
  grpc_call *call_ = nullptr;
  grpc_call_details details_;
  grpc_metadata_array metadata_;
  bool stopped_ = false;
  bool closed_ = false;  // the call, by either side
  bool opened_ = false;
  std::thread thread_;
};

// A google.rpc.Status with an ErrorInfo and, if retry_ms is not negative, a RetryInfo.
std::string StatusDetails(const std::string &reason,
                          const std::vector<std::pair<std::string, std::string>> &metadata,
                          int retry_ms = -1);

// A HistoryEvent of type PassStateEntered in canonical bytes, payload_size bytes of input.
std::string EventBytes(int64_t id, size_t payload_size = 0);

// A DescribeExecutionResponse, and an ExecutionListItem, of execution NAME, which started a second
// after the one before it; FAILED.
std::string DescriptionBytes(const std::string &name);
std::string ItemBytes(const std::string &name, int second);

// Answers ListExecutions with a page of items; the token is the number of the next one.
// DescribeExecution with a DescriptionBytes. Keeps the requests.
class FakeExecutions {
 public:
  explicit FakeExecutions(int count) : count_(count) {
  }
  FakeReply operator()(const std::string &method, const std::string &request);
  std::vector<std::string> requests();

 private:
  std::mutex mutex_;
  int count_;
  std::vector<std::string> requests_;
};

// Keeps histories as the real server does, as far as a client can tell. Any thread may look.
class FakeHistories {
 public:
  FakeReply operator()(const std::string &method, const std::string &request);

  // Gives this before anything else; several are given one after the other.
  void ReplyNext(const FakeReply &reply);

  void Set(const std::string &arn, const std::vector<std::string> &events);
  std::vector<std::string> Get(const std::string &arn);
  size_t Count();

  // Events of each append so far.
  std::vector<int> append_counts();
  size_t page_calls();

 private:
  FakeReply Append(const std::string &request);
  FakeReply Page(const std::string &request);

  std::mutex mutex_;
  std::map<std::string, std::vector<std::string>> histories_;
  std::vector<int> append_counts_;
  size_t page_calls_ = 0;
  std::deque<FakeReply> next_replies_;
};

}  // namespace annals

#endif
