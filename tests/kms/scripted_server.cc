#include "tests/kms/scripted_server.h"

#include <glib.h>
#include <gtest/gtest.h>
#include <microhttpd.h>
#include <netinet/in.h>

#include <chrono>

namespace {

MHD_Result handle(void *server, MHD_Connection *connection, const char *url, const char *method,
                  const char *, const char *data, size_t *size, void **state) {
  return static_cast<MHD_Result>(
      static_cast<ScriptedServer *>(server)->Handle(connection, method, url, data, size, state));
}

void forget(void *, MHD_Connection *, void **state, MHD_RequestTerminationCode) {
  delete static_cast<ScriptedRequest *>(*state);
}

MHD_Result take_header(void *request, MHD_ValueKind, const char *name, const char *value) {
  static_cast<ScriptedRequest *>(request)->headers.emplace_back(name, value);
  return MHD_YES;
}

}  // namespace

std::string ScriptedRequest::Header(const std::string &name) const {
  for (const auto &header : headers) {
    if (g_ascii_strcasecmp(header.first.c_str(), name.c_str()) == 0) {
      return header.second;
    }
  }
  return "";
}

ScriptedServer::ScriptedServer() {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  daemon_ = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, nullptr,
                             nullptr, handle, this, MHD_OPTION_SOCK_ADDR, &address,
                             MHD_OPTION_NOTIFY_COMPLETED, forget, nullptr, MHD_OPTION_END);
  EXPECT_NE(daemon_, nullptr);
}

ScriptedServer::~ScriptedServer() {
  {
    std::lock_guard<std::mutex> guard(lock_);
    for (MHD_Connection *connection : hanging_) {
      MHD_resume_connection(connection);
    }
    answers_ = {{500, "", false, true}};
  }
  MHD_stop_daemon(daemon_);
}

std::string ScriptedServer::Url(const std::string &path) const {
  int port = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_BIND_PORT)->port;
  return "http://127.0.0.1:" + std::to_string(port) + path;
}

void ScriptedServer::Say(std::deque<ScriptedAnswer> answers) {
  std::lock_guard<std::mutex> guard(lock_);
  answers_ = std::move(answers);
}

std::vector<ScriptedRequest> ScriptedServer::Requests() {
  std::lock_guard<std::mutex> guard(lock_);
  return requests_;
}

std::vector<ScriptedRequest> ScriptedServer::WaitForRequests(size_t count) {
  std::unique_lock<std::mutex> guard(lock_);
  EXPECT_TRUE(changed_.wait_for(guard, std::chrono::seconds(60),
                                [&] { return requests_.size() >= count; }));
  return requests_;
}

int ScriptedServer::Handle(MHD_Connection *connection, const char *method, const char *url,
                           const char *data, size_t *size, void **state) {
  auto *request = static_cast<ScriptedRequest *>(*state);
  if (request == nullptr) {
    request = new ScriptedRequest;
    request->method = method;
    request->target = url;
    MHD_get_connection_values(connection, MHD_HEADER_KIND, take_header, request);
    *state = request;
    return MHD_YES;
  }
  if (*size > 0) {
    request->body.append(data, *size);
    *size = 0;
    return MHD_YES;
  }
  std::lock_guard<std::mutex> guard(lock_);
  requests_.push_back(*request);
  changed_.notify_all();
  return Reply(connection);
}

/* Under the lock. A request that hung is handled again when the server stops. */
int ScriptedServer::Reply(MHD_Connection *connection) {
  ScriptedAnswer answer =
      answers_.empty() ? ScriptedAnswer{500, "", false, true} : answers_.front();
  if (answers_.size() > 1) {
    answers_.pop_front();
  }
  if (answer.hangs) {
    hanging_.push_back(connection);
    MHD_suspend_connection(connection);
    return MHD_YES;
  }
  if (answer.closes) {
    return MHD_NO;
  }
  MHD_Response *response = MHD_create_response_from_buffer(
      answer.body.size(), const_cast<char *>(answer.body.data()), MHD_RESPMEM_MUST_COPY);
  int done = MHD_queue_response(connection, static_cast<unsigned>(answer.status), response);
  MHD_destroy_response(response);
  return done;
}
