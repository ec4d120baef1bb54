#include "server/rpc/rpc_status.h"

#include <grpc/status.h>
#include <gtest/gtest.h>

#include "server/history/error.h"
#include "tests/rpc/rpc_client.h"

namespace annals_test {
namespace {

struct ErrorDelete {
  void operator()(GError *error) const {
    g_error_free(error);
  }
};
using Error = std::unique_ptr<GError, ErrorDelete>;

Error NewError(annals_reason reason, const std::string &message) {
  return Error(annals_error_new(reason, "%s", message.c_str()));
}

std::string Message(const Error &error) {
  g_autofree char *message = annals_rpc_status_message(error.get());
  return message;
}

ErrorDetails Details(const Error &error) {
  size_t size = 0;
  g_autofree uint8_t *bytes = annals_rpc_status_details(error.get(), "id", &size);
  return ReadErrorDetails(std::string(reinterpret_cast<char *>(bytes), size));
}

struct Line {
  annals_reason reason;
  const char *name;
  int grpc_code;
  int retry_ms;
};

// DESIGN's table of errors, once more: a change of reason.def is a change of the contract.
const Line kLines[] = {
    {ANNALS_REASON_EXECUTION_DOES_NOT_EXIST, "EXECUTION_DOES_NOT_EXIST", GRPC_STATUS_NOT_FOUND, -1},
    {ANNALS_REASON_INVALID_ARN, "INVALID_ARN", GRPC_STATUS_INVALID_ARGUMENT, -1},
    {ANNALS_REASON_INVALID_TOKEN, "INVALID_TOKEN", GRPC_STATUS_INVALID_ARGUMENT, -1},
    {ANNALS_REASON_INVALID_REQUEST, "INVALID_REQUEST", GRPC_STATUS_INVALID_ARGUMENT, -1},
    {ANNALS_REASON_INVALID_EVENT, "INVALID_EVENT", GRPC_STATUS_INVALID_ARGUMENT, -1},
    {ANNALS_REASON_LIMIT_EXCEEDED, "LIMIT_EXCEEDED", GRPC_STATUS_INVALID_ARGUMENT, -1},
    {ANNALS_REASON_EVENT_CONFLICT, "EVENT_CONFLICT", GRPC_STATUS_ALREADY_EXISTS, -1},
    {ANNALS_REASON_EVENT_GAP, "EVENT_GAP", GRPC_STATUS_FAILED_PRECONDITION, -1},
    {ANNALS_REASON_UNAUTHENTICATED, "UNAUTHENTICATED", GRPC_STATUS_UNAUTHENTICATED, -1},
    {ANNALS_REASON_PERMISSION_DENIED, "PERMISSION_DENIED", GRPC_STATUS_PERMISSION_DENIED, -1},
    {ANNALS_REASON_OVERLOADED, "OVERLOADED", GRPC_STATUS_RESOURCE_EXHAUSTED, 1000},
    {ANNALS_REASON_RATE_EXCEEDED, "RATE_EXCEEDED", GRPC_STATUS_RESOURCE_EXHAUSTED, 0},
    {ANNALS_REASON_NO_SPACE, "NO_SPACE", GRPC_STATUS_UNAVAILABLE, 5000},
    {ANNALS_REASON_WRITES_STOPPED, "WRITES_STOPPED", GRPC_STATUS_UNAVAILABLE, 5000},
    {ANNALS_REASON_OUTCOME_UNKNOWN, "OUTCOME_UNKNOWN", GRPC_STATUS_UNAVAILABLE, 1000},
    {ANNALS_REASON_CANCELLED, "CANCELLED", GRPC_STATUS_CANCELLED, -1},
    {ANNALS_REASON_DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", GRPC_STATUS_DEADLINE_EXCEEDED, -1},
    {ANNALS_REASON_UNKNOWN_METHOD, "UNKNOWN_METHOD", GRPC_STATUS_UNIMPLEMENTED, -1},
    {ANNALS_REASON_UNKNOWN_SERVICE, "UNKNOWN_SERVICE", GRPC_STATUS_NOT_FOUND, -1},
    {ANNALS_REASON_DRAINING, "DRAINING", GRPC_STATUS_UNAVAILABLE, -1},
    {ANNALS_REASON_DATA_CORRUPTED, "DATA_CORRUPTED", GRPC_STATUS_DATA_LOSS, -1},
    {ANNALS_REASON_KMS_ACCESS_DENIED, "KMS_ACCESS_DENIED", GRPC_STATUS_PERMISSION_DENIED, -1},
    {ANNALS_REASON_KMS_INVALID_STATE, "KMS_INVALID_STATE", GRPC_STATUS_FAILED_PRECONDITION, -1},
    {ANNALS_REASON_KMS_THROTTLED, "KMS_THROTTLED", GRPC_STATUS_RESOURCE_EXHAUSTED, 1000},
    {ANNALS_REASON_KMS_UNAVAILABLE, "KMS_UNAVAILABLE", GRPC_STATUS_UNAVAILABLE, 1000},
    {ANNALS_REASON_KMS_NOT_CONFIGURED, "KMS_NOT_CONFIGURED", GRPC_STATUS_FAILED_PRECONDITION, -1},
    {ANNALS_REASON_UNSUPPORTED, "UNSUPPORTED", GRPC_STATUS_UNIMPLEMENTED, -1},
    {ANNALS_REASON_ALREADY_RUNNING, "ALREADY_RUNNING", GRPC_STATUS_FAILED_PRECONDITION, -1},
    {ANNALS_REASON_BACKUPS_DISABLED, "BACKUPS_DISABLED", GRPC_STATUS_FAILED_PRECONDITION, -1},
    {ANNALS_REASON_BACKUP_FAILED, "BACKUP_FAILED", GRPC_STATUS_FAILED_PRECONDITION, -1},
    {ANNALS_REASON_INTERNAL, "INTERNAL", GRPC_STATUS_INTERNAL, -1},
};

TEST(RpcStatus, CarriesEveryReasonWithItsCodeAndItsRetryAdvice) {
  for (const Line &line : kLines) {
    SCOPED_TRACE(line.name);
    Error error = NewError(line.reason, "what went wrong");
    const ErrorDetails details = Details(error);
    EXPECT_EQ(details.code, line.grpc_code);
    EXPECT_EQ(details.message, "what went wrong");
    EXPECT_EQ(details.reason, line.name);
    EXPECT_EQ(details.domain, "annals.v1");
    EXPECT_TRUE(details.metadata.empty());
    EXPECT_EQ(details.retry_ms, line.retry_ms);
    std::vector<std::string> types = {"ErrorInfo", "RequestInfo"};
    if (line.retry_ms >= 0) {
      types.push_back("RetryInfo");
    }
    EXPECT_EQ(details.request_id, "id");
    EXPECT_EQ(details.types, types);
  }
}

TEST(RpcStatus, CarriesTheRetryAdviceOfTheFailure) {
  Error error = NewError(ANNALS_REASON_RATE_EXCEEDED, "m");
  annals_error_set_retry_ms(error.get(), 2345);
  EXPECT_EQ(Details(error).retry_ms, 2345);
  Error copy(g_error_copy(error.get()));
  EXPECT_EQ(Details(copy).retry_ms, 2345);
}

TEST(RpcStatus, KnowsAllReasons) {
  int count = 0;
#define ANNALS_REASON(reason, grpc, aws, http, retry_ms, meaning) count++;
#include "server/history/reason.def"
#undef ANNALS_REASON
  EXPECT_EQ(count, static_cast<int>(sizeof kLines / sizeof kLines[0]));
}

TEST(RpcStatus, MakesForeignErrorsInternal) {
  Error error(g_error_new(G_FILE_ERROR, G_FILE_ERROR_NOENT, "no such file"));
  EXPECT_EQ(annals_error_reason(error.get()), ANNALS_REASON_INTERNAL);
}

TEST(RpcStatus, CarriesMetadataAndViolations) {
  Error error = NewError(ANNALS_REASON_OVERLOADED, "m");
  annals_error_add_metadata(error.get(), "event_index", "%d", 3);
  annals_error_add_metadata(error.get(), "field", "%s", "name");
  annals_error_add_violation(error.get(), "events[3].name", "a value", "is too long");
  annals_error_add_violation(error.get(), "max_results", nullptr, "is negative");
  const ErrorDetails details = Details(error);
  EXPECT_EQ(details.types,
            (std::vector<std::string>{"ErrorInfo", "RequestInfo", "BadRequest", "RetryInfo"}));
  EXPECT_EQ(details.metadata,
            (std::map<std::string, std::string>{{"event_index", "3"}, {"field", "name"}}));
  EXPECT_EQ(details.violations,
            (std::vector<std::pair<std::string, std::string>>{{"events[3].name", "is too long"},
                                                              {"max_results", "is negative"}}));
}

TEST(RpcStatus, ClipsMessagesBetweenCharacters) {
  const std::string text(ANNALS_RPC_MESSAGE_BYTES_MAX - 1, 'a');
  EXPECT_EQ(Message(NewError(ANNALS_REASON_INTERNAL, text)), text);
  EXPECT_EQ(Message(NewError(ANNALS_REASON_INTERNAL, text + "b")), text + "b");
  EXPECT_EQ(Message(NewError(ANNALS_REASON_INTERNAL, text + "bc")), text + "b");
  for (const char *character : {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) {
    EXPECT_EQ(Message(NewError(ANNALS_REASON_INTERNAL, text + character + "!")), text);
  }
  const std::string euros = text.substr(2) + "\xe2\x82\xac";
  EXPECT_EQ(Message(NewError(ANNALS_REASON_INTERNAL, euros + euros)), euros);
  EXPECT_EQ(Message(NewError(ANNALS_REASON_INTERNAL, "")), "");
}

TEST(RpcStatus, ClipsMetadataAndDescriptionsBetweenCharacters) {
  const std::string room(ANNALS_RPC_DETAIL_BYTES_MAX - 1, 'a');
  Error error = NewError(ANNALS_REASON_INVALID_EVENT, "m");
  annals_error_add_metadata(error.get(), "field", "%s", (room + "\xc3\xa9").c_str());
  annals_error_add_violation(error.get(), (room + "\xf0\x9f\x98\x80").c_str(), nullptr,
                             (room + "\xe2\x82\xac").c_str());
  const ErrorDetails details = Details(error);
  EXPECT_EQ(details.metadata.at("field"), room);
  ASSERT_EQ(details.violations.size(), 1u);
  EXPECT_EQ(details.violations[0].first, room);
  EXPECT_EQ(details.violations[0].second, room);
}

// Texts of a client's making, as long and as many as can be.
TEST(RpcStatus, StaysUnderFourKibibytesWhateverIsInIt) {
  for (const char *character : {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) {
    std::string text;
    while (text.size() < 10000) {
      text += character;
    }
    for (int items : {0, 1, 2, 3, 5, 8, 100}) {
      Error error = NewError(ANNALS_REASON_OVERLOADED, text);
      for (int i = 0; i < items; i++) {
        annals_error_add_metadata(error.get(), (std::to_string(i) + text).c_str(), "%s",
                                  text.c_str());
        annals_error_add_violation(error.get(), text.c_str(), text.c_str(), text.c_str());
      }
      const ErrorDetails details = Details(error);
      EXPECT_LT(details.bytes, 4096u);
      EXPECT_EQ(details.reason, "OVERLOADED");
      EXPECT_EQ(details.retry_ms, 1000);
      EXPECT_EQ(details.metadata.empty(), items == 0);
      EXPECT_EQ(details.violations.empty(), items == 0);
    }
  }
}

}  // namespace
}  // namespace annals_test
