#include "server/ops/trace.h"

#include <gtest/gtest.h>

#include <string>

namespace annals {
namespace {

constexpr char kTrace[] = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr char kParent[] = "00f067aa0ba902b7";

std::string Hex(const uint8_t *bytes, size_t size) {
  std::string text(2 * size + 1, 'x');
  annals_trace_hex(bytes, size, text.data());
  EXPECT_EQ(text.back(), '\0');
  text.pop_back();
  return text;
}

bool Continue(const std::string &text, struct annals_trace *trace) {
  return annals_trace_continue(text.data(), text.size(), trace);
}

std::string Parent(const std::string &flags = "01", const std::string &version = "00") {
  return version + "-" + kTrace + "-" + kParent + "-" + flags;
}

TEST(Trace, GoesOnWithItsCallers) {
  struct annals_trace trace;
  ASSERT_TRUE(Continue(Parent(), &trace));
  EXPECT_TRUE(trace.exists);
  EXPECT_TRUE(trace.sampled);
  EXPECT_EQ(Hex(trace.trace_id, sizeof trace.trace_id), kTrace);
  EXPECT_EQ(Hex(trace.parent_id, sizeof trace.parent_id), kParent);
  const std::string span = Hex(trace.span_id, sizeof trace.span_id);
  EXPECT_NE(span, kParent);
  EXPECT_NE(span, std::string(16, '0'));

  char text[ANNALS_TRACEPARENT_BYTES + 1];
  annals_trace_format(&trace, text);
  EXPECT_EQ(text, std::string("00-") + kTrace + "-" + span + "-01");
}

TEST(Trace, IsSampledByItsFlagAlone) {
  struct annals_trace trace;
  for (const auto &[flags, sampled] :
       {std::pair("00", false), {"01", true}, {"02", false}, {"ff", true}, {"fe", false}}) {
    ASSERT_TRUE(Continue(Parent(flags), &trace)) << flags;
    EXPECT_EQ(trace.sampled, sampled) << flags;
  }
}

TEST(Trace, ReadsLaterVersionsAsFarAsTheySayTheSame) {
  struct annals_trace trace;
  EXPECT_TRUE(Continue(Parent("01", "cc"), &trace));
  EXPECT_TRUE(Continue(Parent("01", "01") + "-what-comes", &trace));
  EXPECT_FALSE(Continue(Parent("01", "01") + "what-comes", &trace));
}

TEST(Trace, IsNoneWhereTheTextIsNone) {
  const std::string zeros(32, '0');
  for (const std::string &text :
       {std::string(), std::string("00"), Parent("01", "ff"), Parent("0g"), Parent("0"),
        Parent("01") + "-", Parent("01") + "0", Parent("01", "0"), " " + Parent(),
        "00-" + zeros + "-" + kParent + "-01", std::string("00-") + kTrace + "-" + zeros + "-01",
        std::string("00-") + kTrace + "-" + zeros.substr(16) + "-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" + std::string(kParent) + "-01",
        std::string("00_") + kTrace + "-" + kParent + "-01",
        std::string("00-") + kTrace + "_" + kParent + "-01",
        std::string("00-") + kTrace + "-" + kParent + "_01"}) {
    struct annals_trace trace;
    EXPECT_FALSE(Continue(text, &trace)) << text;
    EXPECT_FALSE(trace.exists) << text;
  }
}

TEST(Trace, BeginsWithIdsOfItsOwn) {
  struct annals_trace one;
  struct annals_trace other;
  annals_trace_begin(&one);
  annals_trace_begin(&other);
  EXPECT_TRUE(one.exists && one.sampled);
  EXPECT_NE(Hex(one.trace_id, 16), Hex(other.trace_id, 16));
  EXPECT_NE(Hex(one.span_id, 8), Hex(other.span_id, 8));
  EXPECT_EQ(Hex(one.parent_id, 8), std::string(16, '0'));
}

}  // namespace
}  // namespace annals
