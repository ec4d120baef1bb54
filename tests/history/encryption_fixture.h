/* A history whose data keys come from a script. */
#ifndef ANNALS_TESTS_HISTORY_ENCRYPTION_FIXTURE_H_
#define ANNALS_TESTS_HISTORY_ENCRYPTION_FIXTURE_H_

#include <atomic>
#include <future>

#include "tests/history/history_test_support.h"
#include "tests/history/scripted_keys.h"

extern "C" {
#include "server/history/encryption.h"
#include "server/history/rekey.h"
}

namespace annals_test {

const char kInput[] = "{\"marked\":\"MARKED\"}";

using Calls = std::vector<std::string>;

class EncryptionTest : public HistoryTest {
 protected:
  EncryptionTest() {
    StartKeys();
  }
  ~EncryptionTest() override {
    Close();
    annals_data_keys_free(keys_);
    annals_encryption_policy_free(policy_);
  }

  /* As a restart does: nothing is in memory. */
  void StartKeys() {
    annals_history_free(history_);
    annals_data_keys_free(keys_);
    annals_data_keys_options options = {};
    options.provider = script_.provider();
    options.now_us = [](void *context) {
      return static_cast<std::atomic<int64_t> *>(context)->load();
    };
    options.now_context = &keys_now_us_;
    GError *error = nullptr;
    keys_ = annals_data_keys_new(&options, &error);
    ASSERT_NE(keys_, nullptr) << error->message;
    options_.data_keys = keys_;
    history_ = annals_history_new(&options_);
  }

  void SetPolicy(const char *pattern, const char *text) {
    Close();
    annals_encryption_policy_free(policy_);
    policy_ = annals_encryption_policy_new();
    GError *error = nullptr;
    ASSERT_TRUE(annals_encryption_policy_add(policy_, pattern, text, &error)) << error->message;
    options_.encryption = policy_;
    Open();
  }

  void Pass(int64_t seconds) {
    now_us_ += seconds * G_USEC_PER_SEC;
    keys_now_us_ += seconds * G_USEC_PER_SEC;
    annals_data_keys_sweep(keys_);
  }

  static FirstAppend Encrypted(int32_t reuse_seconds = 60) {
    FirstAppend first;
    first.encryption_type = ANNALS_ENCRYPTION_CUSTOMER_MANAGED_KMS_KEY;
    first.kms_key_id = "alias/orders";
    first.reuse_seconds = reuse_seconds;
    return first;
  }

  /* The frames as the store has them. */
  std::string Stored() {
    struct Reading {
      std::promise<void> done;
      std::string frames;
    } reading;
    annals_store_read read = {};
    read.op.owner = &reading;
    read.op.on_done = [](annals_store_op *op) {
      static_cast<Reading *>(op->owner)->done.set_value();
    };
    read.arn = kArn;
    read.from_id = 1;
    read.on_run = [](annals_store_read *it, const annals_run *run) {
      static_cast<Reading *>(it->op.owner)
          ->frames.append(reinterpret_cast<const char *>(run->frames), run->frames_bytes);
      return true;
    };
    if (store_->ops->read(store_, &read) == ANNALS_STORE_PENDING) {
      reading.done.get_future().wait();
    }
    return reading.frames;
  }

  /* The ordinal of each event's data key. */
  std::vector<int64_t> DataKeys() {
    const std::string frames = Stored();
    std::vector<int64_t> keys;
    annals_frame frame;
    size_t offset = 0;
    while (annals_frame_next(reinterpret_cast<const uint8_t *>(frames.data()), frames.size(),
                             &offset, &frame)) {
      keys.push_back(frame.data_key);
    }
    EXPECT_EQ(offset, frames.size());
    return keys;
  }

  std::vector<std::string> Canonicals(const std::vector<std::string> &events) {
    std::vector<std::string> canonicals;
    for (const std::string &event : events) {
      canonicals.push_back(Canonicalize(schema_, event).bytes);
    }
    return canonicals;
  }

  ScriptedKeys script_;
  std::atomic<int64_t> keys_now_us_{1000 * int64_t{1000000}}; /* read by a thread of the keys' */
  annals_data_keys *keys_ = nullptr;
  annals_encryption_policy *policy_ = nullptr;
};

struct Rekeyed : Outcome {
  int64_t count = 0;
};

inline Rekeyed Rekey(annals_history *history, bool destroy, const std::string &arn = kArn) {
  std::promise<void> done;
  annals_rekey rekey = {};
  rekey.request.execution_arn = arn.c_str();
  rekey.request.destroy = destroy;
  rekey.owner = &done;
  rekey.on_done = [](annals_rekey *it) {
    static_cast<std::promise<void> *>(it->owner)->set_value();
  };
  if (annals_rekey_run(history, &rekey) == ANNALS_PENDING) {
    done.get_future().wait();
  }
  Rekeyed result;
  result.ok = rekey.error == nullptr;
  if (!result.ok) {
    result.reason = annals_reason_info(annals_error_reason(rekey.error))->name;
  }
  result.count = rekey.key_count;
  annals_rekey_clear(&rekey);
  return result;
}

}  // namespace annals_test

#endif
