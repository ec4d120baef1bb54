#include "server/ops/health.h"

#include <gtest/gtest.h>

namespace {

const char *stopped(void *context) {
  return *static_cast<bool *>(context) ? "writes have stopped" : nullptr;
}

TEST(Health, GoesFromStartingToReadyToStopping) {
  annals_health health = {};
  const char *why = nullptr;
  EXPECT_FALSE(annals_health_is_ready(&health, &why));
  EXPECT_STREQ(why, "starting");
  annals_health_set_phase(&health, ANNALS_HEALTH_READY);
  why = nullptr;
  EXPECT_TRUE(annals_health_is_ready(&health, &why));
  EXPECT_EQ(why, nullptr);
  annals_health_set_phase(&health, ANNALS_HEALTH_DRAINING);
  EXPECT_FALSE(annals_health_is_ready(&health, &why));
  EXPECT_STREQ(why, "stopping");
}

TEST(Health, IsLiveAsLongAsTheProbeSaysSo) {
  annals_health health = {};
  const char *why = nullptr;
  EXPECT_TRUE(annals_health_is_live(&health, &why));
  bool is_stopped = false;
  const annals_health_probe probe = {stopped, nullptr, &is_stopped};
  annals_health_set_probe(&health, &probe);
  EXPECT_TRUE(annals_health_is_live(&health, &why));
  EXPECT_EQ(why, nullptr);
  is_stopped = true;
  EXPECT_FALSE(annals_health_is_live(&health, &why));
  EXPECT_STREQ(why, "writes have stopped");
}

TEST(Health, StaysReadyForReadsWhenWritesHaveStopped) {
  annals_health health = {};
  bool is_stopped = true;
  const annals_health_probe probe = {stopped, nullptr, &is_stopped};
  annals_health_set_probe(&health, &probe);
  annals_health_set_phase(&health, ANNALS_HEALTH_READY);
  const char *why = nullptr;
  EXPECT_TRUE(annals_health_is_ready(&health, &why));
}

TEST(Health, TellsWhatIsAmissOfOneThatIsReady) {
  annals_health health = {};
  EXPECT_EQ(annals_health_what_is_amiss(&health), nullptr);
  bool is_stopped = true;
  annals_health_probe probe = {stopped, nullptr, &is_stopped};
  annals_health_set_probe(&health, &probe);
  EXPECT_EQ(annals_health_what_is_amiss(&health), nullptr);
  probe.what_is_amiss = stopped;
  EXPECT_STREQ(annals_health_what_is_amiss(&health), "writes have stopped");
}

}  // namespace
