#include "server/kms/data_keys.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int64_t kSecond = 1000000;

/* Answers when it is told to, or at once. */
struct FakeProvider {
  annals_key_provider base;
  std::mutex lock;
  std::deque<annals_key_call *> calls;
  bool answers_at_once = false;
  int call_count = 0;
  int made_count = 0;
  annals_key_status status = ANNALS_KEY_OK;

  FakeProvider() {
    static const annals_key_provider_ops ops = {
        [](annals_key_provider *self, annals_key_call *call) {
          reinterpret_cast<FakeProvider *>(self)->Take(call, nullptr);
        },
        [](annals_key_provider *self, annals_key_call *call, GBytes *wrapped) {
          reinterpret_cast<FakeProvider *>(self)->Take(call, wrapped);
        },
        nullptr, nullptr, nullptr};
    base.ops = &ops;
  }

  /* A wrapped form is the one byte that the key is made of. */
  void Take(annals_key_call *call, GBytes *wrapped) {
    {
      std::lock_guard<std::mutex> guard(lock);
      call_count++;
      call->status = status;
      if (status == ANNALS_KEY_OK) {
        char byte = static_cast<char>('a' + made_count);
        if (wrapped != nullptr) {
          byte = *static_cast<const char *>(g_bytes_get_data(wrapped, nullptr));
        } else {
          made_count++;
          call->wrapped = g_bytes_new(&byte, 1);
        }
        memset(call->plain, byte, ANNALS_DATA_KEY_BYTES);
        call->key_arn = g_strdup("arn");
      } else {
        call->key_state = status == ANNALS_KEY_INVALID_STATE ? "DISABLED" : nullptr;
        call->message = g_strdup("no");
      }
      if (!answers_at_once) {
        calls.push_back(call);
        return;
      }
    }
    call->on_done(call);
  }

  void Answer() {
    annals_key_call *call;
    {
      std::lock_guard<std::mutex> guard(lock);
      ASSERT_FALSE(calls.empty());
      call = calls.front();
      calls.pop_front();
    }
    call->on_done(call);
  }
};

struct Request {
  annals_data_key_request base = {};
  std::string key_id, context;
  std::atomic<int> done_count{0};
  bool is_answered = false;

  ~Request() {
    annals_data_key_unref(base.key);
    g_bytes_unref(base.wrapped);
    g_free(base.message);
  }

  std::string Bytes() const {
    return std::string(reinterpret_cast<const char *>(annals_data_key_bytes(base.key)),
                       ANNALS_DATA_KEY_BYTES);
  }
  std::string Message() const {
    return base.message != nullptr ? base.message : "";
  }
};

class DataKeys : public testing::Test {
 protected:
  DataKeys() {
    Make(8, 0);
  }
  ~DataKeys() override {
    requests_.clear();
    annals_data_keys_free(keys_);
  }

  void Make(size_t keys_max, int64_t failure_us, bool own_clock = true) {
    requests_.clear();
    annals_data_keys_free(keys_);
    annals_data_keys_options options = {};
    options.provider = &provider_.base;
    options.keys_max = keys_max;
    options.failure_us = failure_us;
    if (own_clock) {
      options.now_us = [](void *context) {
        return static_cast<std::atomic<int64_t> *>(context)->load();
      };
      options.now_context = &now_us_;
    }
    g_autoptr(GError) error = nullptr;
    keys_ = annals_data_keys_new(&options, &error);
    ASSERT_NE(keys_, nullptr) << error->message;
  }

  Request *Ask(const std::string &context, const std::string &wrapped = "",
               int64_t reuse_us = 60 * kSecond, const std::string &key_id = "key") {
    requests_.push_back(std::make_unique<Request>());
    Request *request = requests_.back().get();
    request->key_id = key_id;
    request->context = context;
    request->base.key_id = request->key_id.c_str();
    request->base.context_name = "aws:states:executionArn";
    request->base.context_value = request->context.c_str();
    request->base.reuse_us = reuse_us;
    request->base.wrapped = wrapped.empty() ? nullptr : g_bytes_new(wrapped.data(), wrapped.size());
    request->base.user = request;
    request->base.on_done = [](annals_data_key_request *done) {
      static_cast<Request *>(done->user)->done_count++;
    };
    request->is_answered = annals_data_keys_request(keys_, &request->base);
    return request;
  }

  Request *AskAndAnswer(const std::string &context, const std::string &wrapped = "",
                        int64_t reuse_us = 60 * kSecond) {
    Request *request = Ask(context, wrapped, reuse_us);
    EXPECT_FALSE(request->is_answered);
    provider_.Answer();
    EXPECT_EQ(request->done_count, 1);
    return request;
  }

  void LetGo(Request *request) {
    annals_data_key_unref(g_steal_pointer(&request->base.key));
  }

  FakeProvider provider_;
  std::atomic<int64_t> now_us_{1000 * kSecond};
  annals_data_keys *keys_ = nullptr;
  std::vector<std::unique_ptr<Request>> requests_;
};

TEST_F(DataKeys, AreAskedForOnce) {
  Request *first = AskAndAnswer("one");
  EXPECT_EQ(first->base.status, ANNALS_KEY_OK);
  EXPECT_EQ(first->Bytes(), std::string(32, 'a'));
  EXPECT_STREQ(annals_data_key_arn(first->base.key), "arn");
  Request *again = Ask("one");
  EXPECT_TRUE(again->is_answered);
  EXPECT_EQ(again->base.key, first->base.key);
  Request *opening = Ask("one", "a");
  EXPECT_TRUE(opening->is_answered);
  EXPECT_EQ(opening->base.key, first->base.key);
  EXPECT_EQ(provider_.call_count, 1);
  EXPECT_EQ(annals_data_keys_count(keys_), 1U);
}

TEST_F(DataKeys, AreFoundByTheirNumber) {
  auto find = [&](const char *context, int64_t number) {
    annals_data_key *key = annals_data_keys_find(keys_, context, number);
    annals_data_key_unref(key);
    return key;
  };
  annals_data_key *first = AskAndAnswer("one", "a")->base.key;
  annals_data_key *second = AskAndAnswer("one", "b")->base.key;
  EXPECT_EQ(find("one", 1), nullptr);
  annals_data_key_set_number(first, 1);
  annals_data_key_set_number(second, 2);
  EXPECT_EQ(find("one", 1), first);
  EXPECT_EQ(find("one", 2), second);
  EXPECT_EQ(find("two", 1), nullptr);
  annals_data_key_set_number(second, 1);
  EXPECT_EQ(find("one", 1), second) << "as it was said last";
  EXPECT_EQ(find("one", 2), nullptr);
  annals_data_key_set_number(second, 1);
  annals_data_key_set_number(first, 2);
  now_us_ += 60 * kSecond;
  EXPECT_EQ(find("one", 1), nullptr) << "its period is over";
  now_us_ -= 60 * kSecond;
  EXPECT_EQ(find("one", 2), first);
  annals_data_keys_forget(keys_, "one");
  EXPECT_EQ(find("one", 1), nullptr);
  EXPECT_EQ(find("one", 2), nullptr);
  annals_data_key_set_number(first, 2);
  EXPECT_EQ(find("one", 2), nullptr) << "it was forgotten";
}

TEST_F(DataKeys, AreOfOneContextAndOneKey) {
  AskAndAnswer("one");
  EXPECT_EQ(AskAndAnswer("two")->Bytes(), std::string(32, 'b'));
  Request *opening = AskAndAnswer("two", "a");
  EXPECT_EQ(opening->Bytes(), std::string(32, 'a'));
  Request *other = Ask("one", "", 60 * kSecond, "another");
  EXPECT_FALSE(other->is_answered);
  provider_.Answer();
  EXPECT_EQ(annals_data_keys_count(keys_), 4U);
}

TEST_F(DataKeys, AreAskedForAgainAfterTheReusePeriod) {
  AskAndAnswer("one");
  now_us_ += 60 * kSecond - 1;
  EXPECT_TRUE(Ask("one")->is_answered);
  EXPECT_TRUE(Ask("one", "a")->is_answered);
  now_us_ += 1;
  EXPECT_EQ(AskAndAnswer("one", "a")->Bytes(), std::string(32, 'a'));
  EXPECT_EQ(AskAndAnswer("one")->Bytes(), std::string(32, 'b'));
  EXPECT_EQ(provider_.call_count, 3);
}

/* The period begins when the provider is asked: what happens to the key later may not count. */
TEST_F(DataKeys, APeriodBeginsWithTheQuestion) {
  Request *slow = Ask("one");
  now_us_ += 60 * kSecond;
  provider_.Answer();
  EXPECT_EQ(slow->Bytes(), std::string(32, 'a'));
  EXPECT_FALSE(Ask("one")->is_answered);
  provider_.Answer();
}

TEST_F(DataKeys, AShorterPeriodCounts) {
  AskAndAnswer("one", "", 900 * kSecond);
  now_us_ += 60 * kSecond;
  EXPECT_TRUE(Ask("one", "", 61 * kSecond)->is_answered);
  EXPECT_FALSE(Ask("one", "", 60 * kSecond)->is_answered);
  provider_.Answer();
}

TEST_F(DataKeys, OneCallServesAllWhoWait) {
  std::vector<Request *> waiting;
  for (int i = 0; i < 10; i++) {
    waiting.push_back(Ask("one", "x"));
  }
  EXPECT_EQ(provider_.call_count, 1);
  provider_.Answer();
  for (Request *request : waiting) {
    EXPECT_EQ(request->done_count, 1);
    EXPECT_EQ(request->base.key, waiting[0]->base.key);
  }
}

TEST_F(DataKeys, FailuresGoToAllWhoWait) {
  provider_.status = ANNALS_KEY_INVALID_STATE;
  Request *first = Ask("one");
  Request *second = Ask("one");
  provider_.Answer();
  for (Request *request : {first, second}) {
    EXPECT_EQ(request->done_count, 1);
    EXPECT_EQ(request->base.status, ANNALS_KEY_INVALID_STATE);
    EXPECT_STREQ(request->base.key_state, "DISABLED");
    EXPECT_EQ(request->Message(), "no");
    EXPECT_EQ(request->base.key, nullptr);
  }
  EXPECT_EQ(annals_data_keys_count(keys_), 0U);
  provider_.status = ANNALS_KEY_OK;
  EXPECT_EQ(AskAndAnswer("one")->base.status, ANNALS_KEY_OK);
}

TEST_F(DataKeys, FailuresAreRememberedBriefly) {
  Make(8, kSecond);
  provider_.status = ANNALS_KEY_INVALID_STATE;
  AskAndAnswer("one");
  now_us_ += kSecond - 1;
  Request *again = Ask("one");
  EXPECT_TRUE(again->is_answered);
  EXPECT_EQ(again->base.status, ANNALS_KEY_INVALID_STATE);
  EXPECT_STREQ(again->base.key_state, "DISABLED");
  EXPECT_EQ(again->Message(), "no");
  provider_.status = ANNALS_KEY_OK;
  now_us_ += 1;
  EXPECT_EQ(AskAndAnswer("one")->base.status, ANNALS_KEY_OK);
}

TEST_F(DataKeys, AnswersAtOnceAreGivenAtOnce) {
  provider_.answers_at_once = true;
  Request *request = Ask("one");
  EXPECT_TRUE(request->is_answered);
  EXPECT_EQ(request->done_count, 0);
  EXPECT_EQ(request->Bytes(), std::string(32, 'a'));
  provider_.status = ANNALS_KEY_THROTTLED;
  Request *failed = Ask("two");
  EXPECT_TRUE(failed->is_answered);
  EXPECT_EQ(failed->base.status, ANNALS_KEY_THROTTLED);
}

TEST_F(DataKeys, AreWipedWhenTheirTimeIsOver) {
  Request *request = AskAndAnswer("one");
  const uint8_t *bytes = annals_data_key_bytes(request->base.key);
  LetGo(request);
  now_us_ += 60 * kSecond;
  EXPECT_EQ(bytes[0], 'a');
  annals_data_keys_sweep(keys_);
  EXPECT_EQ(annals_data_keys_count(keys_), 0U);
  for (size_t i = 0; i < ANNALS_DATA_KEY_BYTES; i++) {
    EXPECT_EQ(bytes[i], 0);
  }
}

TEST_F(DataKeys, WipingWaitsForHolders) {
  Request *request = AskAndAnswer("one");
  annals_data_key *other = annals_data_key_ref(request->base.key);
  const uint8_t *bytes = annals_data_key_bytes(other);
  now_us_ += 60 * kSecond;
  annals_data_keys_sweep(keys_);
  EXPECT_EQ(request->Bytes(), std::string(32, 'a'));
  LetGo(request);
  EXPECT_EQ(bytes[31], 'a');
  annals_data_key_unref(other);
  EXPECT_EQ(bytes[31], 0);
  EXPECT_EQ(annals_data_keys_count(keys_), 0U);
}

TEST_F(DataKeys, TheThreadWipes) {
  Make(8, 0, false);
  provider_.answers_at_once = true;
  LetGo(Ask("one", "", 50000));
  LetGo(Ask("two", "", 1000));
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (annals_data_keys_count(keys_) > 0 && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(annals_data_keys_count(keys_), 0U);
}

TEST_F(DataKeys, TheOneUsedLongestAgoMakesRoom) {
  Make(3, 0);
  provider_.answers_at_once = true;
  for (const char *context : {"one", "two", "three", "one", "four"}) {
    LetGo(Ask(context));
  }
  EXPECT_EQ(annals_data_keys_count(keys_), 3U);
  EXPECT_EQ(provider_.call_count, 4);
  LetGo(Ask("one"));
  LetGo(Ask("three"));
  EXPECT_EQ(provider_.call_count, 4);
  Ask("two");
  EXPECT_EQ(provider_.call_count, 5);
}

TEST_F(DataKeys, ThoseThatAreHeldDoNot) {
  Make(2, 0);
  provider_.answers_at_once = true;
  Request *first = Ask("one");
  Request *second = Ask("two");
  Request *third = Ask("three");
  EXPECT_TRUE(third->is_answered);
  EXPECT_EQ(third->base.status, ANNALS_KEY_THROTTLED);
  EXPECT_EQ(third->Message(), "as many data keys are in use as there may be");
  EXPECT_EQ(first->Bytes(), std::string(32, 'a'));
  LetGo(second);
  EXPECT_EQ(Ask("three")->base.status, ANNALS_KEY_OK);
  EXPECT_TRUE(Ask("one")->base.key == first->base.key);
}

TEST_F(DataKeys, AreForgotten) {
  Request *held = AskAndAnswer("one");
  AskAndAnswer("two");
  Request *coming = Ask("one", "x");
  annals_data_keys_forget(keys_, "one");
  EXPECT_TRUE(Ask("two")->is_answered);
  provider_.Answer();
  EXPECT_EQ(coming->Bytes(), std::string(32, 'x'));
  EXPECT_EQ(annals_data_keys_count(keys_), 3U);
  LetGo(held);
  LetGo(coming);
  EXPECT_EQ(annals_data_keys_count(keys_), 1U);
  EXPECT_FALSE(Ask("one", "x")->is_answered);
  provider_.Answer();
}

TEST_F(DataKeys, ServeManyThreads) {
  Make(4, 1000, false);
  std::atomic<bool> is_over{false};
  std::thread service([&] {
    while (!is_over) {
      bool is_idle;
      {
        std::lock_guard<std::mutex> guard(provider_.lock);
        is_idle = provider_.calls.empty();
      }
      if (is_idle) {
        std::this_thread::yield();
      } else {
        provider_.Answer();
      }
    }
  });
  std::atomic<int> served{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; i++) {
        Request request;
        request.context = std::to_string((t + i) % 8);
        request.base.key_id = "key";
        request.base.context_name = "name";
        request.base.context_value = request.context.c_str();
        request.base.reuse_us = 1000;
        char byte = static_cast<char>('A' + i % 2);
        request.base.wrapped = g_bytes_new(&byte, 1);
        request.base.user = &request;
        request.base.on_done = [](annals_data_key_request *done) {
          static_cast<Request *>(done->user)->done_count++;
        };
        if (!annals_data_keys_request(keys_, &request.base)) {
          while (request.done_count == 0) {
            std::this_thread::yield();
          }
        }
        if (request.base.status == ANNALS_KEY_OK) {
          EXPECT_EQ(request.Bytes(), std::string(32, byte));
          served++;
        } else {
          EXPECT_EQ(request.base.status, ANNALS_KEY_THROTTLED);
        }
      }
    });
  }
  for (std::thread &thread : threads) {
    thread.join();
  }
  is_over = true;
  service.join();
  EXPECT_GT(served, 0);
}

TEST(LockedMemory, MustBeHadForKeys) {
  rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_MEMLOCK, &old), 0);
  rlimit none = {0, old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_MEMLOCK, &none), 0);
  const char byte = 0;
  if (mlock(&byte, sizeof byte) == 0) {
    munlock(&byte, sizeof byte);
    setrlimit(RLIMIT_MEMLOCK, &old);
    GTEST_SKIP() << "with CAP_IPC_LOCK, or a sanitizer, anybody may lock as much as they like";
  }
  annals_data_keys_options options = {};
  g_autoptr(GError) error = nullptr;
  ASSERT_EQ(annals_data_keys_new(&options, &error), nullptr);
  EXPECT_EQ(std::string(error->message),
            "32 KiB of memory for keys cannot be locked: Operation not permitted; raise "
            "RLIMIT_MEMLOCK (LimitMEMLOCK= of systemd), or grant CAP_IPC_LOCK");
  setrlimit(RLIMIT_MEMLOCK, &old);
}

}  // namespace
