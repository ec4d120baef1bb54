/* Stores that are verified and repaired. */
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/history/scripted_keys.h"
#include "tests/history/verify_fixture.h"

namespace annals_test {
namespace {

namespace fs = std::filesystem;

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
  EXPECT_EQ(std::string(error->message), dir_ + "/none holds no store: No such file or directory");
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

class VerifySecretsTest : public VerifyTest {
 protected:
  ~VerifySecretsTest() override {
    Leave();
    annals_data_keys_free(data_keys_);
  }

  /* An encrypted execution with two data keys, and one that is not encrypted. */
  void FillSecrets() {
    annals_data_keys_options keys = {};
    keys.provider = script_.provider();
    data_keys_ = annals_data_keys_new(&keys, nullptr);
    ASSERT_NE(data_keys_, nullptr);
    options_.data_keys = data_keys_;
    Reopen();
    FirstAppend first;
    first.encryption_type = ANNALS_ENCRYPTION_CUSTOMER_MANAGED_KMS_KEY;
    first.kms_key_id = "k";
    ASSERT_TRUE(Append(Chain(150), arn_, first).ok);
    ASSERT_TRUE(Append(Chain(3), ArnOf("B", "plain")).ok);
    now_us_ += 600 * G_USEC_PER_SEC;
    annals_data_keys_forget(data_keys_, arn_.c_str());
    ASSERT_TRUE(Append({Entered(151)}, arn_).ok);
    EXPECT_EQ(Verify().faults, Lines());
    EXPECT_EQ(Dump("default"), (Entries{{"schema", "3"}}));
  }

  ScriptedKeys script_;
  annals_data_keys *data_keys_ = nullptr;
  const std::string arn_ = ArnOf("A", "secret");
  const std::string prefix_ = arn_ + std::string("\0W", 2) + std::string(7, '\0');
};

TEST_F(VerifySecretsTest, DataKeysAreFoundMissingOrDamaged) {
  FillSecrets();
  Remove("history", prefix_ + "\x02");
  EXPECT_EQ(Verify().faults, Lines({"history A:secret: the record of data key 2 is missing"}));
  Put("history", prefix_ + "\x02", "x");
  Remove("history", prefix_ + "\x01");
  EXPECT_EQ(Verify(ANNALS_ROCKSDB_REPAIR).faults,
            Lines({"history A:secret: the record of data key 1 is missing",
                   "history A:secret: the record of data key 2 is damaged"}));
  EXPECT_EQ(Dump("default"), (Entries{{"schema", "3"}})) << "a repair makes it older";
}

/* Or what is appended from then on would be stored in the clear. */
TEST_F(VerifySecretsTest, WhatIsEncryptedStaysSoWhenItsRecordIsMadeAnew) {
  FillSecrets();
  const Entries records = Dump("executions");
  Put("executions", arn_, "\xff");
  EXPECT_EQ(Verify(ANNALS_ROCKSDB_REPAIR).faults[0],
            "executions A:secret: the record is damaged: what only the first append told is lost, "
            "the state machine is taken from the ARN!");
  EXPECT_EQ(Dump("executions"), records);
  Change(arn_, [](annals_execution *execution) {
    *execution->kms_key_id = '\0';
    execution->reuse_seconds = 0;
  });
  Lines faults = Verify(ANNALS_ROCKSDB_REPAIR).faults;
  EXPECT_EQ(faults[0],
            "executions A:secret: the record does not say that the history is encrypted!");
  EXPECT_EQ(Dump("executions"), records);
  EXPECT_EQ(Verify().faults, Lines());
  OpenAgain();
  ASSERT_TRUE(Append({Entered(152, 0, "\"in the clear\"")}, arn_).ok);
  for (const auto &[key, value] : Dump("history")) {
    EXPECT_EQ(value.find("in the clear"), std::string::npos);
  }
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
    if (fs::file_size(path) < 2000) {
      continue; /* the schema version's */
    }
    const std::string name = path.filename().string();
    for (size_t offset : {size_t{100}, static_cast<size_t>(fs::file_size(path) / 3)}) {
      Flip(path, offset);
      Verified verified = Verify();
      EXPECT_TRUE(verified.ok) << verified.error;
      ASSERT_GE(verified.faults.size(), 2u) << name << offset;
      EXPECT_EQ(verified.faults[0].find(name + " "), 0u) << verified.faults[0];
      EXPECT_NE(verified.faults[0].find(": it does not fit its checksum"), std::string::npos);
      EXPECT_EQ(verified.faults[1].find(name), 0u) << verified.faults[1];
      EXPECT_NE(verified.faults[1].find("cannot be read: Corruption: "), std::string::npos);
      EXPECT_GT(verified.summary.executions, 300) << name << offset;
      Flip(path, offset);
    }
  }
  EXPECT_EQ(Verify().faults, Lines());
}

/* The files go with the damage; records that were in a damaged block are made from histories. */
TEST_F(VerifyFilesTest, DamagedRecordsAndListingsAreMadeAnew) {
  FillTables();
  const Entries history = Dump("history");
  const Entries records = Dump("executions");
  const Entries listings = Dump("listings");
  Leave();
  int rebuilt = 0;
  for (const fs::path &path : Files(".sst")) {
    if (fs::file_size(path) < 2000) {
      continue; /* the schema version's */
    }
    Flip(path, fs::file_size(path) / 3);
    Verified found = Verify();
    const bool derived = found.faults[0].find(" history ") == std::string::npos;
    if (!derived) {
      Flip(path, fs::file_size(path) / 3);
      continue;
    }
    rebuilt++;
    EXPECT_GT(found.faults.size(), 1u);
    EXPECT_EQ(found.summary.repaired, 0);
    Verified repaired = Verify(ANNALS_ROCKSDB_REPAIR);
    EXPECT_EQ(repaired.outcome, ANNALS_STORE_OK);
    EXPECT_EQ(repaired.summary.repaired, repaired.summary.faults);
    EXPECT_EQ(Verify().faults, Lines());
  }
  EXPECT_EQ(rebuilt, 2);
  EXPECT_EQ(Dump("history"), history);
  EXPECT_EQ(Dump("executions"), records);
  EXPECT_EQ(Dump("listings"), listings);
  EXPECT_EQ(Dump("default"), (Entries{{"schema", "2"}}));
}

/* Killed behind the mark, with some records still put aside and others brought back already. */
TEST_F(VerifyTest, ARebuildThatWasCutShortGoesOn) {
  Fill();
  const Entries records = Dump("executions");
  const Entries listings = Dump("listings");
  for (const auto &[key, value] : records) {
    Put("default", "aside " + key, value);
    if (key != records[0].first) {
      Remove("executions", key);
    }
  }
  Put("default", "rebuilding", "");
  Leave();
  annals_rocksdb_options options = {};
  const std::string path = Path();
  options.path = path.c_str();
  annals_store *store = nullptr;
  GError *error = nullptr;
  EXPECT_FALSE(annals_rocksdb_open(&options, &store, &error));
  EXPECT_EQ(std::string(error->message), "a repair of " + path + " has not ended: run it again");
  g_clear_error(&error);
  EXPECT_EQ(Verify(ANNALS_ROCKSDB_REPAIR).faults, Lines());
  EXPECT_EQ(Dump("executions"), records);
  EXPECT_EQ(Dump("listings"), listings);
  EXPECT_EQ(Dump("default"), (Entries{{"schema", "2"}}));
  /* And before it: what was put aside is of no use. */
  Put("default", "aside nobody", "x");
  EXPECT_EQ(Verify(ANNALS_ROCKSDB_REPAIR).faults, Lines());
  EXPECT_EQ(Dump("default"), (Entries{{"schema", "2"}}));
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

}  // namespace
}  // namespace annals_test
