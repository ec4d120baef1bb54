/* A client over a bare socket: sends exactly what it is told, and gives back exactly what comes. */
#ifndef ANNALS_TESTS_GATEWAY_HTTP_CLIENT_H_
#define ANNALS_TESTS_GATEWAY_HTTP_CLIENT_H_

#include <cstddef>
#include <string>

class HttpClient {
 public:
  /* Connects to a port of 127.0.0.1. */
  explicit HttpClient(int port);
  ~HttpClient();
  HttpClient(const HttpClient &) = delete;
  HttpClient &operator=(const HttpClient &) = delete;

  bool connected() const {
    return fd_ >= 0;
  }
  /* Stops early when the server has closed the connection. */
  void send(const std::string &bytes);
  /* Tells the server that nothing more comes. */
  void finish();
  /* Closes with what has come unread. */
  void abandon();
  /* One answer: head, and body as Content-Length says. Date and request id are replaced by D and U.
     "" at the end of the connection. */
  std::string receive();
  /* An answer's head, with what has no body of its own: 100 Continue, answers to HEAD. */
  std::string receive_head();
  /* So many bytes more, or what came of them. */
  std::string receive_rest(size_t size);
  /* Whether the server has closed the connection, waiting for it to. Nothing may be unread. */
  bool closed();

 private:
  bool fill();

  int fd_;
  std::string unread_;
};

#endif
