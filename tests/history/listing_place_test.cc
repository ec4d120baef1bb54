#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

extern "C" {
#include "server/history/listing_place.h"
}

namespace {

const std::string kMachine = "arn:aws:states:us-east-1:123456789012:stateMachine:m";
const std::string kMapRun = "arn:aws:states:us-east-1:123456789012:mapRun:m/l:u";

/* An execution as values. */
struct Execution {
  annals_status status = ANNALS_STATUS_RUNNING;
  int redrive_count = 0;
  int64_t seconds = 0;
  int32_t nanos = 0;
  bool stopped = false;
  int64_t stop_seconds = 0;
  int32_t stop_nanos = 0;
  std::string machine = kMachine, version, alias, map_run;
};

std::vector<std::string> Lists(Execution it, std::vector<std::string> *ret_ranks = nullptr) {
  annals_execution execution = {};
  execution.status = it.status;
  execution.redrive_count = it.redrive_count;
  execution.start_seconds = it.seconds;
  execution.start_nanos = it.nanos;
  execution.stopped = it.stopped;
  execution.stop_seconds = it.stop_seconds;
  execution.stop_nanos = it.stop_nanos;
  execution.state_machine_arn = it.machine.data();
  execution.state_machine_version_arn = it.version.data();
  execution.state_machine_alias_arn = it.alias.data();
  execution.map_run_arn = it.map_run.data();
  annals_listing_places places;
  annals_listing_places_init(&places, &execution);
  std::vector<std::string> lists;
  for (size_t i = 0; i < places.count; i++) {
    lists.emplace_back(places.places[i].list);
    if (ret_ranks != nullptr) {
      ret_ranks->emplace_back(reinterpret_cast<const char *>(places.places[i].rank),
                              sizeof places.places[i].rank);
    }
  }
  annals_listing_places_clear(&places);
  return lists;
}

using Names = std::vector<std::string>;

TEST(ListingPlace, OneForEachParent) {
  EXPECT_EQ(Lists({}), Names{kMachine + " Rn"});
  Execution all;
  all.version = kMachine + ":7";
  all.alias = kMachine + ":alias";
  all.map_run = kMapRun;
  EXPECT_EQ(Lists(all),
            (Names{kMachine + " Rn", kMachine + ":7 Rn", kMachine + ":alias Rn", kMapRun + " Rn"}));
}

TEST(ListingPlace, TellsStatusAndRedrive) {
  const char letters[] = "?RSFTA";
  for (int status = ANNALS_STATUS_RUNNING; status <= ANNALS_STATUS_ABORTED; status++) {
    for (int redrives : {0, 1, 2}) {
      Execution it;
      it.status = static_cast<annals_status>(status);
      it.redrive_count = redrives;
      EXPECT_EQ(Lists(it), Names{kMachine + " " + letters[status] + (redrives > 0 ? "r" : "n")});
    }
  }
}

TEST(ListingPlace, OnlyParentsThatCanBeAskedFor) {
  Execution it;
  it.version = kMachine; /* not a version */
  it.alias = kMachine + ":a b";
  it.map_run = kMachine + ":7";
  EXPECT_EQ(Lists(it), Names{kMachine + " Rn"});
  it.version = kMachine + "2:7"; /* another's */
  it.alias = kMachine + "/label:alias";
  EXPECT_EQ(Lists(it), Names{kMachine + " Rn"});
  it.version = it.alias = kMachine + ":7";
  EXPECT_EQ(Lists(it), (Names{kMachine + " Rn", kMachine + ":7 Rn"}));
}

TEST(ListingPlace, RanksFallAsTheStartRises) {
  std::vector<std::string> ranks;
  for (auto [seconds, nanos] : {std::pair<int64_t, int32_t>{253402300799, 999999999},
                                {4294967296, 0},
                                {4294967295, 0},
                                {256, 1},
                                {256, 0},
                                {255, 999999999},
                                {1, 0},
                                {0, 1},
                                {0, 0}}) {
    Execution it;
    it.seconds = seconds;
    it.nanos = nanos;
    (void)Lists(it, &ranks);
  }
  for (size_t i = 1; i < ranks.size(); i++) {
    EXPECT_LT(memcmp(ranks[i - 1].data(), ranks[i].data(), ANNALS_STORE_RANK_BYTES), 0) << i;
  }
}

/* All who have ended stand in one list, behind those of their parents. */
TEST(ListingPlace, OneForAllWhoHaveEnded) {
  Execution it;
  it.version = kMachine + ":7";
  it.alias = kMachine + ":alias";
  it.map_run = kMapRun;
  it.status = ANNALS_STATUS_FAILED;
  it.stopped = true;
  std::vector<std::string> ranks;
  for (auto [seconds, nanos] : {std::pair<int64_t, int32_t>{0, 0},
                                {0, 999999999},
                                {1, 0},
                                {255, 0},
                                {256, 0},
                                {4294967295, 0},
                                {4294967296, 0},
                                {253402300799, 999999999}}) {
    it.stop_seconds = seconds;
    it.stop_nanos = nanos;
    std::vector<std::string> each;
    EXPECT_EQ(Lists(it, &each), (Names{kMachine + " Fn", kMachine + ":7 Fn", kMachine + ":alias Fn",
                                       kMapRun + " Fn", "closed"}));
    ranks.push_back(each.back());
  }
  for (size_t i = 1; i < ranks.size(); i++) {
    EXPECT_LT(memcmp(ranks[i - 1].data(), ranks[i].data(), ANNALS_STORE_RANK_BYTES), 0) << i;
  }
}

}  // namespace
