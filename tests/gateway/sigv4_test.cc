/* What is refused, in which words, and what hostile callers try. */
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/gateway/sigv4_request.h"

namespace {

const int64_t kSignedAt = 1795334400; /* 2026-11-22T08:00:00Z */
const char kCredentials[] =
    "[reader]\n"
    "access_key_id = AKIAREADER\n"
    "secret_access_key = wJalrXUtnFEMI/K7MDENG\n"
    "[engine]\n"
    "access_key_id = ASIAENGINE\n"
    "secret_access_key = wJalrXUtnFEMI/K7MDENG\n"
    "session_token = IQoJ/b3==\n"
    "expires = 2026-11-22T09:00:00Z\n";

const char kMissing[] = "MissingAuthenticationTokenException";
const char kIncomplete[] = "IncompleteSignatureException";
const char kUnrecognized[] = "UnrecognizedClientException";
const char kInvalid[] = "InvalidSignatureException";
const char kExpired[] = "ExpiredTokenException";
const char kMismatch[] =
    "The request signature we calculated does not match the signature you provided. Check your AWS "
    "Secret Access Key and signing method. Consult the service documentation for details.";
const char kBadToken[] = "The security token included in the request is invalid.";

class SigV4 : public testing::Test {
 protected:
  SigV4() {
    verifier_.now_s = kSignedAt;
    request_.headers = {{"Host", "localhost:8083"},
                        {"Content-Type", "application/x-amz-json-1.0"},
                        {"X-Amz-Target", "AWSStepFunctions.GetExecutionHistory"}};
    request_.body = "{\"executionArn\":\"arn\"}";
  }

  void Sign() {
    sigv4_sign(signer_, &request_);
  }

  void ExpectAccepted(const std::string &principal = "reader") const {
    SigV4Verdict verdict = sigv4_verify(verifier_, kCredentials, request_);
    EXPECT_EQ(verdict.error, "") << verdict.text;
    EXPECT_EQ(verdict.text, principal);
  }

  void ExpectRefused(const std::string &error, const std::string &message) const {
    SigV4Verdict verdict = sigv4_verify(verifier_, kCredentials, request_);
    EXPECT_EQ(verdict.error, error);
    EXPECT_EQ(verdict.text, message);
  }

  /* Replaces what comes first, in the Authorization header. */
  void Alter(const std::string &from, const std::string &to) {
    std::string value = request_.header("Authorization");
    ASSERT_NE(value.find(from), std::string::npos) << value;
    request_.set("Authorization", value.replace(value.find(from), from.size(), to));
  }

  /* The same in the target. */
  void AlterTarget(const std::string &from, const std::string &to) {
    ASSERT_NE(request_.target.find(from), std::string::npos) << request_.target;
    request_.target.replace(request_.target.find(from), from.size(), to);
  }

  SigV4Verifier verifier_;
  SigV4Signer signer_;
  SigV4Request request_;
};

TEST_F(SigV4, AcceptsBothForms) {
  SigV4Request unsigned_request = request_;
  Sign();
  ExpectAccepted();
  request_ = unsigned_request;
  sigv4_presign(signer_, 60, &request_);
  ExpectAccepted();
}

TEST_F(SigV4, AcceptsWhatProxiesMayChange) {
  Sign();
  request_.set("Content-Type", "  application/x-amz-json-1.0\t ");
  request_.headers.emplace_back("Via", "1.1 proxy");
  std::reverse(request_.headers.begin(), request_.headers.end());
  Alter(", SignedHeaders", ",SignedHeaders");
  ExpectAccepted();
  request_.target = "http://localhost:8083/";
  ExpectAccepted();
}

TEST_F(SigV4, AcceptsTheDateHeader) {
  request_.set("Date", signer_.timestamp);
  Sign();
  std::string authorization = request_.header("Authorization");
  request_.remove("X-Amz-Date");
  signer_.signed_headers = "content-type;date;host;x-amz-target";
  std::string signature = sigv4_signature(signer_, request_);
  request_.set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAREADER/" + signer_.scope +
                                    ", SignedHeaders=" + signer_.signed_headers +
                                    ", Signature=" + signature);
  ExpectAccepted();
}

TEST_F(SigV4, AcceptsAnUnsignedPayloadThatIsSaidToBe) {
  request_.set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD");
  Sign();
  request_.body = "{}";
  ExpectAccepted();
  request_.remove("X-Amz-Content-Sha256");
  signer_.signed_headers = "content-type;host;x-amz-target";
  Sign();
  request_.set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD");
  ExpectRefused(kInvalid, kMismatch);
}

TEST_F(SigV4, HoldsAPayloadHashAgainstTheBody) {
  request_.set("X-Amz-Content-Sha256",
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sign();
  const char message[] =
      "The provided 'x-amz-content-sha256' header does not match what was computed.";
  ExpectRefused(kInvalid, message);
  request_.set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
  Sign();
  ExpectRefused(kInvalid, message);
  request_.body = "";
  request_.set("X-Amz-Content-Sha256",
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sign();
  ExpectAccepted();
}

TEST_F(SigV4, KnowsSessionTokens) {
  signer_.access_key_id = "ASIAENGINE";
  SigV4Request unsigned_request = request_;
  Sign();
  ExpectRefused(kUnrecognized, kBadToken);
  request_.set("X-Amz-Security-Token", "IQoJ/b3=");
  Sign();
  ExpectRefused(kUnrecognized, kBadToken);
  request_.set("X-Amz-Security-Token", "IQoJ/b3==");
  Sign();
  ExpectAccepted("engine");
  request_ = unsigned_request;
  request_.target = "/?X-Amz-Security-Token=IQoJ%2Fb3%3D%3D";
  sigv4_presign(signer_, 60, &request_);
  ExpectAccepted("engine");

  request_ = unsigned_request;
  signer_.access_key_id = "AKIAREADER";
  request_.set("X-Amz-Security-Token", "IQoJ/b3==");
  Sign();
  ExpectRefused(kUnrecognized, kBadToken);
}

TEST_F(SigV4, ExpiresSessionTokens) {
  signer_.access_key_id = "ASIAENGINE";
  request_.set("X-Amz-Security-Token", "IQoJ/b3==");
  verifier_.now_s = kSignedAt + 3599;
  signer_.timestamp = "20261122T085959Z";
  Sign();
  ExpectAccepted("engine");
  verifier_.now_s++;
  ExpectRefused(kExpired, "The security token included in the request is expired");
  signer_.secret += "x"; /* nobody else learns of it */
  Sign();
  ExpectRefused(kInvalid, kMismatch);
}

TEST_F(SigV4, AsksForAuthentication) {
  const char message[] = "Request is missing Authentication Token";
  ExpectRefused(kMissing, message);
  for (const char *value : {"", "Bearer x", "Basic eDp5", "aws4-hmac-sha256 Credential=x"}) {
    request_.set("Authorization", value);
    ExpectRefused(kMissing, message);
  }
}

TEST_F(SigV4, NamesWhatIsMissing) {
  request_.set("Authorization", "AWS4-HMAC-SHA256");
  ExpectRefused(kIncomplete,
                "Authorization header requires 'Credential' parameter. Authorization header "
                "requires 'SignedHeaders' parameter. Authorization header requires 'Signature' "
                "parameter. Authorization header requires existence of either a 'X-Amz-Date' or a "
                "'Date' header.");
  Sign();
  Alter("Signature=", "Sig=");
  ExpectRefused(kIncomplete, "Authorization header requires 'Signature' parameter.");
  request_.remove("Authorization");
  request_.target = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256";
  ExpectRefused(kIncomplete,
                "AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string "
                "parameters must include 'X-Amz-SignedHeaders'. AWS query-string parameters must "
                "include 'X-Amz-Signature'. AWS query-string parameters must include 'X-Amz-Date'. "
                "AWS query-string parameters must include 'X-Amz-Expires'.");
}

TEST_F(SigV4, NamesWhatIsMalformed) {
  Sign();
  const SigV4Request good = request_;
  Alter("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1");
  ExpectRefused(kIncomplete,
                "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1', AWS4-HMAC-SHA256 is expected.");
  request_ = good;
  Alter("Signature=", "Signature ");
  EXPECT_EQ(sigv4_verify(verifier_, kCredentials, request_).text.substr(0, 10), "'Signature");
  for (const char *credential : {"AKIAREADER", "AKIAREADER/20261122/eu-west-1/states",
                                 "AKIAREADER/20261122//states/aws4_request",
                                 "a/AKIAREADER/20261122/eu-west-1/states/aws4_request"}) {
    request_ = good;
    Alter("AKIAREADER/20261122/eu-west-1/states/aws4_request", credential);
    ExpectRefused(kIncomplete,
                  std::string("Credential must have exactly 5 slash-delimited elements, e.g. "
                              "keyid/date/region/service/term, got '") +
                      credential + "'");
  }
  for (const char *date : {"20261122T080000", "20261122T080000Zx", "20261122 080000Z",
                           "20261322T080000Z", "20261122T080060Z", "00000101T000000Z",
                           "Sun, 22 Nov 2026 08:00:00 GMT", "-0261122T080000Z"}) {
    request_ = good;
    request_.set("X-Amz-Date", date);
    ExpectRefused(kIncomplete,
                  std::string("Date must be in ISO-8601 'basic format'. Got '") + date + "'.");
  }
}

TEST_F(SigV4, TakesSignedHeadersInOneFormOnly) {
  for (const char *names :
       {"host;content-type", "content-type;Host", "host;host", ";host", "host;", "host;;x"}) {
    Sign();
    Alter("content-type;host;x-amz-date;x-amz-target", names);
    ExpectRefused(
        kIncomplete,
        std::string("SignedHeaders must be in lower case and in order, each once, got '") + names +
            "'");
  }
}

TEST_F(SigV4, RefusesRepeats) {
  Sign();
  const SigV4Request good = request_;
  for (const char *name :
       {"Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256"}) {
    request_ = good;
    request_.headers.emplace_back(name, "x");
    request_.headers.emplace_back(name, "x");
    ExpectRefused(kIncomplete, std::string("The header '") + name + "' is repeated.");
  }
  request_ = good;
  Alter("Credential=", "Credential=x, Credential=");
  ExpectRefused(kIncomplete, "'Credential' is repeated in Authorization header.");
  request_ = good;
  request_.remove("Authorization");
  request_.remove("X-Amz-Date");
  sigv4_presign(signer_, 60, &request_);
  const std::string target = request_.target;
  for (const char *name : {"X-Amz-Date", "X-Amz-Signature", "X-Amz-Expires", "X-Amz-Credential"}) {
    request_.target = target + "&" + name + "=x";
    ExpectRefused(kIncomplete, std::string("The query parameter '") + name + "' is repeated.");
  }
}

TEST_F(SigV4, TakesOneFormAtATime) {
  Sign();
  request_.target = "/?X-Amz-Signature=x";
  ExpectRefused(kIncomplete,
                "Authorization header and query-string parameters exclude each other.");
}

TEST_F(SigV4, ChecksTheScope) {
  verifier_.region = "eu-west-1";
  Sign();
  ExpectAccepted();
  signer_.scope = "20261122/us-east-1/states/aws4_request";
  Sign();
  ExpectRefused(kInvalid,
                "Credential should be scoped to a valid region: 'eu-west-1', not 'us-east-1'.");
  verifier_.region = "";
  ExpectAccepted();
  signer_.scope = "20261122/us-east-1/sqs/aws4_request";
  Sign();
  ExpectRefused(kInvalid, "Credential should be scoped to correct service: 'states'.");
  signer_.scope = "20261122/us-east-1/states/aws5_request";
  Sign();
  ExpectRefused(kInvalid,
                "Credential should be scoped with a valid terminator: 'aws4_request', not "
                "'aws5_request'.");
  for (const char *date : {"20261121", "2026112", "20261122T"}) {
    signer_.scope = std::string(date) + "/us-east-1/states/aws4_request";
    Sign();
    ExpectRefused(kInvalid,
                  std::string("Date in Credential scope does not match YYYYMMDD from ISO-8601 "
                              "version of date from HTTP: '") +
                      date + "' != '20261122', from '20261122T080000Z'.");
  }
}

TEST_F(SigV4, TakesFiveMinutesOfSkew) {
  Sign();
  verifier_.now_s = kSignedAt + 300;
  ExpectAccepted();
  verifier_.now_s = kSignedAt + 301;
  ExpectRefused(kInvalid,
                "Signature expired: 20261122T080000Z is now earlier than 20261122T080001Z "
                "(20261122T080501Z - 5 min.)");
  verifier_.now_s = kSignedAt - 300;
  ExpectAccepted();
  verifier_.now_s = kSignedAt - 301;
  ExpectRefused(kInvalid,
                "Signature not yet current: 20261122T080000Z is still later than "
                "20261122T075959Z (20261122T075459Z + 5 min.)");
}

TEST_F(SigV4, TakesPresignedOnesForAsLongAsTheySay) {
  const SigV4Request unsigned_request = request_;
  sigv4_presign(signer_, 604800, &request_);
  verifier_.now_s = kSignedAt + 604800;
  ExpectAccepted();
  verifier_.now_s++;
  ExpectRefused(kInvalid,
                "Signature expired: 20261122T080000Z is now earlier than 20261122T080001Z "
                "(20261129T080001Z - 10080 min.)");
  verifier_.now_s = kSignedAt - 301;
  ExpectRefused(kInvalid,
                "Signature not yet current: 20261122T080000Z is still later than "
                "20261122T075959Z (20261122T075459Z + 5 min.)");
  request_ = unsigned_request;
  sigv4_presign(signer_, 45, &request_);
  verifier_.now_s = kSignedAt + 46;
  ExpectRefused(kInvalid,
                "Signature expired: 20261122T080000Z is now earlier than 20261122T080001Z "
                "(20261122T080046Z - 45 sec.)");
  for (int expires : {0, -1, 604801}) {
    request_ = unsigned_request;
    sigv4_presign(signer_, expires, &request_);
    ExpectRefused(kIncomplete, "X-Amz-Expires must be a number of seconds from 1 to 604800, got '" +
                                   std::to_string(expires) + "'");
  }
}

TEST_F(SigV4, DemandsThatHostAndTargetAreSigned) {
  signer_.signed_headers = "content-type;x-amz-date;x-amz-target";
  Sign();
  ExpectRefused(kInvalid, "'Host' must be a 'SignedHeader' in the AWS Authorization.");
  signer_.signed_headers = "content-type;host;x-amz-date";
  Sign();
  ExpectRefused(kInvalid, "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.");
}

TEST_F(SigV4, MissesSignedHeaders) {
  request_.set("X-Extra", "1");
  Sign();
  request_.remove("X-Extra");
  ExpectRefused(kInvalid, "The header 'x-extra' is a 'SignedHeader' and is not in the request.");
}

TEST_F(SigV4, KnowsNoOtherKeys) {
  signer_.access_key_id = "AKIANOBODY";
  Sign();
  ExpectRefused(kUnrecognized, kBadToken);
  signer_.access_key_id = "akiareader";
  Sign();
  ExpectRefused(kUnrecognized, kBadToken);
}

TEST_F(SigV4, CoversWhatIsAskedFor) {
  Sign();
  const SigV4Request good = request_;
  request_.set("X-Amz-Target", "AWSStepFunctions.ListExecutions");
  ExpectRefused(kInvalid, kMismatch);
  request_ = good;
  request_.set("Host", "elsewhere");
  ExpectRefused(kInvalid, kMismatch);
  request_ = good;
  request_.headers.emplace_back("x-amz-target", "AWSStepFunctions.ListExecutions");
  ExpectRefused(kInvalid, kMismatch);
  for (const char *target : {"/x", "/?a", "/?a=b"}) {
    request_ = good;
    request_.target = target;
    ExpectRefused(kInvalid, kMismatch);
  }
  request_ = good;
  request_.set("X-Amz-Date", "20261122T080001Z");
  ExpectRefused(kInvalid, kMismatch);
  request_ = good;
  request_.body += " ";
  ExpectRefused(kInvalid, kMismatch);
}

/* Numbers that look like chance and are the same in every run. */
class Chance {
 public:
  size_t below(size_t end) {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<size_t>(state_ >> 33) % end;
  }

 private:
  uint64_t state_ = 1;
};

TEST_F(SigV4, RefusesTenThousandMutatedSignatures) {
  Sign();
  const SigV4Request good = request_;
  const std::string authorization = good.header("Authorization");
  const size_t first = authorization.size() - 64;
  Chance chance;
  for (int i = 0; i < 10000; i++) {
    std::string mutated = authorization;
    for (size_t changes = 1 + chance.below(3); changes > 0; changes--) {
      size_t at = first + chance.below(64);
      mutated[at] = "0123456789abcdefABCDEF /;\x80"[chance.below(26)];
    }
    if (mutated == authorization) {
      mutated.pop_back();
    }
    request_ = good;
    request_.set("Authorization", mutated);
    SigV4Verdict verdict = sigv4_verify(verifier_, kCredentials, request_);
    ASSERT_EQ(verdict.error, kInvalid) << mutated;
    ASSERT_EQ(verdict.text, kMismatch) << mutated;
  }
}

TEST_F(SigV4, RefusesSignaturesOfAnotherLength) {
  Sign();
  const std::string authorization = request_.header("Authorization");
  request_.set("Authorization", authorization + "0");
  ExpectRefused(kInvalid, kMismatch);
  request_.set("Authorization", authorization.substr(0, authorization.size() - 1));
  ExpectRefused(kInvalid, kMismatch);
  request_.set("Authorization", authorization.substr(0, authorization.size() - 64));
  ExpectRefused(kIncomplete, "Authorization header requires 'Signature' parameter.");
}

TEST_F(SigV4, TakesManySignedHeadersInStride) {
  for (int i = 0; i < 4000; i++) {
    request_.headers.emplace_back("h" + std::to_string(i), "");
  }
  Sign();
  ExpectAccepted();
}

}  // namespace
