// What the server does with connections, seen from below gRPC: one frame at a time (RFC 9113).

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "tests/rpc/service.h"

namespace annals_test {
namespace {

enum { SETTINGS = 4, PING = 6, GOAWAY = 7, CLOSED = -1 };
enum { ACK = 1, MAX_CONCURRENT_STREAMS = 3, ENHANCE_YOUR_CALM = 11 };

struct Frame {
  int type = CLOSED;
  int flags = 0;
  std::string payload;
};

uint32_t Number(const std::string &bytes, size_t offset) {
  uint32_t number = 0;
  std::memcpy(&number, bytes.data() + offset, sizeof number);
  return ntohl(number);
}

class Connection {
 public:
  explicit Connection(int port) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(socket_, reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
  }
  ~Connection() {
    close(socket_);
  }

  void Greet() {
    Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    Send(SETTINGS, 0, "");
  }

  void Send(const std::string &bytes) {
    (void)send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  void Send(int type, int flags, const std::string &payload) {
    std::string frame = {0,
                         0,
                         static_cast<char>(payload.size()),
                         static_cast<char>(type),
                         static_cast<char>(flags),
                         0,
                         0,
                         0,
                         0};
    Send(frame + payload);
  }

  Frame Receive() {
    Frame frame;
    const std::string head = Read(9);
    if (head.size() == 9) {
      frame.type = head[3];
      frame.flags = head[4];
      frame.payload = Read(Number(std::string(1, '\0') + head.substr(0, 3), 0));
    }
    return frame;
  }

  // Passes over all frames up to one of that type, or to the end.
  Frame ReceiveUntil(int type) {
    Frame frame = Receive();
    while (frame.type != type && frame.type != CLOSED) {
      frame = Receive();
    }
    return frame;
  }

 private:
  std::string Read(size_t size) {
    std::string bytes;
    char piece[4096];
    while (bytes.size() < size) {
      ssize_t count = recv(socket_, piece, std::min(size - bytes.size(), sizeof piece), 0);
      if (count <= 0) {
        break;
      }
      bytes.append(piece, static_cast<size_t>(count));
    }
    return bytes;
  }

  int socket_;
};

TEST(Connection, TellsHowManyStreamsItTakes) {
  ServiceOptions options;
  options.rpc.connection_streams_max = 77;
  Service service(options);
  Connection connection(service.port());
  connection.Greet();
  const std::string settings = connection.ReceiveUntil(SETTINGS).payload;
  int found = 0;
  for (size_t i = 0; i + 6 <= settings.size(); i += 6) {
    if (settings[i] == 0 && settings[i + 1] == MAX_CONCURRENT_STREAMS) {
      found = static_cast<int>(Number(settings, i + 2));
    }
  }
  EXPECT_EQ(found, 77);
}

TEST(Connection, ThatIsNotHttp2IsClosed) {
  Service service;
  Connection connection(service.port());
  connection.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(connection.ReceiveUntil(CLOSED).type, CLOSED);
  EXPECT_EQ(Appended(service.Append(Arn(), PlainEvents(1, 1))).appended, 1);
}

TEST(Connection, WithoutCallsIsClosed) {
  ServiceOptions options;
  options.rpc.connection_idle_ms = 50;
  Service service(options);
  Connection connection(service.port());
  connection.Greet();
  const Frame goaway = connection.ReceiveUntil(GOAWAY);
  ASSERT_EQ(goaway.type, GOAWAY);
  EXPECT_EQ(goaway.payload.substr(8), "enter idle");
}

TEST(Connection, IsClosedAtItsAge) {
  ServiceOptions options;
  options.rpc.connection_age_ms = 100;
  options.rpc.connection_age_grace_ms = 100;
  Service service(options);
  Connection connection(service.port());
  connection.Greet();
  const Frame goaway = connection.ReceiveUntil(GOAWAY);
  ASSERT_EQ(goaway.type, GOAWAY);
  EXPECT_EQ(Number(goaway.payload, 4), 0u);
  EXPECT_EQ(connection.ReceiveUntil(CLOSED).type, CLOSED);
}

// Streams that outlive their connection's age and grace end, and with them no work is left.
TEST(Connection, TakesItsStreamsAlongAtItsAge) {
  ServiceOptions options;
  options.rpc.connection_age_ms = 100;
  options.rpc.connection_age_grace_ms = 100;
  Service service(options);
  auto watch = service.client().Open("/grpc.health.v1.Health/Watch");
  EXPECT_TRUE(watch->Send("", true));
  while (watch->Receive().has_value()) {
  }
  EXPECT_EQ(watch->Finish().code, GRPC_STATUS_UNAVAILABLE);
  Reply reply;
  do { /* on a slow machine the next connection, too, is old before it has been of use */
    reply = service.Append(Arn(), PlainEvents(1, 1));
  } while (reply.code == GRPC_STATUS_UNAVAILABLE);
  EXPECT_EQ(Appended(reply).last_event_id, 1);
}

TEST(Connection, OfAClientThatDoesNotAnswerPingsIsClosed) {
  ServiceOptions options;
  options.rpc.keepalive_ms = 50;
  options.rpc.keepalive_timeout_ms = 50;
  Service service(options);
  Connection connection(service.port());
  connection.Greet();
  Frame frame = connection.ReceiveUntil(PING);
  while (frame.type == PING && (frame.flags & ACK) != 0) {
    frame = connection.ReceiveUntil(PING);
  }
  ASSERT_EQ(frame.type, PING);
  EXPECT_EQ(connection.ReceiveUntil(CLOSED).type, CLOSED);
}

TEST(Connection, OfAClientThatAnswersPingsStays) {
  ServiceOptions options;
  options.rpc.keepalive_ms = 20;
  options.rpc.keepalive_timeout_ms = 10000;
  Service service(options);
  Connection connection(service.port());
  connection.Greet();
  for (int i = 0; i < 5; i++) {
    const Frame frame = connection.ReceiveUntil(PING);
    ASSERT_EQ(frame.type, PING);
    if ((frame.flags & ACK) == 0) {
      connection.Send(PING, ACK, frame.payload);
    }
  }
}

TEST(Connection, OfAClientThatPingsTooOftenIsClosed) {
  ServiceOptions options;
  options.rpc.client_ping_interval_ms = 60000;
  Service service(options);
  Connection connection(service.port());
  connection.Greet();
  for (int i = 0; i < 10; i++) {
    connection.Send(PING, 0, std::string(8, static_cast<char>(i)));
  }
  const Frame goaway = connection.ReceiveUntil(GOAWAY);
  ASSERT_EQ(goaway.type, GOAWAY);
  EXPECT_EQ(Number(goaway.payload, 4), static_cast<uint32_t>(ENHANCE_YOUR_CALM));
  EXPECT_EQ(goaway.payload.substr(8), "too_many_pings");
}

TEST(Connection, OfAClientThatPingsAsItMayStays) {
  ServiceOptions options;
  options.rpc.client_ping_interval_ms = 0;
  Service service(options);
  Connection connection(service.port());
  connection.Greet();
  for (int i = 0; i < 10; i++) {
    const std::string payload(8, static_cast<char>(i));
    connection.Send(PING, 0, payload);
    const Frame answer = connection.ReceiveUntil(PING);
    EXPECT_EQ(answer.flags, ACK);
    EXPECT_EQ(answer.payload, payload);
  }
}

}  // namespace
}  // namespace annals_test
