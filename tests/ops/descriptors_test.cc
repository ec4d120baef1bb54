#include "server/ops/descriptors.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace {

TEST(Descriptors, LimitIsRaisedToTheMostAllowed) {
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = 256;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_EQ(annals_descriptors_limit(), 256);
  EXPECT_EQ(annals_descriptors_raise(), static_cast<int64_t>(before.rlim_max));
  EXPECT_EQ(annals_descriptors_limit(), static_cast<int64_t>(before.rlim_max));
  EXPECT_EQ(annals_descriptors_raise(), static_cast<int64_t>(before.rlim_max));
}

}  // namespace
