#include "server/gateway/aws_error.h"

#include <gtest/gtest.h>

#include <string>

#include "server/history/error.h"

namespace {

/* The body of a failure, which is freed. */
std::string body(GError *error) {
  annals_buffer out;
  annals_buffer_init(&out, 1 << 20);
  annals_aws_error_append(error, &out);
  EXPECT_FALSE(out.failed);
  std::string text(reinterpret_cast<const char *>(out.data), out.len);
  annals_buffer_clear(&out);
  g_error_free(error);
  return text;
}

std::string model(const std::string &name, const std::string &message) {
  return "{\"__type\":\"com.amazonaws.swf.service.v2.model#" + name + "\",\"message\":\"" +
         message + "\"}";
}

std::string service(const std::string &name, const std::string &message) {
  return "{\"__type\":\"com.amazon.coral.service#" + name + "\",\"message\":\"" + message + "\"}";
}

std::string validation(const std::string &message) {
  return "{\"__type\":\"com.amazon.coral.validate#ValidationException\",\"message\":\"" + message +
         "\"}";
}

TEST(AwsError, HasTheDomainsFailuresInAwssWords) {
  GError *error = annals_error_new(ANNALS_REASON_EXECUTION_DOES_NOT_EXIST, "none");
  annals_error_add_metadata(error, "execution_arn", "arn:x");
  EXPECT_EQ(body(error), model("ExecutionDoesNotExist", "Execution Does Not Exist: 'arn:x'"));
  EXPECT_EQ(body(annals_error_new(ANNALS_REASON_INVALID_ARN, "Invalid ARN prefix: x")),
            model("InvalidArn", "Invalid Arn: 'Invalid ARN prefix: x'"));
  EXPECT_EQ(body(annals_error_new(ANNALS_REASON_INVALID_TOKEN, "expired")),
            model("InvalidToken", "Invalid Token: 'Invalid token'"));
  EXPECT_EQ(body(annals_error_new(ANNALS_REASON_OVERLOADED, "no memory")),
            model("ThrottlingException", "Rate exceeded"));
  EXPECT_EQ(body(annals_error_new(ANNALS_REASON_RATE_EXCEEDED, "used up")),
            model("ThrottlingException", "Rate exceeded"));
}

TEST(AwsError, TellsTheStateOfAKey) {
  GError *error = annals_error_new(ANNALS_REASON_KMS_INVALID_STATE, "disabled");
  annals_error_add_metadata(error, "kms_key_state", "DISABLED");
  std::string text = model("KmsInvalidStateException", "disabled");
  text.insert(text.size() - 1, ",\"kmsKeyState\":\"DISABLED\"");
  EXPECT_EQ(body(error), text);
  EXPECT_EQ(body(annals_error_new(ANNALS_REASON_KMS_INVALID_STATE, "of some kind")),
            model("KmsInvalidStateException", "of some kind"));
  EXPECT_EQ(body(annals_error_new(ANNALS_REASON_KMS_ACCESS_DENIED, "no")),
            model("KmsAccessDeniedException", "no"));
  EXPECT_EQ(body(annals_error_new(ANNALS_REASON_KMS_THROTTLED, "later")),
            model("KmsThrottlingException", "later"));
}

TEST(AwsError, JoinsViolations) {
  GError *error = annals_error_new(ANNALS_REASON_INVALID_REQUEST, "not shown");
  annals_error_add_violation(error, "execution_arn", nullptr, "Member must not be null");
  EXPECT_EQ(body(g_error_copy(error)),
            validation("1 validation error detected: Value null at 'executionArn' failed to "
                       "satisfy constraint: Member must not be null"));
  annals_error_add_violation(error, "max_results", "1001",
                             "Member must have value less than or equal to 1000");
  EXPECT_EQ(body(error),
            validation("2 validation errors detected: Value null at 'executionArn' failed to "
                       "satisfy constraint: Member must not be null; Value '1001' at 'maxResults' "
                       "failed to satisfy constraint: Member must have value less than or equal "
                       "to 1000"));
}

TEST(AwsError, ShowsTheMessageWhereThereAreNoViolations) {
  EXPECT_EQ(body(annals_error_new(ANNALS_REASON_LIMIT_EXCEEDED, "too \"big\"\n")),
            validation("too \\\"big\\\"\\n"));
}

TEST(AwsError, KeepsToItselfWhatWentWrongInside) {
  EXPECT_EQ(body(annals_error_new(ANNALS_REASON_INTERNAL, "secret")),
            service("InternalFailure", "the server is at fault"));
  EXPECT_EQ(body(annals_error_new(ANNALS_REASON_DATA_CORRUPTED, "secret")),
            service("InternalFailure", "stored data is damaged"));
  EXPECT_EQ(body(annals_error_new(ANNALS_REASON_DRAINING, "secret")),
            service("ServiceUnavailable", "the server is stopping: go to another one"));
  EXPECT_EQ(body(g_error_new(g_quark_from_string("foreign"), 3, "secret")),
            service("InternalFailure", "the server is at fault"));
}

TEST(AwsError, MendsWhatIsNotUtf8) {
  EXPECT_EQ(body(g_error_new_literal(ANNALS_GATEWAY_ERROR, ANNALS_GATEWAY_ERROR_SERIALIZATION,
                                     "near '\xff'")),
            service("SerializationException", "near '\xef\xbf\xbd'"));
}

TEST(AwsError, HasStatusAndNameForEachReason) {
  for (int reason = 0; reason <= ANNALS_REASON_INTERNAL; reason++) {
    GError *error = annals_error_new(static_cast<annals_reason>(reason), "x");
    const struct annals_reason_info *info = annals_reason_info(static_cast<annals_reason>(reason));
    bool offered = *info->aws_name != '\0';
    EXPECT_STREQ(annals_aws_error_name(error), offered ? info->aws_name : "InternalFailure");
    EXPECT_EQ(annals_aws_error_status(error),
              offered ? static_cast<unsigned>(info->http_status) : 500u);
    g_error_free(error);
  }
}

TEST(AwsError, HasTheGatewaysOwnFailures) {
  const struct {
    annals_gateway_error code;
    unsigned status;
    const char *name;
  } rows[] = {
      {ANNALS_GATEWAY_ERROR_SERIALIZATION, 400, "SerializationException"},
      {ANNALS_GATEWAY_ERROR_UNKNOWN_OPERATION, 400, "UnknownOperationException"},
      {ANNALS_GATEWAY_ERROR_NOT_FOUND, 404, "UnknownOperationException"},
      {ANNALS_GATEWAY_ERROR_BODY_TOO_LARGE, 413, "RequestEntityTooLargeException"},
      {ANNALS_GATEWAY_ERROR_AMBIGUOUS_HTTP, 400, "SerializationException"},
  };
  for (const auto &row : rows) {
    GError *error = g_error_new_literal(ANNALS_GATEWAY_ERROR, row.code, "m");
    EXPECT_EQ(annals_aws_error_status(error), row.status);
    EXPECT_STREQ(annals_aws_error_name(error), row.name);
    EXPECT_EQ(body(error), service(row.name, "m"));
  }
}

}  // namespace
