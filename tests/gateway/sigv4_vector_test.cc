/*
 * The test suite that AWS publishes for Signature Version 4: requests, each signed in the header
 * and in the query. sigv4_vectors.txt has those that do not forgo what only S3 does without, but
 * post-sts-header-after in the query, whose signature is for a query without the session token:
 * here all of a query is signed.
 */
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/gateway/sigv4_request.h"

namespace {

const char kSecret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const int64_t kSignedAt = 1440938160; /* 2015-08-30T12:36:00Z */

struct Vector {
  std::string name;
  SigV4Request request;
};

/* What a line begins or goes on with. */
void take_line(const std::string &line, bool *in_body, Vector *vector) {
  SigV4Request &request = vector->request;
  if (request.method.empty()) {
    size_t begin = line.find(' ');
    size_t end = line.rfind(' ');
    request.method = line.substr(0, begin);
    request.target = line.substr(begin + 1, end - begin - 1);
  } else if (*in_body) {
    request.body += line;
  } else if (line.empty()) {
    *in_body = true;
  } else if (line[0] == ' ') {
    request.headers.back().second += line; /* folded */
  } else {
    size_t colon = line.find(':');
    request.headers.emplace_back(line.substr(0, colon), line.substr(colon + 1));
  }
}

std::vector<Vector> read_vectors() {
  std::ifstream file("tests/gateway/sigv4_vectors.txt");
  std::vector<Vector> vectors;
  bool in_body = false;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("=== ", 0) == 0) {
      vectors.emplace_back();
      vectors.back().name = line.substr(4);
      vectors.back().request.method = "";
      in_body = false;
    } else {
      take_line(line, &in_body, &vectors.back());
    }
  }
  return vectors;
}

/* The session token that a request has, in its header or in its query. */
std::string session_token(const SigV4Request &request) {
  std::string token = request.header("X-Amz-Security-Token");
  static const std::string parameter = "&X-Amz-Security-Token=";
  size_t at = request.target.find(parameter);
  if (at != std::string::npos) {
    at += parameter.size();
    std::string encoded = request.target.substr(at, request.target.find('&', at) - at);
    g_autofree char *decoded = g_uri_unescape_string(encoded.c_str(), nullptr);
    token = decoded;
  }
  return token;
}

std::string credentials(const std::string &token) {
  return std::string("[suite]\naccess_key_id=AKIDEXAMPLE\nsecret_access_key=") + kSecret + "\n" +
         (token.empty() ? "" : "session_token=" + token + "\n");
}

class SigV4Vectors : public testing::Test {
 protected:
  SigV4Vectors() {
    verifier_.service = "service";
    verifier_.region = "us-east-1";
    verifier_.now_s = kSignedAt;
  }
  std::vector<Vector> vectors_ = read_vectors();
  SigV4Verifier verifier_;
};

TEST_F(SigV4Vectors, AreAccepted) {
  EXPECT_EQ(vectors_.size(), 61U);
  for (const Vector &vector : vectors_) {
    SigV4Verdict verdict =
        sigv4_verify(verifier_, credentials(session_token(vector.request)), vector.request);
    EXPECT_EQ(verdict.error, "") << vector.name;
    EXPECT_EQ(verdict.text, "suite") << vector.name;
  }
}

TEST_F(SigV4Vectors, AreRefusedWithAnotherSecretOrBody) {
  for (Vector &vector : vectors_) {
    std::string with = credentials(session_token(vector.request));
    std::string other = with;
    other.replace(other.find("EXAMPLEKEY"), 10, "EXAMPLEKEX");
    EXPECT_EQ(sigv4_verify(verifier_, other, vector.request).error, "InvalidSignatureException")
        << vector.name;
    vector.request.body += "x";
    EXPECT_EQ(sigv4_verify(verifier_, with, vector.request).error, "InvalidSignatureException")
        << vector.name;
    vector.request.body.pop_back();
    vector.request.method += "X";
    EXPECT_EQ(sigv4_verify(verifier_, with, vector.request).error, "InvalidSignatureException")
        << vector.name;
  }
}

}  // namespace
