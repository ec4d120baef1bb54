#include "tests/history/scripted_keys.h"

#include <cstring>

namespace annals_test {
namespace {

/* What a key is wrapped in: "KEY CONTEXT\n", before its bytes. */
std::string Wrapping(const annals_key_call *call, const std::string &key) {
  return key + " " + call->context_value + "\n";
}

GBytes *Bytes(const std::string &text) {
  return g_bytes_new(text.data(), text.size());
}

std::string Text(GBytes *bytes) {
  gsize size;
  const char *data = static_cast<const char *>(g_bytes_get_data(bytes, &size));
  return std::string(data, size);
}

}  // namespace

ScriptedKeys::ScriptedKeys() {
  static const annals_key_provider_ops ops = {
      [](annals_key_provider *provider, annals_key_call *call) {
        Of(provider)->Take(call, nullptr, "generate");
      },
      [](annals_key_provider *provider, annals_key_call *call, GBytes *wrapped) {
        Of(provider)->Take(call, wrapped, "unwrap");
      },
      [](annals_key_provider *provider, annals_key_call *call, GBytes *wrapped, const char *from) {
        if (Of(provider)->WasWrappedBy(wrapped, from)) {
          Of(provider)->Take(call, wrapped, "rewrap");
        } else {
          call->status = ANNALS_KEY_MISMATCH;
          call->message = g_strdup("another key's");
          call->on_done(call);
        }
      },
      nullptr,
      [](annals_key_provider *) {},
  };
  base_.provider.ops = &ops;
  base_.self = this;
}

void ScriptedKeys::Say(annals_key_status status, const char *state) {
  std::lock_guard<std::mutex> guard(lock_);
  status_ = status;
  state_ = state;
}

void ScriptedKeys::Repoint(const std::string &key) {
  std::lock_guard<std::mutex> guard(lock_);
  alias_target_ = key;
}

std::string ScriptedKeys::Resolve(const std::string &key_id) {
  return key_id.compare(0, 6, "alias/") == 0 ? alias_target_ : key_id;
}

bool ScriptedKeys::WasWrappedBy(GBytes *wrapped, const char *key_id) {
  std::lock_guard<std::mutex> guard(lock_);
  const std::string text = Text(wrapped);
  return key_id == nullptr || text.substr(0, text.find(' ')) == Resolve(key_id);
}

void ScriptedKeys::Hold(bool held) {
  std::deque<std::pair<annals_key_call *, GBytes *>> kept;
  {
    std::lock_guard<std::mutex> guard(lock_);
    held_ = held;
    if (!held) {
      kept.swap(kept_);
    }
  }
  for (auto &[call, wrapped] : kept) {
    Answer(call, wrapped);
  }
}

void ScriptedKeys::WaitForHeld(size_t count) {
  std::unique_lock<std::mutex> guard(lock_);
  changed_.wait(guard, [&] { return kept_.size() >= count; });
}

std::vector<std::string> ScriptedKeys::calls() {
  std::lock_guard<std::mutex> guard(lock_);
  return calls_;
}

void ScriptedKeys::ForgetCalls() {
  std::lock_guard<std::mutex> guard(lock_);
  calls_.clear();
}

void ScriptedKeys::Take(annals_key_call *call, GBytes *wrapped, const std::string &what) {
  {
    std::lock_guard<std::mutex> guard(lock_);
    calls_.push_back(what + " " + (call->key_id != nullptr ? call->key_id : "-") + " " +
                     call->context_name + "=" + call->context_value);
    if (held_) {
      kept_.emplace_back(call, wrapped);
      changed_.notify_all();
      return;
    }
  }
  Answer(call, wrapped);
}

void ScriptedKeys::Answer(annals_key_call *call, GBytes *wrapped) {
  {
    std::lock_guard<std::mutex> guard(lock_);
    call->status = status_;
    const std::string key = call->key_id != nullptr ? Resolve(call->key_id) : "";
    const std::string wrapping = Wrapping(call, key);
    if (status_ != ANNALS_KEY_OK) {
      call->key_state = state_;
      call->message = g_strdup("as the script says");
    } else if (wrapped == nullptr) {
      memset(call->plain, ++made_, ANNALS_DATA_KEY_BYTES);
      call->wrapped = Bytes(wrapping + std::to_string(made_));
      call->key_arn = g_strdup(key.c_str());
    } else {
      const std::string text = Text(wrapped);
      const size_t space = text.find(' ');
      const size_t line = text.find('\n');
      if (text.substr(space + 1, line - space - 1) != call->context_value) {
        call->status = ANNALS_KEY_MISMATCH;
        call->message = g_strdup("another context's");
      } else if (call->plain != nullptr && !key.empty() && text.substr(0, space) != key) {
        call->status = ANNALS_KEY_MISMATCH;
        call->message = g_strdup("another key's");
      } else if (call->plain != nullptr) {
        memset(call->plain, std::stoi(text.substr(line + 1)), ANNALS_DATA_KEY_BYTES);
      } else {
        call->wrapped = Bytes(wrapping + text.substr(line + 1));
        call->key_arn = g_strdup(key.c_str());
      }
    }
  }
  call->on_done(call);
}

}  // namespace annals_test
