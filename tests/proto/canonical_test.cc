#include <gtest/gtest.h>
#include <sys/resource.h>

#include <fstream>

#include "tests/proto/codec_test_support.h"

namespace {

using namespace annals_test;

class CanonicalTest : public testing::Test {
 protected:
  Canonical Canonicalize(const std::string &event) {
    return annals_test::Canonicalize(schema_, event);
  }
  void ExpectFault(const std::string &event, annals_event_fault_kind kind, const std::string &field,
                   const std::string &text) {
    Canonical result = Canonicalize(event);
    ASSERT_FALSE(result.ok);
    EXPECT_EQ(result.fault.kind, kind);
    EXPECT_EQ(result.fault.field, field);
    EXPECT_EQ(result.fault.text, text);
  }
  Schema schema_;
};

const std::string kHead = Timestamp(5, 7) + Int(kEventType, kPassStateEntered) + Int(kEventId, 9) +
                          Int(kEventPreviousId, 8);

TEST_F(CanonicalTest, LeavesCanonicalBytesAlone) {
  std::string event =
      kHead + Bytes(kStateEnteredDetails, Bytes(1, "S") + Bytes(2, "{}") + Bytes(3, ""));
  Canonical result = Canonicalize(event);
  ASSERT_TRUE(result.ok);
  EXPECT_EQ(result.bytes, event);
  EXPECT_EQ(result.head.id, 9);
  EXPECT_EQ(result.head.previous_event_id, 8);
  EXPECT_EQ(result.head.type, kPassStateEntered);
  EXPECT_EQ(result.head.details, static_cast<uint32_t>(kStateEnteredDetails));
  EXPECT_TRUE(result.head.has_timestamp);
  EXPECT_EQ(result.head.seconds, 5);
  EXPECT_EQ(result.head.nanos, 7);
  EXPECT_EQ(result.head.timestamp_size, Timestamp(5, 7).size());
}

TEST_F(CanonicalTest, SortsFieldsAndDropsDefaults) {
  std::string shuffled =
      Bytes(kStateEnteredDetails, Bytes(3, Int(1, 0)) + Bytes(2, "{}") + Bytes(1, "S")) +
      Int(kEventPreviousId, 8) + Int(kEventId, 9) + Int(kEventType, kPassStateEntered) +
      Bytes(1, Int(2, 7) + Int(1, 5));
  EXPECT_EQ(Canonicalize(shuffled).bytes,
            kHead + Bytes(kStateEnteredDetails, Bytes(1, "S") + Bytes(2, "{}") + Bytes(3, "")));
  EXPECT_EQ(Canonicalize(Int(kEventId, 0) + Bytes(kStateEnteredDetails, Bytes(1, ""))).bytes,
            Bytes(kStateEnteredDetails, ""));
}

TEST_F(CanonicalTest, LastScalarAndStringWin) {
  EXPECT_EQ(Canonicalize(Int(kEventId, 1) + Int(kEventId, 2)).bytes, Int(kEventId, 2));
  EXPECT_EQ(Canonicalize(Int(kEventId, 1) + Int(kEventId, 0)).bytes, "");
  EXPECT_EQ(Canonicalize(Bytes(kStateEnteredDetails, Bytes(1, "a") + Bytes(1, "b"))).bytes,
            Bytes(kStateEnteredDetails, Bytes(1, "b")));
}

TEST_F(CanonicalTest, MergesSplitSubMessages) {
  std::string split = Bytes(kStateEnteredDetails, Bytes(1, "S") + Bytes(3, Int(1, 1))) +
                      Bytes(kEventTimestamp, Int(1, 5)) +
                      Bytes(kStateEnteredDetails, Bytes(2, "{}") + Bytes(3, "")) +
                      Bytes(kEventTimestamp, Int(2, 7));
  EXPECT_EQ(Canonicalize(split).bytes,
            Timestamp(5, 7) +
                Bytes(kStateEnteredDetails, Bytes(1, "S") + Bytes(2, "{}") + Bytes(3, Int(1, 1))));
}

TEST_F(CanonicalTest, LastMemberOfTheOneofWinsAndStartsEmpty) {
  std::string entered = Bytes(kStateEnteredDetails, Bytes(1, "a"));
  std::string exited = Bytes(kStateExitedDetails, Bytes(1, "b"));
  EXPECT_EQ(Canonicalize(entered + exited).bytes, exited);
  EXPECT_EQ(Canonicalize(entered + exited + Bytes(kStateEnteredDetails, Bytes(2, "c"))).bytes,
            Bytes(kStateEnteredDetails, Bytes(2, "c")));
}

TEST_F(CanonicalTest, SortsMapEntriesAndKeepsTheLastOfEqualKeys) {
  auto entry = [](const std::string &key, const std::string &value) {
    return Bytes(4, Bytes(1, key) + Bytes(2, value));
  };
  std::string shuffled = entry("b", "1") + entry("a", "2") + entry("ab", "3") + entry("b", "4") +
                         Bytes(4, Bytes(2, "5") + Bytes(1, "0")) + Bytes(4, Bytes(2, "6"));
  EXPECT_EQ(Canonicalize(Bytes(kStateExitedDetails, shuffled)).bytes,
            Bytes(kStateExitedDetails, Bytes(4, Bytes(2, "6")) + entry("0", "5") + entry("a", "2") +
                                           entry("ab", "3") + entry("b", "4")));
  EXPECT_EQ(Canonicalize(Bytes(kStateExitedDetails, Bytes(4, "") + Bytes(4, Bytes(2, "x")))).bytes,
            Bytes(kStateExitedDetails, Bytes(4, Bytes(2, "x"))));
}

TEST_F(CanonicalTest, NormalisesNumbers) {
  /* int32 cut to 32 bits, booleans to one, overlong varints to the shortest form. */
  const uint32_t started = 40; /* map_state_started_event_details.length */
  EXPECT_EQ(Canonicalize(Bytes(started, Int(1, (int64_t{1} << 32) + 3))).bytes,
            Bytes(started, Int(1, 3)));
  EXPECT_EQ(Canonicalize(Bytes(kStateEnteredDetails, Bytes(3, Int(1, 77)))).bytes,
            Bytes(kStateEnteredDetails, Bytes(3, Int(1, 1))));
  EXPECT_EQ(Canonicalize(std::string("\x18\x81\x80\x00", 4)).bytes, Int(kEventId, 1));
}

TEST_F(CanonicalTest, RefusesNegativeCounts) {
  ExpectFault(Bytes(40, Int(1, -1)), ANNALS_FAULT_INVALID, "map_state_started_event_details.length",
              "is negative");
  ExpectFault(Bytes(40, Int(1, 0xffffffff)), ANNALS_FAULT_INVALID,
              "map_state_started_event_details.length", "is negative");
  ExpectFault(Bytes(kTaskScheduledDetails, Int(5, -1)), ANNALS_FAULT_INVALID,
              "task_scheduled_event_details.timeout_in_seconds", "is negative");
}

TEST_F(CanonicalTest, RefusesUnknownFieldsAtEveryDepth) {
  ExpectFault(Int(77, 1), ANNALS_FAULT_INVALID, "", "has an unknown field 77");
  ExpectFault(Int(100000, 1), ANNALS_FAULT_INVALID, "", "has an unknown field 100000");
  ExpectFault(Bytes(kStateEnteredDetails, Int(9, 1)), ANNALS_FAULT_INVALID,
              "state_entered_event_details", "has an unknown field 9");
  ExpectFault(Bytes(kStateEnteredDetails, Bytes(3, Int(2, 1))), ANNALS_FAULT_INVALID,
              "state_entered_event_details.input_details", "has an unknown field 2");
  ExpectFault(Bytes(kStateExitedDetails, Bytes(4, Int(3, 1))), ANNALS_FAULT_INVALID,
              "state_exited_event_details.assigned_variables",
              "has an unknown field 3 in an entry");
  ExpectFault(Bytes(kEventTimestamp, Int(3, 1)), ANNALS_FAULT_INVALID, "timestamp",
              "has an unknown field 3");
}

TEST_F(CanonicalTest, RefusesWrongWireTypesAndMalformedBytes) {
  ExpectFault(Bytes(kEventId, "x"), ANNALS_FAULT_INVALID, "id", "has the wrong wire type 2");
  ExpectFault(Int(kStateEnteredDetails, 1), ANNALS_FAULT_INVALID, "state_entered_event_details",
              "has the wrong wire type 0");
  ExpectFault("\x0a", ANNALS_FAULT_INVALID, "", "is not valid protobuf");
  ExpectFault(Bytes(kStateEnteredDetails, "\x0a"), ANNALS_FAULT_INVALID,
              "state_entered_event_details", "is not valid protobuf");
}

TEST_F(CanonicalTest, RefusesTextThatIsNot) {
  ExpectFault(Bytes(kStateEnteredDetails, Bytes(1, "\xff")), ANNALS_FAULT_INVALID,
              "state_entered_event_details.name", "is not valid UTF-8");
  ExpectFault(Bytes(kStateEnteredDetails, Bytes(1, "\xed\xa0\x80")), ANNALS_FAULT_INVALID,
              "state_entered_event_details.name", "is not valid UTF-8"); /* a surrogate */
  ExpectFault(Bytes(kStateEnteredDetails, Bytes(2, std::string("a\0b", 3))), ANNALS_FAULT_INVALID,
              "state_entered_event_details.input", "holds a NUL character");
  ExpectFault(Bytes(kStateExitedDetails, Bytes(4, Bytes(1, std::string(1, '\0')))),
              ANNALS_FAULT_INVALID, "state_exited_event_details.assigned_variables",
              "holds a NUL character");
}

TEST_F(CanonicalTest, HoldsTextToTheModelsLengths) {
  EXPECT_TRUE(Canonicalize(Bytes(kStateEnteredDetails, Bytes(1, std::string(80, 'n')))).ok);
  Canonical name = Canonicalize(Bytes(kStateEnteredDetails, Bytes(1, std::string(81, 'n'))));
  ASSERT_FALSE(name.ok);
  EXPECT_EQ(name.fault.kind, ANNALS_FAULT_LIMIT);
  EXPECT_EQ(name.fault.limit, 80U);
  EXPECT_STREQ(name.fault.field, "state_entered_event_details.name");
  EXPECT_STREQ(name.fault.text, "is 81 bytes long; at most 80 are allowed");
  EXPECT_TRUE(Canonicalize(Bytes(kStateEnteredDetails, Bytes(2, std::string(262144, 'n')))).ok);
  EXPECT_FALSE(Canonicalize(Bytes(kStateEnteredDetails, Bytes(2, std::string(262145, 'n')))).ok);
}

TEST_F(CanonicalTest, HoldsVariablesToTheirTotal) {
  auto variables = [](size_t size) {
    return Bytes(kStateExitedDetails, Bytes(4, Bytes(1, "k") + Bytes(2, std::string(size, 'v'))) +
                                          Bytes(4, Bytes(1, "l") + Bytes(2, "w")));
  };
  EXPECT_TRUE(Canonicalize(variables(262144 - 3)).ok);
  Canonical over = Canonicalize(variables(262144 - 2));
  ASSERT_FALSE(over.ok);
  EXPECT_EQ(over.fault.kind, ANNALS_FAULT_LIMIT);
  EXPECT_EQ(over.fault.limit, 262144U);
}

TEST_F(CanonicalTest, SurvivesManyEmptyPartsAndDeepNesting) {
  std::string empty;
  for (int i = 0; i < 17000; i++) {
    empty += Bytes(kStateEnteredDetails, "");
  }
  EXPECT_EQ(Canonicalize(empty).bytes, Bytes(kStateEnteredDetails, ""));
  std::string nested;
  for (int i = 0; i < 10000; i++) {
    nested = Bytes(kStateEnteredDetails, nested);
  }
  ExpectFault(nested, ANNALS_FAULT_INVALID, "state_entered_event_details",
              "has an unknown field 5");
}

TEST_F(CanonicalTest, FailsWhereTheBufferIsTooSmall) {
  Canonical result =
      annals_test::Canonicalize(schema_, Bytes(kStateEnteredDetails, Bytes(1, "abc")), /*max=*/4);
  ASSERT_FALSE(result.ok);
  EXPECT_EQ(result.fault.kind, ANNALS_FAULT_RESOURCES);
}

/* 1 MiB of empty entries takes 16 MiB to sort. */
TEST_F(CanonicalTest, FailsWhereMemoryIsShort) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers need all the address space they can have";
#else
  std::string entries;
  for (int i = 0; i < 1 << 19; i++) {
    entries += Bytes(4, "");
  }
  std::string event = Bytes(kStateExitedDetails, entries);
  EXPECT_EQ(Canonicalize(event).bytes, Bytes(kStateExitedDetails, Bytes(4, "")));
  auto run = [&] {
    rlim_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlim_t bytes = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + (8 << 20);
    rlimit limit = {bytes, bytes};
    setrlimit(RLIMIT_AS, &limit);
    Canonical result = Canonicalize(event);
    exit(!result.ok && result.fault.kind == ANNALS_FAULT_RESOURCES ? 0 : 1);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
#endif
}

TEST_F(CanonicalTest, TakesNothingForAnEmptyEvent) {
  annals_buffer out;
  annals_event_head head;
  annals_event_fault fault;
  annals_buffer_init(&out, 1000);
  EXPECT_TRUE(annals_canonical_append(schema_.get(), nullptr, 0, &out, &head, &fault));
  EXPECT_EQ(out.len, 0U);
  annals_buffer_clear(&out);
}

TEST_F(CanonicalTest, EmptyTimestampIsTheEpochAndNotAbsence) {
  Canonical present = Canonicalize(Bytes(kEventTimestamp, ""));
  ASSERT_TRUE(present.ok);
  EXPECT_TRUE(present.head.has_timestamp);
  EXPECT_EQ(present.bytes, std::string("\x0a\x00", 2));
  EXPECT_FALSE(Canonicalize("").head.has_timestamp);
}

}  // namespace
