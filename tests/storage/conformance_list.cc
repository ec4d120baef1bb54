// What store.h says of lists.
#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <thread>

#include "tests/storage/conformance.h"

namespace annals_test {
namespace {

std::string Arn(const std::string &name) {
  return "arn:aws:states:eu-central-1:123456789012:execution:orders:" + name;
}

// A rank that sorts as the number does.
std::string Rank(int number) {
  std::string rank(ANNALS_STORE_RANK_BYTES, '\0');
  for (int i = 0; i < 4; i++) {
    rank[i] = static_cast<char>(number >> (24 - 8 * i));
  }
  return rank;
}

// Appends one event with a record, moving the execution.
Result Put(annals_store *store, const std::string &arn, int64_t expected_last_id,
           const std::string &record, const std::vector<Place> &old_places,
           const std::vector<Place> &new_places) {
  AppendOptions options;
  options.record = record;
  options.old_places = old_places;
  options.new_places = new_places;
  return Append(store, arn, expected_last_id,
                FramesOf(arn, expected_last_id + 1, expected_last_id + 1), options);
}

// "a=one b=two": the last part of each ARN, and the record.
std::string Shown(const ListResult &result) {
  EXPECT_EQ(result.outcome, ANNALS_STORE_OK) << result.detail;
  std::string shown;
  for (const ListEntry &entry : result.entries) {
    shown += shown.empty() ? "" : " ";
    shown += entry.arn.substr(entry.arn.rfind(':') + 1) + "=" + entry.record;
  }
  return shown;
}

void PutNew(annals_store *store, const std::string &name, const std::string &list, int rank) {
  EXPECT_EQ(Put(store, Arn(name), 0, name, {}, {{list, Rank(rank)}}).outcome, ANNALS_STORE_OK);
}

}  // namespace

TEST_P(ConformanceTest, ListsAreEmptyAtFirst) {
  ListResult result = List(store_, {"a", "b"});
  EXPECT_EQ(result.outcome, ANNALS_STORE_OK);
  EXPECT_TRUE(result.entries.empty());
  EXPECT_TRUE(result.progress == ANNALS_STORE_PENDING || !GetParam().always_pending);
}

TEST_P(ConformanceTest, ListsAreInOrderOfRankThenOfArn) {
  PutNew(store_, "c", "l", 256);
  PutNew(store_, "b", "l", 255);
  PutNew(store_, "e", "l", 1);
  PutNew(store_, "bb", "l", 255);
  PutNew(store_, "a", "l", 255);
  PutNew(store_, "d", "l", 0);
  for (int reopened = 0; reopened < 2; reopened++) {
    ListResult result = List(store_, {"l"});
    EXPECT_EQ(Shown(result), "d=d e=e a=a b=b bb=bb c=c");
    ASSERT_EQ(result.entries.size(), 6u);
    EXPECT_EQ(result.entries[1].rank, Rank(1));
    EXPECT_EQ(result.entries[1].arn, Arn("e"));
    Reopen(true);
  }
}

TEST_P(ConformanceTest, ListsKeepEveryByteOfRankAndRecord) {
  std::string rank;
  std::string record;
  for (int i = 0; i < 256; i++) {
    record.push_back(static_cast<char>(i));
  }
  for (int i = 0; i < ANNALS_STORE_RANK_BYTES; i++) {
    rank.push_back(static_cast<char>(255 - 23 * i));
  }
  ASSERT_EQ(Put(store_, Arn("a"), 0, record, {}, {{"l", rank}}).outcome, ANNALS_STORE_OK);
  ListResult result = List(store_, {"l"});
  ASSERT_EQ(result.entries.size(), 1u);
  EXPECT_EQ(result.entries[0].rank, rank);
  EXPECT_EQ(result.entries[0].record, record);
}

TEST_P(ConformanceTest, ListsGoOnBehindAPlace) {
  for (const char *name : {"a", "b", "bb", "c"}) {
    PutNew(store_, name, "l", 5);
  }
  PutNew(store_, "d", "l", 6);
  PutNew(store_, "e", "m", 5);
  EXPECT_EQ(Shown(List(store_, {"l"}, "", "")), "a=a b=b bb=bb c=c d=d");
  EXPECT_EQ(Shown(List(store_, {"l"}, Rank(5), "")), "a=a b=b bb=bb c=c d=d");
  EXPECT_EQ(Shown(List(store_, {"l"}, Rank(5), Arn("a"))), "b=b bb=bb c=c d=d");
  EXPECT_EQ(Shown(List(store_, {"l"}, Rank(5), Arn("b"))), "bb=bb c=c d=d");
  // Whether or not somebody stands there.
  EXPECT_EQ(Shown(List(store_, {"l"}, Rank(5), Arn("ba"))), "bb=bb c=c d=d");
  EXPECT_EQ(Shown(List(store_, {"l"}, Rank(5), Arn("z"))), "d=d");
  EXPECT_EQ(Shown(List(store_, {"l"}, Rank(6), "")), "d=d");
  EXPECT_EQ(Shown(List(store_, {"l"}, Rank(6), Arn("d"))), "");
  EXPECT_EQ(Shown(List(store_, {"l", "m"}, Rank(5), Arn("bb"))), "c=c e=e d=d");
  Reopen(true);
  EXPECT_EQ(Shown(List(store_, {"l", "m"}, Rank(5), Arn("bb"))), "c=c e=e d=d");
}

TEST_P(ConformanceTest, ListsAreMergedInOneOrder) {
  std::vector<std::string> lists;
  std::string expected;
  for (int i = 0; i < ANNALS_STORE_LISTS_MAX; i++) {
    lists.push_back("list-" + std::to_string(i));
  }
  for (int i = 0; i < 64; i++) {
    char name[8];
    g_snprintf(name, sizeof name, "%03d", i);
    PutNew(store_, name, lists[i * 5 % lists.size()], i / 3);
    expected += std::string(i > 0 ? " " : "") + name + "=" + name;
  }
  EXPECT_EQ(Shown(List(store_, lists)), expected);
  std::reverse(lists.begin(), lists.end());
  Reopen(true);
  EXPECT_EQ(Shown(List(store_, lists)), expected);
}

TEST_P(ConformanceTest, ListsWithSimilarNamesAreKeptApart) {
  const std::vector<std::string> names = {"l", "ll", "l\x01", "l\x01x", "l:", "k", "m", "L"};
  for (size_t i = 0; i < names.size(); i++) {
    PutNew(store_, std::to_string(i), names[i], 0);
  }
  for (int reopened = 0; reopened < 2; reopened++) {
    for (size_t i = 0; i < names.size(); i++) {
      EXPECT_EQ(Shown(List(store_, {names[i]})), std::to_string(i) + "=" + std::to_string(i));
    }
    EXPECT_EQ(Shown(List(store_, {"lll", "", "l\x02"})), "");
    Reopen(true);
  }
  std::string longest(ANNALS_STORE_LIST_NAME_BYTES_MAX, 'x');
  PutNew(store_, "long", longest, 7);
  EXPECT_EQ(Shown(List(store_, {longest, longest.substr(1)})), "long=long");
}

TEST_P(ConformanceTest, AnExecutionMovesBetweenListsWithItsRecord) {
  std::vector<Place> running = {{"running", Rank(3)}, {"map", Rank(1)}};
  std::vector<Place> succeeded = {{"succeeded", Rank(3)}, {"map", Rank(1)}, {"stop", Rank(9)}};
  PutNew(store_, "z", "running", 4);
  ASSERT_EQ(Put(store_, Arn("a"), 0, "one", {}, running).outcome, ANNALS_STORE_OK);
  ASSERT_EQ(Put(store_, Arn("a"), 1, "two", running, running).outcome, ANNALS_STORE_OK);
  EXPECT_EQ(Shown(List(store_, {"running"})), "a=two z=z");
  EXPECT_EQ(Shown(List(store_, {"map"})), "a=two");
  ASSERT_EQ(Put(store_, Arn("a"), 2, "three", running, succeeded).outcome, ANNALS_STORE_OK);
  for (int reopened = 0; reopened < 2; reopened++) {
    EXPECT_EQ(Shown(List(store_, {"running"})), "z=z");
    EXPECT_EQ(Shown(List(store_, {"succeeded"})), "a=three");
    EXPECT_EQ(Shown(List(store_, {"map"})), "a=three");
    EXPECT_EQ(Shown(List(store_, {"stop"})), "a=three");
    EXPECT_EQ(Shown(List(store_, {"running", "succeeded"})), "a=three z=z");
    Reopen(true);
  }
  // Redriven.
  ASSERT_EQ(Put(store_, Arn("a"), 3, "four", succeeded, running).outcome, ANNALS_STORE_OK);
  EXPECT_EQ(Shown(List(store_, {"running", "succeeded", "stop"})), "a=four z=z");
  EXPECT_EQ(Shown(List(store_, {"succeeded", "stop"})), "");
  ASSERT_EQ(Put(store_, Arn("a"), 4, "five", running, {}).outcome, ANNALS_STORE_OK);
  EXPECT_EQ(Shown(List(store_, {"running", "map"})), "z=z");
  EXPECT_EQ(Get(store_, Arn("a")).bytes, "five");
}

TEST_P(ConformanceTest, AnExecutionChangesItsRankInAList) {
  ASSERT_EQ(Put(store_, Arn("a"), 0, "one", {}, {{"l", Rank(5)}}).outcome, ANNALS_STORE_OK);
  ASSERT_EQ(
      Put(store_, Arn("a"), 1, "two", {{"l", Rank(5)}}, {{"l", Rank(2)}, {"l", Rank(8)}}).outcome,
      ANNALS_STORE_OK);
  EXPECT_EQ(Shown(List(store_, {"l"})), "a=two a=two");
}

TEST_P(ConformanceTest, WhoStandsInSeveralListsAtOneRankIsSeenOnce) {
  ASSERT_EQ(Put(store_, Arn("a"), 0, "one", {}, {{"l", Rank(5)}, {"m", Rank(5)}}).outcome,
            ANNALS_STORE_OK);
  PutNew(store_, "b", "m", 5);
  EXPECT_EQ(Shown(List(store_, {"l", "m"})), "a=one b=b");
  EXPECT_EQ(Shown(List(store_, {"m", "m", "l"})), "a=one b=b");
}

TEST_P(ConformanceTest, WithoutARecordNothingMovesInLists) {
  PutNew(store_, "a", "l", 1);
  ASSERT_EQ(Put(store_, Arn("a"), 1, "", {{"l", Rank(1)}}, {{"m", Rank(1)}}).outcome,
            ANNALS_STORE_OK);
  EXPECT_EQ(Shown(List(store_, {"l"})), "a=a");
  EXPECT_EQ(Shown(List(store_, {"m"})), "");
}

TEST_P(ConformanceTest, ARefusedAppendMovesNothingInLists) {
  PutNew(store_, "a", "l", 1);
  EXPECT_EQ(Put(store_, Arn("a"), 0, "x", {{"l", Rank(1)}}, {{"m", Rank(1)}}).outcome,
            ANNALS_STORE_CONFLICT);
  EXPECT_EQ(Put(store_, Arn("b"), 3, "x", {}, {{"m", Rank(1)}}).outcome, ANNALS_STORE_CONFLICT);
  EXPECT_EQ(Shown(List(store_, {"l"})), "a=a");
  EXPECT_EQ(Shown(List(store_, {"m"})), "");
}

TEST_P(ConformanceTest, ListsStopWhenOnEntryHasEnough) {
  for (int i = 0; i < 20; i++) {
    PutNew(store_, std::to_string(100 + i), i % 2 == 0 ? "l" : "m", i);
  }
  for (int cold = 0; cold < 2; cold++) {
    for (size_t enough = 1; enough <= 20; enough++) {
      size_t entries = 0;
      ListResult result =
          List(store_, {"l", "m"}, "", "", [&](const ListEntry &) { return ++entries < enough; });
      ASSERT_EQ(result.outcome, ANNALS_STORE_OK);
      ASSERT_EQ(result.entries.size(), enough);
      ASSERT_EQ(result.entries.back().arn, Arn(std::to_string(100 + enough - 1)));
    }
    Reopen(true);
  }
}

TEST_P(ConformanceTest, PagesOfListsFollowEachOther) {
  const int count = 100;
  for (int i = 0; i < count; i++) {
    PutNew(store_, std::to_string(1000 + i), i % 3 == 0 ? "l" : "m", i / 7);
  }
  for (size_t page : {1u, 7u, 33u}) {
    int next = 0;
    std::string rank;
    std::string arn;
    for (;;) {
      size_t entries = 0;
      ListResult result =
          List(store_, {"l", "m"}, rank, arn, [&](const ListEntry &) { return ++entries < page; });
      if (result.entries.empty()) {
        break;
      }
      for (const ListEntry &entry : result.entries) {
        ASSERT_EQ(entry.arn, Arn(std::to_string(1000 + next)));
        next++;
      }
      rank = result.entries.back().rank;
      arn = result.entries.back().arn;
    }
    ASSERT_EQ(next, count);
    Reopen(true);
  }
}

TEST_P(ConformanceTest, ListsWhatIsNotInMemory) {
  for (int i = 0; i < 200; i++) {
    std::string arn = Arn(std::to_string(1000 + i));
    ASSERT_EQ(Put(store_, arn, 0, EventOf(arn, i, 500), {}, {{"l", Rank(i)}}).outcome,
              ANNALS_STORE_OK);
  }
  Reopen(true);
  ListResult result = List(store_, {"l"});
  ASSERT_EQ(result.outcome, ANNALS_STORE_OK);
  EXPECT_TRUE(result.on_engine_thread || !GetParam().cold_reads_use_engine_thread);
  ASSERT_EQ(result.entries.size(), 200u);
  for (int i = 0; i < 200; i++) {
    ASSERT_EQ(result.entries[i].record, EventOf(Arn(std::to_string(1000 + i)), i, 500));
  }
}

// Executions keep their rank and move between two lists; each listing of both sees each of them
// once, all the time.
TEST_P(ConformanceTest, ListsAreWholeWhileExecutionsMove) {
  const int count = 60;
  const int writers = 2;
  for (int i = 0; i < count; i++) {
    PutNew(store_, std::to_string(1000 + i), "l", i / 4);
  }
  Reopen(true);
  std::atomic<int> working{writers};
  std::vector<std::thread> threads;
  for (int writer = 0; writer < writers; writer++) {
    threads.emplace_back([&, writer] {
      for (int round = 1; round <= 10; round++) {
        for (int i = writer; i < count; i += writers) {
          std::vector<Place> l = {{"l", Rank(i / 4)}};
          std::vector<Place> m = {{"m", Rank(i / 4)}};
          EXPECT_EQ(Put(store_, Arn(std::to_string(1000 + i)), round, "r", round % 2 ? l : m,
                        round % 2 ? m : l)
                        .outcome,
                    ANNALS_STORE_OK);
        }
      }
      working--;
    });
  }
  do {
    ListResult result = List(store_, {"l", "m"});
    EXPECT_EQ(result.outcome, ANNALS_STORE_OK) << result.detail;
    EXPECT_EQ(result.entries.size(), static_cast<size_t>(count));
    for (size_t i = 0; i < result.entries.size(); i++) {
      EXPECT_EQ(result.entries[i].arn, Arn(std::to_string(1000 + i)));
    }
  } while (working > 0 && !HasFailure());
  for (std::thread &thread : threads) {
    thread.join();
  }
  EXPECT_EQ(List(store_, {"l"}).entries.size(), static_cast<size_t>(count));
  EXPECT_EQ(List(store_, {"m"}).entries.size(), 0u);
}

}  // namespace annals_test
