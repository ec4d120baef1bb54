/* Signed and unsigned requests over HTTP. */
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "tests/gateway/gateway_fixture.h"
#include "tests/gateway/sigv4_request.h"

namespace {

const char kModel[] = "com.amazonaws.swf.service.v2.model#";
const char kService[] = "com.amazon.coral.service#";
const char kReader[] = "[reader]\naccess_key_id=AKIAREADER\nsecret_access_key=s1\nallow=";
const char kPage[] = "\"events\":[{\"timestamp\":1600000000.01,";

class Caller : public GatewayFixture {
 protected:
  void SetUp() override {
    GatewayFixture::SetUp();
    load(std::string(kReader) + "states:* on *\n");
    keyring_ = annals_keyring_new(path_.c_str(), nullptr);
    ASSERT_NE(keyring_, nullptr);
    annals_gateway_options options = {};
    options.keyring = keyring_;
    options.region = "eu-west-1";
    start(options);
    signer_.secret = "s1";
    signer_.timestamp = "20200913T122640Z"; /* the fixture's clock */
    signer_.scope = "20200913/eu-west-1/states/aws4_request";
  }

  void TearDown() override {
    GatewayFixture::TearDown();
    annals_keyring_free(keyring_);
    unlink(path_.c_str());
  }

  /* Writes the credentials file. */
  void load(const std::string &text) {
    std::string fresh = path_ + ".new";
    std::ofstream(fresh) << text;
    chmod(fresh.c_str(), 0600);
    ASSERT_EQ(rename(fresh.c_str(), path_.c_str()), 0);
  }

  static SigV4Request page_request(const std::string &arn = kArn) {
    SigV4Request request;
    request.headers = {{"Host", "localhost"},
                       {"Content-Type", "application/x-amz-json-1.0"},
                       {"X-Amz-Target", "AWSStepFunctions.GetExecutionHistory"}};
    request.body = "{\"executionArn\":\"" + arn + "\"}";
    return request;
  }

  std::string send(const SigV4Request &request) {
    std::string text = request.method + " " + request.target + " HTTP/1.1\r\n";
    for (const auto &each : request.headers) {
      text.append(each.first).append(": ").append(each.second).append("\r\n");
    }
    HttpClient client(port_);
    client.send(text + "Content-Length: " + std::to_string(request.body.size()) + "\r\n\r\n" +
                request.body);
    return client.receive();
  }

  std::string sign_and_send(SigV4Request request) {
    sigv4_sign(signer_, &request);
    return send(request);
  }

  static std::string refusal(const std::string &type, const std::string &message) {
    return answer("400 Bad Request", error(type, message));
  }

  static std::string denied(const std::string &arn) {
    return refusal(kModel + std::string("AccessDeniedException"),
                   "User: reader is not authorized to perform: states:GetExecutionHistory on "
                   "resource: " +
                       arn);
  }

  SigV4Signer signer_;
  annals_keyring *keyring_ = nullptr;

 private:
  std::string path_ = testing::TempDir() + "/gateway-credentials";
};

TEST_F(Caller, SignsInTheHeader) {
  EXPECT_NE(sign_and_send(page_request()).find(kPage), std::string::npos);
}

TEST_F(Caller, SignsInTheQuery) {
  SigV4Request request = page_request();
  request.target = "/?x=%7e&a=b+c";
  sigv4_presign(signer_, 60, &request);
  EXPECT_NE(send(request).find(kPage), std::string::npos);
}

TEST_F(Caller, SignsHeadersAsTheyCome) {
  SigV4Request request = page_request();
  request.headers.emplace_back("X-Twice", "b ");
  request.headers.emplace_back("x-twice", "  a   c\t");
  EXPECT_NE(sign_and_send(request).find(kPage), std::string::npos);
}

TEST_F(Caller, MustSign) {
  std::string missing = refusal(kService + std::string("MissingAuthenticationTokenException"),
                                "Request is missing Authentication Token");
  EXPECT_EQ(send(page_request()), missing);
  SigV4Request request = page_request();
  request.set("Authorization", "Bearer x");
  EXPECT_EQ(send(request), missing);
}

TEST_F(Caller, IsRefusedInAwsWords) {
  SigV4Request request = page_request();
  sigv4_sign(signer_, &request);
  request.body += " ";
  EXPECT_EQ(send(request),
            refusal(kService + std::string("InvalidSignatureException"),
                    "The request signature we calculated does not match the signature you "
                    "provided. Check your AWS Secret Access Key and signing method. Consult the "
                    "service documentation for details."));
  request.set("Authorization", "AWS4-HMAC-SHA256 Credential=x");
  EXPECT_NE(send(request).find("IncompleteSignatureException"), std::string::npos);
  signer_.access_key_id = "AKIANOBODY";
  EXPECT_EQ(sign_and_send(page_request()),
            refusal(kModel + std::string("UnrecognizedClientException"),
                    "The security token included in the request is invalid."));
  signer_.access_key_id = "AKIAREADER";
  signer_.scope = "20200913/us-east-1/states/aws4_request";
  EXPECT_EQ(sign_and_send(page_request()),
            refusal(kService + std::string("InvalidSignatureException"),
                    "Credential should be scoped to a valid region: 'eu-west-1', not "
                    "'us-east-1'."));
}

TEST_F(Caller, IsAskedBehindTheOperationAndBeforeItsBody) {
  SigV4Request request = page_request();
  request.target = "/x";
  EXPECT_NE(send(request).find("404 Not Found"), std::string::npos);
  request = page_request();
  request.body.assign(1024 * 1024 + 1, ' ');
  EXPECT_NE(send(request).find("413 "), std::string::npos);
  for (const char *name : {"Content-Type", "X-Amz-Target"}) {
    request = page_request();
    request.remove(name);
    EXPECT_NE(send(request).find("UnknownOperationException"), std::string::npos);
    EXPECT_NE(sign_and_send(request).find("UnknownOperationException"), std::string::npos);
  }
  request = page_request();
  request.body = "{";
  EXPECT_NE(send(request).find("MissingAuthenticationToken"), std::string::npos);
  EXPECT_NE(sign_and_send(request).find("SerializationException"), std::string::npos);
}

TEST_F(Caller, MayDoWhatTheRulesSay) {
  load(std::string(kReader) + "states:GetExecutionHistory on arn:*:execution:machine:small\n");
  ASSERT_TRUE(annals_keyring_reload(keyring_, nullptr));
  EXPECT_NE(sign_and_send(page_request()).find(kPage), std::string::npos);
  EXPECT_EQ(sign_and_send(page_request(kBigArn)), denied(kBigArn));
  EXPECT_EQ(sign_and_send(page_request(kAbsentArn)), denied(kAbsentArn));
}

TEST_F(Caller, KeepsItsCredentialsThroughAReload) {
  store_.set_cold(true);
  std::atomic<bool> stop{false};
  std::thread reloading([&] {
    while (!stop) {
      EXPECT_TRUE(annals_keyring_reload(keyring_, nullptr));
    }
  });
  for (int i = 0; i < 50; i++) {
    EXPECT_NE(sign_and_send(page_request()).find(kPage), std::string::npos);
  }
  stop = true;
  reloading.join();
}

}  // namespace
