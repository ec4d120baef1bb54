/* HTTP itself, and how the gateway stops. */
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "server/ops/metrics.h"
#include "tests/gateway/gateway_fixture.h"

namespace {

class Http : public GatewayFixture {
 protected:
  static std::string body() {
    return std::string("{\"executionArn\":\"") + kArn + "\",\"maxResults\":5}";
  }
  static std::string good() {
    return answer("200 OK", good_body());
  }
  static std::string good_and_closing() {
    return answer("200 OK", good_body(), "Connection: close\r\n");
  }
  static std::string good_body() {
    return "{\"events\":[" + event(1) + "," + event(2) + "," + event(3) + "," + event(4) + "," +
           event(5) + "]}";
  }
  static std::string big_request() {
    return request(std::string("{\"executionArn\":\"") + kBigArn + "\"}");
  }
  static std::string head(const std::string &line, const std::string &headers) {
    return line + "\r\nHost: x\r\nX-Amz-Target: AWSStepFunctions.GetExecutionHistory\r\n" +
           "Content-Type: application/x-amz-json-1.0\r\n" + headers + "\r\n";
  }
  static std::string length() {
    return "Content-Length: " + std::to_string(body().size()) + "\r\n";
  }
  static std::string not_found() {
    return answer("404 Not Found",
                  error("com.amazon.coral.service#UnknownOperationException",
                        "operations are called with POST /"),
                  "Connection: close\r\n");
  }
  static std::string closing(const std::string &status, const std::string &why) {
    return answer(status, error("com.amazon.coral.service#SerializationException", why),
                  "Connection: close\r\n");
  }
  static std::string refused(const std::string &why) {
    return closing("400 Bad Request", why);
  }
  static std::string too_large() {
    return answer(
        "413 Content Too Large",
        error("com.amazon.coral.service#RequestEntityTooLargeException", "the body is too large"),
        "Connection: close\r\n");
  }
  /* How many calls of no known method there are, by the text of metrics. */
  static std::string under_way(const std::string &text) {
    const std::string name = "\nannals_calls_under_way{transport=\"aws_json\",method=\"other\"} ";
    const size_t at = text.find(name) + name.size();
    return text.substr(at, text.find('\n', at) - at);
  }
  /* Sends a request that must get one answer, and no second one for what hides in its body. */
  void expect_refused(const std::string &bytes, const std::string &why) {
    HttpClient client(port_);
    client.send(bytes + request(body()));
    EXPECT_EQ(client.receive(), refused(why)) << bytes;
    EXPECT_EQ(client.receive(), "") << bytes;
  }
};

TEST_F(Http, KeepsConnections) {
  HttpClient client(port_);
  for (int i = 0; i < 3; i++) {
    client.send(request(body()));
    EXPECT_EQ(client.receive(), good());
    client.send(request("{"));
    EXPECT_NE(client.receive(), "");
  }
}

TEST_F(Http, AnswersPipelinedRequestsInOrder) {
  HttpClient client(port_);
  client.send(request(body()) + request("", "") + request(body()));
  EXPECT_EQ(client.receive(), good());
  EXPECT_NE(client.receive().find("ValidationException"), std::string::npos);
  EXPECT_EQ(client.receive(), good());
}

TEST_F(Http, AnswersPipelinedRequestsInOrderFromAColdStore) {
  store_.set_cold(true);
  HttpClient client(port_);
  client.send(request(body()) + request(body()) + request(body()));
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(client.receive(), good());
  }
}

TEST_F(Http, TakesRequestsByteByByte) {
  HttpClient client(port_);
  for (char byte : request(body())) {
    client.send(std::string(1, byte));
  }
  EXPECT_EQ(client.receive(), good());
}

TEST_F(Http, ClosesWhenAsked) {
  HttpClient client(port_);
  client.send(request(body(), "Connection: close\r\n"));
  EXPECT_EQ(client.receive(), answer("200 OK", good_body(), "Connection: close\r\n"));
  EXPECT_TRUE(client.closed());
}

TEST_F(Http, AnswersHttp10AndCloses) {
  HttpClient client(port_);
  client.send(head("POST / HTTP/1.0", length()) + body());
  EXPECT_EQ(client.receive(), answer("200 OK", good_body(), "Connection: close\r\n"));
  EXPECT_TRUE(client.closed());
}

TEST_F(Http, KeepsHttp10ConnectionsWhenAsked) {
  HttpClient client(port_);
  for (int i = 0; i < 2; i++) {
    client.send(head("POST / HTTP/1.0", "Connection: keep-alive\r\n" + length()) + body());
    EXPECT_EQ(client.receive(), answer("200 OK", good_body(), "Connection: Keep-Alive\r\n"));
  }
}

TEST_F(Http, RefusesHeadersWithoutAName) {
  const std::string why = "a header has no name";
  for (const char *line : {": x\r\n", ":\r\n", "::\r\n", ":Content-Length: 0\r\n"}) {
    expect_refused(head("POST / HTTP/1.1", line + length()) + body(), why);
    expect_refused(head("POST / HTTP/1.1", length() + line) + body(), why);
  }
  expect_refused("POST / HTTP/1.1\r\n: x\r\nHost: x\r\n\r\n",
                 "a header's name has characters that names do not have");
}

TEST_F(Http, SaysContinue) {
  HttpClient client(port_);
  client.send(head("POST / HTTP/1.1", "Expect: 100-continue\r\n" + length()));
  EXPECT_EQ(client.receive_head(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send(body());
  EXPECT_EQ(client.receive(), good());
}

TEST_F(Http, DoesNotSayContinueToWhatItWillNotTake) {
  HttpClient client(port_);
  client.send(head("GET / HTTP/1.1", "Expect: 100-continue\r\n" + length()));
  EXPECT_EQ(client.receive(), not_found());
  EXPECT_TRUE(client.closed());
}

TEST_F(Http, DoesNotSayContinueWhereNoBodyComes) {
  HttpClient client(port_);
  const std::string no_arn = request("", "Expect: 100-continue\r\n");
  client.send(no_arn + request(body()));
  EXPECT_EQ(client.receive(),
            answer("400 Bad Request",
                   error("com.amazon.coral.validate#ValidationException",
                         "1 validation error detected: Value null at 'executionArn' failed to "
                         "satisfy constraint: Member must not be null"),
                   "Connection: close\r\n"));
  EXPECT_EQ(client.receive(), "");
}

TEST_F(Http, IgnoresOtherExpectations) {
  HttpClient client(port_);
  client.send(request(body(), "Expect: 200-ok\r\n") + request(body()));
  EXPECT_EQ(client.receive(), good());
  EXPECT_EQ(client.receive(), good());
}

TEST_F(Http, SaysContinueOnceAndNotToHttp10) {
  HttpClient client(port_);
  client.send(head("POST / HTTP/1.0", "Expect: 100-continue\r\n" + length()) + body());
  EXPECT_EQ(client.receive(), good_and_closing());
}

TEST_F(Http, DoesNotSayContinueToABodyOverTheLimit) {
  HttpClient client(port_);
  client.send(head("POST / HTTP/1.1", "Expect: 100-continue\r\nContent-Length: 1048577\r\n"));
  EXPECT_EQ(client.receive(), too_large());
  EXPECT_TRUE(client.closed());
}

TEST_F(Http, TakesChunkedBodies) {
  HttpClient client(port_);
  const std::string text = body();
  char size[16];
  snprintf(size, sizeof size, "%zx", text.size() - 5);
  client.send(head("POST / HTTP/1.1", "Transfer-Encoding: chunked\r\n") + "5\r\n" +
              text.substr(0, 5) + "\r\n" + size + ";x=y\r\n" + text.substr(5) + "\r\n0\r\n\r\n");
  client.send(request(body()));
  EXPECT_EQ(client.receive(), good_and_closing());
  EXPECT_EQ(client.receive(), "") << "what stands behind chunks is not answered";
}

TEST_F(Http, EndsChunksWhereTheyEndOrNotAtAll) {
  const std::string text = body();
  char size[16];
  snprintf(size, sizeof size, "%zx", text.size());
  const std::string all = std::string(size) + "\r\n" + text + "\r\n0\r\n";
  auto chunked = [&](const std::string &chunks) {
    HttpClient client(port_);
    client.send(head("POST / HTTP/1.1", "Transfer-Encoding: chunked\r\n") + chunks +
                request(body()));
    std::string first = client.receive();
    EXPECT_EQ(client.receive(), "") << chunks;
    return first;
  };
  for (const std::string &end :
       {std::string("\r\n"), std::string("X: y\r\n\r\n"), std::string("\n"),
        std::string("X: y\n\n"), std::string("Content-Length: 5\r\n\r\n")}) {
    EXPECT_EQ(chunked(all + end), good_and_closing()) << end;
  }
  EXPECT_EQ(chunked(std::string("000") + all + "\r\n"), good_and_closing());
  EXPECT_EQ(chunked(std::string(size) + "\n" + text + "\n0\n\n"), good_and_closing());
  const std::string malformed = refused("the request is not well-formed HTTP");
  for (const char *start : {"+", "0x", "-", " ", "\r\n", ";"}) {
    EXPECT_EQ(chunked(start + all + "\r\n"), malformed) << start;
  }
  EXPECT_EQ(chunked(std::string(size) + " \r\n" + text + "\r\n0\r\n\r\n"), malformed);
  EXPECT_EQ(chunked(std::string(size) + "\r\n" + text + "x\r\n0\r\n\r\n"), malformed);
  EXPECT_EQ(chunked(std::string(size) + "\r\n" + text + "0\r\n\r\n"), malformed);
  EXPECT_EQ(chunked("11111111111111111\r\n"), too_large());
}

TEST_F(Http, TakesABodyOfTheLimitAndNotOneByteMore) {
  HttpClient client(port_);
  std::string text = body();
  text += std::string(1048576 - text.size(), ' ');
  client.send(request(text));
  EXPECT_EQ(client.receive(), good());
  client.send(request(text + " "));
  EXPECT_EQ(client.receive(), too_large());
  EXPECT_TRUE(client.closed());
}

TEST_F(Http, RefusesAHugeBodyByItsHead) {
  HttpClient client(port_);
  client.send(head("POST / HTTP/1.1", "Content-Length: 99999999999\r\n"));
  EXPECT_EQ(client.receive(), too_large());
  EXPECT_TRUE(client.closed());
}

TEST_F(Http, AnswersAnEndlessChunkedBodyAndCutsItOff) {
  HttpClient client(port_);
  const std::string chunk = "10000\r\n" + std::string(65536, 'x') + "\r\n";
  client.send(head("POST / HTTP/1.1", "Transfer-Encoding: chunked\r\n"));
  for (int i = 0; i < 200; i++) {
    client.send(chunk);
  }
  EXPECT_EQ(client.receive(), too_large());
  EXPECT_EQ(client.receive(), "");
}

TEST_F(Http, HasOneResource) {
  auto ask_line = [&](const std::string &bytes) {
    HttpClient client(port_);
    client.send(bytes + request(body()));
    return client.receive() + client.receive();
  };
  for (const char *line : {"GET / HTTP/1.1", "DELETE / HTTP/1.1", "OPTIONS / HTTP/1.1",
                           "OPTIONS * HTTP/1.1", "CONNECT x:80 HTTP/1.1"}) {
    EXPECT_EQ(ask_line(head(line, "")), not_found()) << line;
  }
  for (const char *line :
       {"PUT / HTTP/1.1", "post / HTTP/1.1", "POST /x HTTP/1.1", "POST // HTTP/1.1",
        "POST /%00 HTTP/1.1", "POST /%2f HTTP/1.1", "POST * HTTP/1.1", "POST /#x HTTP/1.1",
        "GET / HTTP/1.1", "POST http://x/y HTTP/1.1", "POST https://x/ HTTP/1.1",
        "BREW / HTTP/1.1"}) {
    EXPECT_EQ(ask_line(head(line, length()) + body()), not_found()) << line;
  }
  for (const char *line : {"POST /?a=b HTTP/1.1", "POST http://x/ HTTP/1.1",
                           "POST HTTP://x:80 HTTP/1.1", "POST http://x/?a=/y HTTP/1.1"}) {
    EXPECT_EQ(ask_line(head(line, length()) + body()), good() + good()) << line;
  }
}

TEST_F(Http, HidesNoRequestInABodyOfAnother) {
  const std::string hidden = request(body());
  const std::string size = "Content-Length: " + std::to_string(hidden.size()) + "\r\n";
  for (const char *line : {"GET / HTTP/1.1", "GET / HTTP/1.0", "POST /x HTTP/1.1",
                           "DELETE / HTTP/1.1", "OPTIONS * HTTP/1.1"}) {
    HttpClient client(port_);
    client.send(head(line, size) + hidden + hidden);
    EXPECT_EQ(client.receive(), not_found()) << line;
    EXPECT_EQ(client.receive(), "") << line;
  }
}

TEST_F(Http, AnswersHeadWithoutABody) {
  HttpClient client(port_);
  client.send(head("HEAD / HTTP/1.1", ""));
  const std::string whole = not_found();
  EXPECT_EQ(client.receive_head(), whole.substr(0, whole.find("\r\n\r\n") + 4));
  EXPECT_TRUE(client.closed());
}

TEST_F(Http, RefusesWhatCouldBeReadInTwoWays) {
  const std::string post = "POST / HTTP/1.1";
  expect_refused(head(post, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
                 "Content-Length and Transfer-Encoding exclude each other");
  expect_refused(head(post, "Content-Length: 2\r\nContent-Length: 40\r\n") + "{}",
                 "Content-Length is repeated");
  expect_refused(head(post, "Content-Length: 2\r\nContent-Length: 2\r\n") + "{}",
                 "Content-Length is repeated");
  expect_refused(
      head(post, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
      "Transfer-Encoding is repeated");
  expect_refused(head(post, "Transfer-Encoding: xchunked\r\n") + "0\r\n\r\n",
                 "Transfer-Encoding is not chunked");
  expect_refused(head(post, "Transfer-Encoding: gzip, chunked\r\n") + "0\r\n\r\n",
                 "Transfer-Encoding is not chunked");
  expect_refused(head("POST / HTTP/1.0", "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n",
                 "Transfer-Encoding is not for this version of HTTP");
  const std::string name = "a header's name has characters that names do not have";
  expect_refused(head(post, "Content-Length : 2\r\n") + "{}", name);
  expect_refused(head(post, "Transfer-Encoding : chunked\r\n") + "0\r\n\r\n", name);
  expect_refused(
      head("GET / HTTP/1.1", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
      "Content-Length and Transfer-Encoding exclude each other");
  expect_refused(head(post, "Host: y\r\nContent-Length: 2\r\n") + "{}", "Host is repeated");
}

/* What libmicrohttpd finds, in our words, and once. */
TEST_F(Http, RefusesWhatTheLibraryCannotRead) {
  const std::string post = "POST / HTTP/1.1";
  const std::string malformed = "the request is not well-formed HTTP";
  for (const char *value : {"5, 5", "+5", "-1", "0x5", "5 ", "", "5;", "5 5", "1e1", "5.0"}) {
    expect_refused(head(post, std::string("Content-Length: ") + value + "\r\n") + "{    ",
                   malformed);
  }
  expect_refused(head(post, "no colon\r\n"), malformed);
  for (const char *line : {"POST / http/1.1", "POST / HTTP/11", "POST /", "POST / HTTP/1.1 "}) {
    expect_refused(head(line, "Content-Length: 0\r\n"), malformed);
  }
  auto expect_one = [&](const std::string &bytes, const std::string &expected) {
    HttpClient client(port_);
    client.send(bytes + request(body()));
    EXPECT_EQ(client.receive(), expected);
    EXPECT_EQ(client.receive(), "");
  };
  for (const char *line : {"POST / HTTP/2.0", "POST / HTTP/0.9"}) {
    expect_one(head(line, ""),
               closing("505 HTTP Version Not Supported", "this version of HTTP is not supported"));
  }
  expect_one(head(post, "Content-Length: 99999999999999999999999\r\n"), too_large());
  const std::string large = closing("431 Request Header Fields Too Large",
                                    "the request line and the headers are too large");
  for (const std::string &bytes :
       {"POST /?" + std::string(32768, 'x'), post + "\r\nX: " + std::string(32740, 'x')}) {
    HttpClient client(port_);
    client.send(bytes);
    EXPECT_EQ(client.receive(), large);
    EXPECT_EQ(client.receive(), "");
  }
}

/* Whatever fills the memory of a connection: an answer, and a gateway that goes on. */
TEST_F(Http, AnswersHeadsOfAnySize) {
  const std::string large = closing("431 Request Header Fields Too Large",
                                    "the request line and the headers are too large");
  auto repeat = [](const std::string &text, int count) {
    std::string all;
    for (int i = 0; i < count; i++) {
      all += text;
    }
    return all;
  };
  auto answer_to = [&](const std::string &line, const std::string &headers) {
    HttpClient client(port_);
    client.send(head(line, headers + length()) + body());
    return client.receive();
  };
  for (int count = 400; count<1200; count += count> 440 && count < 530 ? 1 : 40) {
    for (const std::string &reply :
         {answer_to("POST /?" + repeat("a&", count) + " HTTP/1.1", ""),
          answer_to("POST /?" + repeat("a=b&", count) + " HTTP/1.1", ""),
          answer_to("POST / HTTP/1.1", repeat("X: y\r\n", count)),
          answer_to("POST / HTTP/1.1", "Cookie: " + repeat("a=b; ", count) + "\r\n"),
          answer_to("POST / HTTP/1.1", "X: " + repeat("x", 26 * count) + "\r\n"),
          answer_to("POST / HTTP/1.1", "X: " + repeat("x", 28000 + 4 * count) + "\r\n")}) {
      EXPECT_TRUE(reply == good() || reply == large) << count << ": " << reply;
    }
  }
  /* libmicrohttpd must not take arguments apart: where it had no room for them, it crashed. */
  EXPECT_EQ(answer_to("POST /?" + repeat("a&", 5000) + " HTTP/1.1", ""), good());
  EXPECT_EQ(answer_to("POST /?" + repeat("a&", 16000) + " HTTP/1.1", ""), large);
  EXPECT_EQ(answer_to("POST / HTTP/1.1", "X: " + repeat("x", 29000) + "\r\n"), good());
}

TEST_F(Http, RefusesRequestLinesThatAreNotPlain) {
  const std::string why = "the request line is not METHOD TARGET VERSION";
  for (const std::string &line :
       {std::string("POST  / HTTP/1.1"), std::string("POST /  HTTP/1.1"),
        std::string("POST /a b HTTP/1.1"), std::string("POST /? HTTP/1.1 HTTP/1.1"),
        std::string("POST /\0 HTTP/1.1", 16), std::string("POST /?\0 HTTP/1.1", 17),
        std::string("P(ST / HTTP/1.1"), std::string("POST /\t HTTP/1.1")}) {
    expect_refused(head(line, length()) + body(), why);
  }
  expect_refused(head("POST / HTTP/1.2", length()) + body(),
                 "this version of HTTP is not supported");
  expect_refused("POST / HTTP/1.1\r\n" + length() + "\r\n" + body(), "Host is missing");
}

/* libmicrohttpd does not tell of their end. */
TEST_F(Http, EndsCallsThatAreRefusedForTwoReasons) {
  annals_metrics *metrics = annals_metrics_new();
  annals_gateway_options options = {};
  options.metrics = metrics;
  start(options);
  for (int count = 200; count < 700; count += 4) { /* about where memory ends */
    std::string headers = "Content-Length: 99999999999999999999\r\nCookie: ";
    for (int i = 0; i < 300; i++) {
      headers += "a;";
    }
    headers += "\r\n";
    for (int i = 0; i < count; i++) {
      headers += "A:\r\n";
    }
    HttpClient client(port_);
    client.send(head("POST / HTTP/1.1", headers));
    EXPECT_NE(client.receive(), "") << count;
  }
  start({}); /* all that was under way is over */
  GString *text = annals_metrics_text(metrics);
  EXPECT_EQ(under_way(text->str), "0");
  g_string_free(text, TRUE);
  annals_metrics_free(metrics);
}

TEST_F(Http, RefusesLinesThatAreNotPlain) {
  const std::string post = "POST / HTTP/1.1";
  const std::string why = "a line is folded or does not end with CRLF";
  expect_refused(head(post, "X-B: a\r\n folded\r\nContent-Length: 2\r\n") + "{}", why);
  expect_refused(head(post, "X-B: a\r\n\tfolded\r\nContent-Length: 2\r\n") + "{}", why);
  expect_refused(head(post, "X-B: a\r\n b: c\r\nContent-Length: 2\r\n") + "{}",
                 "a header's name has characters that names do not have");
  expect_refused(head(post, "Content-Lengt: 300\r\n h\r\n"), why);
  expect_refused(head(post, "X-B: a\nContent-Length: 2\r\n") + "{}", why);
  expect_refused(head(post, "X-B: a\rContent-Length: 2\r\n") + "{}",
                 "a header's value has control characters");
  expect_refused("POST / HTTP/1.1\nHost: x\r\nContent-Length: 2\r\n\r\n{}", why);
  expect_refused("POST / HTTP/1.1\nHost: x\nContent-Length: 2\n\n{}", why);
}

TEST_F(Http, TakesHeadersWithAndWithoutBlanks) {
  HttpClient client(port_);
  client.send(head("POST / HTTP/1.1",
                   "A:\r\nB: \r\nC:c\r\nD: \t d\r\nE: e \t\r\nCookie: a=b; c=d\r\n" + length()) +
              body());
  EXPECT_EQ(client.receive(), good());
}

TEST_F(Http, StopsTwiceAndRefusesConnections) {
  annals_gateway_stop(gateway_);
  annals_gateway_stop(gateway_);
  EXPECT_FALSE(HttpClient(port_).connected());
}

TEST_F(Http, StopsWithIdleConnections) {
  HttpClient fresh(port_);
  HttpClient used(port_);
  used.send(request(body()));
  EXPECT_EQ(used.receive(), good());
  annals_gateway_stop(gateway_);
  EXPECT_TRUE(used.closed());
  EXPECT_TRUE(fresh.closed());
}

TEST_F(Http, AnswersCallsThatWaitForTheDiskBeforeItStops) {
  store_.hold();
  store_.set_cold(true);
  HttpClient one(port_);
  HttpClient two(port_);
  one.send(request(body()));
  two.send(request(body()));
  store_.wait_pending(2);
  std::thread stopping([this] { annals_gateway_stop(gateway_); });
  /* Once new clients are refused, it is on its way. */
  while (HttpClient(port_).connected()) {
    std::this_thread::yield();
  }
  store_.release();
  stopping.join();
  EXPECT_EQ(one.receive(), answer("200 OK", good_body(), "Connection: close\r\n"));
  EXPECT_EQ(two.receive(), answer("200 OK", good_body(), "Connection: close\r\n"));
  EXPECT_TRUE(one.closed());
}

TEST_F(Http, SendsABigAnswerWholeBeforeItStops) {
  HttpClient client(port_);
  client.send(big_request());
  std::string head = client.receive_head();
  std::thread stopping([this] { annals_gateway_stop(gateway_); });
  size_t size = std::stoul(head.substr(head.find("Content-Length: ") + 16));
  EXPECT_GT(size, 14000000u);
  std::string rest = client.receive_rest(size);
  EXPECT_EQ(rest.size(), size);
  EXPECT_EQ(rest.substr(rest.size() - 2), "]}");
  stopping.join();
}

TEST_F(Http, WaitsASecondForBodiesBeforeItStops) {
  annals_gateway_options options = {};
  options.stop_timeout_ms = 100000;
  start(options);
  HttpClient client(port_);
  client.send(head("POST / HTTP/1.1", "Expect: 100-continue\r\n" + length()));
  ASSERT_NE(client.receive_head(), "");
  int64_t start_us = g_get_monotonic_time();
  annals_gateway_stop(gateway_);
  EXPECT_LT(g_get_monotonic_time() - start_us, 60000000) << "not as for answers";
  EXPECT_EQ(client.receive(), "");
}

TEST_F(Http, CutsOffAClientThatDoesNotReadWhenItsTimeIsUp) {
  annals_gateway_options options = {};
  options.stop_timeout_ms = 50;
  start(options);
  HttpClient client(port_);
  client.send(big_request());
  ASSERT_NE(client.receive_head(), "");
  annals_gateway_stop(gateway_);
}

TEST_F(Http, ServesManyAtOnceFromAColdStore) {
  store_.set_cold(true);
  std::vector<std::thread> clients;
  std::atomic<int> good_count{0};
  for (int i = 0; i < 16; i++) {
    clients.emplace_back([&] {
      HttpClient client(port_);
      for (int n = 0; n < 50; n++) {
        client.send(request(body()));
        good_count += client.receive() == good();
      }
    });
  }
  for (std::thread &client : clients) {
    client.join();
  }
  EXPECT_EQ(good_count, 16 * 50);
}

TEST_F(Http, StopsUnderLoad) {
  store_.set_cold(true);
  std::vector<std::thread> clients;
  std::atomic<int> answer_count{0};
  for (int i = 0; i < 8; i++) {
    clients.emplace_back([&] {
      HttpClient client(port_);
      for (;;) {
        client.send(request(body()));
        std::string reply = client.receive();
        if (reply.empty()) {
          return;
        }
        /* At the very end there is no time for an operation any more. */
        EXPECT_TRUE(reply.substr(0, 15) == "HTTP/1.1 200 OK" ||
                    reply.substr(0, 12) == "HTTP/1.1 503")
            << reply;
        EXPECT_EQ(reply.find("<cut off>"), std::string::npos);
        answer_count++;
      }
    });
  }
  while (answer_count < 100) {
    std::this_thread::yield();
  }
  annals_gateway_stop(gateway_);
  for (std::thread &client : clients) {
    client.join();
  }
}

}  // namespace
