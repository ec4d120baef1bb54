#include "server/kms/aws_kms.h"

#include <glib/gstdio.h>

#include <map>
#include <memory>

#include "tests/gateway/sigv4_request.h"
#include "tests/kms/key_call.h"
#include "tests/kms/scripted_server.h"

namespace {

/* 32 and 3 bytes in base64. */
const std::string kPlainText = "MTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1ub3BxcnN0dXY=";
const std::string kPlain = "1234567890abcdefghijklmnopqrstuv";
const std::string kMade =
    R"({"CiphertextBlob":"d3Jw","KeyId":"arn:key","Plaintext":")" + kPlainText + "\"}";

std::map<std::string, std::string> variables;

const char *get_variable(const char *name) {
  auto found = variables.find(name);
  return found != variables.end() ? found->second.c_str() : nullptr;
}

ScriptedAnswer error(int status, const std::string &type, const std::string &message) {
  return {status, R"({"__type":")" + type + R"(","message":")" + message + "\"}"};
}

class AwsKms : public testing::Test {
 protected:
  AwsKms() {
    variables = {{"AWS_ACCESS_KEY_ID", "AKIAREADER"}, {"AWS_SECRET_ACCESS_KEY", "secret/of+mine"}};
    endpoint_ = server_.Url();
    options_.endpoint = endpoint_.c_str();
    options_.region = "eu-west-1";
    options_.getenv_of = get_variable;
    options_.timeout_us = 60 * G_USEC_PER_SEC;
    options_.attempt_timeout_us = 30 * G_USEC_PER_SEC;
    options_.backoff_us = 1000;
    options_.breaker_failures_max = 100;
  }
  ~AwsKms() override {
    if (provider_ != nullptr) {
      provider_->ops->free(provider_);
    }
  }

  annals_key_provider *Provider() {
    if (provider_ == nullptr) {
      g_autoptr(GError) failure = nullptr;
      provider_ = annals_aws_kms_new(&options_, &failure);
      EXPECT_NE(provider_, nullptr) << failure->message;
    }
    return provider_;
  }

  std::string Refusal() {
    g_autoptr(GError) failure = nullptr;
    EXPECT_EQ(annals_aws_kms_new(&options_, &failure), nullptr);
    return failure != nullptr ? failure->message : "";
  }

  /* Who signed, or what is wrong with the signature. */
  static std::string Signer(const ScriptedRequest &request, const std::string &more = "") {
    SigV4Request signed_request;
    signed_request.method = request.method;
    signed_request.target = request.target;
    signed_request.headers = request.headers;
    signed_request.body = request.body;
    SigV4Verifier verifier;
    verifier.service = "kms";
    verifier.region = "eu-west-1";
    verifier.now_s = g_get_real_time() / G_USEC_PER_SEC;
    SigV4Verdict verdict = sigv4_verify(verifier,
                                        "[me]\naccess_key_id=AKIAREADER\nsecret_access_key="
                                        "secret/of+mine\n" +
                                            more,
                                        signed_request);
    return verdict.error.empty() ? verdict.text : verdict.error + ": " + verdict.text;
  }

  ScriptedServer server_;
  std::string endpoint_;
  annals_aws_kms_options options_ = {};
  annals_key_provider *provider_ = nullptr;
};

TEST_F(AwsKms, MakesADataKey) {
  server_.Say({{200, kMade}});
  KeyCall call;
  call.Generate(Provider()).Wait();
  EXPECT_EQ(call.Status(), ANNALS_KEY_OK) << call.Message();
  EXPECT_EQ(call.Plain(), kPlain);
  EXPECT_EQ(call.Wrapped(), "wrp");
  EXPECT_EQ(call.Arn(), "arn:key");
  ASSERT_EQ(server_.Requests().size(), 1U);
  ScriptedRequest request = server_.Requests()[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/");
  EXPECT_EQ(request.Header("X-Amz-Target"), "TrentService.GenerateDataKey");
  EXPECT_EQ(request.Header("Content-Type"), "application/x-amz-json-1.1");
  EXPECT_EQ(request.body, R"({"KeyId":"alias/main","KeySpec":"AES_256",)"
                          R"("EncryptionContext":{"aws:states:executionArn":"one"}})");
  EXPECT_EQ(Signer(request), "me");
}

TEST_F(AwsKms, UnwrapsADataKey) {
  server_.Say({{200, R"({"KeyId":"arn:key", "Plaintext" : ")" + kPlainText + "\"}"}});
  KeyCall call;
  call.Unwrap(Provider(), "wrp").Wait();
  EXPECT_EQ(call.Status(), ANNALS_KEY_OK) << call.Message();
  EXPECT_EQ(call.Plain(), kPlain);
  EXPECT_EQ(call.base.wrapped, nullptr);
  KeyCall unnamed(nullptr);
  EXPECT_EQ(unnamed.Unwrap(Provider(), "wrp").Wait().Plain(), kPlain);
  std::vector<ScriptedRequest> requests = server_.Requests();
  EXPECT_EQ(requests[0].Header("X-Amz-Target"), "TrentService.Decrypt");
  EXPECT_EQ(requests[0].body,
            R"({"CiphertextBlob":"d3Jw","EncryptionContext":{"aws:states:executionArn":"one"},)"
            R"("KeyId":"alias/main"})");
  EXPECT_EQ(requests[1].body,
            R"({"CiphertextBlob":"d3Jw","EncryptionContext":{"aws:states:executionArn":"one"}})");
}

TEST_F(AwsKms, RewrapsADataKey) {
  server_.Say({{200, R"({"CiphertextBlob":"bmV3","KeyId":"arn:new","SourceKeyId":"arn:old"})"}});
  KeyCall call;
  call.Rewrap(Provider(), "wrp", "alias/old").Wait();
  EXPECT_EQ(call.Status(), ANNALS_KEY_OK) << call.Message();
  EXPECT_EQ(call.Wrapped(), "new");
  EXPECT_EQ(call.Arn(), "arn:new");
  ScriptedRequest request = server_.Requests()[0];
  EXPECT_EQ(request.Header("X-Amz-Target"), "TrentService.ReEncrypt");
  EXPECT_EQ(request.body, R"({"CiphertextBlob":"d3Jw",)"
                          R"("SourceEncryptionContext":{"aws:states:executionArn":"one"},)"
                          R"("DestinationEncryptionContext":{"aws:states:executionArn":"one"},)"
                          R"("DestinationKeyId":"alias/main","SourceKeyId":"alias/old"})");
}

TEST_F(AwsKms, SignsWithASessionToken) {
  variables["AWS_SESSION_TOKEN"] = "token/of+a=session==";
  server_.Say({{200, kMade}});
  KeyCall call;
  call.Generate(Provider()).Wait();
  ScriptedRequest request = server_.Requests()[0];
  EXPECT_EQ(request.Header("X-Amz-Security-Token"), "token/of+a=session==");
  EXPECT_NE(request.Header("Authorization").find("x-amz-security-token"), std::string::npos);
  EXPECT_EQ(Signer(request, "session_token=token/of+a=session==\n"), "me");
}

TEST_F(AwsKms, OtherRequestsAreSignedOtherwise) {
  server_.Say({{200, kMade}});
  KeyCall call;
  call.Generate(Provider()).Wait();
  ScriptedRequest request = server_.Requests()[0];
  request.body += " ";
  EXPECT_EQ(Signer(request).substr(0, 25), "InvalidSignatureException");
}

struct Answer {
  ScriptedAnswer answer;
  annals_key_status status;
  std::string state;
  std::string message;
};

TEST_F(AwsKms, ErrorsHaveTheirMeanings) {
  options_.attempts_max = 1;
  const std::string is = "arn:aws:kms:us-east-1:1:key/disabled is ";
  const Answer answers[] = {
      {error(400, "AccessDeniedException", "User x may not"), ANNALS_KEY_ACCESS_DENIED, "",
       "KMS: AccessDeniedException: User x may not"},
      {error(400, "com.amazonaws.kms#DisabledException", "k is disabled."),
       ANNALS_KEY_INVALID_STATE, "DISABLED", "KMS: DisabledException: k is disabled."},
      {error(400, "KMSInvalidStateException", is + "pending deletion."), ANNALS_KEY_INVALID_STATE,
       "PENDING_DELETION", "KMS: KMSInvalidStateException: " + is + "pending deletion."},
      {error(400, "KMSInvalidStateException", is + "pending import."), ANNALS_KEY_INVALID_STATE,
       "PENDING_IMPORT", "KMS: KMSInvalidStateException: " + is + "pending import."},
      {error(400, "KMSInvalidStateException", is + "unavailable."), ANNALS_KEY_INVALID_STATE,
       "UNAVAILABLE", "KMS: KMSInvalidStateException: " + is + "unavailable."},
      {error(400, "KMSInvalidStateException", is + "creating."), ANNALS_KEY_INVALID_STATE,
       "CREATING", "KMS: KMSInvalidStateException: " + is + "creating."},
      {error(400, "KMSInvalidStateException", "odd"), ANNALS_KEY_INVALID_STATE, "",
       "KMS: KMSInvalidStateException: odd"},
      {error(400, "NotFoundException", "no"), ANNALS_KEY_INVALID_STATE, "UNAVAILABLE",
       "KMS: NotFoundException: no"},
      {error(400, "ValidationException", "no"), ANNALS_KEY_INVALID_STATE, "UNAVAILABLE",
       "KMS: ValidationException: no"},
      {error(500, "KeyUnavailableException", "no"), ANNALS_KEY_INVALID_STATE, "UNAVAILABLE",
       "KMS: KeyUnavailableException: no"},
      {error(400, "InvalidKeyUsageException", "no"), ANNALS_KEY_INVALID_STATE, "",
       "KMS: InvalidKeyUsageException: no"},
      {error(400, "ThrottlingException", "slow"), ANNALS_KEY_THROTTLED, "",
       "KMS: ThrottlingException: slow"},
      {error(400, "LimitExceededException", "slow"), ANNALS_KEY_THROTTLED, "",
       "KMS: LimitExceededException: slow"},
      {{429, ""}, ANNALS_KEY_THROTTLED, "", "KMS: HTTP 429: no reason is given"},
      {error(400, "InvalidCiphertextException", "no"), ANNALS_KEY_MISMATCH, "",
       "KMS: InvalidCiphertextException: no"},
      {error(400, "IncorrectKeyException", "no"), ANNALS_KEY_MISMATCH, "",
       "KMS: IncorrectKeyException: no"},
      {error(400, "UnrecognizedClientException", "no"), ANNALS_KEY_ACCESS_DENIED, "",
       "KMS: UnrecognizedClientException: no"},
      {error(400, "ExpiredTokenException:http://x", "no"), ANNALS_KEY_ACCESS_DENIED, "",
       "KMS: ExpiredTokenException: no"},
      {{403, R"({"__type":"InvalidSignatureException","Message":"no"})"},
       ANNALS_KEY_ACCESS_DENIED,
       "",
       "KMS: InvalidSignatureException: no"},
      {error(500, "KMSInternalException", "oh"), ANNALS_KEY_UNAVAILABLE, "",
       "KMS: KMSInternalException: oh"},
      {error(400, "SomethingNew", "oh"), ANNALS_KEY_UNAVAILABLE, "", "KMS: SomethingNew: oh"},
      {{503, "<html>"}, ANNALS_KEY_UNAVAILABLE, "", "KMS: HTTP 503: no reason is given"},
      {{404, "[]"}, ANNALS_KEY_UNAVAILABLE, "", "KMS: HTTP 404: no reason is given"},
      {{200, "{}"}, ANNALS_KEY_UNAVAILABLE, "", "KMS gave an answer that makes no sense"},
      {{200, std::string(70000, ' ')},
       ANNALS_KEY_UNAVAILABLE,
       "",
       "KMS was not reached: the answer is too long"},
  };
  for (const Answer &answer : answers) {
    server_.Say({answer.answer});
    KeyCall call;
    call.Generate(Provider()).Wait();
    EXPECT_EQ(call.Status(), answer.status) << answer.message;
    EXPECT_EQ(call.State(), answer.state) << answer.message;
    EXPECT_EQ(call.Message(), answer.message);
    EXPECT_EQ(call.Plain(), std::string(32, '\0'));
  }
}

TEST_F(AwsKms, AnswersThatMakeNoSense) {
  const std::string plain = "\"Plaintext\":\"" + kPlainText + "\"";
  for (const std::string &answer : std::vector<std::string>{
           "",
           "null",
           "[" + plain + "]",
           "{" + plain + "}",
           kMade.substr(1),
           R"({"KeyId":"a","CiphertextBlob":"d3Jw"})",
           R"({"KeyId":"a","CiphertextBlob":"d3J",)" + plain + "}",
           R"({"KeyId":"a","CiphertextBlob":"",)" + plain + "}",
           R"({"KeyId":"","CiphertextBlob":"d3Jw",)" + plain + "}",
           R"({"KeyId":"a","CiphertextBlob":"d3Jw","x":{)" + plain + "}}",
           R"({"KeyId":"a","CiphertextBlob":"d3Jw","Plaintext":"MTIz"})",
           R"({"KeyId":"a","CiphertextBlob":"d3Jw",)" + plain + "," + plain + "}",
       }) {
    server_.Say({{200, answer}});
    KeyCall call;
    call.Generate(Provider()).Wait();
    EXPECT_EQ(call.Status(), ANNALS_KEY_UNAVAILABLE) << answer;
    EXPECT_EQ(call.Message(), "KMS gave an answer that makes no sense");
    EXPECT_EQ(call.Plain(), std::string(32, '\0'));
  }
}

TEST_F(AwsKms, WhatMayPassIsTriedAgain) {
  server_.Say(
      {error(400, "ThrottlingException", "slow"), {503, ""}, {200, "", false, true}, {200, kMade}});
  KeyCall call;
  call.Generate(Provider()).Wait();
  EXPECT_EQ(call.Status(), ANNALS_KEY_OK) << call.Message();
  EXPECT_EQ(server_.Requests().size(), 4U);
}

TEST_F(AwsKms, NotMoreOftenThanThat) {
  server_.Say({error(400, "ThrottlingException", "slow")});
  KeyCall call;
  call.Generate(Provider()).Wait();
  EXPECT_EQ(call.Status(), ANNALS_KEY_THROTTLED);
  EXPECT_EQ(server_.Requests().size(), 4U);
}

TEST_F(AwsKms, WhatWillNotPassIsNotTriedAgain) {
  server_.Say({error(400, "DisabledException", "no")});
  KeyCall call;
  call.Generate(Provider()).Wait();
  EXPECT_EQ(server_.Requests().size(), 1U);
}

TEST_F(AwsKms, AnAttemptTakesNoLongerThanItMay) {
  options_.attempt_timeout_us = 50000;
  options_.attempts_max = 1000;
  server_.Say({{200, "", true}, {200, kMade}});
  KeyCall call;
  call.Generate(Provider()).Wait();
  EXPECT_EQ(call.Status(), ANNALS_KEY_OK) << call.Message();
}

TEST_F(AwsKms, ACallTakesNoLongerThanItMay) {
  server_.Say({{200, "", true}});
  KeyCall call;
  call.base.deadline_us = g_get_monotonic_time() + 50000;
  call.Generate(Provider()).Wait();
  EXPECT_EQ(call.Status(), ANNALS_KEY_UNAVAILABLE);
  EXPECT_GE(g_get_monotonic_time(), call.base.deadline_us - 1000);
  KeyCall late;
  late.base.deadline_us = g_get_monotonic_time() - 1;
  late.Generate(Provider()).Wait();
  EXPECT_EQ(late.Message(), "there was no time left to ask KMS");
}

TEST_F(AwsKms, IsLeftAloneWhenItFails) {
  options_.attempts_max = 1;
  options_.breaker_failures_max = 2;
  options_.breaker_open_us = 3600 * static_cast<int64_t>(G_USEC_PER_SEC);
  server_.Say({{503, ""}});
  for (int i = 0; i < 2; i++) {
    KeyCall call;
    EXPECT_EQ(call.Generate(Provider()).Wait().Status(), ANNALS_KEY_UNAVAILABLE);
  }
  EXPECT_EQ(annals_aws_kms_breaker(provider_), ANNALS_BREAKER_OPEN);
  KeyCall call;
  EXPECT_EQ(call.Generate(Provider()).Wait().Message(),
            "KMS failed several times in a row, and is left alone for a while");
  EXPECT_EQ(server_.Requests().size(), 2U);
}

TEST_F(AwsKms, IsLeftAloneForWhatItFailsAtAndNotForWhatItRefuses) {
  options_.attempts_max = 1;
  options_.breaker_failures_max = 2;
  options_.breaker_open_us = 3600 * static_cast<int64_t>(G_USEC_PER_SEC);
  const struct {
    int status;
    const char *type;
    enum annals_breaker_state state;
  } cases[] = {
      {400, "ThrottlingException", ANNALS_BREAKER_CLOSED},
      {400, "AccessDeniedException", ANNALS_BREAKER_CLOSED},
      {400, "DisabledException", ANNALS_BREAKER_CLOSED},
      {400, "SomethingNew", ANNALS_BREAKER_CLOSED},
      {500, "KeyUnavailableException", ANNALS_BREAKER_CLOSED},
      {503, "DependencyTimeoutException", ANNALS_BREAKER_OPEN},
      {500, "KMSInternalException", ANNALS_BREAKER_OPEN},
  };
  for (const auto &it : cases) {
    server_.Say({error(it.status, it.type, "no")});
    for (int i = 0; i < 2; i++) {
      KeyCall call;
      EXPECT_NE(call.Generate(Provider()).Wait().Status(), ANNALS_KEY_OK);
    }
    EXPECT_EQ(annals_aws_kms_breaker(provider_), it.state) << it.type;
    provider_->ops->free(g_steal_pointer(&provider_));
  }
}

TEST_F(AwsKms, IsTriedAgainLater) {
  options_.attempts_max = 1;
  options_.breaker_failures_max = 1;
  options_.breaker_open_us = 1;
  server_.Say({{503, ""}, {200, kMade}});
  KeyCall failed;
  failed.Generate(Provider()).Wait();
  KeyCall call;
  EXPECT_EQ(call.Generate(Provider()).Wait().Status(), ANNALS_KEY_OK);
  EXPECT_EQ(annals_aws_kms_breaker(provider_), ANNALS_BREAKER_CLOSED);
}

TEST_F(AwsKms, SoManyCallsAndNoMore) {
  options_.calls_max = 2;
  server_.Say({{200, "", true}});
  KeyCall first, second, third;
  first.Generate(Provider());
  second.Generate(Provider());
  third.Generate(Provider()).Wait();
  EXPECT_EQ(third.Status(), ANNALS_KEY_THROTTLED);
  EXPECT_EQ(third.Message(), "as many calls of KMS are under way as there may be");
  provider_->ops->free(g_steal_pointer(&provider_));
  EXPECT_EQ(first.Wait().Status(), ANNALS_KEY_UNAVAILABLE);
  EXPECT_EQ(second.Wait().Status(), ANNALS_KEY_UNAVAILABLE);
}

TEST_F(AwsKms, FreeingEndsWhatWaitsToBeTriedAgain) {
  options_.backoff_us = 1000 * static_cast<int64_t>(G_USEC_PER_SEC);
  options_.timeout_us = 3600 * static_cast<int64_t>(G_USEC_PER_SEC);
  server_.Say({{503, ""}});
  KeyCall call;
  call.Generate(Provider());
  server_.WaitForRequests(1);
  provider_->ops->free(g_steal_pointer(&provider_));
  EXPECT_EQ(call.Wait().Status(), ANNALS_KEY_UNAVAILABLE);
}

TEST_F(AwsKms, EndsWhatIsUnderWayAndAllThatComes) {
  server_.Say({{200, "", true}});
  KeyCall under_way;
  under_way.Generate(Provider());
  server_.WaitForRequests(1);
  provider_->ops->end(provider_);
  EXPECT_EQ(under_way.Wait().Status(), ANNALS_KEY_UNAVAILABLE);
  for (int i = 0; i < 2; i++) {
    KeyCall late;
    EXPECT_EQ(late.Generate(provider_).Wait().Status(), ANNALS_KEY_UNAVAILABLE);
    EXPECT_EQ(late.Message(), "the server is stopping");
    provider_->ops->end(provider_);
  }
  EXPECT_EQ(server_.Requests().size(), 1U);
}

TEST_F(AwsKms, NobodyIsThere) {
  options_.endpoint = "http://127.0.0.1:1/";
  options_.attempts_max = 1;
  KeyCall call;
  call.Generate(Provider()).Wait();
  EXPECT_EQ(call.Status(), ANNALS_KEY_UNAVAILABLE);
  EXPECT_EQ(call.Message().substr(0, 38), "KMS was not reached: Failed to connect");
}

/* --- credentials --- */

TEST_F(AwsKms, WithoutCredentials) {
  variables.clear();
  KeyCall call;
  call.Generate(Provider()).Wait();
  EXPECT_EQ(call.Status(), ANNALS_KEY_ACCESS_DENIED);
  EXPECT_EQ(call.Message(), "there are no AWS credentials: none are configured");
  EXPECT_TRUE(server_.Requests().empty());
}

TEST_F(AwsKms, CredentialsOfAFile) {
  g_autofree char *dir = g_dir_make_tmp("annals-aws-XXXXXX", nullptr);
  const std::string path = std::string(dir) + "/credentials";
  variables = {{"AWS_SHARED_CREDENTIALS_FILE", path}, {"AWS_PROFILE", "prod"}};
  server_.Say({{200, kMade}});
  KeyCall missing;
  missing.Generate(Provider()).Wait();
  EXPECT_EQ(missing.Status(), ANNALS_KEY_ACCESS_DENIED);
  EXPECT_EQ(missing.Message(), "there are no AWS credentials: " + path + ": Failed to open file “" +
                                   path + "”: No such file or directory");
  const char *text =
      "; a comment\n[default]\naws_access_key_id = AKIANOBODY\n"
      "aws_secret_access_key = x\n\n[prod]\naws_access_key_id = AKIAREADER\n"
      "aws_secret_access_key = secret/of+mine\nregion = eu-west-1\n";
  ASSERT_TRUE(g_file_set_contents(path.c_str(), text, -1, nullptr));
  KeyCall call;
  EXPECT_EQ(call.Generate(Provider()).Wait().Status(), ANNALS_KEY_OK) << call.Message();
  EXPECT_EQ(Signer(server_.Requests().back()), "me");
  g_unlink(path.c_str());
  g_rmdir(dir);
}

std::string in_time(int64_t seconds) {
  g_autoptr(GDateTime) now = g_date_time_new_now_utc();
  g_autoptr(GDateTime) then = g_date_time_add_seconds(now, static_cast<double>(seconds));
  g_autofree char *text = g_date_time_format(then, "%Y-%m-%dT%H:%M:%SZ");
  return text;
}

std::string container_answer(int64_t seconds) {
  return R"({"AccessKeyId":"AKIAREADER","SecretAccessKey":"secret/of+mine","Token":"temporary",)"
         R"("Expiration":")" +
         in_time(seconds) + "\"}";
}

TEST_F(AwsKms, CredentialsOfAContainer) {
  ScriptedServer container;
  container.Say({{200, container_answer(3600)}});
  variables = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", container.Url("/v1/credentials")},
               {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "let me in"}};
  server_.Say({{200, kMade}});
  for (int i = 0; i < 3; i++) {
    KeyCall call;
    EXPECT_EQ(call.Generate(Provider()).Wait().Status(), ANNALS_KEY_OK) << call.Message();
  }
  ASSERT_EQ(container.Requests().size(), 1U);
  EXPECT_EQ(container.Requests()[0].method, "GET");
  EXPECT_EQ(container.Requests()[0].target, "/v1/credentials");
  EXPECT_EQ(container.Requests()[0].Header("Authorization"), "let me in");
  EXPECT_EQ(Signer(server_.Requests()[2], "session_token=temporary\n"), "me");
}

TEST_F(AwsKms, TemporaryCredentialsAreRenewed) {
  ScriptedServer container;
  container.Say({{200, container_answer(0)}, {200, container_answer(3600)}});
  variables = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", container.Url()}};
  server_.Say({{200, kMade}});
  for (int i = 0; i < 3; i++) {
    KeyCall call;
    EXPECT_EQ(call.Generate(Provider()).Wait().Status(), ANNALS_KEY_OK) << call.Message();
  }
  EXPECT_EQ(container.Requests().size(), 2U);
}

TEST_F(AwsKms, RefusedCredentialsAreRenewedOnce) {
  ScriptedServer container;
  container.Say({{200, container_answer(3600)}});
  variables = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", container.Url()}};
  server_.Say({error(400, "ExpiredTokenException", "old"), {200, kMade}});
  KeyCall call;
  EXPECT_EQ(call.Generate(Provider()).Wait().Status(), ANNALS_KEY_OK) << call.Message();
  EXPECT_EQ(container.Requests().size(), 2U);
  server_.Say({error(400, "ExpiredTokenException", "old")});
  KeyCall refused;
  EXPECT_EQ(refused.Generate(Provider()).Wait().Status(), ANNALS_KEY_ACCESS_DENIED);
  EXPECT_EQ(container.Requests().size(), 3U);
}

TEST_F(AwsKms, ContainersThatGiveNone) {
  ScriptedServer container;
  variables = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", container.Url("/x")}};
  options_.attempts_max = 1;
  const struct {
    ScriptedAnswer answer;
    annals_key_status status;
    std::string why;
  } cases[] = {
      {{403, ""}, ANNALS_KEY_ACCESS_DENIED, "it answered HTTP 403"},
      {{500, ""}, ANNALS_KEY_UNAVAILABLE, "it answered HTTP 500"},
      {{200, "{}"}, ANNALS_KEY_UNAVAILABLE, "it gave an answer that makes no sense"},
      {{200, R"({"AccessKeyId":"a b","SecretAccessKey":"x"})"},
       ANNALS_KEY_UNAVAILABLE,
       "it gave an answer that makes no sense"},
  };
  for (const auto &item : cases) {
    container.Say({item.answer});
    KeyCall call;
    EXPECT_EQ(call.Generate(Provider()).Wait().Status(), item.status);
    EXPECT_EQ(call.Message(), container.Url("/x") + " gave no AWS credentials: " + item.why);
  }
}

std::string sts_answer() {
  return "<AssumeRoleWithWebIdentityResponse "
         "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult>"
         "<Credentials><AccessKeyId>AKIAREADER</AccessKeyId><SecretAccessKey>secret/of+mine"
         "</SecretAccessKey><SessionToken>temporary</SessionToken><Expiration>" +
         in_time(3600) +
         "</Expiration></Credentials><AssumedRoleUser><Arn>arn:x</Arn></AssumedRoleUser>"
         "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
}

TEST_F(AwsKms, CredentialsOfAWebIdentity) {
  ScriptedServer sts;
  sts.Say({{503, ""}, {200, sts_answer()}});
  g_autofree char *dir = g_dir_make_tmp("annals-aws-XXXXXX", nullptr);
  const std::string path = std::string(dir) + "/token";
  ASSERT_TRUE(g_file_set_contents(path.c_str(), "header.claims/x+y.sign\n", -1, nullptr));
  variables = {{"AWS_WEB_IDENTITY_TOKEN_FILE", path},
               {"AWS_ROLE_ARN", "arn:aws:iam::1:role/annals"},
               {"AWS_ENDPOINT_URL_STS", sts.Url()}};
  server_.Say({{200, kMade}});
  KeyCall call;
  EXPECT_EQ(call.Generate(Provider()).Wait().Status(), ANNALS_KEY_OK) << call.Message();
  ASSERT_EQ(sts.Requests().size(), 2U);
  EXPECT_EQ(sts.Requests()[1].body,
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
            "&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fannals&RoleSessionName=annalsd"
            "&WebIdentityToken=header.claims%2Fx%2By.sign");
  EXPECT_EQ(Signer(server_.Requests()[0], "session_token=temporary\n"), "me");
  g_unlink(path.c_str());
  g_rmdir(dir);
}

TEST_F(AwsKms, ACallThatWaitsForCredentialsEndsWithTheProvider) {
  ScriptedServer container;
  container.Say({{200, "", true}});
  variables = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", container.Url()}};
  KeyCall first, second;
  first.Generate(Provider());
  second.Generate(Provider());
  container.WaitForRequests(1);
  provider_->ops->free(g_steal_pointer(&provider_));
  EXPECT_EQ(first.Wait().Status(), ANNALS_KEY_UNAVAILABLE);
  EXPECT_EQ(second.Wait().Status(), ANNALS_KEY_UNAVAILABLE);
}

/* --- options --- */

TEST_F(AwsKms, RefusesOptions) {
  options_.endpoint = "ftp://x/";
  EXPECT_EQ(Refusal(), "--kms-endpoint ftp://x/: http(s)://HOST[:PORT] is expected");
  options_.endpoint = "http://kms.internal:8080";
  EXPECT_EQ(Refusal(),
            "--kms-endpoint http://kms.internal:8080: data keys would travel in the clear; use "
            "https, a loopback address, or say --allow-plaintext");
  options_.endpoint = nullptr;
  options_.region = "";
  EXPECT_EQ(Refusal(), "--kms-region : a region such as us-east-1 is expected");
  options_.region = "eu/west";
  EXPECT_EQ(Refusal(), "--kms-region eu/west: a region such as us-east-1 is expected");
  options_.region = "eu-west-1";
  variables = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://10.0.0.1/x"}};
  EXPECT_EQ(Refusal(),
            "AWS_CONTAINER_CREDENTIALS_FULL_URI http://10.0.0.1/x: an https URL, or one of this "
            "machine, is expected");
}

}  // namespace
