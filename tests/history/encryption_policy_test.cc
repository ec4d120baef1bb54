#include <gtest/gtest.h>

#include <string>

extern "C" {
#include "server/history/encryption.h"
}

namespace annals_test {
namespace {

TEST(EncryptionPolicy, SaysWhatIsExpected) {
  annals_encryption_policy *policy = annals_encryption_policy_new();
  auto add = [&](const char *pattern, const char *text) {
    GError *error = nullptr;
    std::string message;
    if (!annals_encryption_policy_add(policy, pattern, text, &error)) {
      message = error->message;
      g_error_free(error);
    }
    return message;
  };
  const char orders[] = "arn:aws:states:*:123456789012:stateMachine:Orders";
  EXPECT_EQ(add("Orders", "k"),
            "'Orders' is not the ARN of a state machine, such as "
            "arn:aws:states:*:123456789012:stateMachine:Orders, nor *");
  EXPECT_EQ(add("*", ""), "a key of 1 to 2048 bytes, or none, is expected");
  EXPECT_EQ(add("*", "k 59"), "'59' is no reuse period of 60 to 900 seconds");
  EXPECT_EQ(add("*", "k 60 x"), "KEY or KEY SECONDS, or none, is expected");
  EXPECT_FALSE(annals_encryption_policy_needs_keys(policy));
  EXPECT_EQ(add(orders, "none"), "");
  EXPECT_FALSE(annals_encryption_policy_needs_keys(policy));
  EXPECT_EQ(add(orders, "k"), "it stands there twice");
  EXPECT_EQ(add("*", "local:main  600"), "");
  EXPECT_TRUE(annals_encryption_policy_needs_keys(policy));
  EXPECT_FALSE(annals_encryption_policy_find(
                   policy, "arn:aws:states:eu-west-1:123456789012:stateMachine:Orders")
                   .given);
  annals_encryption other = annals_encryption_policy_find(
      policy, "arn:aws:states:eu-west-1:123456789012:stateMachine:Other");
  EXPECT_TRUE(other.given);
  EXPECT_STREQ(other.kms_key_id, "local:main");
  EXPECT_EQ(other.reuse_seconds, 600);
  annals_encryption_policy_free(policy);
}

}  // namespace
}  // namespace annals_test
