/* A call of a key provider that a test waits for. */
#ifndef ANNALS_TESTS_KMS_KEY_CALL_H_
#define ANNALS_TESTS_KMS_KEY_CALL_H_

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>

#include "server/kms/key_provider.h"

class KeyCall {
 public:
  explicit KeyCall(const char *key_id = "alias/main", const char *context = "one") {
    base.key_id = key_id;
    base.context_name = "aws:states:executionArn";
    base.context_value = context;
    base.plain = plain_;
    base.user = this;
    base.on_done = [](annals_key_call *done) { static_cast<KeyCall *>(done->user)->Done(); };
  }
  ~KeyCall() {
    g_bytes_unref(base.wrapped);
    g_free(base.message);
    g_free(base.key_arn);
  }
  KeyCall(const KeyCall &) = delete;
  KeyCall &operator=(const KeyCall &) = delete;

  KeyCall &Wait() {
    std::unique_lock<std::mutex> guard(lock_);
    EXPECT_TRUE(changed_.wait_for(guard, std::chrono::seconds(60), [&] { return is_done_; }));
    return *this;
  }
  KeyCall &Generate(annals_key_provider *provider) {
    provider->ops->generate(provider, &base);
    return *this;
  }
  KeyCall &Unwrap(annals_key_provider *provider, const std::string &wrapped) {
    g_autoptr(GBytes) bytes = g_bytes_new(wrapped.data(), wrapped.size());
    provider->ops->unwrap(provider, &base, bytes);
    return *this;
  }
  KeyCall &Rewrap(annals_key_provider *provider, const std::string &wrapped, const char *from) {
    g_autoptr(GBytes) bytes = g_bytes_new(wrapped.data(), wrapped.size());
    provider->ops->rewrap(provider, &base, bytes, from);
    return *this;
  }

  annals_key_status Status() const {
    return base.status;
  }
  std::string State() const {
    return base.key_state != nullptr ? base.key_state : "";
  }
  std::string Message() const {
    return base.message != nullptr ? base.message : "";
  }
  std::string Arn() const {
    return base.key_arn != nullptr ? base.key_arn : "";
  }
  std::string Plain() const {
    return std::string(reinterpret_cast<const char *>(plain_), sizeof plain_);
  }
  std::string Wrapped() const {
    gsize size = 0;
    const void *data = base.wrapped != nullptr ? g_bytes_get_data(base.wrapped, &size) : nullptr;
    return std::string(static_cast<const char *>(data), size);
  }

  annals_key_call base = {};

 private:
  void Done() {
    std::lock_guard<std::mutex> guard(lock_);
    EXPECT_FALSE(is_done_);
    is_done_ = true;
    changed_.notify_all();
  }

  uint8_t plain_[ANNALS_DATA_KEY_BYTES] = {};
  std::mutex lock_;
  std::condition_variable changed_;
  bool is_done_ = false;
};

#endif
