// Deletion in the embedded engine: what it leaves, what it does on a full or broken disk, and what
// reads see of it that are under way.
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "storage/rocksdb/job.h"
#include "tests/storage/rocksdb_disk.h"

namespace annals_test {
namespace {

class RocksdbDeletionTest : public RocksdbTest {};

TEST_F(RocksdbDeletionTest, LeavesNoKey) {
  ASSERT_EQ(AppendRange("a", 1, 230), ANNALS_STORE_OK);
  ASSERT_EQ(AppendRange("a", 231, 232), ANNALS_STORE_OK);
  ASSERT_TRUE(annals_rocksdb_flush(store_));
  ASSERT_EQ(AppendRange("a", 233, 233), ANNALS_STORE_OK);
  EXPECT_EQ(Keys(store_, "a"), "B1-100 B101-200 ! T201-230 T231-232 T233-233");
  ASSERT_EQ(Delete(store_, "a", 233).outcome, ANNALS_STORE_OK);
  EXPECT_EQ(Keys(store_, "a"), "");
  ASSERT_TRUE(annals_rocksdb_compact(store_));
  EXPECT_EQ(Keys(store_, "a"), "");
}

// RocksDB refuses compactions that find Delete and SingleDelete mixed on one key.
TEST_F(RocksdbDeletionTest, UsesOneKindOfDeleteForAKey) {
  for (int round = 0; round < 6; round++) {
    ASSERT_EQ(AppendRange("a", 1, 1), ANNALS_STORE_OK);
    ASSERT_EQ(AppendRange("a", 2, 2), ANNALS_STORE_OK);
    ASSERT_EQ(AppendRange("b", 1, 1), ANNALS_STORE_OK);
    if (round % 2 == 0) {
      ASSERT_EQ(AppendRange("a", 3, 3, true), ANNALS_STORE_OK);
    }
    if (round % 3 == 0) {
      ASSERT_TRUE(annals_rocksdb_flush(store_));
    }
    ASSERT_EQ(Delete(store_, "a", round % 2 == 0 ? 3 : 2).outcome, ANNALS_STORE_OK);
    ASSERT_EQ(Delete(store_, "b", 1).outcome, ANNALS_STORE_OK);
    ASSERT_TRUE(annals_rocksdb_flush(store_));
  }
  ASSERT_TRUE(annals_rocksdb_compact(store_));
  EXPECT_EQ(Keys(store_, "a"), "");
  ASSERT_EQ(AppendRange("a", 1, 1), ANNALS_STORE_OK);
  ASSERT_TRUE(annals_rocksdb_compact(store_));
  EXPECT_EQ(Keys(store_, "a"), "! T1-1");
}

// Nothing else is written: the files that the deletions are in are compacted all the same.
TEST_F(RocksdbDeletionTest, GivesItsRoomBack) {
  auto *engine = reinterpret_cast<annals_engine *>(store_);
  auto bytes = [engine] {
    uint64_t value = 0;
    EXPECT_EQ(rocksdb_property_int_cf(engine->db, engine->families[ANNALS_FAMILY_HISTORY],
                                      "rocksdb.live-sst-files-size", &value),
              0);
    return value;
  };
  auto name = [](int i) { return "e" + std::to_string(1000 + i); };
  for (int i = 0; i < 100; i++) {
    ASSERT_EQ(AppendRange(name(i), 1, 100, true), ANNALS_STORE_OK);
  }
  ASSERT_TRUE(annals_rocksdb_flush(store_));
  ASSERT_TRUE(annals_rocksdb_compact(store_));
  uint64_t before = bytes();
  for (int i = 0; i < 99; i++) {
    ASSERT_EQ(Delete(store_, name(i), 100).outcome, ANNALS_STORE_OK);
  }
  EXPECT_GT(g_atomic_int_get(&engine->deleted_kib), 99);
  ASSERT_TRUE(annals_rocksdb_flush(store_));
  for (int i = 0; i < 60000 && bytes() > before / 4; i++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_LE(bytes(), before / 4);
  EXPECT_EQ(Read(store_, name(99), 1, false).runs.size(), 1u);
}

TEST_F(RocksdbDeletionTest, IsFlushedWhenMuchWasDeleted) {
  options_.min_free_bytes = 1; /* the thread that looks after the disk does it */
  Reopen();
  auto *engine = reinterpret_cast<annals_engine *>(store_);
  ASSERT_EQ(AppendRange("a", 1, 1), ANNALS_STORE_OK);
  g_atomic_int_set(&engine->deleted_kib, 64 << 10);
  ASSERT_EQ(Delete(store_, "a", 1).outcome, ANNALS_STORE_OK);
  for (int i = 0; i < 60000 && g_atomic_int_get(&engine->deleted_kib) > 1; i++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_LE(g_atomic_int_get(&engine->deleted_kib), 1);
}

// ---- reads under way --------------------------------------------------------------------------

class RocksdbDeletionReadTest : public RocksdbTest {
 protected:
  // Appends runs of a block each, and has the first, from either end, in the cache.
  void FillAndWarm(bool reverse) {
    for (int64_t id = 1; id <= 1000; id += 100) {
      ASSERT_EQ(
          Append(store_, "a", id - 1, FramesOf("a", id, id + 99, 300), {true, "record"}).outcome,
          ANNALS_STORE_OK);
    }
    ASSERT_TRUE(annals_rocksdb_compact(store_));
    Reopen();
    Read(store_, "a", reverse ? INT64_MAX : 1, reverse, [](const ReadRun &) { return false; });
  }

  // Reads all; when the first run comes, does something.
  ReadResult ReadAnd(bool reverse, const std::function<void()> &then) {
    std::thread::id caller = std::this_thread::get_id();
    size_t runs = 0;
    return Read(store_, "a", reverse ? INT64_MAX : 1, reverse, [&](const ReadRun &run) {
      EXPECT_TRUE(run.frames == FramesOf("a", run.first_id, run.last_id, 300));
      if (++runs == 1) {
        EXPECT_EQ(std::this_thread::get_id(), caller);
        then();
      }
      return true;
    });
  }
};

TEST_F(RocksdbDeletionReadTest, GoesOnWhenOthersAreDeleted) {
  for (bool reverse : {false, true}) {
    FillAndWarm(reverse);
    ASSERT_EQ(AppendRange("b", 1, 1), ANNALS_STORE_OK);
    ReadResult result = ReadAnd(reverse, [&] {
      EXPECT_EQ(Delete(store_, "b", 1).outcome, ANNALS_STORE_OK);
      EXPECT_EQ(AppendRange("b", 1, 1), ANNALS_STORE_OK);
      EXPECT_EQ(Delete(store_, "b", 1).outcome, ANNALS_STORE_OK);
    });
    EXPECT_TRUE(result.on_engine_thread);
    EXPECT_EQ(result.outcome, ANNALS_STORE_OK);
    EXPECT_EQ(result.runs.size(), 10u);
    ASSERT_EQ(Delete(store_, "a", 1000).outcome, ANNALS_STORE_OK);
  }
}

TEST_F(RocksdbDeletionReadTest, IsNotFoundWhenItIsDeletedUnderWay) {
  for (bool reverse : {false, true}) {
    FillAndWarm(reverse);
    ReadResult result =
        ReadAnd(reverse, [&] { EXPECT_EQ(Delete(store_, "a", 1000).outcome, ANNALS_STORE_OK); });
    EXPECT_EQ(result.outcome, ANNALS_STORE_NOT_FOUND);
    EXPECT_LT(result.runs.size(), 10u);
  }
}

TEST_F(RocksdbDeletionReadTest, DoesNotMixItWithWhatIsBegunAnew) {
  for (bool reverse : {false, true}) {
    for (int64_t last_id : {1, 50, 1000, 1500}) {
      SCOPED_TRACE(last_id);
      FillAndWarm(reverse);
      // The tail stays pinned: to load it again takes a look at all that was deleted, and leaves it
      // in the cache.
      annals_tail_table *tails = reinterpret_cast<annals_engine *>(store_)->tails;
      annals_tail_entry *entry;
      EXPECT_EQ(Tail(store_, "a").last_id, 1000);
      ASSERT_EQ(annals_tail_table_pin(tails, "a", nullptr, &entry), ANNALS_TAIL_READY);
      ReadResult result = ReadAnd(reverse, [&] {
        EXPECT_EQ(Delete(store_, "a", 1000).outcome, ANNALS_STORE_OK);
        EXPECT_EQ(AppendRange("a", 1, last_id, last_id == 1000), ANNALS_STORE_OK);
      });
      annals_tail_table_unpin(tails, entry);
      EXPECT_EQ(result.outcome, ANNALS_STORE_NOT_FOUND);
      EXPECT_LT(result.runs.size(), 10u);
      result = Read(store_, "a", 1, false);
      EXPECT_EQ(result.outcome, ANNALS_STORE_OK);
      EXPECT_EQ(result.runs.back().last_id, last_id);
      ASSERT_EQ(Delete(store_, "a", last_id).outcome, ANNALS_STORE_OK);
    }
  }
}

// ---- the writer -------------------------------------------------------------------------------

class RocksdbDeletionDiskTest : public RocksdbDiskTest {
 protected:
  // A deletion whose keys are collected, but which is not queued yet.
  struct Collected {
    annals_store_delete request = {};
    annals_job *job = nullptr;
    std::promise<void> done;

    Result Wait() {
      done.get_future().wait();
      Result result;
      result.outcome = request.op.outcome;
      result.last_id = request.last_id;
      return result;
    }
  };

  std::unique_ptr<Collected> Collect(const char *arn, int64_t last_id) {
    auto *engine = reinterpret_cast<annals_engine *>(store_);
    auto collected = std::make_unique<Collected>();
    annals_store_delete *request = &collected->request;
    request->arn = arn;
    request->expected_last_id = last_id;
    request->op.owner = &collected->done;
    request->op.on_done = [](annals_store_op *op) {
      static_cast<std::promise<void> *>(op->owner)->set_value();
    };
    EXPECT_TRUE(annals_engine_begin(engine, &request->op));
    annals_job *job = collected->job = annals_job_new(engine, &request->op);
    EXPECT_EQ(annals_engine_submit(engine, &request->op), ANNALS_STORE_PENDING);
    EXPECT_EQ(annals_tail_table_pin(engine->tails, arn, job, &job->entry), ANNALS_TAIL_READY);
    annals_tail_end end;
    annals_tail_table_get(engine->tails, job->entry, &end);
    g_bytes_unref(end.last_event);
    job->deletion.since = end.moment;
    job->deletion.request = request;
    annals_reader reader = annals_engine_reader(engine, ANNALS_TIER_DISK);
    EXPECT_EQ(annals_deletion_collect(&job->deletion, &reader), ANNALS_STATUS_OK);
    job->write.deletion = &job->deletion;
    job->write.entry = job->entry;
    return collected;
  }

  void Queue(Collected *collected) {
    auto *engine = reinterpret_cast<annals_engine *>(store_);
    annals_writer_push(engine->writer, &collected->job->write);
  }
};

TEST_F(RocksdbDeletionDiskTest, ShowsNothingBeforeItIsDurable) {
  ASSERT_EQ(AppendRange("a", 1, 2), ANNALS_STORE_OK);
  disk_.Hold();
  PendingDelete deletion(store_, "a", 2);
  disk_.AwaitGroup();
  EXPECT_EQ(Tail(store_, "a").last_id, 2);
  EXPECT_EQ(Read(store_, "a", 1, false).outcome, ANNALS_STORE_OK);
  disk_.Release(false);
  EXPECT_EQ(deletion.Wait().outcome, ANNALS_STORE_OK);
  EXPECT_EQ(Tail(store_, "a").outcome, ANNALS_STORE_NOT_FOUND);
}

TEST_F(RocksdbDeletionDiskTest, WritesOfOneGroupFollowEachOther) {
  ASSERT_EQ(AppendRange("a", 1, 3), ANNALS_STORE_OK);
  ASSERT_EQ(AppendRange("a", 4, 5), ANNALS_STORE_OK);
  std::unique_ptr<Collected> first = Collect("a", 5);
  std::unique_ptr<Collected> second = Collect("a", 5);
  std::unique_ptr<Collected> third = Collect("a", 5);
  disk_.Hold();
  PendingAppend other(store_, "x", 0, FramesOf("x", 1, 1));
  disk_.AwaitGroup();
  PendingAppend late(store_, "a", 0, FramesOf("a", 1, 1));
  Queue(first.get());
  Queue(second.get());
  PendingAppend anew(store_, "a", 0, FramesOf("a", 1, 5));
  // The same end, but not the same history.
  Queue(third.get());
  PendingAppend next(store_, "a", 5, FramesOf("a", 6, 6));
  int groups = disk_.groups;
  disk_.Release(false);
  Result result = late.Wait();
  EXPECT_EQ(result.outcome, ANNALS_STORE_CONFLICT);
  EXPECT_EQ(result.last_id, 5);
  EXPECT_EQ(first->Wait().outcome, ANNALS_STORE_OK);
  EXPECT_EQ(second->Wait().outcome, ANNALS_STORE_NOT_FOUND);
  EXPECT_EQ(anew.Wait().outcome, ANNALS_STORE_OK);
  result = third->Wait();
  EXPECT_EQ(result.outcome, ANNALS_STORE_CONFLICT);
  EXPECT_EQ(result.last_id, 5);
  EXPECT_EQ(next.Wait().outcome, ANNALS_STORE_OK);
  EXPECT_EQ(disk_.groups, groups + 1);
  EXPECT_EQ(Keys(store_, "a"), "! T1-5 T6-6");
  EXPECT_EQ(Tail(store_, "a").bytes, FramesOf("a", 6, 6));
}

TEST_F(RocksdbDeletionDiskTest, RefusesWhatWasCollectedOfAnotherHistory) {
  ASSERT_EQ(AppendRange("a", 1, 5, true), ANNALS_STORE_OK);
  std::unique_ptr<Collected> stale = Collect("a", 5);
  ASSERT_EQ(Delete(store_, "a", 5).outcome, ANNALS_STORE_OK);
  ASSERT_EQ(AppendRange("a", 1, 5), ANNALS_STORE_OK);
  Queue(stale.get());
  Result result = stale->Wait();
  EXPECT_EQ(result.outcome, ANNALS_STORE_CONFLICT);
  EXPECT_EQ(result.last_id, 5);
  EXPECT_EQ(Keys(store_, "a"), "! T1-5");
}

TEST_F(RocksdbDeletionDiskTest, IsDoneOnAFullDiskToAPoint) {
  for (const char *arn : {"a", "b", "c"}) {
    ASSERT_EQ(AppendRange(arn, 1, 2), ANNALS_STORE_OK);
  }
  disk_.free_bytes = 999;
  EXPECT_EQ(AppendRange("a", 3, 3), ANNALS_STORE_NO_SPACE);
  EXPECT_EQ(Delete(store_, "a", 2).outcome, ANNALS_STORE_OK);
  disk_.free_bytes = 500;
  EXPECT_EQ(store_->ops->health(store_), ANNALS_STORE_FULL);
  EXPECT_EQ(Delete(store_, "b", 2).outcome, ANNALS_STORE_OK);
  disk_.free_bytes = 499;
  EXPECT_EQ(store_->ops->health(store_), ANNALS_STORE_FULL);
  EXPECT_EQ(Delete(store_, "c", 2).outcome, ANNALS_STORE_NO_SPACE);
  EXPECT_EQ(Tail(store_, "c").last_id, 2);
  disk_.free_bytes = 1000;
  EXPECT_EQ(Delete(store_, "c", 2).outcome, ANNALS_STORE_OK);
}

TEST_F(RocksdbDeletionDiskTest, IsUnknownWhenTheWriteFails) {
  ASSERT_EQ(AppendRange("a", 1, 2), ANNALS_STORE_OK);
  ASSERT_EQ(AppendRange("b", 1, 2), ANNALS_STORE_OK);
  disk_.Hold();
  PendingDelete unknown(store_, "a", 2);
  disk_.AwaitGroup();
  disk_.Release(true);
  Result result = unknown.Wait();
  EXPECT_EQ(result.outcome, ANNALS_STORE_UNKNOWN);
  EXPECT_EQ(result.detail, "IO error: injected");
  disk_.Release(false);
  result = Delete(store_, "b", 2);
  EXPECT_EQ(result.outcome, ANNALS_STORE_UNAVAILABLE);
  EXPECT_EQ(result.detail, "writes have stopped after a failed write");
  EXPECT_EQ(Tail(store_, "a").last_id, 2);
  Reopen();
  EXPECT_EQ(Delete(store_, "a", 2).outcome, ANNALS_STORE_OK);
}

TEST_F(RocksdbDeletionDiskTest, OfADamagedHistoryIsRefused) {
  ASSERT_EQ(AppendRange("a", 1, 1), ANNALS_STORE_OK);
  const std::string key("a\0Bx", 4);
  ASSERT_TRUE(annals_rocksdb_put_raw(store_, reinterpret_cast<const uint8_t *>(key.data()),
                                     key.size(), "", 0));
  Result result = Delete(store_, "a", 1);
  EXPECT_EQ(result.outcome, ANNALS_STORE_CORRUPT);
  EXPECT_EQ(result.detail, "a key that is none in a");
  EXPECT_EQ(Tail(store_, "a").last_id, 1);
}

}  // namespace
}  // namespace annals_test
