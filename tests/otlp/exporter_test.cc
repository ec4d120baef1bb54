#include "server/otlp/exporter.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "server/otlp/pairs.h"

namespace annals {
namespace {

constexpr char kParent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr int64_t kLong = 3600LL * G_USEC_PER_SEC;

/* Answers each request with the next of some lines, or the last one, and closes. "": never. */
class Receiver {
 public:
  explicit Receiver(std::deque<std::string> answers) : answers_(std::move(answers)) {
    socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(socket_, (sockaddr *)&address, size), 0);
    EXPECT_EQ(listen(socket_, 16), 0);
    EXPECT_EQ(getsockname(socket_, (sockaddr *)&address, &size), 0);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/v1/traces";
    thread_ = std::thread([this] { Run(); });
  }
  ~Receiver() {
    shutdown(socket_, SHUT_RDWR);
    thread_.join();
    close(socket_);
  }

  const std::string &url() const {
    return url_;
  }

  /* How many requests there were, as soon as there are so many. */
  size_t Wait(size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return requests_.size() >= count; });
    return requests_.size();
  }

  std::vector<std::string> Requests() {
    std::lock_guard<std::mutex> lock(mutex_);
    return requests_;
  }

 private:
  void Run() {
    for (int peer; (peer = accept(socket_, nullptr, nullptr)) >= 0; close(peer)) {
      const std::string request = Read(peer);
      std::string answer;
      {
        std::lock_guard<std::mutex> lock(mutex_);
        requests_.push_back(request);
        answer = answers_.front();
        if (answers_.size() > 1) {
          answers_.pop_front();
        }
        changed_.notify_all();
      }
      char byte;
      if (answer.empty()) {
        EXPECT_EQ(recv(peer, &byte, 1, 0), 0);
      } else {
        answer = "HTTP/1.1 " + answer + "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        EXPECT_EQ(send(peer, answer.data(), answer.size(), MSG_NOSIGNAL), (ssize_t)answer.size());
      }
    }
  }

  static std::string Read(int peer) {
    std::string request;
    size_t head = std::string::npos;
    size_t size = 0;
    char bytes[4096];
    while (head == std::string::npos || request.size() < head + 4 + size) {
      const ssize_t count = recv(peer, bytes, sizeof bytes, 0);
      if (count <= 0) {
        break;
      }
      request.append(bytes, (size_t)count);
      head = request.find("\r\n\r\n");
      const size_t length = request.find("Content-Length: ");
      size = length == std::string::npos ? 0 : std::stoul(request.substr(length + 16));
    }
    return request;
  }

  int socket_;
  std::string url_;
  std::thread thread_;
  std::mutex mutex_; /* of all below */
  std::condition_variable changed_;
  std::deque<std::string> answers_;
  std::vector<std::string> requests_;
};

class Exporter : public ::testing::Test {
 protected:
  Exporter() {
    options_.linger_us = 1;
    options_.retry_us = 1000;
    options_.give_up_us = kLong;
    options_.timeout_us = kLong;
    options_.drain_us = kLong;
  }
  ~Exporter() override {
    annals_otlp_exporter_free(exporter_);
    annals_metrics_free(metrics_);
  }

  void Start(const std::string &url) {
    annals_otlp_settings settings = {};
    settings.url = g_strdup(url.c_str());
    settings.headers = g_strsplit("x-key: secret", "\n", -1);
    settings.resource = annals_pairs_new();
    options_.settings = &settings;
    options_.grpc_address = "127.0.0.1:1";
    options_.gateway_address = "[::1]:2";
    options_.metrics = metrics_;
    GError *error = nullptr;
    exporter_ = annals_otlp_exporter_new(&options_, &error);
    ASSERT_NE(exporter_, nullptr) << error->message;
    EXPECT_EQ(settings.url, nullptr);
  }

  void EndCalls(int count) {
    annals_trace trace;
    ASSERT_TRUE(annals_trace_continue(kParent, ANNALS_TRACEPARENT_BYTES, &trace));
    annals_call_summary end = {};
    end.trace = &trace;
    end.method = "/service/method";
    const annals_span_sink sink = annals_otlp_exporter_sink(exporter_);
    for (int i = 0; i < count; i++) {
      sink.take(sink.context, &end, 1);
    }
  }

  void Stop() {
    g_clear_pointer(&exporter_, annals_otlp_exporter_free);
  }

  /* The lines of the spans' metrics. */
  std::string Counted() {
    GString *text = annals_metrics_text(metrics_);
    std::string found;
    for (const char *result : {"exported", "dropped", "failed"}) {
      const std::string name = std::string("annals_spans_total{result=\"") + result + "\"} ";
      const char *line = strstr(text->str, name.c_str());
      found +=
          line == nullptr ? "none " : std::string(line + name.size(), strchr(line, '\n')) + " ";
    }
    g_string_free(text, TRUE);
    return found;
  }

  void WaitFor(const std::string &counted) {
    while (Counted() != counted) {
      g_usleep(1000);
    }
  }

  annals_metrics *metrics_ = annals_metrics_new();
  annals_otlp_exporter_options options_ = {};
  annals_otlp_exporter *exporter_ = nullptr;
};

TEST_F(Exporter, PostsSpans) {
  Receiver receiver({"200 OK"});
  Start(receiver.url());
  EndCalls(1);
  WaitFor("1 0 0 ");
  const std::string request = receiver.Requests()[0];
  EXPECT_EQ(request.rfind("POST /v1/traces HTTP/1.1\r\n", 0), 0U) << request;
  for (const char *line : {"\r\nContent-Type: application/x-protobuf\r\n", "\r\nx-key: secret\r\n",
                           "\r\nUser-Agent: annalsd/"}) {
    EXPECT_NE(request.find(line), std::string::npos) << request;
  }
  EXPECT_EQ(request.find("Expect:"), std::string::npos);
}

TEST_F(Exporter, RepeatsWhatMayBeTakenLater) {
  Receiver receiver({"429 Later", "502 Later", "503 Later", "504 Later", "200 OK"});
  Start(receiver.url());
  EndCalls(1);
  WaitFor("1 0 0 ");
  EXPECT_EQ(receiver.Wait(5), 5U);
}

TEST_F(Exporter, WaitsAsLongAsItIsTold) {
  Receiver receiver({"503 Later\r\nRetry-After: 1", "200 OK"});
  options_.retry_us = kLong;
  Start(receiver.url());
  const int64_t begin = g_get_monotonic_time();
  EndCalls(1);
  WaitFor("1 0 0 ");
  EXPECT_GE(g_get_monotonic_time() - begin, G_USEC_PER_SEC);
}

TEST_F(Exporter, DoesNotRepeatWhatIsRefused) {
  for (const char *answer : {"400 Bad", "401 Who", "413 Large", "500 Broken", "301 There"}) {
    Receiver receiver({answer});
    Start(receiver.url());
    EndCalls(1);
    receiver.Wait(1);
    Stop();
    EXPECT_EQ(receiver.Wait(1), 1U) << answer;
  }
  EXPECT_EQ(Counted(), "0 0 5 ");
}

TEST_F(Exporter, GivesUpAfterAWhile) {
  Receiver receiver({"503 Later", "503 Later", "200 OK"});
  options_.give_up_us = 1;
  Start(receiver.url());
  EndCalls(1);
  WaitFor("0 0 1 ");
}

TEST_F(Exporter, DropsWhatTheQueueHasNoRoomFor) {
  Receiver receiver({"200 OK"});
  options_.linger_us = kLong;
  options_.spans_max = 4;
  Start(receiver.url());
  EndCalls(100);
  EXPECT_EQ(Counted(), "0 96 0 ");
  Stop();
  EXPECT_EQ(Counted(), "4 96 0 ");
}

TEST_F(Exporter, DoesNotWaitForWhoDoesNotAnswerAtTheEnd) {
  Receiver receiver({""});
  options_.drain_us = 1000;
  Start(receiver.url());
  EndCalls(1);
  receiver.Wait(1);
  EndCalls(600);
  Stop();
  EXPECT_EQ(Counted(), "0 0 601 ");
}

TEST_F(Exporter, DoesNotRepeatAtTheEnd) {
  Receiver receiver({"503 Later"});
  options_.retry_us = kLong;
  Start(receiver.url());
  EndCalls(1);
  receiver.Wait(1);
  Stop();
  EXPECT_EQ(receiver.Wait(1), 1U);
  EXPECT_EQ(Counted(), "0 0 1 ");
}

TEST_F(Exporter, TellsOfARequestThatIsCutOff) {
  Receiver receiver({""});
  options_.timeout_us = 20 * 1000;
  options_.give_up_us = 1;
  Start(receiver.url());
  EndCalls(1);
  WaitFor("0 0 1 ");
}

TEST_F(Exporter, IsNobodyWhereNothingIsExported) {
  EXPECT_EQ(annals_otlp_exporter_sink(nullptr).take, nullptr);
}

}  // namespace
}  // namespace annals
