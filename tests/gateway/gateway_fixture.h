/* A gateway on a free port, over a history on a fake store that holds a few executions. */
#ifndef ANNALS_TESTS_GATEWAY_GATEWAY_FIXTURE_H_
#define ANNALS_TESTS_GATEWAY_GATEWAY_FIXTURE_H_

#include <gtest/gtest.h>

#include <string>

#include "server/gateway/gateway.h"
#include "server/history/token_key.h"
#include "tests/gateway/fake_store.h"
#include "tests/gateway/http_client.h"

class GatewayFixture : public testing::Test {
 protected:
  /* Five events: ExecutionStarted, three PassStateEntered, ExecutionSucceeded. */
  static constexpr const char *kArn =
      "arn:aws:states:us-east-1:123456789012:execution:machine:small";
  /* 40 events of 64 KiB, each byte of which becomes six: 14 MiB of answer, which is more than the
     sockets' buffers take. */
  static constexpr const char *kBigArn =
      "arn:aws:states:us-east-1:123456789012:execution:machine:big";
  static constexpr const char *kAbsentArn =
      "arn:aws:states:us-east-1:123456789012:execution:machine:absent";

  void SetUp() override;
  void TearDown() override;

  /* Starts the gateway with other options than the default ones; stops the one that runs. */
  void start(annals_gateway_options options);

  /* A request as an SDK sends it. extra: more header lines. */
  static std::string request(const std::string &body, const std::string &extra = "",
                             const std::string &operation = "GetExecutionHistory");
  /* The answer to a body on a connection of its own. */
  std::string ask(const std::string &body, const std::string &operation = "GetExecutionHistory");

  /* Answers, as HttpClient::receive gives them. extra: more header lines. */
  static std::string answer(const std::string &status, const std::string &body,
                            const std::string &extra = "");
  static std::string error(const std::string &type, const std::string &message);
  /* One of kArn's events as JSON. */
  static std::string event(int id, bool data = true);

  FakeStore store_;
  int64_t now_us_ = 1600000000000000;
  annals_schema *schema_ = nullptr;
  annals_token_key *key_ = nullptr;
  annals_history *history_ = nullptr;
  annals_gateway *gateway_ = nullptr;
  int port_ = 0;

 private:
  void append(const char *arn, int event_count, size_t payload_bytes);
  std::string key_path_;
};

#endif
