#include "tests/gateway/http_client.h"

#include <glib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

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

}  // namespace

HttpClient::HttpClient(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  struct sockaddr_in in = {};
  in.sin_family = AF_INET;
  in.sin_port = htons(static_cast<uint16_t>(port));
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  /* A hang becomes a failure. */
  struct timeval patience = {20, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(fd_, reinterpret_cast<struct sockaddr *>(&in), sizeof in) != 0) {
    abandon();
  }
}

HttpClient::~HttpClient() {
  abandon();
}

void HttpClient::abandon() {
  if (fd_ >= 0) {
    close(fd_);
    fd_ = -1;
  }
}

void HttpClient::send(const std::string &bytes) {
  for (size_t at = 0; at < bytes.size();) {
    ssize_t n = ::send(fd_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
    if (n <= 0) {
      return;
    }
    at += static_cast<size_t>(n);
  }
}

void HttpClient::finish() {
  shutdown(fd_, SHUT_WR);
}

bool HttpClient::fill() {
  char buffer[65536];
  ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
  if (n <= 0) {
    return false;
  }
  unread_.append(buffer, static_cast<size_t>(n));
  return true;
}

std::string HttpClient::receive_head() {
  size_t end;
  while ((end = unread_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) {
      return "";
    }
  }
  std::string head = unread_.substr(0, end + 4);
  unread_.erase(0, end + 4);
  head = replaced(head, "Date: \\w{3}, \\d\\d \\w{3} \\d{4} \\d\\d:\\d\\d:\\d\\d GMT", "Date: D");
  return replaced(
      head, "x-amzn-RequestId: [0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
      "x-amzn-RequestId: U");
}

std::string HttpClient::receive() {
  std::string head = receive_head();
  size_t at = head.find("Content-Length: ");
  if (at == std::string::npos) {
    return head;
  }
  size_t size = std::stoul(head.substr(at + 16));
  std::string body = receive_rest(size);
  return head + body + (body.size() < size ? "<cut off>" : "");
}

std::string HttpClient::receive_rest(size_t size) {
  while (unread_.size() < size && fill()) {
  }
  std::string rest = unread_.substr(0, size);
  unread_.erase(0, rest.size());
  return rest;
}

bool HttpClient::closed() {
  char byte;
  return unread_.empty() && recv(fd_, &byte, 1, 0) == 0;
}
