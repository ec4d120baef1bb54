/* Stores of an older schema version. */
#include "tests/history/verify_fixture.h"

namespace annals_test {
namespace {

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
