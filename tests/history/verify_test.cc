/* Stores that are verified, repaired and migrated, with the domain's own auditor. */
#include <filesystem>
#include <fstream>
#include <functional>

extern "C" {
#include "server/history/audit.h"
#include "server/history/execution_record.h"
#include "storage/rocksdb/edit.h"
#include "storage/rocksdb/rocksdb_verify.h"
}

#include "tests/history/history_test_support.h"

namespace annals_test {
namespace {

namespace fs = std::filesystem;
using Entries = std::vector<std::pair<std::string, std::string>>;
using Lines = std::vector<std::string>;

const char kPrefix[] = "arn:aws:states:eu-west-1:123456789012:execution:";

std::string ArnOf(const std::string &machine, const std::string &name) {
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
          std::string(fault->file) + fault->part + " " + arn + event + ": " + fault->text +
          (fault->repaired ? "!" : ""));
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

TEST_F(VerifyTest, NothingIsWrong) {
  Verified empty = Verify();
  EXPECT_TRUE(empty.ok) << empty.error;
  EXPECT_EQ(empty.faults, Lines());
  OpenAgain();
  Fill();
  Verified verified = Verify();
  EXPECT_TRUE(verified.ok) << verified.error;
  EXPECT_EQ(verified.faults, Lines());
  EXPECT_EQ(verified.outcome, ANNALS_STORE_OK);
  EXPECT_EQ(verified.summary.executions, 5);
  EXPECT_EQ(verified.summary.events, 3 + 2 + 3 + 1 + 352);
  EXPECT_GT(verified.summary.bytes, 10000);
  EXPECT_EQ(verified.summary.unchecked_files, 0);
  Verified dry = Verify(ANNALS_ROCKSDB_REPAIR_DRY);
  EXPECT_EQ(dry.faults, Lines());
  Verified repaired = Verify(ANNALS_ROCKSDB_REPAIR);
  EXPECT_EQ(repaired.faults, Lines());
}

TEST_F(VerifyTest, WhatIsNoStoreOrInUseIsRefused) {
  struct annals_store_verify verify = {};
  GError *error = nullptr;
  EXPECT_FALSE(
      annals_rocksdb_verify((dir_ + "/none").c_str(), ANNALS_ROCKSDB_REPAIR_NONE, &verify, &error));
  EXPECT_EQ(std::string(error->message),
            dir_ + "/none/LOCK holds no store: No such file or directory");
  EXPECT_EQ(error->code, ANNALS_ROCKSDB_ERROR_FOREIGN);
  g_clear_error(&error);
  EXPECT_FALSE(annals_rocksdb_verify(Path().c_str(), ANNALS_ROCKSDB_REPAIR, &verify, &error));
  EXPECT_EQ(std::string(error->message), Path() + " is in use by another process");
  EXPECT_EQ(error->code, ANNALS_ROCKSDB_ERROR_IN_USE);
  g_clear_error(&error);
}

TEST_F(VerifyTest, RecordsThatDisagreeAreFoundAndRepaired) {
  Fill();
  const Entries history = Dump("history");
  const Entries records = Dump("executions");
  const Entries listings = Dump("listings");
  Change(ArnOf("A", "ended"), [](annals_execution *e) { e->stop_seconds++; });
  Change(ArnOf("A", "redriven"), [](annals_execution *e) { e->redrive_count = 0; });
  Change(ArnOf("A", "running"), [](annals_execution *e) { e->status = ANNALS_STATUS_FAILED; });
  Put("executions", ArnOf("B", "long"), "\xff");
  Put("executions", ArnOf("B", "nobody"), records[0].second);
  Verified verified = Verify();
  Lines of_records;
  for (const std::string &fault : verified.faults) {
    if (fault.find("executions ") == 0) {
      of_records.push_back(fault);
    }
  }
  EXPECT_EQ(of_records, (Lines{
                            "executions A:ended: the record's end is not the history's",
                            "executions A:redriven: the record says 0 redrives, the history 1",
                            "executions A:running: the record says FAILED, the history RUNNING",
                            "executions B:long: the record is damaged: what only the first append "
                            "told is lost, the state machine is taken from the ARN",
                            "executions B:nobody: a record without a history",
                        }));
  const Entries damaged = Dump("executions");
  Verified dry = Verify(ANNALS_ROCKSDB_REPAIR_DRY);
  EXPECT_EQ(Dump("executions"), damaged);
  EXPECT_EQ(dry.summary.repaired, dry.summary.faults);
  Verified repaired = Verify(ANNALS_ROCKSDB_REPAIR);
  EXPECT_EQ(repaired.faults, dry.faults);
  EXPECT_EQ(Verify().faults, Lines());
  EXPECT_EQ(Dump("history"), history);
  EXPECT_EQ(Dump("executions"), records);
  EXPECT_EQ(Dump("listings"), listings);
}

TEST_F(VerifyTest, WhatOnlyTheFirstAppendToldIsKeptOrSaidToBeLost) {
  Fill();
  Change(ArnOf("A/L", "child"), [](annals_execution *e) { e->status = ANNALS_STATUS_ABORTED; });
  Remove("executions", ArnOf("A", "running"));
  Verified repaired = Verify(ANNALS_ROCKSDB_REPAIR);
  EXPECT_EQ(repaired.faults[0],
            "executions A/L:child: the record says ABORTED, the history RUNNING!");
  EXPECT_EQ(repaired.faults[1],
            "executions A:running: no record: what only the first append told is lost, the state "
            "machine is taken from the ARN!");
  EXPECT_EQ(Verify().faults, Lines());
  OpenAgain();
  ListQuery query;
  query.state_machine.reset();
  query.map_run = "arn:aws:states:eu-west-1:123456789012:mapRun:A/L:r";
  EXPECT_EQ(ListAll(query), Lines{ArnOf("A/L", "child")});
  DescribeQuery describe;
  describe.arn = ArnOf("A", "running");
  Described described = Describe(describe);
  EXPECT_EQ(described.members["state_machine"],
            "arn:aws:states:eu-west-1:123456789012:stateMachine:A");
  EXPECT_EQ(described.members.count("trace_header"), 0u);
}

TEST_F(VerifyTest, ListingsThatDisagreeAreFoundAndRepaired) {
  Fill();
  const Entries history = Dump("history");
  const Entries listings = Dump("listings");
  const std::string missing = KeyWith("listings", ArnOf("A", "ended"));
  const std::string list = missing.c_str();
  Remove("listings", missing);
  const std::string stale = KeyWith("listings", ArnOf("B", "long"));
  Put("listings", stale, "old");
  std::string stray = KeyWith("listings", ArnOf("A/L", "child")) + "-not";
  Put("listings", stray, "");
  Put("listings", "nonsense", "");
  const Lines faults = {
      "listings A:ended: it is not in the list '" + list + "'",
      "listings B:long: its entry in the list '" + std::string(stale.c_str()) + "' is out of date",
      "listings A/L:child-not: it does not belong in the list '" + std::string(stray.c_str()) + "'",
      "listings : a key that is none",
  };
  EXPECT_EQ(Verify().faults, faults);
  Lines repaired;
  for (const std::string &fault : faults) {
    repaired.push_back(fault + "!");
  }
  EXPECT_EQ(Verify(ANNALS_ROCKSDB_REPAIR_DRY).faults, repaired);
  EXPECT_EQ(Verify().faults, faults);
  EXPECT_EQ(Verify(ANNALS_ROCKSDB_REPAIR).faults, repaired);
  EXPECT_EQ(Verify().faults, Lines());
  EXPECT_EQ(Dump("listings"), listings);
  EXPECT_EQ(Dump("history"), history);
}

TEST_F(VerifyTest, HistoriesThatAreNotWholeAreFoundAndLeftAlone) {
  Fill();
  const Entries before = Dump("history");
  const std::string prefix = ArnOf("B", "long") + std::string("\0B", 2);
  std::string second; /* of the sealed runs */
  std::string marker;
  for (const auto &[key, value] : before) {
    if (key.find(prefix) == 0) {
      const std::string rest = key.substr(prefix.size());
      marker = rest.size() == 8 ? key : marker;
      second = rest.size() == 16 && rest[7] == static_cast<char>(200) ? key : second;
    }
  }
  Remove("history", second);
  Put("history", ArnOf("A", "ended") + std::string("\0C", 2), "");
  Put("history", "nobody", "");
  const Entries history = Dump("history");
  const Lines faults = {
      "history A:ended: a key that is none",
      "history B:long#101: events 101..200 are missing",
      "history : a key that is none",
  };
  EXPECT_EQ(Verify().faults, faults);
  EXPECT_EQ(Verify(ANNALS_ROCKSDB_REPAIR).faults, faults);
  EXPECT_EQ(Dump("history"), history);
}

TEST_F(VerifyTest, MarkersAreRepaired) {
  Fill();
  const Entries before = Dump("history");
  for (const char *machine : {"B:long", "A:ended"}) {
    for (const auto &[key, value] : before) {
      const std::string arn = kPrefix + std::string(machine);
      if (key.find(arn) == 0 && key.size() == arn.size() + 10) {
        if (std::string(machine) == "B:long") {
          Remove("history", key);
        } else {
          Put("history", key, "short");
        }
      }
    }
  }
  const Lines faults = {"history A:ended: a marker without birth!",
                        "history B:long#301: no marker before the open runs!"};
  EXPECT_EQ(Verify(ANNALS_ROCKSDB_REPAIR).faults, faults);
  EXPECT_EQ(Verify().faults, Lines());
  Entries after = Dump("history");
  ASSERT_EQ(after.size(), before.size());
  for (size_t i = 0; i < after.size(); i++) {
    EXPECT_EQ(after[i].first, before[i].first);
    if (after[i].second.size() != 8) {
      EXPECT_EQ(after[i].second, before[i].second);
    }
  }
  OpenAgain();
  PageQuery query;
  query.arn = ArnOf("B", "long");
  EXPECT_EQ(All(query).size(), 352u);
}

TEST_F(VerifyTest, EventsThatAreNoneAreFound) {
  Fill();
  std::string key = KeyWith("history", ArnOf("A", "ended"));
  std::string good;
  for (const auto &[k, v] : Dump("history")) {
    good = k == key ? v : good;
  }
  /* The frames of two events: in the other order, then cut. */
  size_t first = 2 + static_cast<size_t>(good[1]);
  Put("history", key, good.substr(first) + good.substr(0, first));
  EXPECT_EQ(Verify().faults, Lines{"history A:ended#1: the event calls itself 2"});
  Put("history", key, good.substr(0, first));
  EXPECT_EQ(Verify().faults, Lines{"history A:ended#1: run B 1..2 has frames that do not match"});
  Put("history", key, good);
  EXPECT_EQ(Verify().faults, Lines());
}

/* ---- damage of files ------------------------------------------------------------------------- */

class VerifyFilesTest : public VerifyTest {
 protected:
  /* Many executions in tables of several blocks. */
  void FillTables() {
    for (int i = 0; i < 400; i++) {
      const std::string name = "e" + std::to_string(i);
      ASSERT_TRUE(Append({Started(), Entered(2, 0, std::string(300, 'x')), Succeeded(3, 200)},
                         ArnOf("M", name))
                      .ok);
    }
    ASSERT_TRUE(annals_rocksdb_edit_flush(Edit()));
    Leave();
  }

  std::vector<fs::path> Files(const std::string &ending) {
    std::vector<fs::path> files;
    for (const fs::directory_entry &entry : fs::directory_iterator(Path())) {
      if (entry.path().extension() == ending) {
        files.push_back(entry.path());
      }
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  static void Flip(const fs::path &path, size_t offset) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    int byte = file.get();
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(static_cast<char>(byte ^ 0x10));
  }
};

TEST_F(VerifyFilesTest, ABlockThatCannotBeReadIsOneFaultAndTheCheckGoesOn) {
  FillTables();
  for (const fs::path &path : Files(".sst")) {
    if (fs::file_size(path) < 10000) {
      continue; /* the schema version's */
    }
    const std::string name = path.filename().string();
    for (size_t offset : {size_t{100}, static_cast<size_t>(fs::file_size(path) / 3)}) {
      Flip(path, offset);
      Verified verified = Verify();
      EXPECT_TRUE(verified.ok) << verified.error;
      ASSERT_GE(verified.faults.size(), 2u) << name << offset;
      EXPECT_EQ(verified.faults[0], name + " : it does not fit its checksum");
      EXPECT_EQ(verified.faults[1].find(name), 0u) << verified.faults[1];
      EXPECT_NE(verified.faults[1].find("cannot be read: Corruption: "), std::string::npos);
      EXPECT_GT(verified.summary.executions, 300) << name << offset;
      Flip(path, offset);
    }
  }
  EXPECT_EQ(Verify().faults, Lines());
}

TEST_F(VerifyFilesTest, AFileThatKeepsTheDatabaseShutIsAFault) {
  FillTables();
  fs::path manifest;
  for (const fs::directory_entry &entry : fs::directory_iterator(Path())) {
    if (entry.path().filename().string().find("MANIFEST-") == 0) {
      manifest = entry.path();
    }
  }
  Flip(manifest, 20);
  Verified verified = Verify();
  EXPECT_TRUE(verified.ok);
  EXPECT_EQ(verified.outcome, ANNALS_STORE_CORRUPT);
  EXPECT_EQ(verified.faults, Lines{manifest.filename().string() +
                                   " : a fragment that does not fit its checksum at byte 0"});
}

/* ---- migration ------------------------------------------------------------------------------- */

class MigrationTest : public VerifyTest {
 protected:
  /* Makes the store what a program of version 1 left: records without the last terminal event's id,
   * markers without birth, and nobody in any list. */
  void MakeOld() {
    Fill();
    for (const auto &[key, value] : Dump("listings")) {
      Remove("listings", key);
    }
    Change("", [](annals_execution *e) { e->stop_event_id = 0; });
    for (const auto &[key, value] : Dump("history")) {
      if (key.find(ArnOf("A", "ended")) == 0 && value.size() == 8) {
        Put("history", key, "");
      }
    }
    Put("default", "schema", "1");
  }

  /* Opens as a server does. Stops where enough has been seen; 0: does not. */
  std::string OpenAsServer(int64_t stop_behind = 0) {
    Leave();
    std::string path = Path();
    struct State {
      int64_t stop_behind;
      std::vector<std::string> *told;
    } state = {stop_behind, &told_};
    annals_rocksdb_options options = {};
    options.path = path.c_str();
    options.auditor = annals_audit_auditor(audit_);
    options.migration_data = &state;
    options.on_migration = [](void *data, const annals_rocksdb_migration *so_far) {
      auto *self = static_cast<State *>(data);
      self->told->push_back(
          std::to_string(so_far->from_version) + ">" + std::to_string(so_far->to_version) + " " +
          std::to_string(so_far->summary->executions) + (so_far->done ? " done" : ""));
      return self->stop_behind == 0 || so_far->summary->executions < self->stop_behind;
    };
    annals_store *store = nullptr;
    GError *error = nullptr;
    std::string message;
    if (annals_rocksdb_open(&options, &store, &error)) {
      store->ops->close(store);
    } else {
      message = error->message;
      g_error_free(error);
    }
    return message;
  }

  Lines told_;
};

TEST_F(MigrationTest, AnOldStoreIsMadeOneOfThisVersion) {
  Fill();
  const Entries listings = Dump("listings");
  const Entries records = Dump("executions");
  const Entries history = Dump("history");
  for (const auto &[key, value] : listings) {
    Remove("listings", key);
  }
  Change("", [](annals_execution *e) { e->stop_event_id = 0; });
  Put("default", "schema", "1");
  Leave();
  struct annals_store_verify verify = {};
  GError *error = nullptr;
  EXPECT_FALSE(annals_rocksdb_verify(Path().c_str(), ANNALS_ROCKSDB_REPAIR_NONE, &verify, &error));
  EXPECT_EQ(std::string(error->message),
            Path() +
                " has schema version 1, and is checked when it has version 2: it gets that "
                "when a server opens it, or by a repair");
  g_clear_error(&error);
  EXPECT_EQ(OpenAsServer(), "");
  EXPECT_EQ(told_, Lines{"1>2 5 done"});
  EXPECT_EQ(Dump("default"), (Entries{{"schema", "2"}}));
  EXPECT_EQ(Dump("listings"), listings);
  EXPECT_EQ(Dump("executions"), records);
  EXPECT_EQ(Dump("history"), history);
  EXPECT_EQ(Verify().faults, Lines());
  told_.clear();
  EXPECT_EQ(OpenAsServer(), "");
  EXPECT_EQ(told_, Lines());
}

TEST_F(MigrationTest, ARepairMigrates) {
  MakeOld();
  Verified repaired = Verify(ANNALS_ROCKSDB_REPAIR);
  EXPECT_TRUE(repaired.ok) << repaired.error;
  EXPECT_GT(repaired.summary.faults, 0);
  EXPECT_EQ(repaired.summary.repaired, repaired.summary.faults);
  EXPECT_EQ(Dump("default"), (Entries{{"schema", "2"}}));
  EXPECT_EQ(Verify().faults, Lines());
}

/* Cut short wherever it was, and what was written of it there or not: it is begun again. */
TEST_F(MigrationTest, OneThatWasCutShortIsBegunAgain) {
  for (int i = 0; i < 300; i++) {
    ASSERT_TRUE(Append({Started(), Entered(2, 0, std::string(6000, 'x')), Succeeded(3, 200)},
                       ArnOf("M", "e" + std::to_string(i)))
                    .ok);
  }
  MakeOld();
  for (int64_t stop_behind : {1, 50, 150, 290}) {
    EXPECT_EQ(OpenAsServer(stop_behind),
              Path() + " cannot be migrated from schema version 1 to 2: stopped");
    EXPECT_EQ(Dump("default"), (Entries{{"schema", "1"}}));
  }
  EXPECT_EQ(OpenAsServer(), "");
  EXPECT_EQ(told_.back(), "1>2 305 done");
  EXPECT_EQ(Verify().faults, Lines());
}

}  // namespace
}  // namespace annals_test
