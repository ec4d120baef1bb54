// What data_key.h says.
#include "tests/storage/conformance.h"

namespace annals_test {
namespace {

std::string Arn(const std::string &name) {
  return "arn:aws:states:eu-central-1:123456789012:execution:orders:" + name;
}

// An append of one event that brings its data key along.
Result AppendWithKey(annals_store *store, const std::string &arn, int64_t id, int64_t data_key,
                     const std::string &record) {
  AppendOptions options;
  options.record = id == 1 ? "record" : "";
  options.data_key = data_key;
  options.data_key_record = record;
  return Append(store, arn, id - 1, Frame(EventOf(arn, id), data_key), options);
}

}  // namespace

TEST_P(ConformanceTest, KeepsDataKeysWithTheirEvents) {
  const std::string arn = Arn("a");
  EXPECT_EQ(GetDataKey(store_, arn, 1).outcome, ANNALS_STORE_NOT_FOUND);
  ASSERT_EQ(AppendWithKey(store_, arn, 1, 1, "one").outcome, ANNALS_STORE_OK);
  ASSERT_EQ(Append(store_, arn, 1, Frame(EventOf(arn, 2), 1)).outcome, ANNALS_STORE_OK);
  ASSERT_EQ(AppendWithKey(store_, arn, 3, 2, std::string("t\0o", 3)).outcome, ANNALS_STORE_OK);
  for (bool cold : {false, true}) {
    EXPECT_EQ(GetDataKey(store_, arn, 1).bytes, "one");
    EXPECT_EQ(GetDataKey(store_, arn, 2).bytes, std::string("t\0o", 3));
    EXPECT_EQ(GetDataKey(store_, arn, 3).outcome, ANNALS_STORE_NOT_FOUND);
    EXPECT_EQ(GetDataKey(store_, Arn("a1"), 1).outcome, ANNALS_STORE_NOT_FOUND);
    EXPECT_EQ(GetDataKey(store_, Arn(""), 1).outcome, ANNALS_STORE_NOT_FOUND);
    ReadResult read = Read(store_, arn, 1, false);
    std::string frames;
    for (const ReadRun &run : read.runs) {
      frames += run.frames;
    }
    EXPECT_EQ(frames,
              Frame(EventOf(arn, 1), 1) + Frame(EventOf(arn, 2), 1) + Frame(EventOf(arn, 3), 2));
    EXPECT_EQ(Read(store_, arn, INT64_MAX, true).outcome, ANNALS_STORE_OK);
    EXPECT_EQ(Tail(store_, arn).bytes, Frame(EventOf(arn, 3), 2));
    Reopen(cold);
  }
}

TEST_P(ConformanceTest, PutsNoDataKeyOfAnAppendThatConflicts) {
  const std::string arn = Arn("a");
  ASSERT_EQ(AppendWithKey(store_, arn, 1, 1, "one").outcome, ANNALS_STORE_OK);
  EXPECT_EQ(AppendWithKey(store_, arn, 1, 1, "other").outcome, ANNALS_STORE_CONFLICT);
  EXPECT_EQ(AppendWithKey(store_, arn, 3, 2, "two").outcome, ANNALS_STORE_CONFLICT);
  EXPECT_EQ(GetDataKey(store_, arn, 1).bytes, "one");
  EXPECT_EQ(GetDataKey(store_, arn, 2).outcome, ANNALS_STORE_NOT_FOUND);
}

TEST_P(ConformanceTest, PutsADataKeyInThePlaceOfTheOneExpected) {
  const std::string arn = Arn("a");
  EXPECT_EQ(PutDataKey(store_, arn, 1, "new", "one").outcome, ANNALS_STORE_NOT_FOUND);
  ASSERT_EQ(AppendWithKey(store_, arn, 1, 1, "one").outcome, ANNALS_STORE_OK);
  EXPECT_EQ(PutDataKey(store_, arn, 2, "new", "one").outcome, ANNALS_STORE_NOT_FOUND);
  EXPECT_EQ(PutDataKey(store_, arn, 1, "new", "two").outcome, ANNALS_STORE_CONFLICT);
  EXPECT_EQ(GetDataKey(store_, arn, 1).bytes, "one");
  EXPECT_EQ(PutDataKey(store_, arn, 1, "new", "one").outcome, ANNALS_STORE_OK);
  EXPECT_EQ(GetDataKey(store_, arn, 1).bytes, "new");
  Reopen(true);
  EXPECT_EQ(GetDataKey(store_, arn, 1).bytes, "new");
  EXPECT_EQ(PutDataKey(store_, arn, 1, "newer", "new").outcome, ANNALS_STORE_OK);
  EXPECT_EQ(GetDataKey(store_, arn, 1).bytes, "newer");
}

TEST_P(ConformanceTest, AppendsOnlyWhereNothingWasChangedSince) {
  const std::string arn = Arn("a");
  ASSERT_EQ(AppendWithKey(store_, arn, 1, 1, "one").outcome, ANNALS_STORE_OK);
  auto append = [&](int64_t id, uint64_t since) {
    AppendOptions options;
    options.since = since;
    return Append(store_, arn, id - 1, Frame(EventOf(arn, id), 1), options);
  };
  for (bool cold : {false, true}) {
    const uint64_t before = Tail(store_, arn).moment;
    const int64_t next_id = Tail(store_, arn).last_id + 1;
    EXPECT_EQ(append(next_id, before).outcome, ANNALS_STORE_OK) << "an append is no change";
    EXPECT_EQ(append(next_id + 1, before).outcome, ANNALS_STORE_OK);
    ASSERT_EQ(PutDataKey(store_, arn, 1, cold ? "one" : "new", cold ? "new" : "one").outcome,
              ANNALS_STORE_OK);
    Result late = append(next_id + 2, before);
    EXPECT_EQ(late.outcome, ANNALS_STORE_CONFLICT);
    EXPECT_EQ(late.last_id, next_id + 1);
    EXPECT_EQ(append(next_id + 2, Tail(store_, arn).moment).outcome, ANNALS_STORE_OK);
    EXPECT_EQ(append(next_id + 3, 0).outcome, ANNALS_STORE_OK) << "as it does not ask";
    Reopen(cold);
  }
  const BytesResult tail = Tail(store_, arn);
  ASSERT_EQ(Delete(store_, arn, tail.last_id).outcome, ANNALS_STORE_OK);
  for (int64_t id = 1; id <= tail.last_id; id++) {
    ASSERT_EQ(append(id, 0).outcome, ANNALS_STORE_OK);
  }
  EXPECT_EQ(append(tail.last_id + 1, tail.moment).outcome, ANNALS_STORE_CONFLICT) << "another one";
}

TEST_P(ConformanceTest, DeletesDataKeysWithTheirExecution) {
  const std::string arn = Arn("a");
  for (bool cold : {false, true}) {
    ASSERT_EQ(AppendWithKey(store_, arn, 1, 1, "one").outcome, ANNALS_STORE_OK);
    ASSERT_EQ(AppendWithKey(store_, arn, 2, 2, "two").outcome, ANNALS_STORE_OK);
    ASSERT_EQ(AppendWithKey(store_, Arn("a1"), 1, 1, "other").outcome, ANNALS_STORE_OK);
    if (cold) {
      Reopen(true);
    }
    ASSERT_EQ(Delete(store_, arn, 2).outcome, ANNALS_STORE_OK);
    for (int64_t ordinal : {1, 2}) {
      EXPECT_EQ(GetDataKey(store_, arn, ordinal).outcome, ANNALS_STORE_NOT_FOUND);
      EXPECT_EQ(PutDataKey(store_, arn, ordinal, "new", "one").outcome, ANNALS_STORE_NOT_FOUND);
    }
    EXPECT_EQ(GetDataKey(store_, Arn("a1"), 1).bytes, "other");
    ASSERT_EQ(Delete(store_, Arn("a1"), 1).outcome, ANNALS_STORE_OK);
  }
}

}  // namespace annals_test
