#include "server/gateway/http_check.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

const Headers kHost = {{"Host", "x"}};

/* What is wrong with headers that stand behind those of before. */
std::string problem(const Headers &headers, const char *version = "HTTP/1.1",
                    const Headers &before = kHost) {
  annals_http_check check = {};
  for (const auto &header : before) {
    annals_http_check_header(&check, header.first.data(), header.first.size(), header.second.data(),
                             header.second.size());
  }
  for (const auto &header : headers) {
    annals_http_check_header(&check, header.first.data(), header.first.size(), header.second.data(),
                             header.second.size());
  }
  const char *found = annals_http_check_end(&check, version);
  return found == nullptr ? "" : found;
}

TEST(HttpCheck, TakesWhatClientsSend) {
  EXPECT_EQ(problem({}), "");
  EXPECT_EQ(problem({{"Content-Length", "12"},
                     {"X-Amz-Target", "a b\tc"},
                     {"x!#$%&'*+-.^_`|~9", ""},
                     {"Accept", "a"},
                     {"Accept", "b"}}),
            "");
  EXPECT_EQ(problem({{"content-length", "12 \t"}}), "");
  EXPECT_EQ(problem({{"transfer-encoding", "Chunked"}}), "");
  EXPECT_EQ(problem({{"Content-Length", "0"}}, "HTTP/1.0"), "");
}

TEST(HttpCheck, RefusesTwoWaysToEndABody) {
  EXPECT_EQ(problem({{"Content-Length", "1"}, {"Transfer-Encoding", "chunked"}}),
            "Content-Length and Transfer-Encoding exclude each other");
  EXPECT_EQ(problem({{"Content-Length", "1"}, {"content-length", "1"}}),
            "Content-Length is repeated");
  EXPECT_EQ(problem({{"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}}),
            "Transfer-Encoding is repeated");
}

TEST(HttpCheck, RefusesASecondOneOfWhatStandsOnce) {
  for (const char *name : {"Host", "Content-Type", "X-Amz-Target"}) {
    EXPECT_EQ(problem({{name, "a"}, {name, "a"}}, "HTTP/1.1", {}),
              name + std::string(" is repeated"));
  }
  EXPECT_EQ(problem({{"x-amz-TARGET", "a"}, {"X-Amz-Target", "b"}}), "X-Amz-Target is repeated");
}

TEST(HttpCheck, WantsAHost) {
  EXPECT_EQ(problem({}, "HTTP/1.1", {}), "Host is missing");
  EXPECT_EQ(problem({}, "HTTP/1.0", {}), "");
  for (const char *value :
       {"", "localhost", "states.us-east-1.amazonaws.com", "127.0.0.1:8083", "[::1]:8083", "x "}) {
    EXPECT_EQ(problem({{"Host", value}}, "HTTP/1.1", {}), "") << value;
  }
  for (const std::string &value :
       {std::string("a b"), std::string("a,b"), std::string("a/"), std::string("u@h"),
        std::string("a\\b"), std::string("a?"), std::string("a\x80")}) {
    EXPECT_EQ(problem({{"Host", value}}, "HTTP/1.1", {}), "Host is not a host and a port") << value;
  }
}

TEST(HttpCheck, KnowsTwoVersions) {
  for (const char *version : {"HTTP/1.2", "HTTP/0.9", "HTTP/2.0", "", "http/1.1"}) {
    EXPECT_EQ(problem({}, version), "this version of HTTP is not supported") << version;
  }
}

TEST(HttpCheck, RefusesOtherEncodings) {
  for (const char *value : {"", "chunked ", "chunked\t", "xchunked", "gzip, chunked",
                            "chunked, chunked", "identity", "chunked;a=b", "\"chunked\""}) {
    EXPECT_EQ(problem({{"Transfer-Encoding", value}}), "Transfer-Encoding is not chunked") << value;
  }
  for (const char *version : {"HTTP/1.0", "HTTP/0.9", ""}) {
    EXPECT_EQ(problem({{"Transfer-Encoding", "chunked"}}, version),
              "Transfer-Encoding is not for this version of HTTP");
  }
}

TEST(HttpCheck, RefusesLengthsThatAreNotDigits) {
  for (const char *value : {"", "+1", "-1", "0x1", "1, 1", "1 1", "a"}) {
    EXPECT_EQ(problem({{"Content-Length", value}}), "Content-Length is not a number") << value;
  }
}

TEST(HttpCheck, RefusesOddNames) {
  for (const std::string &name :
       {std::string(""), std::string("Content-Length "), std::string("X-B folded: a"),
        std::string("a\0b", 3), std::string("a\x80"), std::string("a(b)"), std::string("a:b")}) {
    EXPECT_EQ(problem({{name, "1"}}), "a header's name has characters that names do not have");
  }
}

TEST(HttpCheck, RefusesControlCharactersInValues) {
  for (const std::string &value :
       {std::string("a\rb"), std::string("a\nb"), std::string("a\0b", 3), std::string("a\x7f")}) {
    EXPECT_EQ(problem({{"X", value}}), "a header's value has control characters");
  }
}

/* A head as libmicrohttpd leaves it, with NULs for what it has read. */
bool is_plain(const std::string &text, size_t name_at, size_t value_at) {
  const char *name = text.data() + name_at;
  const char *value = text.data() + value_at;
  return annals_http_line_is_plain(name, strlen(name), value, strlen(value));
}

TEST(HttpCheck, KnowsPlainLinesByTheirPlace) {
  EXPECT_TRUE(is_plain(std::string("a\0 \t v\0\0b", 9), 0, 5));
  EXPECT_TRUE(is_plain(std::string("a\0v\0\0b", 6), 0, 2));
  EXPECT_TRUE(is_plain(std::string("a\0\0\0b", 5), 0, 2));
  EXPECT_TRUE(is_plain(std::string("HTTP/1.1\0\0b", 11), 0, 0));
  EXPECT_FALSE(is_plain(std::string("HTTP/1.1\0b", 10), 0, 0)) << "LF alone";
  EXPECT_FALSE(is_plain(std::string("a\0v\0b", 5), 0, 2)) << "LF alone";
  EXPECT_FALSE(is_plain(std::string("v\0\0a\0\0b", 7), 3, 0)) << "name moved behind";
  EXPECT_FALSE(is_plain(std::string("ab\0\0\0a\0v\0\0", 10), 0, 7)) << "name moved before";
}

/* A request line as libmicrohttpd leaves it. */
bool line_is_plain(const std::string &text, size_t target_at, size_t version_at) {
  return annals_http_request_line_is_plain(text.data(), text.data() + target_at,
                                           text.data() + version_at);
}

TEST(HttpCheck, KnowsPlainRequestLines) {
  EXPECT_TRUE(line_is_plain(std::string("POST\0/\0HTTP/1.1", 15), 5, 7));
  EXPECT_TRUE(line_is_plain(std::string("POST\0/?a=%20~\0HTTP/1.1", 23), 5, 14));
  EXPECT_FALSE(line_is_plain(std::string("POST\0 /\0HTTP/1.1", 16), 6, 8)) << "two spaces";
  EXPECT_FALSE(line_is_plain(std::string("POST\0/ \0HTTP/1.1", 16), 5, 8)) << "space in target";
  EXPECT_FALSE(line_is_plain(std::string("POST\0/\0b\0HTTP/1.1", 17), 5, 9)) << "NUL in target";
  EXPECT_FALSE(line_is_plain(std::string("POST\0/\x80\0HTTP/1.1", 16), 5, 8)) << "not ASCII";
  EXPECT_FALSE(line_is_plain(std::string("P(ST\0/\0HTTP/1.1", 15), 5, 7)) << "no token";
  EXPECT_FALSE(line_is_plain(std::string("POST\0\0HTTP/1.1", 14), 5, 6)) << "no target";
}

TEST(HttpCheck, KeepsTheFirstProblem) {
  EXPECT_EQ(problem({{"a b", "1"}, {"Content-Length", "x"}}),
            "a header's name has characters that names do not have");
}

}  // namespace
