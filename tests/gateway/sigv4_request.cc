#include "tests/gateway/sigv4_request.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <set>

extern "C" {
#include "server/gateway/aws_error.h"
#include "server/gateway/sigv4_canonical.h"
}

namespace {

bool same(const std::string &a, const std::string &b) {
  return g_ascii_strcasecmp(a.c_str(), b.c_str()) == 0;
}

std::string hex(const std::string &bytes) {
  std::string out;
  for (unsigned char c : bytes) {
    char text[3];
    g_snprintf(text, sizeof text, "%02x", c);
    out += text;
  }
  return out;
}

std::string sha256(const std::string &text) {
  unsigned char hash[32];
  EXPECT_EQ(EVP_Digest(text.data(), text.size(), hash, nullptr, EVP_sha256(), nullptr), 1);
  return hex({reinterpret_cast<char *>(hash), sizeof hash});
}

std::string mac(const std::string &key, const std::string &text) {
  unsigned char result[32];
  unsigned size = sizeof result;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char *>(text.data()), text.size(), result, &size);
  return {reinterpret_cast<char *>(result), size};
}

/* Calls use with the request as the verifier takes it. */
template <typename Use>
void with_request(const SigV4Request &request, Use use) {
  std::vector<annals_sigv4_header> headers;
  for (const auto &each : request.headers) {
    headers.push_back({each.first.c_str(), each.second.c_str()});
  }
  annals_sigv4_request what = {};
  what.method = request.method.c_str();
  what.target = request.target.c_str();
  what.headers = headers.data();
  what.header_count = headers.size();
  what.body = reinterpret_cast<const uint8_t *>(request.body.data());
  what.body_size = request.body.size();
  use(what);
}

}  // namespace

std::string SigV4Request::header(const std::string &name) const {
  for (const auto &each : headers) {
    if (same(each.first, name)) {
      return each.second;
    }
  }
  return "";
}

void SigV4Request::remove(const std::string &name) {
  headers.erase(std::remove_if(headers.begin(), headers.end(),
                               [&](const auto &each) { return same(each.first, name); }),
                headers.end());
}

void SigV4Request::set(const std::string &name, const std::string &value) {
  remove(name);
  headers.emplace_back(name, value);
}

std::string sigv4_signed_headers(const SigV4Signer &signer, const SigV4Request &request) {
  if (!signer.signed_headers.empty()) {
    return signer.signed_headers;
  }
  std::set<std::string> names;
  for (const auto &each : request.headers) {
    g_autofree char *lower = g_ascii_strdown(each.first.c_str(), -1);
    names.insert(lower);
  }
  std::string joined;
  for (const std::string &name : names) {
    joined += (joined.empty() ? "" : ";") + name;
  }
  return joined;
}

std::string sigv4_signature(const SigV4Signer &signer, const SigV4Request &request,
                            const std::string &payload_hash) {
  std::string canonical;
  with_request(request, [&](const annals_sigv4_request &what) {
    g_auto(GStrv) names = g_strsplit(sigv4_signed_headers(signer, request).c_str(), ";", -1);
    std::string hash = payload_hash.empty() ? sha256(request.body) : payload_hash;
    g_autofree char *text = annals_sigv4_canonical_request(&what, names, hash.c_str(), nullptr);
    canonical = text != nullptr ? text : "";
  });
  std::string key = "AWS4" + signer.secret;
  g_auto(GStrv) parts = g_strsplit(signer.scope.c_str(), "/", -1);
  for (char **part = parts; *part != nullptr; part++) {
    key = mac(key, *part);
  }
  return hex(mac(key, "AWS4-HMAC-SHA256\n" + signer.timestamp + "\n" + signer.scope + "\n" +
                          sha256(canonical)));
}

void sigv4_sign(const SigV4Signer &signer, SigV4Request *request) {
  request->remove("Authorization");
  request->set("X-Amz-Date", signer.timestamp);
  std::string payload = request->header("X-Amz-Content-Sha256");
  request->set("Authorization", "AWS4-HMAC-SHA256 Credential=" + signer.access_key_id + "/" +
                                    signer.scope +
                                    ", SignedHeaders=" + sigv4_signed_headers(signer, *request) +
                                    ", Signature=" + sigv4_signature(signer, *request, payload));
}

void sigv4_presign(const SigV4Signer &signer, int expires_s, SigV4Request *request) {
  g_autofree char *credential =
      g_uri_escape_string((signer.access_key_id + "/" + signer.scope).c_str(), nullptr, FALSE);
  g_autofree char *names =
      g_uri_escape_string(sigv4_signed_headers(signer, *request).c_str(), nullptr, FALSE);
  request->target += std::string(request->target.find('?') == std::string::npos ? "?" : "&") +
                     "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + credential +
                     "&X-Amz-Date=" + signer.timestamp +
                     "&X-Amz-Expires=" + std::to_string(expires_s) +
                     "&X-Amz-SignedHeaders=" + names;
  request->target += "&X-Amz-Signature=" + sigv4_signature(signer, *request);
}

SigV4Verdict sigv4_verify(const SigV4Verifier &verifier, const std::string &credentials,
                          const SigV4Request &request) {
  std::string text = credentials;
  g_autoptr(GError) error = nullptr;
  annals_credentials *parsed = annals_credentials_parse("file", text.data(), text.size(), &error);
  EXPECT_NE(parsed, nullptr) << error->message;
  annals_sigv4_verifier by = {};
  by.service = verifier.service.c_str();
  by.region = verifier.region.empty() ? nullptr : verifier.region.c_str();
  by.credentials = parsed;
  by.now_s = verifier.now_s;
  const annals_principal *principal = nullptr;
  SigV4Verdict verdict;
  with_request(request, [&](const annals_sigv4_request &what) {
    if (annals_sigv4_verify(&by, &what, &principal, &error)) {
      EXPECT_EQ(error, nullptr);
      verdict.text = principal->name;
    } else {
      EXPECT_EQ(principal, nullptr);
      verdict = {annals_aws_error_name(error), error->message};
    }
  });
  annals_credentials_unref(parsed);
  return verdict;
}
