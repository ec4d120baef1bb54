/* A store that is verified, repaired and migrated, with the domain's own auditor. */
#ifndef ANNALS_TESTS_HISTORY_VERIFY_FIXTURE_H_
#define ANNALS_TESTS_HISTORY_VERIFY_FIXTURE_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

extern "C" {
#include "server/history/audit.h"
#include "server/history/execution_record.h"
#include "storage/rocksdb/edit.h"
#include "storage/rocksdb/rocksdb_verify.h"
}

#include "tests/history/history_test_support.h"

namespace annals_test {
using Entries = std::vector<std::pair<std::string, std::string>>;
using Lines = std::vector<std::string>;

inline constexpr char kPrefix[] = "arn:aws:states:eu-west-1:123456789012:execution:";

inline std::string ArnOf(const std::string &machine, const std::string &name) {
  return kPrefix + machine + ":" + name;
}

/* What a check found: "part arn#event: text", "!" behind what is repaired. */
struct Verified {
  bool ok = false;
  std::string error;
  annals_store_outcome outcome = ANNALS_STORE_OK;
  Lines faults;
  annals_store_verify_summary summary = {};
};

class VerifyTest : public HistoryTest {
 protected:
  ~VerifyTest() override {
    Leave();
    annals_audit_free(audit_);
  }

  std::string Path() const {
    return dir_ + "/rocksdb";
  }

  /* Has nobody have the store open, neither a history nor the tests themselves. */
  void Leave() {
    Close();
    if (edit_ != nullptr) {
      annals_rocksdb_edit_close(edit_);
      edit_ = nullptr;
    }
  }

  annals_rocksdb_edit *Edit() {
    if (edit_ == nullptr) {
      Close();
      edit_ = annals_rocksdb_edit_open(Path().c_str());
    }
    return edit_;
  }

  void OpenAgain() {
    Leave();
    Open();
  }

  Verified Verify(annals_rocksdb_repair repair = ANNALS_ROCKSDB_REPAIR_NONE) {
    Leave();
    Verified verified;
    struct Request {
      annals_store_verify verify;
      Verified *verified;
    } request = {};
    request.verified = &verified;
    request.verify.auditor = annals_audit_auditor(audit_);
    request.verify.on_fault = [](annals_store_verify *self, const annals_store_fault *fault) {
      std::string arn = fault->arn;
      std::string event = fault->event_id > 0 ? "#" + std::to_string(fault->event_id) : "";
      if (arn.find(kPrefix) == 0) {
        arn = arn.substr(strlen(kPrefix));
      }
      reinterpret_cast<Request *>(self)->verified->faults.push_back(
          std::string(fault->file) + (*fault->file != '\0' && *fault->part != '\0' ? " " : "") +
          fault->part + " " + arn + event + ": " + fault->text + (fault->repaired ? "!" : ""));
    };
    GError *error = nullptr;
    verified.ok = annals_rocksdb_verify(Path().c_str(), repair, &request.verify, &error);
    if (error != nullptr) {
      verified.error = error->message;
      g_error_free(error);
    }
    verified.outcome = request.verify.op.outcome;
    verified.summary = request.verify.summary;
    EXPECT_EQ(verified.summary.faults, static_cast<int64_t>(verified.faults.size()));
    return verified;
  }

  Entries Dump(const std::string &family) {
    Entries entries;
    EXPECT_TRUE(annals_rocksdb_edit_each(
        Edit(), family.c_str(),
        [](const char *key, size_t key_size, const char *value, size_t value_size, void *data) {
          static_cast<Entries *>(data)->emplace_back(std::string(key, key_size),
                                                     std::string(value, value_size));
        },
        &entries));
    return entries;
  }

  void Put(const std::string &family, const std::string &key, const std::string &value) {
    g_autoptr(GBytes) key_bytes = g_bytes_new(key.data(), key.size());
    g_autoptr(GBytes) value_bytes = g_bytes_new(value.data(), value.size());
    EXPECT_TRUE(annals_rocksdb_edit_put(Edit(), family.c_str(), key_bytes, value_bytes));
  }

  void Remove(const std::string &family, const std::string &key) {
    g_autoptr(GBytes) key_bytes = g_bytes_new(key.data(), key.size());
    EXPECT_TRUE(annals_rocksdb_edit_put(Edit(), family.c_str(), key_bytes, nullptr));
  }

  /* The first key of a family that holds a text. */
  std::string KeyWith(const std::string &family, const std::string &text) {
    for (const auto &[key, value] : Dump(family)) {
      if (key.find(text) != std::string::npos) {
        return key;
      }
    }
    ADD_FAILURE() << text;
    return "";
  }

  /* Changes the record of an execution; "": of all. */
  void Change(const std::string &arn, const std::function<void(annals_execution *)> &change) {
    for (const auto &[key, value] : Dump("executions")) {
      if (arn.empty() || key == arn) {
        g_autoptr(GBytes) bytes = g_bytes_new(value.data(), value.size());
        annals_execution execution;
        ASSERT_TRUE(annals_execution_read(bytes, &execution));
        change(&execution);
        size_t size;
        uint8_t *record = annals_execution_write(&execution, &size);
        Put("executions", key, std::string(reinterpret_cast<char *>(record), size));
        g_free(record);
        annals_execution_clear(&execution);
      }
    }
  }

  /* Executions of all kinds: running, ended, redriven, of a map run, in several runs. */
  void Fill() {
    FirstAppend first;
    first.trace_header = "Root=1";
    EXPECT_TRUE(Append(Chain(3), ArnOf("A", "running"), first).ok);
    EXPECT_TRUE(Append({Started(), Succeeded(2, 200)}, ArnOf("A", "ended")).ok);
    EXPECT_TRUE(Append({Started(), Typed(kFailed, 2)}, ArnOf("A", "redriven")).ok);
    EXPECT_TRUE(Append({Typed(kRedriven, 3)}, ArnOf("A", "redriven")).ok);
    FirstAppend child;
    child.map_run_arn = "arn:aws:states:eu-west-1:123456789012:mapRun:A/L:r";
    child.item_count = 7;
    EXPECT_TRUE(Append({Started()}, ArnOf("A/L", "child"), child).ok);
    EXPECT_TRUE(Append(Chain(350), ArnOf("B", "long")).ok);
    EXPECT_TRUE(Append({Entered(351)}, ArnOf("B", "long")).ok);
    EXPECT_TRUE(Append({Entered(352)}, ArnOf("B", "long")).ok);
  }

  static constexpr int kFailed = 10;
  static constexpr int kRedriven = 60;

  annals_rocksdb_edit *edit_ = nullptr;
  annals_audit *audit_ = annals_audit_new(schema_.get());
};

}  // namespace annals_test

#endif
