#include "server/kms/breaker.h"

#include <gtest/gtest.h>

namespace {

class Breaker : public testing::Test {
 protected:
  Breaker() {
    breaker_.failures_max = 3;
    breaker_.open_us = 100;
  }

  bool Admit() {
    return annals_breaker_admit(&breaker_, now_us_);
  }
  void Note(bool works) {
    annals_breaker_note(&breaker_, works, now_us_);
  }
  void Open() {
    for (int i = 0; i < 3; i++) {
      ASSERT_TRUE(Admit());
      Note(false);
    }
    ASSERT_EQ(annals_breaker_state(&breaker_), ANNALS_BREAKER_OPEN);
  }

  annals_breaker breaker_ = {};
  int64_t now_us_ = 1000;
};

TEST_F(Breaker, OpensAfterSoManyFailuresInARow) {
  for (int i = 0; i < 10; i++) {
    EXPECT_TRUE(Admit());
    Note(i % 3 == 2);
    EXPECT_EQ(annals_breaker_state(&breaker_), ANNALS_BREAKER_CLOSED);
  }
  Note(true);
  Open();
  EXPECT_FALSE(Admit());
}

TEST_F(Breaker, LetsOneTryLater) {
  Open();
  now_us_ += 99;
  EXPECT_FALSE(Admit());
  now_us_ += 1;
  EXPECT_TRUE(Admit());
  EXPECT_EQ(annals_breaker_state(&breaker_), ANNALS_BREAKER_HALF_OPEN);
  EXPECT_FALSE(Admit());
}

TEST_F(Breaker, ClosesWhenThatOneSucceeds) {
  Open();
  now_us_ += 100;
  ASSERT_TRUE(Admit());
  Note(true);
  EXPECT_EQ(annals_breaker_state(&breaker_), ANNALS_BREAKER_CLOSED);
  EXPECT_TRUE(Admit());
  Note(false);
  EXPECT_TRUE(Admit());
}

TEST_F(Breaker, StaysOpenWhenItFails) {
  Open();
  now_us_ += 100;
  ASSERT_TRUE(Admit());
  Note(false);
  EXPECT_EQ(annals_breaker_state(&breaker_), ANNALS_BREAKER_OPEN);
  now_us_ += 99;
  EXPECT_FALSE(Admit());
  now_us_ += 1;
  EXPECT_TRUE(Admit());
}

}  // namespace
