#include "server/kms/local_provider.h"

#include <glib/gstdio.h>
#include <gtest/gtest.h>

#include <string>

namespace {

const std::string kOne(64, '1');
const std::string kTwo(64, '2');

class LocalProvider : public testing::Test {
 protected:
  LocalProvider() {
    g_autofree char *dir = g_dir_make_tmp("annals-keys-XXXXXX", nullptr);
    dir_ = dir;
    path_ = dir_ + "/keys";
  }

  ~LocalProvider() override {
    if (provider_ != nullptr) {
      provider_->ops->free(provider_);
    }
    g_unlink(path_.c_str());
    g_rmdir(dir_.c_str());
  }

  void Write(const std::string &text, int mode = 0600) {
    ASSERT_TRUE(g_file_set_contents(path_.c_str(), text.data(), text.size(), nullptr));
    ASSERT_EQ(g_chmod(path_.c_str(), mode), 0);
  }

  /* Why there is no provider: what stands behind the path. */
  std::string Refusal(const std::string &text, int mode = 0600) {
    Write(text, mode);
    g_autoptr(GError) error = nullptr;
    EXPECT_EQ(annals_local_provider_new(path_.c_str(), &error), nullptr) << text;
    std::string message = error != nullptr ? error->message : "";
    EXPECT_EQ(message.compare(0, path_.size(), path_), 0) << message;
    return message.substr(std::min(path_.size(), message.size()));
  }

  void Open(const std::string &text) {
    Write(text);
    g_autoptr(GError) error = nullptr;
    provider_ = annals_local_provider_new(path_.c_str(), &error);
    ASSERT_NE(provider_, nullptr) << error->message;
  }

  void Reload(const std::string &text) {
    Write(text);
    g_autoptr(GError) error = nullptr;
    ASSERT_TRUE(annals_local_provider_reload(provider_, &error)) << error->message;
  }

  struct Answer {
    annals_key_status status = ANNALS_KEY_OK;
    std::string state, message, plain, wrapped, arn;
    int done_count = 0;
  };

  annals_key_call Call(const char *key_id, const char *context) {
    plain_.assign(ANNALS_DATA_KEY_BYTES, '\0');
    answer_ = Answer();
    annals_key_call call = {};
    call.key_id = key_id;
    call.context_name = "aws:states:executionArn";
    call.context_value = context;
    call.plain = reinterpret_cast<uint8_t *>(&plain_[0]);
    call.user = &answer_;
    call.on_done = [](annals_key_call *done) { static_cast<Answer *>(done->user)->done_count++; };
    return call;
  }

  Answer Take(annals_key_call *call) {
    EXPECT_EQ(answer_.done_count, 1);
    answer_.status = call->status;
    answer_.state = call->key_state != nullptr ? call->key_state : "";
    answer_.message = call->message != nullptr ? call->message : "";
    answer_.plain = plain_;
    answer_.arn = call->key_arn != nullptr ? call->key_arn : "";
    if (call->wrapped != nullptr) {
      gsize size;
      const void *data = g_bytes_get_data(call->wrapped, &size);
      answer_.wrapped.assign(static_cast<const char *>(data), size);
      g_bytes_unref(call->wrapped);
    }
    g_free(call->message);
    g_free(call->key_arn);
    return answer_;
  }

  Answer Generate(const char *key_id, const char *context = "one") {
    annals_key_call call = Call(key_id, context);
    provider_->ops->generate(provider_, &call);
    return Take(&call);
  }

  Answer Unwrap(const std::string &wrapped, const char *key_id = nullptr,
                const char *context = "one") {
    g_autoptr(GBytes) bytes = g_bytes_new(wrapped.data(), wrapped.size());
    annals_key_call call = Call(key_id, context);
    provider_->ops->unwrap(provider_, &call, bytes);
    return Take(&call);
  }

  Answer Rewrap(const std::string &wrapped, const char *key_id, const char *from = nullptr,
                const char *context = "one") {
    g_autoptr(GBytes) bytes = g_bytes_new(wrapped.data(), wrapped.size());
    annals_key_call call = Call(key_id, context);
    provider_->ops->rewrap(provider_, &call, bytes, from);
    return Take(&call);
  }

  std::string dir_;
  std::string path_;
  std::string plain_;
  Answer answer_;
  annals_key_provider *provider_ = nullptr;
};

TEST_F(LocalProvider, WhatItWrapsItUnwraps) {
  Open("main " + kOne + "\n");
  Answer made = Generate("local:main");
  EXPECT_EQ(made.status, ANNALS_KEY_OK);
  EXPECT_EQ(made.arn, "local:main");
  EXPECT_EQ(made.wrapped.size(), 13U + 4 + 60);
  EXPECT_EQ(made.wrapped.compare(0, 9, "AnK1\x04main"), 0);
  EXPECT_EQ(made.wrapped.find(made.plain), std::string::npos);
  for (const char *key_id : {static_cast<const char *>(nullptr), "local:main"}) {
    Answer opened = Unwrap(made.wrapped, key_id);
    EXPECT_EQ(opened.status, ANNALS_KEY_OK);
    EXPECT_EQ(opened.plain, made.plain);
    EXPECT_EQ(opened.arn, "local:main");
  }
  EXPECT_NE(Generate("local:main").plain, made.plain);
}

TEST_F(LocalProvider, EveryChangedBitIsRefused) {
  Open("main " + kOne + "\n");
  Answer made = Generate("local:main");
  const std::string nothing(ANNALS_DATA_KEY_BYTES, '\0');
  for (size_t bit = 0; bit < made.wrapped.size() * 8; bit++) {
    std::string changed = made.wrapped;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ 1 << bit % 8);
    Answer opened = Unwrap(changed);
    EXPECT_TRUE(opened.status == ANNALS_KEY_MISMATCH || opened.status == ANNALS_KEY_INVALID_STATE)
        << bit;
    EXPECT_EQ(opened.plain, nothing);
  }
  for (size_t size = 0; size < made.wrapped.size(); size++) {
    EXPECT_EQ(Unwrap(made.wrapped.substr(0, size)).status, ANNALS_KEY_MISMATCH) << size;
  }
  EXPECT_EQ(Unwrap(made.wrapped + "x").message, "this is not a data key of the key file");
}

TEST_F(LocalProvider, ContextAndKeyAreBound) {
  Open("main " + kOne + "\nother " + kTwo + "\n");
  Answer made = Generate("local:main");
  Answer moved = Unwrap(made.wrapped, nullptr, "two");
  EXPECT_EQ(moved.status, ANNALS_KEY_MISMATCH);
  EXPECT_EQ(moved.message, "the data key was altered, or belongs to something else");
  Answer other = Unwrap(made.wrapped, "local:other");
  EXPECT_EQ(other.status, ANNALS_KEY_MISMATCH);
  EXPECT_EQ(other.message, "the data key was not wrapped by 'local:other'");
}

TEST_F(LocalProvider, KeysRotate) {
  Open("main " + kOne + "\n");
  Answer made = Generate("local:main");
  Reload("# of 2026\nmain " + kTwo + "\n\nmain\t" + kOne + "\n");
  EXPECT_EQ(Unwrap(made.wrapped).plain, made.plain);
  Answer rewrapped = Rewrap(made.wrapped, "local:main", "local:main");
  EXPECT_EQ(rewrapped.status, ANNALS_KEY_OK);
  EXPECT_EQ(rewrapped.arn, "local:main");
  Reload("main " + kTwo + "\n");
  EXPECT_EQ(Unwrap(rewrapped.wrapped).plain, made.plain);
  Answer gone = Unwrap(made.wrapped);
  EXPECT_EQ(gone.status, ANNALS_KEY_INVALID_STATE);
  EXPECT_EQ(gone.state, "UNAVAILABLE");
  EXPECT_EQ(gone.message, "the key that wrapped the data key is not in the key file");
}

TEST_F(LocalProvider, RewrapsUnderAnotherName) {
  Open("main " + kOne + "\nother " + kTwo + "\n");
  Answer made = Generate("local:main");
  Answer moved = Rewrap(made.wrapped, "local:other");
  EXPECT_EQ(moved.arn, "local:other");
  EXPECT_EQ(Unwrap(moved.wrapped, "local:other").plain, made.plain);
  EXPECT_EQ(Rewrap(made.wrapped, "local:other", "local:other").status, ANNALS_KEY_MISMATCH);
  EXPECT_EQ(Rewrap(made.wrapped, "local:other", nullptr, "two").status, ANNALS_KEY_MISMATCH);
}

TEST_F(LocalProvider, UnknownNames) {
  Open("main " + kOne + "\n");
  Answer none = Generate("local:none");
  EXPECT_EQ(none.status, ANNALS_KEY_INVALID_STATE);
  EXPECT_EQ(none.state, "UNAVAILABLE");
  EXPECT_EQ(none.message, "there is no key 'local:none' in the key file");
}

TEST_F(LocalProvider, AFailedReloadChangesNothing) {
  Open("main " + kOne + "\n");
  Answer made = Generate("local:main");
  Write("main\n");
  g_autoptr(GError) error = nullptr;
  EXPECT_FALSE(annals_local_provider_reload(provider_, &error));
  EXPECT_EQ(Unwrap(made.wrapped).plain, made.plain);
}

TEST_F(LocalProvider, RefusesBadFiles) {
  const std::string others = ": others can read or change it: its mode must be 600, 640 or less";
  EXPECT_EQ(Refusal("main " + kOne, 0604), others);
  EXPECT_EQ(Refusal("main " + kOne, 0620), others);
  EXPECT_EQ(Refusal(""), ": there are no keys");
  EXPECT_EQ(Refusal("# main " + kOne), ": there are no keys");
  EXPECT_EQ(Refusal("\nmain"), ":2: 64 hex digits are expected behind the name");
  EXPECT_EQ(Refusal("main " + kOne + "1"), ":1: 64 hex digits are expected behind the name");
  EXPECT_EQ(Refusal("main " + kOne.substr(1)), ":1: 64 hex digits are expected behind the name");
  const std::string name = ":1: a name of 1 to 64 letters, digits, and _ - . is expected";
  EXPECT_EQ(Refusal("ma:in " + kOne), name);
  EXPECT_EQ(Refusal(std::string(65, 'a') + " " + kOne), name);
  EXPECT_EQ(Refusal("main " + kOne + "\nmain " + kOne),
            ":2: this key of 'main' stands in the file twice");
  EXPECT_EQ(Refusal(std::string("main \0", 6)), ": not text");
  EXPECT_EQ(Refusal(std::string((64 << 10) + 1, '\n')), ": more than 64 KiB");
  std::string many;
  for (int i = 0; i <= 256; i++) {
    many += "key" + std::to_string(i) + " " + kOne + "\n";
  }
  EXPECT_EQ(Refusal(many), ":257: there are more than 256 keys");
  g_unlink(path_.c_str());
  g_autoptr(GError) error = nullptr;
  EXPECT_EQ(annals_local_provider_new(path_.c_str(), &error), nullptr);
  EXPECT_EQ(error->message, path_ + ": No such file or directory");
  g_clear_error(&error);
  EXPECT_EQ(annals_local_provider_new(dir_.c_str(), &error), nullptr);
  EXPECT_EQ(error->message, dir_ + ": not a regular file");
}

}  // namespace
