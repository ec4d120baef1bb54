/* A request to be signed or verified, as text that owns itself; and a signer for tests. */
#ifndef ANNALS_TESTS_GATEWAY_SIGV4_REQUEST_H_
#define ANNALS_TESTS_GATEWAY_SIGV4_REQUEST_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

extern "C" {
#include "server/gateway/sigv4.h"
}

struct SigV4Request {
  std::string method = "POST";
  std::string target = "/";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  /* The value of a header, "" when it is not there. */
  std::string header(const std::string &name) const;
  /* Puts a header in the place of all of that name. */
  void set(const std::string &name, const std::string &value);
  void remove(const std::string &name);
};

/* Who verifies, and when. */
struct SigV4Verifier {
  std::string service = "states";
  std::string region; /* "": any */
  int64_t now_s = 0;
};

/* "" and the principal's name, or the failure's name and its message. */
struct SigV4Verdict {
  std::string error;
  std::string text;
};

/* Who signs, when, and what of it. */
struct SigV4Signer {
  std::string access_key_id = "AKIAREADER";
  std::string secret = "wJalrXUtnFEMI/K7MDENG";
  std::string timestamp = "20261122T080000Z";
  std::string scope = "20261122/eu-west-1/states/aws4_request";
  std::string signed_headers; /* "": all there are */
};

/* The signature of a request that has everything but. payload_hash "": the body's. */
std::string sigv4_signature(const SigV4Signer &signer, const SigV4Request &request,
                            const std::string &payload_hash = "");
/* Names of the headers there are, as SignedHeaders has them. */
std::string sigv4_signed_headers(const SigV4Signer &signer, const SigV4Request &request);
/* Signs in the Authorization header, with X-Amz-Date. */
void sigv4_sign(const SigV4Signer &signer, SigV4Request *request);
/* Signs in the query. */
void sigv4_presign(const SigV4Signer &signer, int expires_s, SigV4Request *request);

SigV4Verdict sigv4_verify(const SigV4Verifier &verifier, const std::string &credentials,
                          const SigV4Request &request);

#endif
