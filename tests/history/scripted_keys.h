/* A key provider that says what a test wants it to, when the test wants it to. */
#ifndef ANNALS_TESTS_HISTORY_SCRIPTED_KEYS_H_
#define ANNALS_TESTS_HISTORY_SCRIPTED_KEYS_H_

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

extern "C" {
#include "server/kms/data_keys.h"
}

namespace annals_test {

class ScriptedKeys {
 public:
  ScriptedKeys();
  ScriptedKeys(const ScriptedKeys &) = delete;
  ScriptedKeys &operator=(const ScriptedKeys &) = delete;

  annals_key_provider *provider() {
    return &base_.provider;
  }

  /* What calls are answered from now on. */
  void Say(annals_key_status status, const char *state = nullptr);

  /* Has aliases stand for another key: "key/1" before. */
  void Repoint(const std::string &key);

  /* Keeps calls until it is let go. */
  void Hold(bool held);
  /* Waits until so many are kept. */
  void WaitForHeld(size_t count);

  /* All calls so far: "generate KEY CONTEXT", "unwrap KEY CONTEXT". */
  std::vector<std::string> calls();
  void ForgetCalls();

 private:
  struct Base {
    annals_key_provider provider;
    ScriptedKeys *self;
  };

  static ScriptedKeys *Of(annals_key_provider *provider) {
    return reinterpret_cast<Base *>(provider)->self;
  }
  /* The key that a name stands for. */
  std::string Resolve(const std::string &key_id);
  bool WasWrappedBy(GBytes *wrapped, const char *key_id);
  void Take(annals_key_call *call, GBytes *wrapped, const std::string &what);
  void Answer(annals_key_call *call, GBytes *wrapped);

  Base base_;
  std::mutex lock_;
  std::condition_variable changed_;
  annals_key_status status_ = ANNALS_KEY_OK;
  const char *state_ = nullptr;
  std::string alias_target_ = "key/1";
  bool held_ = false;
  int made_ = 0;
  std::vector<std::string> calls_;
  std::deque<std::pair<annals_key_call *, GBytes *>> kept_;
};

}  // namespace annals_test

#endif
