#include "client/aws_time.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace {

struct Time {
  int64_t seconds;
  int32_t nanos;
  bool operator==(const Time &other) const {
    return seconds == other.seconds && nanos == other.nanos;
  }
};

void PrintTo(const Time &time, std::ostream *out) {
  *out << time.seconds << " s " << time.nanos << " ns";
}

Time Text(const char *text) {
  struct annals_time time;
  return annals_time_from_text(text, &time) ? Time{time.seconds, time.nanos} : Time{-1, -1};
}

Time Number(double number) {
  struct annals_time time;
  return annals_time_from_number(number, &time) ? Time{time.seconds, time.nanos} : Time{-1, -1};
}

const Time kInvalid = {-1, -1};

TEST(AwsTime, NumbersAreExactToTheMicrosecond) {
  EXPECT_EQ(Number(1525283875.58), (Time{1525283875, 580000000}));
  EXPECT_EQ(Number(1.52528387558E9), (Time{1525283875, 580000000}));
  EXPECT_EQ(Number(1.601499427807E9), (Time{1601499427, 807000000}));
  EXPECT_EQ(Number(1700000000.001), (Time{1700000000, 1000000}));
  EXPECT_EQ(Number(1700000000.123456), (Time{1700000000, 123456000}));
  EXPECT_EQ(Number(0), (Time{0, 0}));
  EXPECT_EQ(Number(0.001), (Time{0, 1000000}));
  EXPECT_EQ(Number(1e3), (Time{1000, 0}));
}

TEST(AwsTime, EveryMillisecondOfASecondIsExact) {
  for (int ms = 0; ms < 1000; ms++) {
    std::string digits = std::to_string(1000 + ms).substr(1);
    EXPECT_EQ(Number(std::stod("1732000001." + digits)), (Time{1732000001, ms * 1000000}));
    EXPECT_EQ(Number(std::stod("253402300799." + digits)), (Time{253402300799, ms * 1000000}));
  }
}

TEST(AwsTime, NumbersOutsideTheYearsAreRefused) {
  EXPECT_EQ(Number(-0.001), kInvalid);
  EXPECT_EQ(Number(253402300800.0), kInvalid);
  EXPECT_EQ(Number(1e300), kInvalid);
  EXPECT_EQ(Number(NAN), kInvalid);
  EXPECT_EQ(Number(INFINITY), kInvalid);
}

TEST(AwsTime, TextAsTheAwsCliPrintsIt) {
  EXPECT_EQ(Text("2018-05-02T10:47:55.580000-07:00"), (Time{1525283275, 580000000}));
  EXPECT_EQ(Text("2018-05-02T17:57:55.580000+00:00"), (Time{1525283875, 580000000}));
  EXPECT_EQ(Text("2018-05-02T17:57:55.58Z"), (Time{1525283875, 580000000}));
  EXPECT_EQ(Text("2018-05-02T17:57:55Z"), (Time{1525283875, 0}));
  EXPECT_EQ(Text("2018-05-02T17:57:55+00:00"), (Time{1525283875, 0}));
  EXPECT_EQ(Text("2018-05-02 17:57:55.123456789Z"), (Time{1525283875, 123456789}));
  EXPECT_EQ(Text("2018-05-02T23:27:55+0530"), (Time{1525283875, 0}));
  EXPECT_EQ(Text("2018-05-02T19:57:55+02"), (Time{1525283875, 0}));
  EXPECT_EQ(Text("2018-05-02t17:57:55z"), (Time{1525283875, 0}));
  EXPECT_EQ(Text("1970-01-01T00:00:00Z"), (Time{0, 0}));
  EXPECT_EQ(Text("9999-12-31T23:59:59.999999999Z"), (Time{253402300799, 999999999}));
  EXPECT_EQ(Text("2024-02-29T12:00:00Z"), (Time{1709208000, 0}));
}

TEST(AwsTime, OtherTextIsRefused) {
  for (const char *text : {"",
                           "now",
                           "2018-05-02",
                           "2018-05-02T17:57:55",
                           "2018-05-02T17:57:55.Z",
                           "2018-05-02T17:57:55.1234567891Z",
                           "2018-05-02T17:57Z",
                           "2018-13-02T17:57:55Z",
                           "2018-00-02T17:57:55Z",
                           "2018-02-30T17:57:55Z",
                           "2023-02-29T12:00:00Z",
                           "2018-05-02T24:00:00Z",
                           "2018-05-02T17:60:55Z",
                           "2018-05-02T17:57:60Z",
                           "2018-05-02T17:57:55+24:00",
                           "2018-05-02T17:57:55+02:60",
                           "2018-05-02T17:57:55+02:",
                           "2018-05-02T17:57:55+02:0",
                           "2018-05-02T17:57:55Zx",
                           " 2018-05-02T17:57:55Z",
                           "18-05-02T17:57:55Z",
                           "1969-12-31T23:59:59Z",
                           "9999-12-31T23:59:59-00:01",
                           "2018-05-02T17:57:55,5Z",
                           "2018-05-02T1:57:55Z"}) {
    EXPECT_EQ(Text(text), kInvalid) << text;
  }
}

TEST(AwsTime, TextInUtc) {
  char text[ANNALS_TIME_TEXT_SIZE];
  annals_time_to_text({1525283875, 580999999}, text);
  EXPECT_STREQ(text, "2018-05-02T17:57:55.580Z");
  annals_time_to_text({0, 0}, text);
  EXPECT_STREQ(text, "1970-01-01T00:00:00.000Z");
  annals_time_to_text({INT64_MAX, -1}, text);
  EXPECT_STREQ(text, "9999-12-31T23:59:59.294Z");
}

}  // namespace
