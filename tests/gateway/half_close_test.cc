/* Clients that will send nothing more. */
#include <string>

#include "tests/gateway/gateway_fixture.h"

namespace {

class HalfClose : public GatewayFixture {
 protected:
  static std::string whole() {
    return request(std::string("{\"executionArn\":\"") + kArn + "\"}");
  }
  static std::string good() {
    std::string events = event(1);
    for (int id = 2; id <= 5; id++) {
      events += "," + event(id);
    }
    return answer("200 OK", "{\"events\":[" + events + "]}");
  }
  /* Sends bytes and their end while the gateway's only thread is busy: it finds them together. */
  void send_at_once(HttpClient *client, const std::string &bytes) {
    HttpClient busy(port_);
    store_.hold_readers(true);
    busy.send(whole());
    store_.wait_reader();
    client->send(bytes);
    client->finish();
    store_.hold_readers(false);
    EXPECT_EQ(busy.receive(), good());
  }
};

TEST_F(HalfClose, EndsConnectionsInTheMidstOfARequest) {
  annals_gateway_options options = {};
  options.thread_count = 1;
  options.connection_timeout_s = 86400;
  start(options);
  const size_t line = whole().find("\r\n") + 2;
  const size_t head = whole().find("\r\n\r\n") + 4;
  for (size_t size : {size_t{1}, line, line + 9, head - 2, head, whole().size() - 1}) {
    const std::string part = whole().substr(0, size);
    HttpClient unknown(port_);
    send_at_once(&unknown, part);
    EXPECT_TRUE(unknown.closed()) << part;

    HttpClient known(port_);
    known.send(whole());
    EXPECT_EQ(known.receive(), good());
    send_at_once(&known, part);
    EXPECT_TRUE(known.closed()) << part;

    HttpClient pipelining(port_);
    send_at_once(&pipelining, whole() + part);
    EXPECT_EQ(pipelining.receive(), good());
    EXPECT_TRUE(pipelining.closed()) << part;
  }
}

TEST_F(HalfClose, EndsConnectionsBehindTheLastAnswer) {
  annals_gateway_options options = {};
  options.thread_count = 1;
  options.connection_timeout_s = 86400;
  start(options);
  HttpClient client(port_);
  send_at_once(&client, whole() + whole());
  EXPECT_EQ(client.receive(), good());
  EXPECT_EQ(client.receive(), good());
  EXPECT_TRUE(client.closed());
}

TEST_F(HalfClose, LeavesAnswersAlone) {
  store_.set_cold(true);
  store_.hold();
  HttpClient client(port_);
  client.send(whole() + whole());
  client.finish();
  store_.wait_pending(1);
  store_.release();
  EXPECT_EQ(client.receive(), good());
  EXPECT_EQ(client.receive(), good());
  EXPECT_TRUE(client.closed());
}

}  // namespace
