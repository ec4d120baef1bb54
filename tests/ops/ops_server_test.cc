#include "server/ops/ops_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "server/ops/listen.h"

namespace {

/* GLib's, because GCC 12 warns inside of std::regex under ASan. */
std::string replaced(const std::string &text, const char *pattern, const char *with) {
  g_autoptr(GRegex) regex = g_regex_new(pattern, static_cast<GRegexCompileFlags>(0),
                                        static_cast<GRegexMatchFlags>(0), nullptr);
  g_autofree char *out =
      g_regex_replace_literal(regex, text.data(), static_cast<gssize>(text.size()), 0, with,
                              static_cast<GRegexMatchFlags>(0), nullptr);
  return out;
}

const char *stopped(void *) {
  return "writes have stopped";
}

const char *full(void *) {
  return "ok, but full";
}

const annals_health_probe probe = {stopped, nullptr, nullptr};
const annals_health_probe full_probe = {[](void *) -> const char * { return nullptr; }, full,
                                        nullptr};

class OpsServer : public testing::Test {
 protected:
  void SetUp() override {
    annals_listen_address *address = nullptr;
    ASSERT_TRUE(annals_listen_address_parse("127.0.0.1:0", &address, nullptr));
    int fd = -1;
    g_autofree char *bound = nullptr;
    ASSERT_TRUE(annals_listen_open(address, &fd, &bound, nullptr));
    annals_listen_address_free(address);
    port_ = std::stoi(strrchr(bound, ':') + 1);
    ASSERT_TRUE(annals_ops_server_start(fd, &health_, metrics_, &server_, nullptr));
  }
  void TearDown() override {
    annals_ops_server_free(server_);
    annals_metrics_free(metrics_);
  }
  int open() const {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in in = {};
    in.sin_family = AF_INET;
    in.sin_port = htons(static_cast<uint16_t>(port_));
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, reinterpret_cast<struct sockaddr *>(&in), sizeof in) != 0) {
      close(fd);
      return -1;
    }
    return fd;
  }
  /* Sends a request with `Connection: close`; gives all that comes, the date replaced. */
  std::string ask(const std::string &line, const std::string &rest = "\r\n") const {
    int fd = open();
    std::string request = line + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + rest;
    EXPECT_EQ(send(fd, request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    std::string all;
    char buffer[4096];
    for (ssize_t n; (n = recv(fd, buffer, sizeof buffer, 0)) > 0;) {
      all.append(buffer, static_cast<size_t>(n));
    }
    close(fd);
    return replaced(all, "Date: [^\r]*", "Date: D");
  }
  static std::string answer(const std::string &status, const std::string &body,
                            const std::string &headers = "") {
    return "HTTP/1.1 " + status +
           "\r\nDate: D\r\nConnection: close\r\nContent-Type: text/plain\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  }

  annals_health health_ = {};
  annals_metrics *metrics_ = annals_metrics_new();
  annals_ops_server *server_ = nullptr;
  int port_ = 0;
};

TEST_F(OpsServer, AnswersLivezByTheProbe) {
  EXPECT_EQ(ask("GET /livez"), answer("200 OK", "ok\n") + "ok\n");
  annals_health_set_probe(&health_, &probe);
  EXPECT_EQ(ask("GET /livez"),
            answer("503 Service Unavailable", "writes have stopped\n") + "writes have stopped\n");
}

TEST_F(OpsServer, AnswersReadyzByThePhase) {
  EXPECT_EQ(ask("GET /readyz"), answer("503 Service Unavailable", "starting\n") + "starting\n");
  annals_health_set_phase(&health_, ANNALS_HEALTH_READY);
  EXPECT_EQ(ask("GET /readyz"), answer("200 OK", "ok\n") + "ok\n");
  EXPECT_EQ(ask("GET /readyz?verbose"), answer("200 OK", "ok\n") + "ok\n");
  annals_health_set_probe(&health_, &full_probe);
  EXPECT_EQ(ask("GET /readyz"), answer("200 OK", "ok, but full\n") + "ok, but full\n");
  EXPECT_EQ(ask("GET /livez"), answer("200 OK", "ok\n") + "ok\n");
  annals_health_set_phase(&health_, ANNALS_HEALTH_DRAINING);
  EXPECT_EQ(ask("GET /readyz"), answer("503 Service Unavailable", "stopping\n") + "stopping\n");
}

TEST_F(OpsServer, TakesAnyNumberOfArguments) {
  for (int count : {1, 100, 600, 1000, 10000}) {
    std::string target = "/livez?";
    for (int i = 0; i < count; i++) {
      target += "a&";
    }
    EXPECT_EQ(ask("GET " + target), answer("200 OK", "ok\n") + "ok\n") << count;
  }
}

TEST_F(OpsServer, AnswersHeadAsGetWithoutBody) {
  EXPECT_EQ(ask("HEAD /livez"), answer("200 OK", "ok\n"));
  EXPECT_EQ(ask("HEAD /readyz"), answer("503 Service Unavailable", "starting\n"));
}

TEST_F(OpsServer, GivesMetrics) {
  annals_health_set_phase(&health_, ANNALS_HEALTH_READY);
  const std::string got = ask("GET /metrics");
  EXPECT_EQ(got.find("HTTP/1.1 200 OK\r\nDate: D\r\nConnection: close\r\n"
                     "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
            0u);
  EXPECT_NE(got.find("# TYPE annals_ready gauge\nannals_ready 1\n"), std::string::npos);
  EXPECT_NE(got.find("\nannals_live 1\n"), std::string::npos);
  annals_health_set_probe(&health_, &probe);
  annals_health_set_phase(&health_, ANNALS_HEALTH_DRAINING);
  const std::string later = ask("GET /metrics");
  EXPECT_NE(later.find("\nannals_ready 0\n"), std::string::npos);
  EXPECT_NE(later.find("\nannals_live 0\n"), std::string::npos);
}

TEST_F(OpsServer, RefusesOtherPathsAndMethods) {
  const std::string not_found = "not found: there are /livez, /readyz and /metrics\n";
  EXPECT_EQ(ask("GET /"), answer("404 Not Found", not_found) + not_found);
  EXPECT_EQ(ask("GET /livez/"), answer("404 Not Found", not_found) + not_found);
  const std::string not_allowed = "method not allowed: GET or HEAD\n";
  EXPECT_EQ(ask("POST /livez", "Content-Length: 5\r\n\r\nhello"),
            answer("405 Method Not Allowed", not_allowed, "Allow: GET, HEAD\r\n") + not_allowed);
}

TEST_F(OpsServer, StopsTwiceAndClosesItsSocket) {
  annals_ops_server_stop(server_);
  annals_ops_server_stop(server_);
  EXPECT_EQ(open(), -1);
}

}  // namespace
