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
