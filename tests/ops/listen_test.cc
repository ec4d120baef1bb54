#include "server/ops/listen.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace {

class Address {
 public:
  explicit Address(const char *text) {
    if (!annals_listen_address_parse(text, &address_, &error_)) {
      address_ = nullptr;
    }
  }
  ~Address() {
    annals_listen_address_free(address_);
    g_clear_error(&error_);
  }
  annals_listen_address *get() const {
    return address_;
  }
  std::string error() const {
    return error_ == nullptr ? "" : error_->message;
  }
  std::string text() const {
    g_autofree char *text = annals_listen_address_text(address_);
    return text;
  }

 private:
  annals_listen_address *address_ = nullptr;
  GError *error_ = nullptr;
};

TEST(ListenAddress, ReadsNumbersAndBrackets) {
  EXPECT_EQ(Address("127.0.0.1:8083").text(), "127.0.0.1:8083");
  EXPECT_EQ(Address("0.0.0.0:0").text(), "0.0.0.0:0");
  EXPECT_EQ(Address("[::1]:65535").text(), "[::1]:65535");
}

TEST(ListenAddress, ReadsNames) {
  struct addrinfo *found = nullptr;
  if (getaddrinfo("localhost", nullptr, nullptr, &found) != 0) {
    GTEST_SKIP() << "this machine does not know localhost";
  }
  freeaddrinfo(found);
  EXPECT_TRUE(annals_listen_address_is_loopback(Address("localhost:1").get()));
}

TEST(ListenAddress, RefusesWhatIsNotHostAndPort) {
  for (const char *text : {"", ":", ":8083", "8083", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                           "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1:80 ", "127.0.0.1:http",
                           "::1:8083", "[::1]", "[]:1", "[localhost]:1", "[[::1]]:1"}) {
    Address address(text);
    EXPECT_EQ(address.get(), nullptr) << text;
    EXPECT_EQ(address.error(),
              std::string(text) + ": not HOST:PORT (such as 127.0.0.1:8083 or [::1]:8083)");
  }
}

TEST(ListenAddress, SaysThatANameIsNotKnown) {
  Address address("nobody.invalid:1");
  EXPECT_EQ(address.get(), nullptr);
  EXPECT_EQ(address.error().rfind("nobody.invalid:1: ", 0), 0u) << address.error();
}

TEST(ListenAddress, KnowsLoopback) {
  for (const char *text : {"127.0.0.1:1", "127.8.9.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"}) {
    EXPECT_TRUE(annals_listen_address_is_loopback(Address(text).get())) << text;
  }
  for (const char *text :
       {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "128.0.0.1:1", "[::ffff:10.0.0.1]:1", "[fe80::1]:1"}) {
    EXPECT_FALSE(annals_listen_address_is_loopback(Address(text).get())) << text;
  }
}

TEST(Listen, FindsAFreePortAndTellsIt) {
  int fd = -1;
  g_autofree char *bound = nullptr;
  ASSERT_TRUE(annals_listen_open(Address("127.0.0.1:0").get(), &fd, &bound, nullptr));
  struct sockaddr_in in;
  socklen_t size = sizeof in;
  ASSERT_EQ(getsockname(fd, reinterpret_cast<struct sockaddr *>(&in), &size), 0);
  EXPECT_NE(in.sin_port, 0);
  EXPECT_EQ(bound, "127.0.0.1:" + std::to_string(ntohs(in.sin_port)));
  EXPECT_EQ(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
  int listening = 0;
  size = sizeof listening;
  ASSERT_EQ(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size), 0);
  EXPECT_EQ(listening, 1);
  close(fd);
}

TEST(Listen, SaysThatAPortIsTaken) {
  int fd = -1;
  g_autofree char *bound = nullptr;
  ASSERT_TRUE(annals_listen_open(Address("127.0.0.1:0").get(), &fd, &bound, nullptr));
  int other = -1;
  g_autofree char *other_bound = nullptr;
  GError *error = nullptr;
  EXPECT_FALSE(annals_listen_open(Address(bound).get(), &other, &other_bound, &error));
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->domain, ANNALS_LISTEN_ERROR);
  EXPECT_EQ(error->code, ANNALS_LISTEN_ERROR_SOCKET);
  EXPECT_EQ(error->message, std::string(bound) + ": Address already in use");
  EXPECT_EQ(other, -1);
  EXPECT_EQ(other_bound, nullptr);
  g_error_free(error);
  close(fd);
}

}  // namespace
