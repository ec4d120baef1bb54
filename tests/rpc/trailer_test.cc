// The longest errors there can be, on their way to a client with gRPC's default limits.

#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <gtest/gtest.h>

#include <thread>

#include "server/history/error.h"
#include "server/rpc/rpc_status.h"
#include "tests/rpc/rpc_client.h"

namespace annals_test {
namespace {

// A server that takes one call, and fails it.
class FailingServer {
 public:
  FailingServer()
      : server_(grpc_server_create(nullptr, nullptr)),
        queue_(grpc_completion_queue_create_for_next(nullptr)) {
    grpc_server_register_completion_queue(server_, queue_, nullptr);
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    port_ = grpc_server_add_http2_port(server_, "127.0.0.1:0", credentials);
    grpc_server_credentials_release(credentials);
    grpc_server_start(server_);
  }

  ~FailingServer() {
    grpc_server_shutdown_and_notify(server_, queue_, this);
    grpc_server_cancel_all_calls(server_);
    WaitForTag();
    grpc_completion_queue_shutdown(queue_);
    EXPECT_EQ(Next().type, GRPC_QUEUE_SHUTDOWN);
    grpc_server_destroy(server_);
    grpc_completion_queue_destroy(queue_);
  }

  int port() const {
    return port_;
  }

  void FailOneCall(int code, const std::string &message, const std::string &details) {
    grpc_call *call = nullptr;
    grpc_call_details call_details;
    grpc_metadata_array metadata;
    grpc_call_details_init(&call_details);
    grpc_metadata_array_init(&metadata);
    EXPECT_EQ(
        grpc_server_request_call(server_, &call, &call_details, &metadata, queue_, queue_, this),
        GRPC_CALL_OK);
    WaitForTag();
    SendStatus(call, code, message, details);
    WaitForTag();
    WaitForTag();
    grpc_call_details_destroy(&call_details);
    grpc_metadata_array_destroy(&metadata);
    grpc_call_unref(call);
  }

 private:
  grpc_event Next() {
    return grpc_completion_queue_next(queue_, gpr_inf_future(GPR_CLOCK_MONOTONIC), nullptr);
  }
  void WaitForTag() {
    EXPECT_EQ(Next().type, GRPC_OP_COMPLETE);
  }

  void SendStatus(grpc_call *call, int code, const std::string &message,
                  const std::string &details) {
    grpc_op close = {};
    close.op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    close.data.recv_close_on_server.cancelled = &cancelled_;
    EXPECT_EQ(grpc_call_start_batch(call, &close, 1, this, nullptr), GRPC_CALL_OK);
    grpc_slice text = grpc_slice_from_copied_buffer(message.data(), message.size());
    grpc_metadata trailer = {};
    trailer.key = grpc_slice_from_static_string("grpc-status-details-bin");
    trailer.value = grpc_slice_from_copied_buffer(details.data(), details.size());
    grpc_op ops[2] = {};
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    ops[1].data.send_status_from_server.status = static_cast<grpc_status_code>(code);
    ops[1].data.send_status_from_server.status_details = &text;
    ops[1].data.send_status_from_server.trailing_metadata = &trailer;
    ops[1].data.send_status_from_server.trailing_metadata_count = 1;
    EXPECT_EQ(grpc_call_start_batch(call, ops, 2, this, nullptr), GRPC_CALL_OK);
    grpc_slice_unref(text);
    grpc_slice_unref(trailer.value);
  }

  grpc_server *server_;
  grpc_completion_queue *queue_;
  int port_;
  int cancelled_ = 0;
};

TEST(Trailer, ArrivesUnderItsOwnCodeHoweverLongItIs) {
  for (const char *character : {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) {
    std::string text;
    while (text.size() < 10000) {
      text += character;
    }
    GError *error = annals_error_new(ANNALS_REASON_NO_SPACE, "%s", text.c_str());
    for (int i = 0; i < 20; i++) {
      annals_error_add_metadata(error, (std::to_string(i) + text).c_str(), "%s", text.c_str());
      annals_error_add_violation(error, text.c_str(), nullptr, text.substr(0, 20 * i).c_str());
    }
    g_autofree char *message = annals_rpc_status_message(error);
    size_t size = 0;
    g_autofree uint8_t *details = annals_rpc_status_details(error, "id", &size);
    g_error_free(error);

    FailingServer server;
    std::thread serve([&] {
      server.FailOneCall(GRPC_STATUS_UNAVAILABLE, message,
                         std::string(reinterpret_cast<char *>(details), size));
    });
    const Reply reply = RpcClient(server.port()).Call("/x", "");
    serve.join();
    EXPECT_EQ(reply.code, GRPC_STATUS_UNAVAILABLE) << reply.message;
    EXPECT_EQ(reply.message, message);
    EXPECT_TRUE(reply.has_details);
    EXPECT_EQ(reply.error.reason, "NO_SPACE");
    EXPECT_EQ(reply.error.retry_ms, 5000);
  }
}

// What the limit is there for: more than that hides the error.
TEST(Trailer, IsLostWhenItIsMuchLonger) {
  FailingServer server;
  std::thread serve(
      [&] { server.FailOneCall(GRPC_STATUS_UNAVAILABLE, "m", std::string(10000, 'x')); });
  const Reply reply = RpcClient(server.port()).Call("/x", "");
  serve.join();
  EXPECT_EQ(reply.code, GRPC_STATUS_RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace annals_test
