/*
 * A client that sends whatever a test wants, right and wrong, and takes an answer to pieces.
 */
#ifndef ANNALS_TESTS_RPC_RPC_CLIENT_H_
#define ANNALS_TESTS_RPC_RPC_CLIENT_H_

#include <grpc/grpc.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace annals_test {

extern const char kAppendPath[];
extern const char kPagePath[];

// grpc-status-details-bin, decoded.
struct ErrorDetails {
  size_t bytes = 0;  // of the packed google.rpc.Status
  int code = -1;
  std::string message;
  std::string reason;
  std::string domain;
  std::map<std::string, std::string> metadata;
  std::string request_id;
  std::vector<std::pair<std::string, std::string>> violations;  // field, description
  int64_t retry_ms = -1;                                        // -1: no RetryInfo
  std::vector<std::string> types;                               // of the details, in order
};
ErrorDetails ReadErrorDetails(const std::string &bytes);

// What came back.
struct Reply {
  int code = -1;
  std::string message;
  std::optional<std::string> body;
  bool has_details = false;
  ErrorDetails error;
};

struct CallOptions {
  int64_t timeout_ms = 60000;
  bool without_message = false;
  bool stalled = false;     // neither the message nor the end of the request is sent
  std::string metadata;     // value of x-test; empty: none
  bool compressed = false;  // the request is compressed already, as the client says of all
};

// A call under way. Waits for its end when it goes.
class PendingCall {
 public:
  PendingCall(grpc_channel *channel, const std::string &path, const std::string &request,
              const CallOptions &options);
  ~PendingCall();
  PendingCall(const PendingCall &) = delete;
  PendingCall &operator=(const PendingCall &) = delete;

  void Cancel();
  const Reply &Wait();

 private:
  void StartBatch(const CallOptions &options);
  void TakeReply();

  grpc_completion_queue *queue_;
  grpc_call *call_;
  grpc_byte_buffer *request_ = nullptr;
  grpc_byte_buffer *response_ = nullptr;
  grpc_metadata_array initial_metadata_;
  grpc_metadata_array trailing_metadata_;
  grpc_status_code status_ = GRPC_STATUS_UNKNOWN;
  grpc_slice message_;
  std::optional<Reply> reply_;
};

// A stream under way, one step at a time. Ends when it goes.
class StreamCall {
 public:
  StreamCall(grpc_channel *channel, const std::string &path, int64_t timeout_ms,
             const std::string &authorization);
  ~StreamCall();
  StreamCall(const StreamCall &) = delete;
  StreamCall &operator=(const StreamCall &) = delete;

  // Returns whether it went out. The last one closes the client's half.
  bool Send(const std::string &message, bool last = false);
  bool Close();
  // Waits until the stream is open. False: it has failed before.
  bool WaitUntilOpen();
  // The next message; none: there are no more.
  std::optional<std::string> Receive();
  void Cancel();
  // Waits for the end.
  const Reply &Finish();

 private:
  bool Run(const grpc_op *ops, size_t count, void *tag);
  bool WaitFor(void *tag);

  grpc_completion_queue *queue_;
  grpc_call *call_;
  grpc_metadata_array initial_metadata_;
  grpc_metadata_array trailing_metadata_;
  grpc_status_code status_ = GRPC_STATUS_UNKNOWN;
  grpc_slice message_;
  std::map<void *, bool> done_;
  std::optional<Reply> reply_;
};

// A connection of its own, with gRPC's default limits.
class RpcClient {
 public:
  // window_bytes: what a stream may bring that nobody asks for; 0: the default.
  explicit RpcClient(int port, grpc_compression_algorithm compression = GRPC_COMPRESS_NONE,
                     int window_bytes = 0);
  ~RpcClient();
  RpcClient(const RpcClient &) = delete;
  RpcClient &operator=(const RpcClient &) = delete;

  std::unique_ptr<PendingCall> Start(const std::string &path, const std::string &request,
                                     const CallOptions &options = {});
  // authorization: the value of that header; empty: none.
  std::unique_ptr<StreamCall> Open(const std::string &path, int64_t timeout_ms = 60000,
                                   const std::string &authorization = "");
  Reply Call(const std::string &path, const std::string &request, const CallOptions &options = {});

 private:
  grpc_channel *channel_;
};

}  // namespace annals_test

#endif
