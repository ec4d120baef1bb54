/* An HTTP server on a loopback port that does what it is told, one request after the other. */
#ifndef ANNALS_TESTS_KMS_SCRIPTED_SERVER_H_
#define ANNALS_TESTS_KMS_SCRIPTED_SERVER_H_

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

struct MHD_Connection;
struct MHD_Daemon;

struct ScriptedAnswer {
  int status = 200;
  std::string body;
  bool hangs = false;  /* no answer comes, until the server stops */
  bool closes = false; /* the connection is closed without one */
};

struct ScriptedRequest {
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  std::string Header(const std::string &name) const;
};

class ScriptedServer {
 public:
  ScriptedServer();
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer &) = delete;
  ScriptedServer &operator=(const ScriptedServer &) = delete;

  std::string Url(const std::string &path = "/") const;
  /* What is said to requests from here on; the last one is repeated. */
  void Say(std::deque<ScriptedAnswer> answers);
  std::vector<ScriptedRequest> Requests();
  /* Waits until so many have come, for a minute at most. */
  std::vector<ScriptedRequest> WaitForRequests(size_t count);

  /* libmicrohttpd's. */
  int Handle(MHD_Connection *connection, const char *method, const char *url, const char *data,
             size_t *size, void **state);

 private:
  int Reply(MHD_Connection *connection);

  MHD_Daemon *daemon_;
  std::mutex lock_;
  std::condition_variable changed_;
  std::deque<ScriptedAnswer> answers_;
  std::vector<ScriptedRequest> requests_;
  std::vector<MHD_Connection *> hanging_;
};

#endif
